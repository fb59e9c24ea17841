/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What user space asks of gemfault. The client's copy of these numbers is tests/clients/src/uapi.rs.
 */
#ifndef GEMFAULT_UAPI_H
#define GEMFAULT_UAPI_H

#include <drm/drm.h>

/* The faults, by number. A number is never used again for another fault. */
enum gemfault_fault {
	GEMFAULT_FORGOTTEN_DETACH = 1,
	GEMFAULT_PUT_BEFORE_DETACH = 2,
	GEMFAULT_DETACH_AFTER_RELEASE = 3,
	GEMFAULT_FORGOTTEN_UNMAP = 4,
	GEMFAULT_UNMAP_WRONG_DIRECTION = 5,
	GEMFAULT_UNMAP_TWICE = 6,
	GEMFAULT_MAP_WITHOUT_RESERVATION = 7,
	GEMFAULT_ATTACH_WITH_RESERVATION = 8,
	GEMFAULT_UNBALANCED_PIN = 9,
	GEMFAULT_PIN_WITHOUT_RESERVATION = 10,
	GEMFAULT_UNBALANCED_VMAP = 11,
	GEMFAULT_VMAP_WITHOUT_RESERVATION = 12,
	GEMFAULT_FOREIGN_DETACH = 13,
	GEMFAULT_BAD_EXPORT = 14,
	GEMFAULT_EXTRA_DMABUF_REFERENCE = 15,
	GEMFAULT_EXTRA_OBJECT_REFERENCE = 16,
	GEMFAULT_SECOND_DMABUF = 17,
	GEMFAULT_CACHE_LEFT = 18,
	GEMFAULT_WRONG_CACHE_ENTRY = 19,
	GEMFAULT_LINK_LEFT = 20,
	GEMFAULT_NAME_LEFT = 21,
	GEMFAULT_FRAMEBUFFER_REFERENCE = 22,
	GEMFAULT_DESTROY_WITHOUT_PRIME = 23,
	GEMFAULT_HANDLE_COUNT = 24,
};

/* The same operation without the fault: the control. */
#define GEMFAULT_RIGHT 1

struct drm_gemfault_run {
	__u32 fault;
	__u32 flags;
	/* The buffer that it is about, where it is about one of user space's. */
	__u32 handle;
	/* wrong-cache-entry: the buffer that suffers. */
	__u32 other_handle;
	/* extra-dmabuf-reference: a prime fd. */
	__s32 fd;
	/* framebuffer-reference: a framebuffer's id. */
	__u32 framebuffer;
};

/* A buffer of the module's own exporter, as a prime fd: no GEM object, so that importing it is a foreign import. */
struct drm_gemfault_export {
	__s32 fd;
	__u32 pad;
};

/* CPU access by handle, in the manner of i915's pread, pwrite and mmap. */
struct drm_gemfault_access {
	__u32 handle;
	__u32 flags;
};

#define DRM_GEMFAULT_RUN	0x00
#define DRM_GEMFAULT_EXPORT	0x01
/* Puts back all that has been leaked. */
#define DRM_GEMFAULT_CLEANUP	0x02
#define DRM_GEMFAULT_PREAD	0x03
#define DRM_GEMFAULT_PWRITE	0x04
#define DRM_GEMFAULT_MMAP	0x05

#define DRM_IOCTL_GEMFAULT_RUN \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_GEMFAULT_RUN, struct drm_gemfault_run)
#define DRM_IOCTL_GEMFAULT_EXPORT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_GEMFAULT_EXPORT, struct drm_gemfault_export)
#define DRM_IOCTL_GEMFAULT_CLEANUP \
	DRM_IO(DRM_COMMAND_BASE + DRM_GEMFAULT_CLEANUP)
#define DRM_IOCTL_GEMFAULT_PREAD \
	DRM_IOW(DRM_COMMAND_BASE + DRM_GEMFAULT_PREAD, struct drm_gemfault_access)
#define DRM_IOCTL_GEMFAULT_PWRITE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_GEMFAULT_PWRITE, struct drm_gemfault_access)
#define DRM_IOCTL_GEMFAULT_MMAP \
	DRM_IOW(DRM_COMMAND_BASE + DRM_GEMFAULT_MMAP, struct drm_gemfault_access)

#endif

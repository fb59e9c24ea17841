/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gemfault: a DRM driver that breaks one rule of GEM, PRIME or dma-buf for each fault that it is asked for.
 *
 * It drives no hardware. It is a GEM exporter and importer (gem.c), a dma-buf exporter without GEM, static or dynamic
 * (exporter.c), and an importer of its own buffers (faults_dmabuf.c). What a fault leaks is remembered and put back by
 * DRM_IOCTL_GEMFAULT_CLEANUP or when the module goes (leaks.c), so that the kernel stays whole.
 */
#ifndef GEMFAULT_H
#define GEMFAULT_H

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>

#include "gemfault_uapi.h"

/* main.c */

struct gemfault_device {
	struct drm_device drm;
	struct platform_device *platform;
};

/* gem.c: GEM objects in pages of their own, or imported. */

struct gemfault_object {
	struct drm_gem_object base;
	void *memory;
	/* An import's mapping. */
	struct sg_table *sgt;
	/* What to do wrong when its time comes: a bit for each fault's number. */
	unsigned long armed;
	/* wrong-cache-entry: the dma-buf that this object's cache entry must have again, and both entries' handles. */
	struct dma_buf *robbed;
	u32 robbed_handle;
	u32 robber_handle;
};

#define to_gemfault_object(obj) container_of(obj, struct gemfault_object, base)

int gemfault_dumb_create(struct drm_file *file, struct drm_device *dev, struct drm_mode_create_dumb *args);
struct drm_gem_object *gemfault_import_sg_table(struct drm_device *dev, struct dma_buf_attachment *attach,
						struct sg_table *sgt);
extern const struct drm_mode_config_funcs gemfault_mode_config_funcs;

/* exporter.c: dma-bufs without GEM. */

#define GEMFAULT_SIZE (4 * PAGE_SIZE)

struct gemfault_buffer {
	void *memory;
	/* attach-with-reservation: the attach callback lets go of the lock that its caller must not have. */
	bool unlock_in_attach;
	unsigned int pins;
};

struct dma_buf *gemfault_export(bool dynamic);
/* Asks for what dma_buf_export() must refuse; gives its answer. */
struct dma_buf *gemfault_export_badly(void);
/* Frees an attachment that its dma-buf did not live to see detached. */
void gemfault_free_attachment(struct dma_buf_attachment *attach);
struct sg_table *gemfault_table_of(void *memory, size_t size);

/* leaks.c */

int gemfault_leaks_init(void);
void gemfault_leaks_fini(void);
void gemfault_leak_object(struct drm_gem_object *obj);
void gemfault_leak_dmabuf(struct dma_buf *dmabuf);
void gemfault_leak_framebuffer(struct drm_framebuffer *fb);
void gemfault_leak_attachment(struct dma_buf_attachment *attach);
/* An importer's attachment, mapping and reference. */
void gemfault_leak_import(struct dma_buf_attachment *attach, struct sg_table *sgt);
/* A dma-buf with a vmap too many whose last reference is gone; its dentry is held by the caller until now. */
void gemfault_leak_vmap(struct dma_buf *dmabuf, struct dentry *dentry);
/* Something of a file that must be in order before the file's PRIME cache is judged. */
struct gemfault_member;
void gemfault_leak_member(struct drm_file *file, struct gemfault_member *member);
void gemfault_leak_cached(struct drm_file *file, struct dma_buf *dmabuf);
void gemfault_postclose(struct drm_device *dev, struct drm_file *file);
/* Puts a dma-buf's last reference, and returns when its file has been released; its dentry is held by the caller. */
int gemfault_put_and_wait(struct dma_buf *dmabuf, struct dentry *dentry);
void gemfault_cleanup(void);

/* faults.c: the table. */

int gemfault_run_ioctl(struct drm_device *dev, void *data, struct drm_file *file);

/* One fault: 0, or a negative errno; -EOPNOTSUPP where the kernel has no such rule. */
typedef int gemfault_fn(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args, bool right);

/* faults_dmabuf.c */

gemfault_fn gemfault_forgotten_detach, gemfault_put_before_detach, gemfault_detach_after_release,
	gemfault_forgotten_unmap, gemfault_unmap_wrong_direction, gemfault_unmap_twice,
	gemfault_map_without_reservation, gemfault_attach_with_reservation, gemfault_unbalanced_pin,
	gemfault_pin_without_reservation, gemfault_unbalanced_vmap, gemfault_vmap_without_reservation,
	gemfault_foreign_detach, gemfault_bad_export, gemfault_extra_dmabuf_reference;

/* faults_gem.c */

gemfault_fn gemfault_extra_object_reference, gemfault_arm_object, gemfault_cache_left, gemfault_wrong_cache_entry,
	gemfault_framebuffer_reference, gemfault_handle_count;
/* The close of a handle: wrong-cache-entry puts back what it took, before the core looks. */
void gemfault_gem_close(struct drm_gem_object *obj, struct drm_file *file);

/*
 * An entry of a file's PRIME cache, as drm_prime.c has it for itself: in two trees, by dma-buf and by handle. The
 * layout is the same from 4.9 to 7.3.
 */
struct gemfault_member {
	struct dma_buf *dma_buf;
	u32 handle;
	struct rb_node by_dmabuf;
	struct rb_node by_handle;
};

/* access.c: named as i915's, for tracers that know those by name. */

int i915_gem_pread_ioctl(struct drm_device *dev, void *data, struct drm_file *file);
int i915_gem_pwrite_ioctl(struct drm_device *dev, void *data, struct drm_file *file);
int i915_gem_mmap_ioctl(struct drm_device *dev, void *data, struct drm_file *file);

#endif

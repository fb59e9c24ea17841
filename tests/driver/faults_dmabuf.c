// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of importers and of who holds a dma-buf. All but the last are about a buffer that the fault exports for
 * itself, without an fd, and lets go of: the only reference is this function's.
 *
 *   forgotten-detach          the reference is put while the device is attached; the buffer dies with the attachment
 *                             on it (R11, L5)
 *   put-before-detach         the last reference is put, and then the device is detached; the release itself is put
 *                             off until the task leaves the kernel, which is all that saves it (R11)
 *   detach-after-release      the same, but the release of the file has come before the detach (R24)
 *   forgotten-unmap           a mapping is left at the detach, where nothing is cached (R43, R44, R48)
 *   unmap-wrong-direction     mapped to the device, unmapped from it (R47)
 *   unmap-twice               one map, two unmaps (R44, R48)
 *   map-without-reservation   a map without the reservation lock: from 6.2 of any attachment, before it of a dynamic
 *                             one (R46)
 *   attach-with-reservation   an attach by the task that holds the reservation lock (R46)
 *   unbalanced-pin            a pin is left at the detach (R45, R48)
 *   pin-without-reservation   a pin without the reservation lock (R46)
 *   unbalanced-vmap           the buffer's last reference goes with a vmap left (R49)
 *   vmap-without-reservation  a vmap without the reservation lock, from 6.2 (R46)
 *   foreign-detach            an attachment is detached from another buffer; from 6.2 the kernel warns and does nothing
 *                             (R48)
 *   bad-export                an export with incomplete operations, which the kernel refuses with a warning (R40)
 *   extra-dmabuf-reference    a reference by fd is never put (R24, L4)
 */
#include <linux/dcache.h>
#include <linux/fs.h>

#include "gemfault.h"

static void gemfault_invalidate(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops gemfault_importer_ops = {
	.allow_peer2peer = true,
#ifdef GEMFAULT_INVALIDATE_MAPPINGS
	.invalidate_mappings = gemfault_invalidate,
#else
	.move_notify = gemfault_invalidate,
#endif
};

/* A new buffer with the device attached to it. */
static struct dma_buf_attachment *gemfault_attached(struct drm_device *dev, bool dynamic)
{
	struct dma_buf *dmabuf = gemfault_export(dynamic);
	struct dma_buf_attachment *attach;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	if (dynamic)
		attach = dma_buf_dynamic_attach(dmabuf, dev->dev, &gemfault_importer_ops, NULL);
	else
		attach = dma_buf_attach(dmabuf, dev->dev);
	if (IS_ERR(attach))
		dma_buf_put(dmabuf);
	return attach;
}

/* The end of what gemfault_attached() made. */
static void gemfault_let_go(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
}

static struct sg_table *gemfault_map_locked(struct dma_buf_attachment *attach, enum dma_data_direction direction)
{
	struct sg_table *sgt;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, direction);
	dma_resv_unlock(attach->dmabuf->resv);
	return sgt;
}

static void gemfault_unmap_locked(struct dma_buf_attachment *attach, struct sg_table *sgt,
				  enum dma_data_direction direction)
{
	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(attach, sgt, direction);
	dma_resv_unlock(attach->dmabuf->resv);
}

int gemfault_forgotten_detach(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			      bool right)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, false);

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	if (right)
		gemfault_let_go(attach);
	else
		dma_buf_put(attach->dmabuf);
	return 0;
}

int gemfault_put_before_detach(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			       bool right)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, false);
	struct dma_buf *dmabuf;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dmabuf = attach->dmabuf;
	if (right) {
		gemfault_let_go(attach);
	} else {
		dma_buf_put(dmabuf);
		dma_buf_detach(dmabuf, attach);
	}
	return 0;
}

int gemfault_detach_after_release(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
				  bool right)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, false);
	struct dentry *dentry;
	struct dma_buf *dmabuf;
	int ret;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dmabuf = attach->dmabuf;
	if (right) {
		gemfault_let_go(attach);
		return 0;
	}
	/* Keeps the memory when the file goes. */
	dentry = dget(dmabuf->file->f_path.dentry);
	ret = gemfault_put_and_wait(dmabuf, dentry);
	dma_buf_detach(dmabuf, attach);
	dput(dentry);
	return ret;
}

/* Maps one way, and undoes it so many times, in a direction that should be the same. */
static int gemfault_mapped(struct drm_device *dev, enum dma_data_direction map, enum dma_data_direction unmap,
			   int unmaps)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, false);
	struct sg_table *sgt;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	sgt = gemfault_map_locked(attach, map);
	if (!IS_ERR(sgt))
		while (unmaps--)
			gemfault_unmap_locked(attach, sgt, unmap);
	gemfault_let_go(attach);
	return PTR_ERR_OR_ZERO(sgt);
}

int gemfault_forgotten_unmap(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			     bool right)
{
	return gemfault_mapped(dev, DMA_BIDIRECTIONAL, DMA_BIDIRECTIONAL, right ? 1 : 0);
}

int gemfault_unmap_wrong_direction(struct drm_device *dev, struct drm_file *file,
				   const struct drm_gemfault_run *args, bool right)
{
	return gemfault_mapped(dev, DMA_TO_DEVICE, right ? DMA_TO_DEVICE : DMA_FROM_DEVICE, 1);
}

int gemfault_unmap_twice(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			 bool right)
{
	return gemfault_mapped(dev, DMA_BIDIRECTIONAL, DMA_BIDIRECTIONAL, right ? 1 : 2);
}

int gemfault_map_without_reservation(struct drm_device *dev, struct drm_file *file,
				     const struct drm_gemfault_run *args, bool right)
{
#ifdef GEMFAULT_RESERVATION_CONVENTION
	const bool dynamic = false, locked = right;
#else
	/* The control is the same call where it is right: of a static attachment. */
	const bool dynamic = !right, locked = false;
#endif
	struct dma_buf_attachment *attach = gemfault_attached(dev, dynamic);
	struct sg_table *sgt;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	if (locked)
		sgt = gemfault_map_locked(attach, DMA_BIDIRECTIONAL);
	else
		sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (!IS_ERR(sgt))
		gemfault_unmap_locked(attach, sgt, DMA_BIDIRECTIONAL);
	gemfault_let_go(attach);
	return PTR_ERR_OR_ZERO(sgt);
}

int gemfault_attach_with_reservation(struct drm_device *dev, struct drm_file *file,
				     const struct drm_gemfault_run *args, bool right)
{
	struct dma_buf *dmabuf = gemfault_export(false);
	struct gemfault_buffer *buffer;
	struct dma_buf_attachment *attach;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (!right) {
		/* The core would wait for its own task; the exporter's callback unlocks before it comes to that. */
		buffer = dmabuf->priv;
		buffer->unlock_in_attach = true;
		dma_resv_lock(dmabuf->resv, NULL);
	}
	attach = dma_buf_attach(dmabuf, dev->dev);
	if (!IS_ERR(attach))
		dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
	return PTR_ERR_OR_ZERO(attach);
}

static int gemfault_pin_with(struct drm_device *dev, bool locked, bool unpin)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, true);
	struct dma_buf *dmabuf;
	int ret;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dmabuf = attach->dmabuf;
	if (locked)
		dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_pin(attach);
	if (!locked)
		dma_resv_lock(dmabuf->resv, NULL);
	if (!ret && unpin)
		dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	gemfault_let_go(attach);
	return ret;
}

int gemfault_unbalanced_pin(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			    bool right)
{
	return gemfault_pin_with(dev, true, right);
}

int gemfault_pin_without_reservation(struct drm_device *dev, struct drm_file *file,
				     const struct drm_gemfault_run *args, bool right)
{
	return gemfault_pin_with(dev, right, true);
}

/* The two shapes that vmap has had. */
#ifdef GEMFAULT_IOSYS_MAP
typedef struct iosys_map gemfault_address;

static int gemfault_vmap(struct dma_buf *dmabuf, gemfault_address *address)
{
	return dma_buf_vmap(dmabuf, address);
}

static void gemfault_vunmap(struct dma_buf *dmabuf, gemfault_address *address)
{
	dma_buf_vunmap(dmabuf, address);
}
#else
typedef void *gemfault_address;

static int gemfault_vmap(struct dma_buf *dmabuf, gemfault_address *address)
{
	*address = dma_buf_vmap(dmabuf);
	return *address ? 0 : -ENOMEM;
}

static void gemfault_vunmap(struct dma_buf *dmabuf, gemfault_address *address)
{
	dma_buf_vunmap(dmabuf, *address);
}
#endif

/* From 6.2 the caller of vmap and vunmap holds the lock; before, it may as well. */
static int gemfault_vmap_with(struct dma_buf *dmabuf, bool locked, bool vunmap)
{
	gemfault_address address;
	int ret;

	if (locked)
		dma_resv_lock(dmabuf->resv, NULL);
	ret = gemfault_vmap(dmabuf, &address);
	if (!locked)
		dma_resv_lock(dmabuf->resv, NULL);
	if (!ret && vunmap)
		gemfault_vunmap(dmabuf, &address);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

int gemfault_unbalanced_vmap(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			     bool right)
{
	struct dma_buf *dmabuf = gemfault_export(false);
	struct dentry *dentry;
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = gemfault_vmap_with(dmabuf, true, right);
	if (!ret && !right) {
		dentry = dget(dmabuf->file->f_path.dentry);
		dma_buf_put(dmabuf);
		gemfault_leak_vmap(dmabuf, dentry);
		return 0;
	}
	dma_buf_put(dmabuf);
	return ret;
}

int gemfault_vmap_without_reservation(struct drm_device *dev, struct drm_file *file,
				      const struct drm_gemfault_run *args, bool right)
{
#ifdef GEMFAULT_RESERVATION_CONVENTION
	struct dma_buf *dmabuf = gemfault_export(false);
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = gemfault_vmap_with(dmabuf, right, true);
	dma_buf_put(dmabuf);
	return ret;
#else
	return -EOPNOTSUPP;
#endif
}

int gemfault_foreign_detach(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			    bool right)
{
	struct dma_buf_attachment *attach = gemfault_attached(dev, false);
	struct dma_buf *dmabuf, *other;

	if (IS_ERR(attach))
		return PTR_ERR(attach);
	dmabuf = attach->dmabuf;
	other = gemfault_export(false);
	if (right || IS_ERR(other)) {
		gemfault_let_go(attach);
	} else {
		dma_buf_detach(other, attach);
#ifdef GEMFAULT_RESERVATION_CONVENTION
		/* Refused: it is still attached. */
		dma_buf_detach(dmabuf, attach);
#endif
		dma_buf_put(dmabuf);
	}
	if (!IS_ERR(other))
		dma_buf_put(other);
	return PTR_ERR_OR_ZERO(other);
}

int gemfault_bad_export(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			bool right)
{
	struct dma_buf *dmabuf = right ? gemfault_export(false) : gemfault_export_badly();

	if (IS_ERR(dmabuf))
		return !right && PTR_ERR(dmabuf) == -EINVAL ? 0 : PTR_ERR(dmabuf);
	if (!right)
		/* Without a release operation it cannot end: the better end is to say so. */
		return -EIO;
	dma_buf_put(dmabuf);
	return 0;
}

int gemfault_extra_dmabuf_reference(struct drm_device *dev, struct drm_file *file,
				    const struct drm_gemfault_run *args, bool right)
{
	struct dma_buf *dmabuf = dma_buf_get(args->fd);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (right)
		dma_buf_put(dmabuf);
	else
		gemfault_leak_dmabuf(dmabuf);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of GEM objects, handles, the PRIME cache and framebuffers. They are about buffers of user space's, which makes
 * and closes them as it should.
 *
 *   extra-object-reference   an object reference is never put: the object outlives its last handle (R25, L3)
 *   cache-left               a handle is closed, and its entry in the PRIME cache stays until the file closes (R14, L8)
 *   wrong-cache-entry        the close of a handle drops the reference that another handle's entry holds (B8)
 *   framebuffer-reference    a framebuffer outlives its file, though no plane shows it (L11)
 *   handle-count             an object's handle_count is one too many when its next handle is created (R2, R13)
 *   second-dmabuf, link-left, name-left, destroy-without-prime
 *                            the object is armed here and does it in gem.c
 */
#include <linux/slab.h>

#include <drm/drm_prime.h>

#include "gemfault.h"

int gemfault_extra_object_reference(struct drm_device *dev, struct drm_file *file,
				    const struct drm_gemfault_run *args, bool right)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);

	if (!obj)
		return -ENOENT;
	if (right)
		drm_gem_object_put(obj);
	else
		gemfault_leak_object(obj);
	return 0;
}

int gemfault_arm_object(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			bool right)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);

	if (!obj)
		return -ENOENT;
	if (!right)
		set_bit(args->fault, &to_gemfault_object(obj)->armed);
	drm_gem_object_put(obj);
	return 0;
}

/* The entry of a handle. The caller has the lock. */
static struct gemfault_member *gemfault_find_member(struct drm_file *file, u32 handle)
{
	struct rb_node *node;

	for (node = rb_first(&file->prime.handles); node; node = rb_next(node)) {
		struct gemfault_member *member = rb_entry(node, struct gemfault_member, by_handle);

		if (member->handle == handle)
			return member;
	}
	return NULL;
}

int gemfault_cache_left(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			bool right)
{
	struct gemfault_member *member;

	mutex_lock(&file->prime.lock);
	member = gemfault_find_member(file, args->handle);
	/* The close of the handle looks it up by handle, and finds nothing. */
	if (member && !right)
		rb_erase(&member->by_handle, &file->prime.handles);
	mutex_unlock(&file->prime.lock);
	if (!member)
		return -ENOENT;
	if (!right)
		gemfault_leak_member(file, member);
	return 0;
}

int gemfault_wrong_cache_entry(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			       bool right)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->other_handle);
	struct gemfault_member *closed, *robbed;

	if (!obj)
		return -ENOENT;
	mutex_lock(&file->prime.lock);
	closed = gemfault_find_member(file, args->handle);
	robbed = gemfault_find_member(file, args->other_handle);
	if (closed && robbed && !right) {
		struct gemfault_object *victim = to_gemfault_object(obj);

		/* gemfault_gem_close() of the victim undoes it. */
		swap(closed->dma_buf, robbed->dma_buf);
		victim->robbed = closed->dma_buf;
		victim->robbed_handle = args->other_handle;
		victim->robber_handle = args->handle;
	}
	mutex_unlock(&file->prime.lock);
	drm_gem_object_put(obj);
	return closed && robbed ? 0 : -ENOENT;
}

void gemfault_gem_close(struct drm_gem_object *base, struct drm_file *file)
{
	struct gemfault_object *obj = to_gemfault_object(base);
	struct gemfault_member *own, *other;

	if (!obj->robbed)
		return;
	mutex_lock(&file->prime.lock);
	own = gemfault_find_member(file, obj->robbed_handle);
	other = gemfault_find_member(file, obj->robber_handle);
	if (own && other) {
		/* The other handle is still open: nothing has happened. */
		swap(own->dma_buf, other->dma_buf);
	} else if (own) {
		/* Its own reference went with the other handle; it has the other's, which goes with the file. */
		gemfault_leak_cached(file, own->dma_buf);
		get_dma_buf(obj->robbed);
		own->dma_buf = obj->robbed;
	}
	obj->robbed = NULL;
	mutex_unlock(&file->prime.lock);
}

int gemfault_framebuffer_reference(struct drm_device *dev, struct drm_file *file,
				   const struct drm_gemfault_run *args, bool right)
{
	struct drm_framebuffer *fb = drm_framebuffer_lookup(dev, file, args->framebuffer);

	if (!fb)
		return -ENOENT;
	if (right)
		drm_framebuffer_put(fb);
	else
		gemfault_leak_framebuffer(fb);
	return 0;
}

static void gemfault_add_handles(struct drm_gem_object *obj, int count)
{
	mutex_lock(&obj->dev->object_name_lock);
	obj->handle_count += count;
	mutex_unlock(&obj->dev->object_name_lock);
}

int gemfault_handle_count(struct drm_device *dev, struct drm_file *file, const struct drm_gemfault_run *args,
			  bool right)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
	u32 second;
	int ret;

	if (!obj)
		return -ENOENT;
	if (!right)
		gemfault_add_handles(obj, 1);
	ret = drm_gem_handle_create(file, obj, &second);
	if (!right)
		gemfault_add_handles(obj, -1);
	if (!ret)
		ret = drm_gem_handle_delete(file, second);
	drm_gem_object_put(obj);
	return ret;
}

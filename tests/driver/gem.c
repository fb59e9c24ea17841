// SPDX-License-Identifier: GPL-2.0
/*
 * GEM objects, as correct as any driver's, but for those that a fault has armed (faults_gem.c):
 *
 *   second-dmabuf           one export makes two dma-bufs of the object (R30)
 *   link-left               the object dies with its dma_buf link set (R25)
 *   name-left               the object dies with a flink name and no handle (R15)
 *   destroy-without-prime   an imported object dies without drm_prime_gem_destroy() (R25, R62)
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_fourcc.h>
#include <drm/drm_mode_config.h>
#include <drm/drm_prime.h>

#include "gemfault.h"

/* What a link that was left points at: no dma-buf at all, so that nothing is counted wrong by it. */
static struct dma_buf gemfault_no_dmabuf;

static void gemfault_free(struct drm_gem_object *base)
{
	struct gemfault_object *obj = to_gemfault_object(base);

	if (base->import_attach) {
		if (test_bit(GEMFAULT_DESTROY_WITHOUT_PRIME, &obj->armed))
			gemfault_leak_import(base->import_attach, obj->sgt);
		else
			drm_prime_gem_destroy(base, obj->sgt);
	}
	if (test_bit(GEMFAULT_LINK_LEFT, &obj->armed))
		base->dma_buf = &gemfault_no_dmabuf;
	if (test_bit(GEMFAULT_NAME_LEFT, &obj->armed))
		base->name = INT_MAX;
	drm_gem_object_release(base);
	vfree(obj->memory);
	kfree(obj);
}

static struct dma_buf *gemfault_gem_export(struct drm_gem_object *base, int flags)
{
	struct gemfault_object *obj = to_gemfault_object(base);
	struct dma_buf *first;
	struct dma_buf *second;

	first = drm_gem_prime_export(base, flags);
	if (IS_ERR(first) || !test_and_clear_bit(GEMFAULT_SECOND_DMABUF, &obj->armed))
		return first;
	second = drm_gem_prime_export(base, flags);
	/* It lives until the task is on its way out of the kernel. */
	dma_buf_put(first);
	return second;
}

static struct sg_table *gemfault_get_sg_table(struct drm_gem_object *base)
{
	return gemfault_table_of(to_gemfault_object(base)->memory, base->size);
}

static const struct drm_gem_object_funcs gemfault_object_funcs = {
	.free = gemfault_free,
	.close = gemfault_gem_close,
	.export = gemfault_gem_export,
	.get_sg_table = gemfault_get_sg_table,
};

static struct gemfault_object *gemfault_object_new(struct drm_device *dev, size_t size)
{
	struct gemfault_object *obj = kzalloc(sizeof(*obj), GFP_KERNEL);

	if (!obj)
		return NULL;
	obj->base.funcs = &gemfault_object_funcs;
	drm_gem_private_object_init(dev, &obj->base, size);
	return obj;
}

int gemfault_dumb_create(struct drm_file *file, struct drm_device *dev, struct drm_mode_create_dumb *args)
{
	struct gemfault_object *obj;
	void *memory;
	int ret;

	args->pitch = args->width * DIV_ROUND_UP(args->bpp, 8);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height);
	if (!args->size)
		return -EINVAL;
	memory = vzalloc(args->size);
	if (!memory)
		return -ENOMEM;
	obj = gemfault_object_new(dev, args->size);
	if (!obj) {
		vfree(memory);
		return -ENOMEM;
	}
	obj->memory = memory;
	ret = drm_gem_handle_create(file, &obj->base, &args->handle);
	drm_gem_object_put(&obj->base);
	return ret;
}

struct drm_gem_object *gemfault_import_sg_table(struct drm_device *dev, struct dma_buf_attachment *attach,
						struct sg_table *sgt)
{
	struct gemfault_object *obj = gemfault_object_new(dev, PAGE_ALIGN(attach->dmabuf->size));

	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->sgt = sgt;
	return &obj->base;
}

static void gemfault_fb_destroy(struct drm_framebuffer *fb)
{
	drm_framebuffer_cleanup(fb);
	drm_gem_object_put(fb->obj[0]);
	kfree(fb);
}

static const struct drm_framebuffer_funcs gemfault_fb_funcs = {
	.destroy = gemfault_fb_destroy,
};

static struct drm_framebuffer *gemfault_fb_create(struct drm_device *dev, struct drm_file *file,
#ifdef GEMFAULT_FB_CREATE_INFO
						  const struct drm_format_info *info,
#endif
						  const struct drm_mode_fb_cmd2 *cmd)
{
	const struct drm_format_info *format = drm_format_info(cmd->pixel_format);
	struct drm_framebuffer *fb;
	int ret;

	if (!format || format->num_planes != 1)
		return ERR_PTR(-EINVAL);
	fb = kzalloc(sizeof(*fb), GFP_KERNEL);
	if (!fb)
		return ERR_PTR(-ENOMEM);
	fb->dev = dev;
	fb->format = format;
	fb->width = cmd->width;
	fb->height = cmd->height;
	fb->pitches[0] = cmd->pitches[0];
	fb->offsets[0] = cmd->offsets[0];
	fb->modifier = cmd->modifier[0];
	fb->flags = cmd->flags;
	fb->obj[0] = drm_gem_object_lookup(file, cmd->handles[0]);
	ret = fb->obj[0] ? drm_framebuffer_init(dev, fb, &gemfault_fb_funcs) : -ENOENT;
	if (!ret)
		return fb;
	if (fb->obj[0])
		drm_gem_object_put(fb->obj[0]);
	kfree(fb);
	return ERR_PTR(ret);
}

const struct drm_mode_config_funcs gemfault_mode_config_funcs = {
	.fb_create = gemfault_fb_create,
};

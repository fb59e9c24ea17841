// SPDX-License-Identifier: GPL-2.0
/*
 * The device: a platform device without hardware, a DRM device on it with a primary and a render node, and the ioctls.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include <drm/drm_ioctl.h>
#include <drm/drm_mode_config.h>
#include <drm/drm_prime.h>

#include "gemfault.h"

static struct gemfault_device *gemfault;

static int gemfault_export_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_gemfault_export *args = data;
	struct dma_buf *dmabuf = gemfault_export(false);
	int fd;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	args->fd = fd;
	return 0;
}

static int gemfault_cleanup_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	gemfault_cleanup();
	return 0;
}

static const struct drm_ioctl_desc gemfault_ioctls[] = {
	DRM_IOCTL_DEF_DRV(GEMFAULT_RUN, gemfault_run_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(GEMFAULT_EXPORT, gemfault_export_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(GEMFAULT_CLEANUP, gemfault_cleanup_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(GEMFAULT_PREAD, i915_gem_pread_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(GEMFAULT_PWRITE, i915_gem_pwrite_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(GEMFAULT_MMAP, i915_gem_mmap_ioctl, DRM_RENDER_ALLOW),
};

DEFINE_DRM_GEM_FOPS(gemfault_fops);

/* Kernels up to 5.10 want to write to it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
static const
#else
static
#endif
struct drm_driver gemfault_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_MODESET,
	.fops = &gemfault_fops,
	.ioctls = gemfault_ioctls,
	.num_ioctls = ARRAY_SIZE(gemfault_ioctls),
	.postclose = gemfault_postclose,
	.dumb_create = gemfault_dumb_create,
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd,
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle,
#endif
	.gem_prime_import_sg_table = gemfault_import_sg_table,
	.name = "gemfault",
	.desc = "driver that breaks the rules of buffers on request",
#ifdef GEMFAULT_DRIVER_DATE
	.date = "20260101",
#endif
	.major = 1,
	.minor = 0,
};

static int gemfault_mode_config(struct drm_device *dev)
{
	int ret = drmm_mode_config_init(dev);

	if (ret)
		return ret;
	dev->mode_config.funcs = &gemfault_mode_config_funcs;
	dev->mode_config.max_width = 4096;
	dev->mode_config.max_height = 4096;
	return 0;
}

static int __init gemfault_init(void)
{
	struct platform_device *platform;
	int ret = gemfault_leaks_init();

	if (ret)
		return ret;
	platform = platform_device_register_simple("gemfault", -1, NULL, 0);
	if (IS_ERR(platform)) {
		ret = PTR_ERR(platform);
		goto fini;
	}
	if (!devres_open_group(&platform->dev, NULL, GFP_KERNEL)) {
		ret = -ENOMEM;
		goto unregister;
	}
	ret = dma_coerce_mask_and_coherent(&platform->dev, DMA_BIT_MASK(64));
	if (ret)
		goto release;
	gemfault = devm_drm_dev_alloc(&platform->dev, &gemfault_driver, struct gemfault_device, drm);
	if (IS_ERR(gemfault)) {
		ret = PTR_ERR(gemfault);
		goto release;
	}
	gemfault->platform = platform;
	ret = gemfault_mode_config(&gemfault->drm);
	if (ret)
		goto release;
	ret = drm_dev_register(&gemfault->drm, 0);
	if (!ret)
		return 0;
release:
	devres_release_group(&platform->dev, NULL);
unregister:
	platform_device_unregister(platform);
fini:
	gemfault_leaks_fini();
	return ret;
}

static void __exit gemfault_exit(void)
{
	struct platform_device *platform = gemfault->platform;

	drm_dev_unregister(&gemfault->drm);
	gemfault_cleanup();
	gemfault_leaks_fini();
	devres_release_group(&platform->dev, NULL);
	platform_device_unregister(platform);
}

module_init(gemfault_init);
module_exit(gemfault_exit);

MODULE_DESCRIPTION("DRM driver that breaks the rules of GEM, PRIME and dma-buf on request, for tests of tracers");
MODULE_LICENSE("GPL");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif

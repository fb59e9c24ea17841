// SPDX-License-Identifier: GPL-2.0
/*
 * CPU access to buffers by handle, under the names of i915's ioctls. An imported buffer has no pages of this driver's,
 * so each must refuse it (R60):
 *
 *   cpu-pread, cpu-pwrite, cpu-mmap   the import is accepted
 *
 * Nothing is read, written or mapped: whether the driver says yes is all there is to see.
 */
#include <drm/drm_print.h>

#include "gemfault.h"

enum gemfault_access { GEMFAULT_READ, GEMFAULT_WRITE, GEMFAULT_MAP };

static noinline int gemfault_access(struct drm_file *file, const struct drm_gemfault_access *args,
				    enum gemfault_access how)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
	int ret = 0;

	if (!obj)
		return -ENOENT;
	if (obj->import_attach && args->flags & GEMFAULT_RIGHT)
		ret = -EINVAL;
	drm_dbg(obj->dev, "access %d to handle %u: %d\n", how, args->handle, ret);
	drm_gem_object_put(obj);
	return ret;
}

noinline int i915_gem_pread_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	return gemfault_access(file, data, GEMFAULT_READ);
}

noinline int i915_gem_pwrite_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	return gemfault_access(file, data, GEMFAULT_WRITE);
}

noinline int i915_gem_mmap_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	return gemfault_access(file, data, GEMFAULT_MAP);
}

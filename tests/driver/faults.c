// SPDX-License-Identifier: GPL-2.0
/*
 * The table of faults: what DRM_IOCTL_GEMFAULT_RUN does for each number.
 */
#include "gemfault.h"

static gemfault_fn *const gemfault_faults[] = {
	[GEMFAULT_FORGOTTEN_DETACH] = gemfault_forgotten_detach,
	[GEMFAULT_PUT_BEFORE_DETACH] = gemfault_put_before_detach,
	[GEMFAULT_DETACH_AFTER_RELEASE] = gemfault_detach_after_release,
	[GEMFAULT_FORGOTTEN_UNMAP] = gemfault_forgotten_unmap,
	[GEMFAULT_UNMAP_WRONG_DIRECTION] = gemfault_unmap_wrong_direction,
	[GEMFAULT_UNMAP_TWICE] = gemfault_unmap_twice,
	[GEMFAULT_MAP_WITHOUT_RESERVATION] = gemfault_map_without_reservation,
	[GEMFAULT_ATTACH_WITH_RESERVATION] = gemfault_attach_with_reservation,
	[GEMFAULT_UNBALANCED_PIN] = gemfault_unbalanced_pin,
	[GEMFAULT_PIN_WITHOUT_RESERVATION] = gemfault_pin_without_reservation,
	[GEMFAULT_UNBALANCED_VMAP] = gemfault_unbalanced_vmap,
	[GEMFAULT_VMAP_WITHOUT_RESERVATION] = gemfault_vmap_without_reservation,
	[GEMFAULT_FOREIGN_DETACH] = gemfault_foreign_detach,
	[GEMFAULT_BAD_EXPORT] = gemfault_bad_export,
	[GEMFAULT_EXTRA_DMABUF_REFERENCE] = gemfault_extra_dmabuf_reference,
	[GEMFAULT_EXTRA_OBJECT_REFERENCE] = gemfault_extra_object_reference,
	[GEMFAULT_SECOND_DMABUF] = gemfault_arm_object,
	[GEMFAULT_CACHE_LEFT] = gemfault_cache_left,
	[GEMFAULT_WRONG_CACHE_ENTRY] = gemfault_wrong_cache_entry,
	[GEMFAULT_LINK_LEFT] = gemfault_arm_object,
	[GEMFAULT_NAME_LEFT] = gemfault_arm_object,
	[GEMFAULT_FRAMEBUFFER_REFERENCE] = gemfault_framebuffer_reference,
	[GEMFAULT_DESTROY_WITHOUT_PRIME] = gemfault_arm_object,
	[GEMFAULT_HANDLE_COUNT] = gemfault_handle_count,
};

int gemfault_run_ioctl(struct drm_device *dev, void *data, struct drm_file *file)
{
	const struct drm_gemfault_run *args = data;

	if (args->fault >= ARRAY_SIZE(gemfault_faults) || !gemfault_faults[args->fault])
		return -EINVAL;
	return gemfault_faults[args->fault](dev, file, args, args->flags & GEMFAULT_RIGHT);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf exporter without GEM, static or dynamic. It does what an importer says, right or wrong, and stays whole:
 * what is mapped is kept on the attachment until it is detached, so that an unmap too many, or too few, or in the wrong
 * direction, touches no freed memory.
 *
 *   bad-export               dma_buf_export() is asked for a dma-buf whose operations are incomplete (R40)
 *   attach-with-reservation  the attach callback lets go of the lock, which saves the caller from itself
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "gemfault.h"

/* What an attachment has mapped, in attach->priv. */
struct gemfault_mapping {
	struct list_head node;
	struct sg_table *sgt;
	enum dma_data_direction direction;
	bool live;
};

struct gemfault_attached {
	struct list_head mappings;
	struct device *dev;
};

struct sg_table *gemfault_table_of(void *memory, size_t size)
{
	unsigned int count = size >> PAGE_SHIFT;
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	unsigned int i;
	int ret = -ENOMEM;

	if (pages && sgt) {
		for (i = 0; i < count; i++)
			pages[i] = vmalloc_to_page(memory + i * PAGE_SIZE);
		ret = sg_alloc_table_from_pages(sgt, pages, count, 0, size, GFP_KERNEL);
	}
	kvfree(pages);
	if (!ret)
		return sgt;
	kfree(sgt);
	return ERR_PTR(ret);
}

static int gemfault_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct gemfault_buffer *buffer = dmabuf->priv;
	struct gemfault_attached *attached = kzalloc(sizeof(*attached), GFP_KERNEL);

	/* The core locks next. */
	if (buffer->unlock_in_attach)
		dma_resv_unlock(dmabuf->resv);
	buffer->unlock_in_attach = false;
	if (!attached)
		return -ENOMEM;
	INIT_LIST_HEAD(&attached->mappings);
	attached->dev = attach->dev;
	attach->priv = attached;
	return 0;
}

static void gemfault_unmap_now(struct gemfault_attached *attached, struct gemfault_mapping *mapping)
{
	if (mapping->live)
		dma_unmap_sgtable(attached->dev, mapping->sgt, mapping->direction, 0);
	mapping->live = false;
}

static void gemfault_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct gemfault_attached *attached = attach->priv;
	struct gemfault_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, &attached->mappings, node) {
		gemfault_unmap_now(attached, mapping);
		sg_free_table(mapping->sgt);
		kfree(mapping->sgt);
		kfree(mapping);
	}
	kfree(attached);
	attach->priv = NULL;
}

void gemfault_free_attachment(struct dma_buf_attachment *attach)
{
	gemfault_detach(NULL, attach);
	kfree(attach);
}

static struct sg_table *gemfault_map(struct dma_buf_attachment *attach, enum dma_data_direction direction)
{
	struct gemfault_buffer *buffer = attach->dmabuf->priv;
	struct gemfault_attached *attached = attach->priv;
	struct gemfault_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	int ret;

	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->sgt = gemfault_table_of(buffer->memory, attach->dmabuf->size);
	if (IS_ERR(mapping->sgt)) {
		ret = PTR_ERR(mapping->sgt);
		goto free;
	}
	ret = dma_map_sgtable(attached->dev, mapping->sgt, direction, 0);
	if (ret)
		goto free_table;
	mapping->direction = direction;
	mapping->live = true;
	list_add(&mapping->node, &attached->mappings);
	return mapping->sgt;

free_table:
	sg_free_table(mapping->sgt);
	kfree(mapping->sgt);
free:
	kfree(mapping);
	return ERR_PTR(ret);
}

static void gemfault_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			   enum dma_data_direction direction)
{
	struct gemfault_attached *attached = attach->priv;
	struct gemfault_mapping *mapping;

	list_for_each_entry(mapping, &attached->mappings, node)
		if (mapping->sgt == sgt)
			gemfault_unmap_now(attached, mapping);
}

static int gemfault_pin(struct dma_buf_attachment *attach)
{
	struct gemfault_buffer *buffer = attach->dmabuf->priv;

	buffer->pins++;
	return 0;
}

static void gemfault_unpin(struct dma_buf_attachment *attach)
{
	struct gemfault_buffer *buffer = attach->dmabuf->priv;

	buffer->pins--;
}

#ifdef GEMFAULT_IOSYS_MAP
static int gemfault_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct gemfault_buffer *buffer = dmabuf->priv;

	iosys_map_set_vaddr(map, buffer->memory);
	return 0;
}
#else
static void *gemfault_vmap(struct dma_buf *dmabuf)
{
	struct gemfault_buffer *buffer = dmabuf->priv;

	return buffer->memory;
}
#endif

static void gemfault_release(struct dma_buf *dmabuf)
{
	struct gemfault_buffer *buffer = dmabuf->priv;
	struct dma_buf_attachment *attach, *next;

	/* The core looks at the list after this, and would warn. */
	list_for_each_entry_safe(attach, next, &dmabuf->attachments, node) {
		list_del(&attach->node);
		gemfault_leak_attachment(attach);
	}
	vfree(buffer->memory);
	kfree(buffer);
}

static const struct dma_buf_ops gemfault_static_ops = {
	.attach = gemfault_attach,
	.detach = gemfault_detach,
	.map_dma_buf = gemfault_map,
	.unmap_dma_buf = gemfault_unmap,
	.vmap = gemfault_vmap,
	.release = gemfault_release,
};

static const struct dma_buf_ops gemfault_dynamic_ops = {
	.attach = gemfault_attach,
	.detach = gemfault_detach,
	.pin = gemfault_pin,
	.unpin = gemfault_unpin,
	.map_dma_buf = gemfault_map,
	.unmap_dma_buf = gemfault_unmap,
	.vmap = gemfault_vmap,
	.release = gemfault_release,
};

static const struct dma_buf_ops gemfault_incomplete_ops = {
	.attach = gemfault_attach,
	.detach = gemfault_detach,
	.map_dma_buf = gemfault_map,
	.unmap_dma_buf = gemfault_unmap,
};

static struct dma_buf *gemfault_export_with(const struct dma_buf_ops *ops)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct gemfault_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	struct dma_buf *dmabuf;

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->memory = vzalloc(GEMFAULT_SIZE);
	if (!buffer->memory) {
		kfree(buffer);
		return ERR_PTR(-ENOMEM);
	}
	info.ops = ops;
	info.size = GEMFAULT_SIZE;
	info.flags = O_RDWR;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		vfree(buffer->memory);
		kfree(buffer);
	}
	return dmabuf;
}

struct dma_buf *gemfault_export(bool dynamic)
{
	return gemfault_export_with(dynamic ? &gemfault_dynamic_ops : &gemfault_static_ops);
}

struct dma_buf *gemfault_export_badly(void)
{
	return gemfault_export_with(&gemfault_incomplete_ops);
}

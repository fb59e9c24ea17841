// SPDX-License-Identifier: GPL-2.0
/*
 * What the faults have left behind, and how it is put back.
 *
 * A dma-buf of this module holds the module. One that is leaked would keep it for good, so a leak gives that reference
 * back and the cleanup takes it again; until then nobody else may hold the buffer when the module goes.
 */
#include <linux/delay.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_prime.h>

#include "gemfault.h"

enum gemfault_leak_kind {
	GEMFAULT_OBJECT,
	GEMFAULT_DMABUF,
	GEMFAULT_FRAMEBUFFER,
	GEMFAULT_ATTACHMENT,
	GEMFAULT_IMPORT,
	/* These two go with a file. */
	GEMFAULT_MEMBER,
	GEMFAULT_CACHED,
};

struct gemfault_leak {
	struct list_head node;
	enum gemfault_leak_kind kind;
	void *what;
	/* An import's mapping. */
	struct sg_table *sgt;
	/* Whose it is. */
	struct drm_file *file;
};

static LIST_HEAD(gemfault_leaks);
static DEFINE_MUTEX(gemfault_leaks_lock);
/* Of its own, so that the module can wait for all of it. */
static struct workqueue_struct *gemfault_queue;

int gemfault_leaks_init(void)
{
	gemfault_queue = alloc_workqueue("gemfault", WQ_UNBOUND, 0);
	return gemfault_queue ? 0 : -ENOMEM;
}

void gemfault_leaks_fini(void)
{
	destroy_workqueue(gemfault_queue);
}

/* A fault that cannot be remembered must not fail: it is done already. */
static struct gemfault_leak *gemfault_leak(enum gemfault_leak_kind kind, void *what)
{
	struct gemfault_leak *leak = kzalloc(sizeof(*leak), GFP_KERNEL | __GFP_NOFAIL);

	leak->kind = kind;
	leak->what = what;
	mutex_lock(&gemfault_leaks_lock);
	list_add_tail(&leak->node, &gemfault_leaks);
	mutex_unlock(&gemfault_leaks_lock);
	return leak;
}

static void gemfault_unpin_module(struct dma_buf *dmabuf)
{
	if (dmabuf->owner == THIS_MODULE)
		module_put(THIS_MODULE);
}

static void gemfault_put_leaked(struct dma_buf *dmabuf)
{
	if (dmabuf->owner == THIS_MODULE)
		__module_get(THIS_MODULE);
	dma_buf_put(dmabuf);
}

void gemfault_leak_object(struct drm_gem_object *obj)
{
	gemfault_leak(GEMFAULT_OBJECT, obj);
}

void gemfault_leak_dmabuf(struct dma_buf *dmabuf)
{
	gemfault_leak(GEMFAULT_DMABUF, dmabuf);
	gemfault_unpin_module(dmabuf);
}

void gemfault_leak_framebuffer(struct drm_framebuffer *fb)
{
	gemfault_leak(GEMFAULT_FRAMEBUFFER, fb);
}

void gemfault_leak_attachment(struct dma_buf_attachment *attach)
{
	gemfault_leak(GEMFAULT_ATTACHMENT, attach);
}

void gemfault_leak_import(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	gemfault_leak(GEMFAULT_IMPORT, attach)->sgt = sgt;
	gemfault_unpin_module(attach->dmabuf);
}

void gemfault_leak_member(struct drm_file *file, struct gemfault_member *member)
{
	gemfault_leak(GEMFAULT_MEMBER, member)->file = file;
}

void gemfault_leak_cached(struct drm_file *file, struct dma_buf *dmabuf)
{
	gemfault_leak(GEMFAULT_CACHED, dmabuf)->file = file;
}

/* The core looks whether the cache is empty right after this. */
void gemfault_postclose(struct drm_device *dev, struct drm_file *file)
{
	struct gemfault_leak *leak, *next;

	mutex_lock(&gemfault_leaks_lock);
	list_for_each_entry_safe(leak, next, &gemfault_leaks, node) {
		struct gemfault_member *member = leak->what;

		if (leak->file != file)
			continue;
		if (leak->kind == GEMFAULT_MEMBER) {
			rb_erase(&member->by_dmabuf, &file->prime.dmabufs);
			dma_buf_put(member->dma_buf);
			kfree(member);
		} else {
			dma_buf_put(leak->what);
		}
		list_del(&leak->node);
		kfree(leak);
	}
	mutex_unlock(&gemfault_leaks_lock);
}

static void gemfault_put_back(struct gemfault_leak *leak)
{
	switch (leak->kind) {
	case GEMFAULT_OBJECT:
		drm_gem_object_put(leak->what);
		break;
	case GEMFAULT_DMABUF:
		gemfault_put_leaked(leak->what);
		break;
	case GEMFAULT_FRAMEBUFFER:
		drm_framebuffer_put(leak->what);
		break;
	case GEMFAULT_ATTACHMENT:
		gemfault_free_attachment(leak->what);
		break;
	case GEMFAULT_IMPORT: {
		struct dma_buf_attachment *attach = leak->what;
		struct dma_buf *dmabuf = attach->dmabuf;

		dma_resv_lock(dmabuf->resv, NULL);
		dma_buf_unmap_attachment(attach, leak->sgt, DMA_BIDIRECTIONAL);
		dma_resv_unlock(dmabuf->resv);
		dma_buf_detach(dmabuf, attach);
		gemfault_put_leaked(dmabuf);
		break;
	}
	default:
		break;
	}
}

/* Takes one leak that goes with no file off the list. */
static struct gemfault_leak *gemfault_next_leak(void)
{
	struct gemfault_leak *leak, *found = NULL;

	mutex_lock(&gemfault_leaks_lock);
	list_for_each_entry(leak, &gemfault_leaks, node) {
		if (!leak->file) {
			found = leak;
			list_del(&leak->node);
			break;
		}
	}
	mutex_unlock(&gemfault_leaks_lock);
	return found;
}

/*
 * In a kernel thread, where what a last put leaves to be done can be waited for: of a task of user space it is done on
 * the way out of the kernel, when the module may be gone.
 */
static void gemfault_cleanup_work(struct work_struct *work)
{
	struct gemfault_leak *leak;

	/* A release may leave an attachment. */
	while ((leak = gemfault_next_leak())) {
		gemfault_put_back(leak);
		kfree(leak);
		flush_delayed_fput();
	}
}

void gemfault_cleanup(void)
{
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, gemfault_cleanup_work);
	queue_work(gemfault_queue, &work);
	flush_work(&work);
	destroy_work_on_stack(&work);
}

struct gemfault_put {
	struct work_struct work;
	struct dma_buf *dmabuf;
};

static void gemfault_put_work(struct work_struct *work)
{
	dma_buf_put(container_of(work, struct gemfault_put, work)->dmabuf);
	flush_delayed_fput();
}

/* The file's own hold on the dentry goes right after its release. */
static bool gemfault_file_released(struct dentry *dentry)
{
	return d_count(dentry) == 1;
}

int gemfault_put_and_wait(struct dma_buf *dmabuf, struct dentry *dentry)
{
	struct gemfault_put put = { .dmabuf = dmabuf };
	int tries;

	INIT_WORK_ONSTACK(&put.work, gemfault_put_work);
	queue_work(gemfault_queue, &put.work);
	flush_work(&put.work);
	destroy_work_on_stack(&put.work);
	for (tries = 0; tries < 200 && !gemfault_file_released(dentry); tries++)
		msleep(10);
	return gemfault_file_released(dentry) ? 0 : -ETIMEDOUT;
}

struct gemfault_vmapped {
	struct delayed_work work;
	struct dma_buf *dmabuf;
	struct dentry *dentry;
};

/* The dma-buf itself must not be released with a vmap: the kernel would stop there. */
static void gemfault_vmapped_work(struct work_struct *work)
{
	struct gemfault_vmapped *vmapped = container_of(to_delayed_work(work), struct gemfault_vmapped, work);

	if (!gemfault_file_released(vmapped->dentry)) {
		queue_delayed_work(gemfault_queue, &vmapped->work, msecs_to_jiffies(10));
		return;
	}
	vmapped->dmabuf->vmapping_counter = 0;
	dput(vmapped->dentry);
	kfree(vmapped);
}

void gemfault_leak_vmap(struct dma_buf *dmabuf, struct dentry *dentry)
{
	struct gemfault_vmapped *vmapped = kzalloc(sizeof(*vmapped), GFP_KERNEL | __GFP_NOFAIL);

	vmapped->dmabuf = dmabuf;
	vmapped->dentry = dentry;
	INIT_DELAYED_WORK(&vmapped->work, gemfault_vmapped_work);
	queue_delayed_work(gemfault_queue, &vmapped->work, msecs_to_jiffies(10));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what only the KUnit suites call: other views of the memory of a
 * ring; see helpers.h.
 */

#include <kunit/test.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/preempt.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "helpers.h"

void *io_ring_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

void io_ring_vunmap(const void *addr)
{
	vunmap(addr);
}

bool io_ring_page_is_highmem(const struct page *page)
{
	return PageHighMem(page);
}

/*
 * A temporary mapping. Without highmem, kmap_local_page() would not make one even
 * if DEBUG_KMAP_LOCAL_FORCE_MAP asks for it.
 */
#if defined(CONFIG_DEBUG_KMAP_LOCAL_FORCE_MAP) && !defined(CONFIG_HIGHMEM)
/*
 * On x86_64, the only such machine, the kernel leaves out what flushes the address
 * from the TLB: without that, it would still show the page that was mapped before.
 */
static void flush_address(const void *addr)
{
	asm volatile("invlpg (%0)" : : "r" (addr) : "memory");
}

void *io_ring_map_page(struct page *page)
{
	void *addr = __kmap_local_page_prot(page, PAGE_KERNEL);

	flush_address(addr);
	return addr;
}

void io_ring_unmap_page(const void *addr)
{
	kunmap_local_indexed(addr);
	flush_address(addr);
}
#else
void *io_ring_map_page(struct page *page)
{
	return kmap_local_page(page);
}

void io_ring_unmap_page(const void *addr)
{
	kunmap_local(addr);
}
#endif

/* Whether temporary mappings have addresses of their own. */
bool io_ring_maps_pages(void)
{
	return IS_ENABLED(CONFIG_KMAP_LOCAL);
}

/*
 * Maps @len bytes of @file, or of new memory if that is NULL, into an address
 * space that the test's thread has for itself. Returns the address, or an error
 * number.
 */
unsigned long io_ring_map_user(struct file *file, unsigned long len)
{
	unsigned long flags = file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	int ret = kunit_attach_mm();

	if (ret)
		return ret;
	return vm_mmap(file, 0, len, PROT_READ | PROT_WRITE, flags, 0);
}

size_t io_ring_copy_to_iter(const void *from, size_t len, struct iov_iter *iter)
{
	return copy_to_iter(from, len, iter);
}

size_t io_ring_copy_from_iter(void *to, size_t len, struct iov_iter *iter)
{
	return copy_from_iter(to, len, iter);
}

bool io_ring_in_hardirq(void)
{
	return in_hardirq();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: pinned memory, and iterators
 * over memory; see helpers.h.
 */

#include <linux/bvec.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/uio.h>

#include "helpers.h"

/* Which page of its folio it is. Folios are aligned to their size. */
unsigned long io_ring_page_number(const struct page *page)
{
	return folio_page_idx(page_folio(page), page);
}

/* Whether one bio_vec can hold both: the second follows the first in one folio. */
bool io_ring_pages_join(const struct page *first, const struct page *second)
{
	return page_folio(first) == page_folio(second) &&
	       io_ring_page_number(first) + 1 == io_ring_page_number(second);
}

/* Makes @iter one over @count bytes from @offset on in @nr segments. */
void io_ring_iter_bvec(struct iov_iter *iter, unsigned int direction, const struct bio_vec *bvec,
		       unsigned long nr, size_t offset, size_t count)
{
	iov_iter_bvec(iter, direction, bvec, nr, count);
	iter->iov_offset = offset;
}

/* Segment @index of an iterator over user memory that is at its beginning. */
struct iovec io_ring_iter_iovec(const struct iov_iter *iter, unsigned long index)
{
	return iter_iov(iter)[index];
}

unsigned long io_ring_iter_nr(const struct iov_iter *iter)
{
	return iter->nr_segs;
}

/*
 * Charges @pages pinned pages to the address space of the current task, and to
 * its user, as far as RLIMIT_MEMLOCK allows. *@user is NULL if it has no limit:
 * nothing is charged to the user then.
 */
int io_ring_charge_pinned(unsigned long pages, struct user_struct **user)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *charged = NULL;

	if (!capable(CAP_IPC_LOCK)) {
		long now, next;

		charged = get_uid(current_user());
		now = atomic_long_read(&charged->locked_vm);
		do {
			next = now + pages;
			if ((unsigned long)next > limit) {
				free_uid(charged);
				return -ENOMEM;
			}
		} while (!atomic_long_try_cmpxchg(&charged->locked_vm, &now, next));
	}
	atomic64_add(pages, &current->mm->pinned_vm);
	*user = charged;
	return 0;
}

/* Undoes io_ring_charge_pinned(). */
void io_ring_uncharge_pinned(struct mm_struct *mm, unsigned long pages, struct user_struct *user)
{
	if (user) {
		atomic_long_sub(pages, &user->locked_vm);
		free_uid(user);
	}
	atomic64_sub(pages, &mm->pinned_vm);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libio_ring: the program's side of an io_ring.
 *
 * Names that start with io_ring_ are those of the kernel's <linux/io_ring.h>,
 * names that start with ioring_ those of this library.
 *
 *	struct ioring ring;
 *	struct io_ring_cqe *cqe;
 *	int err = ioring_init(&ring, 8);
 *	...
 *	struct io_ring_sqe *sqe = ioring_get_sqe(&ring);
 *
 *	ioring_prep_read(sqe, fd, buffer, sizeof(buffer), 0);
 *	sqe->user_data = 42;
 *	err = ioring_submit(&ring);
 *	...
 *	err = ioring_wait_cqe(&ring, &cqe);
 *	... cqe->user_data, cqe->res ...
 *	ioring_cq_advance(&ring, 1);
 *	ioring_exit(&ring);
 *
 * Functions that can fail return a negative errno value. A ring has no lock:
 * one thread at a time may submit, and one thread at a time may reap.
 */
#ifndef LIBIO_RING_H
#define LIBIO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include <linux/io_ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* The offset that stands for the file position, which then advances. */
#define IORING_FILE_POSITION	UINT64_MAX

/**
 * struct ioring_sq - the submission queue
 * @head: Written by the kernel: the next entry that it will take.
 * @tail: Written by ioring_submit(): one past the last entry offered.
 * @flags: Written by the kernel: IO_RING_SQ_* bits.
 * @dropped: Written by the kernel: index array elements that named no entry.
 * @array: The index array, or NULL with IO_RING_SETUP_NO_SQARRAY. The library
 *         fills it once, so that position p is entry p & @mask; a program may
 *         change an element between ioring_get_sqe() and ioring_submit().
 * @sqes: The entries.
 * @mask: Number of entries - 1.
 * @entries: Number of entries, a power of two.
 * @next: Private: the position that ioring_get_sqe() gives out next.
 */
struct ioring_sq {
	const uint32_t		*head;
	uint32_t		*tail;
	const uint32_t		*flags;
	const uint32_t		*dropped;
	uint32_t		*array;
	struct io_ring_sqe	*sqes;
	uint32_t		mask;
	uint32_t		entries;
	uint32_t		next;
};

/**
 * struct ioring_cq - the completion queue
 * @head: Written by ioring_cq_advance(): the next completion to read.
 * @tail: Written by the kernel: one past the last completion.
 * @overflow: Written by the kernel: completions that had to wait for room.
 * @cqes: The completions.
 * @mask: Number of completions - 1.
 * @entries: Number of completions, a power of two.
 */
struct ioring_cq {
	uint32_t		*head;
	const uint32_t		*tail;
	const uint32_t		*overflow;
	struct io_ring_cqe	*cqes;
	uint32_t		mask;
	uint32_t		entries;
};

/**
 * struct ioring - a ring
 * @fd: The descriptor; it can be polled: POLLIN when there is a completion.
 * @wait_error: 0, or the negative errno that ended the wait of the last call
 *              although entries were taken.
 * @region: The mapping that holds both queues.
 * @region_size: Its size in bytes.
 * @features: IO_RING_FEAT_* bits.
 * @enters: How many times the kernel was entered.
 * @sq: The submission queue.
 * @cq: The completion queue.
 */
struct ioring {
	int			fd;
	int			wait_error;
	void			*region;
	size_t			region_size;
	uint64_t		features;
	uint64_t		enters;
	struct ioring_sq	sq;
	struct ioring_cq	cq;
};

/* Makes a ring of at least @entries entries, without an index array. */
int ioring_init(struct ioring *ring, uint32_t entries);

/*
 * Makes a ring as @setup asks; the library sets the member size and clears the
 * error_* and limit_* ones. Afterwards @setup holds the kernel's answer, for
 * ioring_setup_strerror() after an error.
 */
int ioring_setup(struct ioring *ring, struct io_ring_setup *setup);

/*
 * Destroys the ring. When it returns the kernel uses none of the program's
 * buffers any more, unless the descriptor was duplicated or inherited.
 */
void ioring_exit(struct ioring *ring);

/*
 * Says in one line why ioring_setup() returned @err, for example "entries:
 * 40000 is above the limit 32768". Returns @text, always terminated.
 */
char *ioring_setup_strerror(const struct io_ring_setup *setup, int err, char *text, size_t size);

/*
 * Says in one line what the negative result of @cqe means; if the kernel
 * rejected the entry the text starts with the name of the field to blame.
 * Returns @text, always terminated.
 */
char *ioring_cqe_strerror(const struct io_ring_cqe *cqe, char *text, size_t size);

/* The name of the field for which the entry was rejected, or NULL if it was not. */
const char *ioring_cqe_field(const struct io_ring_cqe *cqe);

/* The name of the field of struct io_ring_sqe that has the byte at @offset, or NULL. */
const char *ioring_sqe_field_name(size_t offset);

/* The name of an opcode without its prefix, for example "READ", or NULL. */
const char *ioring_op_name(unsigned int opcode);

/*
 * Says in one line why the device could not be opened or used. Returns @text,
 * always terminated.
 */
char *ioring_device_strerror(int err, char *text, size_t size);

/* Asks the device what it can do; the library sets the member size. */
int ioring_query(struct io_ring_query *query);

/*
 * Enters the kernel once: takes up to @to_submit entries and waits for
 * @min_complete completions. Returns how many entries were taken; if the wait
 * failed after that, ring->wait_error is set. What is below is easier to use.
 */
int ioring_enter(struct ioring *ring, uint32_t to_submit, uint32_t min_complete);

/*
 * Cancels everything that is under way and waits until it has ended, for
 * @timeout nanoseconds at most, 0 meaning no limit. Returns how many requests
 * are still under way: 0, or more if the time was up or a signal came first.
 * With 0 the kernel holds no file of the ring's requests any more, and touches
 * none of their buffers. Completions remain to be read.
 */
int ioring_quiesce(struct ioring *ring, uint64_t timeout);

/*
 * Offers the entries that ioring_get_sqe() gave out since the last call and
 * those that the kernel has left there, then waits until @wait_nr completions
 * can be read. Returns how many entries the kernel took. If it took fewer than
 * offered it did not wait, and the rest stays for the next call. -EBUSY means
 * that it took none because every request slot is in use: read completions.
 *
 * A signal ends the wait. If nothing was taken the result is then -EINTR, else
 * it is the number taken and ring->wait_error is -EINTR: no entry is ever
 * offered twice, and calling again goes on waiting.
 */
int ioring_submit_and_wait(struct ioring *ring, uint32_t wait_nr);

/* As ioring_submit_and_wait(), without waiting. */
int ioring_submit(struct ioring *ring);

/*
 * Waits for a completion and points *@cqe at it; it stays readable until
 * ioring_cq_advance(). Does not submit. -EINTR means that a signal came first.
 */
int ioring_wait_cqe(struct ioring *ring, struct io_ring_cqe **cqe);

/*
 * As ioring_wait_cqe(), for @nr completions, at least 1, and for @timeout
 * nanoseconds at most, 0 meaning no limit. -ETIME means that there are fewer
 * than @nr; after any error too, *@cqe is the oldest completion or NULL.
 */
int ioring_wait_cqes_timeout(struct ioring *ring, struct io_ring_cqe **cqe, uint32_t nr,
			     uint64_t timeout);

/* As ioring_wait_cqe(), but returns -EAGAIN instead of waiting. */
int ioring_peek_cqe(struct ioring *ring, struct io_ring_cqe **cqe);

/* How many entries were given out that the kernel has not taken yet. */
static inline uint32_t ioring_sq_pending(const struct ioring *ring)
{
	/* Pairs with the kernel's release of the head after it copied an entry. */
	return ring->sq.next - __atomic_load_n(ring->sq.head, __ATOMIC_ACQUIRE);
}

/*
 * The next free entry, or NULL if the queue is full. It must be filled in, by
 * an ioring_prep_*() function or otherwise, before the next submission.
 */
static inline struct io_ring_sqe *ioring_get_sqe(struct ioring *ring)
{
	if (ioring_sq_pending(ring) >= ring->sq.entries)
		return NULL;
	return &ring->sq.sqes[ring->sq.next++ & ring->sq.mask];
}

/* How many completions can be read. */
static inline uint32_t ioring_cq_ready(const struct ioring *ring)
{
	/* Pairs with the kernel's release of the tail after it wrote a completion. */
	return __atomic_load_n(ring->cq.tail, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(ring->cq.head, __ATOMIC_RELAXED);
}

/*
 * The completion @nr places after the oldest one, or NULL if it is not there
 * yet. To take all that are there:
 *
 *	for (nr = 0; (cqe = ioring_cqe_at(&ring, nr)); nr++)
 *		...
 *	ioring_cq_advance(&ring, nr);
 */
static inline struct io_ring_cqe *ioring_cqe_at(const struct ioring *ring, uint32_t nr)
{
	uint32_t head = __atomic_load_n(ring->cq.head, __ATOMIC_RELAXED);

	return nr < ioring_cq_ready(ring) ? &ring->cq.cqes[(head + nr) & ring->cq.mask] : NULL;
}

/* Gives the @nr oldest completions back to the kernel. */
static inline void ioring_cq_advance(struct ioring *ring, uint32_t nr)
{
	uint32_t head = __atomic_load_n(ring->cq.head, __ATOMIC_RELAXED);

	/* Release: what was read from the completions comes before their reuse. */
	__atomic_store_n(ring->cq.head, head + nr, __ATOMIC_RELEASE);
}

/* True if completions wait in the kernel for room; the library fetches them when needed. */
static inline bool ioring_cq_has_overflow(const struct ioring *ring)
{
	return __atomic_load_n(ring->sq.flags, __ATOMIC_RELAXED) & IO_RING_SQ_CQ_OVERFLOW;
}

/* How the request came to its result. */
static inline enum io_ring_path ioring_cqe_path(const struct io_ring_cqe *cqe)
{
	return (enum io_ring_path)(cqe->flags >> IO_RING_CQE_PATH_SHIFT & IO_RING_CQE_PATH_MASK);
}

/*
 * The ioring_prep_*() functions set every member of the entry; user_data,
 * op_flags and ioprio may be set afterwards.
 */
static inline void ioring_prep_rw(struct io_ring_sqe *sqe, enum io_ring_op op, int fd,
				  const void *addr, uint32_t len, uint64_t off)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->off = off;
}

static inline void ioring_prep_nop(struct io_ring_sqe *sqe)
{
	ioring_prep_rw(sqe, IO_RING_OP_NOP, 0, NULL, 0, 0);
}

static inline void ioring_prep_read(struct io_ring_sqe *sqe, int fd, void *buf, uint32_t len,
				    uint64_t off)
{
	ioring_prep_rw(sqe, IO_RING_OP_READ, fd, buf, len, off);
}

static inline void ioring_prep_write(struct io_ring_sqe *sqe, int fd, const void *buf,
				     uint32_t len, uint64_t off)
{
	ioring_prep_rw(sqe, IO_RING_OP_WRITE, fd, buf, len, off);
}

static inline void ioring_prep_readv(struct io_ring_sqe *sqe, int fd, const struct iovec *iov,
				     uint32_t nr, uint64_t off)
{
	ioring_prep_rw(sqe, IO_RING_OP_READV, fd, iov, nr, off);
}

static inline void ioring_prep_writev(struct io_ring_sqe *sqe, int fd, const struct iovec *iov,
				      uint32_t nr, uint64_t off)
{
	ioring_prep_rw(sqe, IO_RING_OP_WRITEV, fd, iov, nr, off);
}

/* @flags: 0 or IO_RING_FSYNC_DATASYNC. */
static inline void ioring_prep_fsync(struct io_ring_sqe *sqe, int fd, uint32_t flags)
{
	ioring_prep_rw(sqe, IO_RING_OP_FSYNC, fd, NULL, 0, 0);
	sqe->op_flags = flags;
}

/* Cancels one request with that user_data, or with IO_RING_CANCEL_ALL in @flags all of them. */
static inline void ioring_prep_cancel(struct io_ring_sqe *sqe, uint64_t user_data, uint32_t flags)
{
	ioring_prep_rw(sqe, IO_RING_OP_CANCEL, 0, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->op_flags = flags | IO_RING_CANCEL_USERDATA;
}

/* Likewise by the file of @fd. */
static inline void ioring_prep_cancel_fd(struct io_ring_sqe *sqe, int fd, uint32_t flags)
{
	ioring_prep_rw(sqe, IO_RING_OP_CANCEL, fd, NULL, 0, 0);
	sqe->op_flags = flags | IO_RING_CANCEL_FD;
}

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* LIBIO_RING_H */

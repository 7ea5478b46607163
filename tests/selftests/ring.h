/* SPDX-License-Identifier: GPL-2.0-only */
/* A ring as the header describes it, over bare ioctl(2) and mmap(2): no policy, no retries. */
#ifndef SELFTESTS_RING_H
#define SELFTESTS_RING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/io_ring.h>

#define CONTROL_NODE "/dev/io_ring"

struct ring {
	int fd;
	struct io_ring_setup setup;	/* as SETUP answered */
	unsigned char *region;
};

/* Functions that return int give -errno on failure unless they say otherwise. */

int control_open(void);

/* SETUP on a control node opened for the purpose; returns the ring's descriptor. */
int ring_setup(struct io_ring_setup *setup);
struct io_ring_setup ring_wanted(__u32 entries, __u32 flags);

/* SETUP and one mapping of the whole region. */
int ring_open(struct ring *ring, __u32 entries, __u32 flags);
int ring_open_as(struct ring *ring, const struct io_ring_setup *wanted);
void ring_unmap(struct ring *ring);
void ring_close(struct ring *ring);

/* The shared words, by their offset as SETUP gave it. */
__u32 ring_load(const struct ring *ring, __u32 offset);
void ring_store(const struct ring *ring, __u32 offset, __u32 value);

struct io_ring_sqe *ring_sqe(const struct ring *ring, __u32 position);
struct io_ring_cqe *ring_cqe(const struct ring *ring, __u32 position);

/* Offer one entry: the caller sees to it that there is room. */
void ring_push(const struct ring *ring, const struct io_ring_sqe *sqe);
void ring_push_nops(const struct ring *ring, unsigned int count, __u64 first_user_data);

int ring_enter(const struct ring *ring, __u32 to_submit, __u32 min_complete);
int ring_enter_fd(int fd, struct io_ring_enter *args);

__u32 ring_ready(const struct ring *ring);
bool ring_pop(const struct ring *ring, struct io_ring_cqe *cqe);

/* Cancel all and wait, for so many nanoseconds if not 0; left may be NULL. */
int ring_quiesce(const struct ring *ring, __u64 timeout, __u32 *left);

/* Push one entry, submit it and wait for its completion on an otherwise idle ring. */
int ring_run(const struct ring *ring, const struct io_ring_sqe *sqe, struct io_ring_cqe *cqe);

struct io_ring_sqe sqe_nop(__u64 user_data);
struct io_ring_sqe sqe_rw(__u8 opcode, int fd, const void *addr, __u32 len, __u64 off);
struct io_ring_sqe sqe_fsync(int fd, __u64 off, __u32 len, __u32 flags);

/* Cancels what meets the criteria of the IO_RING_CANCEL_* bits; the others are to be 0. */
struct io_ring_sqe sqe_cancel(__u32 flags, __u64 user_data, int fd, __u32 opcode);

/* Waits until fd is ready for one of the poll(2) events; flags are IO_RING_POLL_ADD_MULTI or 0. */
struct io_ring_sqe sqe_poll(int fd, __u32 events, __u32 flags);

/* Waits until time, or until count completions have come. */
struct io_ring_sqe sqe_timeout(const struct io_ring_timespec *time, __u32 count, __u32 flags);

/* The flags of a completion that came that way and was not rejected. */
#define CQE_VIA(path) ((__u32)(path) << IO_RING_CQE_PATH_SHIFT)

/* The field that a rejected completion blames, or -1 if it was not rejected. */
int cqe_rejected_field(const struct io_ring_cqe *cqe);

#endif

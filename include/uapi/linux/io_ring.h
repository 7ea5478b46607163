/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * io_ring: shared submission and completion rings for asynchronous I/O.
 *
 * A program opens /dev/io_ring and asks it for a ring with IO_RING_SETUP; the
 * answer is a new file descriptor. Mapping that descriptor gives the program
 * the ring memory: a submission queue (SQ), which the program fills, and a
 * completion queue (CQ), which the kernel fills. IO_RING_ENTER tells the
 * kernel that there is something to take, and waits for completions. Closing
 * the last descriptor destroys the ring.
 *
 * Numbers are those of io_uring wherever the meaning is the same.
 * Documentation/abi.rst is the normative description.
 *
 * This is C89 with long long, C11 and C++17, of 32 and 64 bits, and needs no other
 * header before it. With -std=c89 -pedantic the numbers of 64 bits (ULL) ask for
 * -Wno-long-long where they are used.
 */
#ifndef _UAPI_LINUX_IO_RING_H
#define _UAPI_LINUX_IO_RING_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version described here; io_ring_query.abi_version is that of the kernel. */
#define IO_RING_ABI_VERSION	1

/* ioctl "magic"; 0xBB is unassigned in ioctl-number.rst of Linux 7.3. */
#define IO_RING_IOC_MAGIC	0xBB

/*
 * The argument of every ioctl is a pointer to the structure of the same name.
 * QUERY works on the control device and on a ring, SETUP on the control device
 * only, ENTER and REGISTER on a ring only; anything else is ENOTTY.
 */
#define IO_RING_QUERY		_IO(IO_RING_IOC_MAGIC, 0x00)
#define IO_RING_SETUP		_IO(IO_RING_IOC_MAGIC, 0x01)
#define IO_RING_ENTER		_IO(IO_RING_IOC_MAGIC, 0x02)
#define IO_RING_REGISTER	_IO(IO_RING_IOC_MAGIC, 0x03)

/* Limits of this ABI version; IO_RING_QUERY reports those in force. */
#define IO_RING_MAX_ENTRIES	32768U
#define IO_RING_MAX_CQ_ENTRIES	65536U
#define IO_RING_MAX_REQUESTS	65536U
#define IO_RING_MAX_WORKERS	256U
#define IO_RING_MAX_FILES	65536U
#define IO_RING_MAX_BUFFERS	16384U
#define IO_RING_MAX_BUFFER_LEN	(1U << 30)

/**
 * struct io_ring_sqe - submission queue entry: one request
 * @opcode: What to do: an enum io_ring_op.
 * @flags: IO_RING_SQE_* bits.
 * @ioprio: I/O priority as ioprio_set(2) encodes it; 0 means that of the
 *          submitting thread.
 * @fd: File descriptor the request works on.
 * @off: File offset in bytes, or as the operation says. For READ, WRITE, READV
 *       and WRITEV ~0 means the file position, which is then used and advanced
 *       as read(2) does, and requests that are under way at the same time use
 *       it in any order.
 *       Files for which pread(2) or pwrite(2) would answer ESPIPE (pipes,
 *       sockets, terminals) ignore it.
 * @addr: User address of the buffer, or of an array of struct iovec.
 * @len: Length of the buffer in bytes, or number of elements of the array.
 *       Transfers are cut to 0x7ffff000 bytes, as read(2) does.
 * @op_flags: Flags of the operation: RWF_* for the reading and writing ones,
 *            IO_RING_FSYNC_* for FSYNC, or as the operation says.
 * @user_data: Handed back, untouched, in the completion.
 * @buf_index: For the _FIXED operations: number of a registered buffer.
 * @personality: Must be 0.
 * @file_index: Must be 0, but for COPY_FILE_RANGE.
 * @addr3: Must be 0.
 * @resv: Must be 0.
 *
 * The kernel copies the entry once, when it takes it. A field that the
 * operation does not use must be 0. An entry that breaks a rule completes with
 * an error and IO_RING_CQE_F_REJECTED, and has had no effect.
 */
struct io_ring_sqe {
	__u8	opcode;
	__u8	flags;
	__u16	ioprio;
	__s32	fd;
	__u64	off;
	__u64	addr;
	__u32	len;
	__u32	op_flags;
	__u64	user_data;
	__u16	buf_index;
	__u16	personality;
	__u32	file_index;
	__u64	addr3;
	__u64	resv;
};

/* io_ring_sqe.flags: @fd is the number of a registered file (IO_RING_REGISTER_FILES). */
#define IO_RING_SQE_FIXED_FILE	(1U << 0)

/*
 * io_ring_sqe.flags of every operation: when a request starts, and what its end
 * means
 *
 * DRAIN: the request starts when all before it have completed, and all behind it
 *	start when it has. If it belongs to a chain, that holds for the chain as a
 *	whole. Operations that cancel or change others do not wait, unless they have
 *	the flag themselves or belong to a chain.
 * LINK: the next entry belongs to the same chain: it starts when this request has
 *	succeeded. If it fails, all later members of the chain complete with
 *	-ECANCELED. A transfer of fewer bytes than asked for is a failure here, as
 *	is a negative result.
 * HARDLINK: as LINK, but the next one starts even if this request fails.
 * FORCE_ASYNC: IO_RING_ENTER does not do it, even if it would not have to wait: a
 *	worker thread does.
 * CQE_SKIP_SUCCESS: if it succeeds, which means the same as for LINK, there is no
 *	completion.
 *
 * A chain ends with the first entry that has neither LINK nor HARDLINK, or with
 * what one IO_RING_ENTER takes. If one of its entries is rejected, the others
 * complete with -ECANCELED and none has had an effect.
 */
#define IO_RING_SQE_DRAIN		(1U << 1)
#define IO_RING_SQE_LINK		(1U << 2)
#define IO_RING_SQE_HARDLINK		(1U << 3)
#define IO_RING_SQE_FORCE_ASYNC		(1U << 4)
#define IO_RING_SQE_CQE_SKIP_SUCCESS	(1U << 6)

/**
 * enum io_ring_op - values of io_ring_sqe.opcode
 * @IO_RING_OP_NOP: Completes with 0.
 * @IO_RING_OP_READV: preadv2(2): @fd, @off, @addr and @len as an iovec array,
 *                    @op_flags, @ioprio.
 * @IO_RING_OP_WRITEV: pwritev2(2), likewise.
 * @IO_RING_OP_FSYNC: fsync(2) of @fd, or of @len bytes from @off; both 0 means
 *                    the whole file, @len 0 means from @off to the end. A byte
 *                    beyond 2^63 - 1 is EINVAL.
 * @IO_RING_OP_READ_FIXED: As READ, into the registered buffer @buf_index: @addr
 *                         and @len are a part of its address range.
 * @IO_RING_OP_WRITE_FIXED: As WRITE, likewise.
 * @IO_RING_OP_POLL_ADD: Completes when @fd is ready for one of the poll(2) events
 *                       @op_flags, with those that there are. @len is 0 or
 *                       IO_RING_POLL_ADD_MULTI.
 * @IO_RING_OP_POLL_REMOVE: Cancels a POLL_ADD with user_data @addr, or changes
 *                          it: see IO_RING_POLL_UPDATE_EVENTS.
 * @IO_RING_OP_SYNC_FILE_RANGE: sync_file_range(2) of @len bytes of @fd from
 *                    @off, @len 0 for the rest; @op_flags are
 *                    SYNC_FILE_RANGE_* bits.
 * @IO_RING_OP_SENDMSG: sendmsg(2): @fd, @addr as a struct msghdr of the program,
 *                    @len 1, @op_flags as MSG_* bits. No ancillary data.
 * @IO_RING_OP_RECVMSG: recvmsg(2), likewise.
 * @IO_RING_OP_TIMEOUT: Completes with -ETIME at the time that @addr points to
 *                      (struct io_ring_timespec), or with 0 as soon as @off
 *                      other completions have come, if @off is not 0. @len is
 *                      1, @op_flags are IO_RING_TIMEOUT_* bits.
 * @IO_RING_OP_TIMEOUT_REMOVE: Cancels a TIMEOUT with user_data @addr, or, with
 *                             IO_RING_TIMEOUT_UPDATE, gives it another time.
 * @IO_RING_OP_LINK_TIMEOUT: Limits the time of the entry before it, which has
 *                           IO_RING_SQE_LINK or HARDLINK: cancels it at the time
 *                           that @addr points to, and completes with -ETIME; if
 *                           it ends before that, completes with -ECANCELED. The
 *                           time begins when that entry is started. @len is 1,
 *                           @op_flags are IO_RING_TIMEOUT_* bits.
 * @IO_RING_OP_CANCEL: Cancels requests of this ring that wait: for readiness of
 *                     their file, for a worker thread, or in one. @op_flags
 *                     (IO_RING_CANCEL_*) says which: by @addr (a user_data), @fd
 *                     and @len (an opcode); fields that are not asked for must
 *                     be 0.
 * @IO_RING_OP_FALLOCATE: fallocate(2) of @addr bytes of @fd from @off; @len is
 *                    the mode, FALLOC_FL_* bits.
 * @IO_RING_OP_READ: pread(2): @fd, @off, @addr, @len, @op_flags, @ioprio.
 * @IO_RING_OP_WRITE: pwrite(2), likewise.
 * @IO_RING_OP_FADVISE: posix_fadvise(2) for @len bytes of @fd from @off, @len 0
 *                    for the rest; @op_flags is a POSIX_FADV_* number.
 * @IO_RING_OP_SEND: send(2): @fd, @addr, @len, @op_flags as MSG_* bits.
 * @IO_RING_OP_RECV: recv(2), likewise.
 * @IO_RING_OP_FTRUNCATE: ftruncate(2) of @fd to @off bytes; the permission to
 *                    write is asked for once more, as truncate(2) does.
 * @IO_RING_OP_GETDENTS: getdents64(2) of @fd, to @len bytes at @addr.
 * @IO_RING_OP_COPY_FILE_RANGE: copy_file_range(2) of @len bytes to @off of @fd,
 *                    from @addr of the file whose descriptor is @file_index.
 * @IO_RING_OP_READV_FIXED: As READV, where each element of the array is a part of
 *                          the registered buffer @buf_index.
 * @IO_RING_OP_WRITEV_FIXED: As WRITEV, likewise.
 *
 * The _FIXED operations answer EFAULT for a number without a buffer (@buf_index)
 * and for a part that is not in the buffer (@addr, or @len if it only goes on
 * after the end), EOPNOTSUPP for a file that takes only addresses (@fd), and
 * EINVAL for a file with O_DIRECT whose device cannot transfer to such memory
 * (@addr): with several parts, all but the last must end, and all but the first
 * begin, as the device needs it.
 *
 * Numbers below 128 are those of io_uring. An opcode that is not listed
 * completes with -EINVAL and names the field opcode; one that the ring is not
 * allowed, with -EACCES. IO_RING_QUERY tells which are allowed and what each
 * accepts. FALLOCATE, FTRUNCATE, GETDENTS, COPY_FILE_RANGE, SEND, RECV, SENDMSG
 * and RECVMSG are beyond the floor set: an administrator has to allow them
 * (module parameters "ops" and "nodes").
 */
enum io_ring_op {
	IO_RING_OP_NOP		= 0,
	IO_RING_OP_READV	= 1,
	IO_RING_OP_WRITEV	= 2,
	IO_RING_OP_FSYNC	= 3,
	IO_RING_OP_READ_FIXED	= 4,
	IO_RING_OP_WRITE_FIXED	= 5,
	IO_RING_OP_POLL_ADD	= 6,
	IO_RING_OP_POLL_REMOVE	= 7,
	IO_RING_OP_SYNC_FILE_RANGE = 8,
	IO_RING_OP_SENDMSG	= 9,
	IO_RING_OP_RECVMSG	= 10,
	IO_RING_OP_TIMEOUT	= 11,
	IO_RING_OP_TIMEOUT_REMOVE = 12,
	IO_RING_OP_CANCEL	= 14,
	IO_RING_OP_LINK_TIMEOUT	= 15,
	IO_RING_OP_FALLOCATE	= 17,
	IO_RING_OP_READ		= 22,
	IO_RING_OP_WRITE	= 23,
	IO_RING_OP_READV_FIXED	= 58,
	IO_RING_OP_WRITEV_FIXED	= 59,
	IO_RING_OP_FADVISE	= 24,
	IO_RING_OP_SEND		= 26,
	IO_RING_OP_RECV		= 27,
	IO_RING_OP_FTRUNCATE	= 55,
	IO_RING_OP_GETDENTS	= 128,
	IO_RING_OP_COPY_FILE_RANGE = 129
};

/* io_ring_sqe.op_flags of IO_RING_OP_FSYNC: as fdatasync(2). */
#define IO_RING_FSYNC_DATASYNC	(1U << 0)

/*
 * io_ring_sqe.len of IO_RING_OP_POLL_ADD and IO_RING_OP_POLL_REMOVE
 *
 * ADD_MULTI: A completion with IO_RING_CQE_F_MORE whenever the file becomes
 *	ready, until one that is the last: then there was no room for one that
 *	is not, or the request was cancelled. To POLL_REMOVE, which takes it
 *	with UPDATE_EVENTS, it makes no difference.
 * UPDATE_EVENTS: The POLL_ADD waits for the events @op_flags from now on.
 * UPDATE_USER_DATA: Its user_data is @off from now on.
 */
#define IO_RING_POLL_ADD_MULTI		(1U << 0)
#define IO_RING_POLL_UPDATE_EVENTS	(1U << 1)
#define IO_RING_POLL_UPDATE_USER_DATA	(1U << 2)

/**
 * struct io_ring_timespec - a time, or a span of time
 * @sec: Seconds, at most 2^63 - 1. What is further away than 2^63 - 1
 *       nanoseconds never comes.
 * @nsec: Nanoseconds, at most 999,999,999.
 */
struct io_ring_timespec {
	__u64	sec;
	__u64	nsec;
};

/*
 * io_ring_sqe.op_flags of IO_RING_OP_TIMEOUT, IO_RING_OP_TIMEOUT_REMOVE and
 * IO_RING_OP_LINK_TIMEOUT, which has no UPDATE and no MULTISHOT
 *
 * ABS: The time is what the clock shows in the time namespace of the caller;
 *	without it, a span from now on. Excludes MULTISHOT.
 * UPDATE: Of TIMEOUT_REMOVE, with or without ABS: the request gets the time that
 *	@off points to. One that counts completions does not any more.
 * BOOTTIME: By CLOCK_BOOTTIME, REALTIME: by CLOCK_REALTIME; without one of them,
 *	by CLOCK_MONOTONIC, which stands still while the system is suspended.
 * ETIME_SUCCESS: That the time is over is no failure of the request.
 * MULTISHOT: A completion with IO_RING_CQE_F_MORE each time the span is over, @off
 *	times (0: for ever). The last one, or one that finds no room, is without
 *	it and the last.
 */
#define IO_RING_TIMEOUT_ABS		(1U << 0)
#define IO_RING_TIMEOUT_UPDATE		(1U << 1)
#define IO_RING_TIMEOUT_BOOTTIME	(1U << 2)
#define IO_RING_TIMEOUT_REALTIME	(1U << 3)
#define IO_RING_TIMEOUT_ETIME_SUCCESS	(1U << 5)
#define IO_RING_TIMEOUT_MULTISHOT	(1U << 6)

/*
 * io_ring_sqe.op_flags of IO_RING_OP_COPY_FILE_RANGE: @file_index is the number of
 * a registered file.
 */
#define IO_RING_COPY_FROM_FIXED	(1U << 31)

/*
 * io_ring_sqe.op_flags of IO_RING_OP_CANCEL
 *
 * ALL: cancel all requests that match; without it, and without ANY, only one.
 * FD: the request's file is that of the descriptor @fd.
 * FD_FIXED: with FD, @fd is the number of a registered file.
 * ANY: every request matches, and all are cancelled. Excludes FD, USERDATA and
 *	OP.
 * USERDATA: the request's user_data is @addr. Without any of FD, ANY and OP this
 *	is implied.
 * OP: the request's opcode is @len.
 *
 * A request that matches what is asked for is cancelled: it completes with
 * -ECANCELED, or, if it had transferred something, with the number of bytes.
 * With ALL or ANY the result is how many requests matched, which may be 0. Else
 * it is 0 (cancelled), -ENOENT (none matched: it has finished, or never was, or
 * a device has it, which nothing can stop) or -EALREADY (a thread is just
 * working on it: it has been interrupted, and completes as soon as what it does
 * lets it, maybe with its result). The completions of requests that waited come
 * before that of the CANCEL.
 */
#define IO_RING_CANCEL_ALL	(1U << 0)
#define IO_RING_CANCEL_FD	(1U << 1)
#define IO_RING_CANCEL_ANY	(1U << 2)
#define IO_RING_CANCEL_FD_FIXED	(1U << 3)
#define IO_RING_CANCEL_USERDATA	(1U << 4)
#define IO_RING_CANCEL_OP	(1U << 5)

/**
 * struct io_ring_cqe - completion queue entry: the result of one request
 * @user_data: That of the submission queue entry.
 * @res: Result: what the system call of the same name returns, or -errno.
 * @flags: IO_RING_CQE_F_* bits; the others are 0.
 *
 * Every entry that the kernel takes from the submission queue gives exactly one
 * completion without IO_RING_CQE_F_MORE, its last one, except those counted in
 * "dropped" (see struct io_ring_sq_offsets) and those with
 * IO_RING_SQE_CQE_SKIP_SUCCESS that succeed.
 */
struct io_ring_cqe {
	__u64	user_data;
	__s32	res;
	__u32	flags;
};

/* The request goes on: this is not its last completion. */
#define IO_RING_CQE_F_MORE	(1U << 1)

/*
 * The request was refused before anything was done: @res is the error, and
 * bits 16 to 21 of @flags hold the byte offset in struct io_ring_sqe of the
 * field that is to blame.
 */
#define IO_RING_CQE_F_REJECTED	(1U << 8)
#define IO_RING_CQE_FIELD_SHIFT	16
#define IO_RING_CQE_FIELD_MASK	0x3fU

/**
 * enum io_ring_path - how a request came to its result: bits 9 and 10 of
 *                     io_ring_cqe.flags
 * @IO_RING_PATH_INLINE: The thread that submitted it did all of it, or refused
 *                       it.
 * @IO_RING_PATH_POLLED: It waited until its file was ready, or for its time, and
 *                       then went on without blocking.
 * @IO_RING_PATH_WORKER: A worker thread did what would have blocked.
 * @IO_RING_PATH_DEVICE: The file took it and finished it later, usually in an
 *                       interrupt handler.
 *
 * The last step counts: what a worker hands to a device is DEVICE.
 */
enum io_ring_path {
	IO_RING_PATH_INLINE	= 0,
	IO_RING_PATH_POLLED	= 1,
	IO_RING_PATH_WORKER	= 2,
	IO_RING_PATH_DEVICE	= 3
};

/* io_ring_cqe.flags: where the enum io_ring_path is. */
#define IO_RING_CQE_PATH_SHIFT	9
#define IO_RING_CQE_PATH_MASK	3U

/**
 * struct io_ring_sq_offsets - where the parts of the submission queue are
 * @head: __u32, written by the kernel: the next entry that it will take.
 * @tail: __u32, written by the program: one past the last entry offered.
 * @ring_mask: __u32, constant: number of entries - 1.
 * @ring_entries: __u32, constant: number of entries, a power of two.
 * @flags: __u32, written by the kernel: IO_RING_SQ_* bits.
 * @dropped: __u32, written by the kernel: how many index array elements did not
 *           name an entry. Such an element is used up and gives no completion.
 * @array: __u32[ring_entries], written by the program: for each position, the
 *         number of the entry to take. 0 with IO_RING_SETUP_NO_SQARRAY, where
 *         position p is entry p & ring_mask.
 * @dropped_at: __u32, written by the kernel: the position (as in @head) of the
 *              last element counted in @dropped.
 *
 * Offsets are in bytes from the start of the region. Positions run freely from
 * 0 to 2^32 - 1 and wrap; entry or element number is position & ring_mask.
 */
struct io_ring_sq_offsets {
	__u32	head;
	__u32	tail;
	__u32	ring_mask;
	__u32	ring_entries;
	__u32	flags;
	__u32	dropped;
	__u32	array;
	__u32	dropped_at;
};

/*
 * The word at io_ring_sq_offsets.flags
 *
 * NEED_WAKEUP: The submission thread (IO_RING_SETUP_SQPOLL) sleeps. Who offers an
 *	entry looks at this afterwards, with a full memory barrier in between, and
 *	if it is set calls IO_RING_ENTER with IO_RING_ENTER_SQ_WAKEUP.
 * CQ_OVERFLOW: Completions wait in the kernel for room; IO_RING_ENTER moves them
 *	over.
 */
#define IO_RING_SQ_NEED_WAKEUP	(1U << 0)
#define IO_RING_SQ_CQ_OVERFLOW	(1U << 1)

/**
 * struct io_ring_cq_offsets - where the parts of the completion queue are
 * @head: __u32, written by the program: the next completion it will read.
 * @tail: __u32, written by the kernel: one past the last completion.
 * @ring_mask: __u32, constant: number of completions - 1.
 * @ring_entries: __u32, constant: number of completions, a power of two.
 * @overflow: __u32, written by the kernel: how many completions had to wait
 *            for room so far. None is ever lost.
 * @cqes: struct io_ring_cqe[ring_entries], written by the kernel.
 * @flags: __u32, written by the program: IO_RING_CQ_* bits; the others are
 *         ignored.
 * @resv: Reserved, 0.
 *
 * Offsets are in bytes from the start of the region.
 */
struct io_ring_cq_offsets {
	__u32	head;
	__u32	tail;
	__u32	ring_mask;
	__u32	ring_entries;
	__u32	overflow;
	__u32	cqes;
	__u32	flags;
	__u32	resv;
};

/* The eventfd that is registered is not signalled; IO_RING_REGISTER_EVENTFD. */
#define IO_RING_CQ_EVENTFD_DISABLED	(1U << 0)

/*
 * io_ring_setup.flags
 *
 * IOPOLL: READ, WRITE, READV, WRITEV and the same with registered buffers complete
 *	without an interrupt: IO_RING_ENTER asks the devices, while it waits or
 *	once if it does not, and nobody else does. The file has to be open with
 *	O_DIRECT and to have a device that can be asked, else EOPNOTSUPP blames
 *	@fd. Of the other operations only NOP is allowed, and of the flags of an
 *	entry only IO_RING_SQE_FIXED_FILE: EINVAL blames @opcode or @flags.
 * SQPOLL: A thread of the kernel takes what the submission queue offers, so that
 *	a program needs no call to submit: see IO_RING_SQ_NEED_WAKEUP. Excludes
 *	REBIND and IOPOLL.
 * SQ_AFF: With SQPOLL, that thread runs on the CPU @sq_thread_cpu.
 * CQSIZE: @cq_entries is given; without it, it must be 0 and the completion
 *	queue gets twice the entries of the submission queue.
 * CLAMP: sizes above the limit are cut to it instead of being refused.
 * SUBMIT_ALL: a rejected entry does not end a batch. This is the default.
 * NO_SQARRAY: no index array; entries are taken in order.
 * REBIND: the ring belongs to no process yet: the first that submits or registers
 *	becomes its process, and when that one has exited or executed another
 *	program the next that does so. Without it the ring belongs to the process
 *	that calls IO_RING_SETUP, for ever. What the process before has submitted
 *	and what waits is cancelled when it goes; entries that it left in the
 *	submission queue are taken by the next.
 * FORK_SHARED: mappings of the ring are inherited by child processes, which may
 *	reap completions through them. Without it children do not get them.
 * STOP_ON_REJECT: a rejected entry is the last that this IO_RING_ENTER takes, or
 *	else the last of its chain, which is what io_uring does without its
 *	SUBMIT_ALL. Excludes SUBMIT_ALL.
 */
#define IO_RING_SETUP_IOPOLL		(1U << 0)
#define IO_RING_SETUP_SQPOLL		(1U << 1)
#define IO_RING_SETUP_SQ_AFF		(1U << 2)
#define IO_RING_SETUP_CQSIZE		(1U << 3)
#define IO_RING_SETUP_CLAMP		(1U << 4)
#define IO_RING_SETUP_SUBMIT_ALL	(1U << 7)
#define IO_RING_SETUP_NO_SQARRAY	(1U << 16)
#define IO_RING_SETUP_REBIND		(1U << 29)
#define IO_RING_SETUP_FORK_SHARED	(1U << 30)
#define IO_RING_SETUP_STOP_ON_REJECT	(1U << 31)

/*
 * io_ring_setup.sq_thread_idle_ms: what 0 stands for, in milliseconds, and what
 * lets the thread never sleep.
 */
#define IO_RING_SQ_IDLE_DEFAULT	1000U
#define IO_RING_SQ_IDLE_NEVER	0xffffffffU

/*
 * io_ring_setup.features and io_ring_query.features
 *
 * SINGLE_MMAP: one mapping at offset 0 holds both queues (and the entries).
 * NODROP: completions are never lost.
 * SUBMIT_STABLE: the entry and what it points to as a description (iovecs) may
 *	be reused as soon as IO_RING_ENTER has returned.
 * RW_CUR_POS: offset ~0 means the file position.
 */
#define IO_RING_FEAT_SINGLE_MMAP	(1ULL << 0)
#define IO_RING_FEAT_NODROP		(1ULL << 1)
#define IO_RING_FEAT_SUBMIT_STABLE	(1ULL << 2)
#define IO_RING_FEAT_RW_CUR_POS		(1ULL << 3)

/* io_ring_setup.error_field and the like: no field is to blame. */
#define IO_RING_NO_FIELD	0xffffffffU

/**
 * enum io_ring_limit - values of io_ring_setup.error_limit
 * @IO_RING_LIMIT_NONE: The call did not fail because of a limit.
 * @IO_RING_LIMIT_ENTRIES: More submission entries than allowed.
 * @IO_RING_LIMIT_CQ_ENTRIES: More completion entries than allowed.
 * @IO_RING_LIMIT_REQUESTS: More request slots than allowed.
 * @IO_RING_LIMIT_MEMORY: The kernel or the memory cgroup had too little memory.
 * @IO_RING_LIMIT_WORKERS: More worker threads than allowed (module parameter
 *                         "max_workers").
 * @IO_RING_LIMIT_DISABLED: The administrator switched rings off (module
 *                          parameter "disabled"), for all or for this caller.
 * @IO_RING_LIMIT_FILES: More files to register than RLIMIT_NOFILE of the caller.
 */
enum io_ring_limit {
	IO_RING_LIMIT_NONE		= 0,
	IO_RING_LIMIT_ENTRIES		= 1,
	IO_RING_LIMIT_CQ_ENTRIES	= 2,
	IO_RING_LIMIT_REQUESTS		= 3,
	IO_RING_LIMIT_MEMORY		= 4,
	IO_RING_LIMIT_DISABLED		= 5,
	IO_RING_LIMIT_WORKERS		= 6,
	IO_RING_LIMIT_FILES		= 7
};

/**
 * struct io_ring_setup - argument of IO_RING_SETUP
 * @size: In: sizeof(struct io_ring_setup) as the program knows it. Below 160 is
 *        EINVAL, what a smaller one lacks is 0; larger is accepted if the
 *        kernel's unknown rest is all 0, else E2BIG.
 * @flags: In: IO_RING_SETUP_* bits; an unknown one is EINVAL.
 * @entries: In: wanted submission entries, 1 to IO_RING_MAX_ENTRIES; out: the
 *           number made, rounded up to a power of two.
 * @cq_entries: In: with IO_RING_SETUP_CQSIZE the wanted completion entries, at
 *              most IO_RING_MAX_CQ_ENTRIES and, both rounded up, at least
 *              @entries, else 0; out: the number made, rounded up to a power
 *              of two.
 * @requests: In: how many requests may be under way, counting completions that
 *            wait for room, at least @cq_entries, at most IO_RING_MAX_REQUESTS;
 *            0 means @cq_entries. Out: the number made.
 * @error_field: Out, on failure: byte offset in this structure of the field to
 *               blame, or IO_RING_NO_FIELD. In: must be 0.
 * @error_limit: Out, on failure: an enum io_ring_limit. In: must be 0.
 * @max_workers: In: how many worker threads the ring may have at once, 2 to
 *               IO_RING_MAX_WORKERS; 0 means the module parameter
 *               "max_workers", which is also the limit. Out: the number.
 * @limit_need: Out, on failure because of a limit: what was asked for, in
 *              entries, requests or bytes. In: must be 0.
 * @limit_have: Out, on failure because of a limit: what is allowed, or 0 if
 *              that is not known. In: must be 0.
 * @features: Out: IO_RING_FEAT_* bits.
 * @region_size: Out: size of the region in bytes, a multiple of the page size.
 * @sqes_offset: Out: where in the region the entries (struct io_ring_sqe) are,
 *               in bytes, a multiple of the page size.
 * @sqes_size: Out: size of that part in bytes.
 * @sq_off: Out: the submission queue's parts.
 * @cq_off: Out: the completion queue's parts.
 * @files: In: user address of an array of __s32, the descriptors of files to
 *         register as IO_RING_REGISTER_FILES does; 0 with @nr_files not 0 makes
 *         an empty table. If an element is to blame, @limit_need is its number.
 * @nr_files: In: elements of that array, at most IO_RING_MAX_FILES and
 *            RLIMIT_NOFILE; 0 makes no table.
 * @nr_ops: In: elements of the array at @ops, at most 256.
 * @ops: In: user address of an array of __u8, the operations (enum io_ring_op)
 *       that the ring is to be allowed, for ever and whoever gets it; each has
 *       to be allowed on the node. 0 with @nr_ops 0 allows all that are. If an
 *       element is to blame, @limit_need is its number.
 * @sq_thread_cpu: In: with IO_RING_SETUP_SQ_AFF a CPU that is online and that the
 *                 calling thread may run on, else 0.
 * @sq_thread_idle_ms: In: with IO_RING_SETUP_SQPOLL for how many milliseconds the
 *                     thread looks for entries, and finds none, before it sleeps;
 *                     0 means IO_RING_SQ_IDLE_DEFAULT, IO_RING_SQ_IDLE_NEVER that
 *                     it does not sleep. Without the flag 0. Out: the number.
 *
 * Returns a new descriptor, always close-on-exec, or -1 with errno:
 * EINVAL (a field, named in @error_field), E2BIG (@size), EFAULT (the argument
 * cannot be read or written), ENOMEM (@error_limit, @limit_need), EPERM
 * (IO_RING_LIMIT_DISABLED), EMFILE (descriptors, or IO_RING_LIMIT_FILES), ENFILE
 * (descriptors), EBADF or ELOOP (a file cannot be registered), EACCES (@ops: not
 * allowed on this node), EAGAIN (SQPOLL: no thread could be made, because of
 * RLIMIT_NPROC or the module parameter "max_user_workers"), EOPNOTSUPP (this CPU's
 * data cache aliases). On failure only the error_* and limit_* members have been
 * written.
 */
struct io_ring_setup {
	__u32	size;
	__u32	flags;
	__u32	entries;
	__u32	cq_entries;
	__u32	requests;
	__u32	error_field;
	__u32	error_limit;
	__u32	max_workers;
	__aligned_u64	limit_need;
	__aligned_u64	limit_have;
	__aligned_u64	features;
	__aligned_u64	region_size;
	__u32	sqes_offset;
	__u32	sqes_size;
	struct io_ring_sq_offsets	sq_off;
	struct io_ring_cq_offsets	cq_off;
	__aligned_u64	files;
	__u32	nr_files;
	__u32	nr_ops;
	__aligned_u64	ops;
	__u32	sq_thread_cpu;
	__u32	sq_thread_idle_ms;
};

/*
 * mmap(2) offsets on a ring descriptor. The region may also be mapped in parts:
 * any multiple of the page size inside it is an offset. Lengths that go beyond
 * the end of what is mapped and MAP_PRIVATE are EINVAL; PROT_EXEC is EPERM.
 */
#define IO_RING_OFF_REGION	0ULL
#define IO_RING_OFF_CQ_REGION	0x8000000ULL	/* the region once more */
#define IO_RING_OFF_SQES	0x10000000ULL	/* the entries alone */

/*
 * io_ring_enter.flags
 *
 * ABS_TIMER: @timeout is a point in time instead of a span.
 * NO_STALL: do not sleep for more completions than are in sight: if the requests
 *	under way (taken, and their completions not yet readable) are fewer than
 *	the completions that are missing, the wait fails with EDEADLK.
 * SQ_WAKEUP: call the submission thread (IO_RING_SETUP_SQPOLL), which may sleep.
 * SQ_WAIT: likewise, and wait until the submission queue has room.
 */
#define IO_RING_ENTER_SQ_WAKEUP	(1U << 1)
#define IO_RING_ENTER_SQ_WAIT	(1U << 2)
#define IO_RING_ENTER_ABS_TIMER	(1U << 5)
#define IO_RING_ENTER_NO_STALL	(1U << 16)

/**
 * struct io_ring_enter - argument of IO_RING_ENTER
 * @to_submit: In: how many entries to take from the submission queue, at most;
 *             0 takes none.
 * @min_complete: In: wait until at least that many completions can be read; cut
 *                to the size of the completion queue; 0 does not wait. If fewer
 *                entries than @to_submit were taken the call does not wait.
 * @flags: In: IO_RING_ENTER_* bits. An unknown one, ABS_TIMER without @timeout,
 *         NO_STALL without @min_complete, and SQ_WAKEUP and SQ_WAIT on a ring
 *         without a submission thread are EINVAL.
 * @wait_error: Out, only if the wait failed: -errno. In: must be 0.
 * @error_field: Out, only on EINVAL: byte offset in this structure of the field
 *               to blame. In: must be 0.
 * @clock: In: what @timeout goes by: CLOCK_REALTIME, CLOCK_MONOTONIC or
 *         CLOCK_BOOTTIME; must be 0 if @timeout is 0.
 * @timeout: In: the wait ends with ETIME after that many nanoseconds, counted
 *           from its beginning, or, with IO_RING_ENTER_ABS_TIMER, when @clock
 *           shows that time; at most 2^63 - 1; 0 means no limit.
 * @min_wait: In: after that many nanoseconds, at most 2^63 - 1, one completion
 *            is enough to end the wait; 0 means never.
 * @sigmask: In: user address of a __u64, the signal mask of the thread during
 *           the wait, as with ppoll(2): bit n - 1 blocks signal n. 0 leaves the
 *           mask as it is.
 *
 * @timeout, @min_wait and @sigmask must be 0 if @min_complete is.
 *
 * Returns how many entries were taken, those counted in "dropped" included, or
 * -1 with errno if none was taken because of an error: EINVAL (@error_field),
 * EFAULT, ENOMEM (with IO_RING_SETUP_REBIND, when the ring gets a new process),
 * EPERM (another process's ring, or the caller's credentials are no
 * longer those of the ring; waiting alone is allowed to all who hold the
 * descriptor), EBUSY (every request slot is in use: read completions first),
 * EOVERFLOW (the program wrote a head or tail that is out of range), EINTR (a
 * signal came while waiting), ETIME (@timeout), EDEADLK
 * (IO_RING_ENTER_NO_STALL), EOWNERDEAD (the process of the ring is gone, and
 * fewer than @min_complete completions can be read).
 *
 * If entries were taken and the wait then failed, the return value is their
 * number and @wait_error tells why the wait ended.
 */
struct io_ring_enter {
	__u32	to_submit;
	__u32	min_complete;
	__u32	flags;
	__s32	wait_error;
	__u32	error_field;
	__u32	clock;
	__aligned_u64	timeout;
	__aligned_u64	min_wait;
	__aligned_u64	sigmask;
};

/**
 * struct io_ring_register - argument of IO_RING_REGISTER
 * @size: In: sizeof(struct io_ring_register).
 * @opcode: In: an enum io_ring_register_op; an unknown one is EINVAL.
 * @flags: In: must be 0.
 * @error_field: Out, on failure: byte offset in this structure of the field to
 *               blame, or IO_RING_NO_FIELD. In: must be 0.
 * @addr: In: user address of what the opcode needs.
 * @nr: In: number of elements at @addr.
 * @error_index: Out, on failure because of one of the elements: which. In: must
 *               be 0.
 *
 * Returns 0, or -1 with errno: EINVAL (@error_field), EFAULT, EPERM (not the
 * ring's process, or its credentials have changed), EINTR, and what the opcode
 * says.
 */
struct io_ring_register {
	__u32	size;
	__u32	opcode;
	__u32	flags;
	__u32	error_field;
	__aligned_u64	addr;
	__u32	nr;
	__u32	error_index;
};

/**
 * enum io_ring_register_op - values of io_ring_register.opcode
 * @IO_RING_REGISTER_BUFFERS: As REGISTER_FILES, a table of at most
 *                            IO_RING_MAX_BUFFERS buffers.
 * @IO_RING_UNREGISTER_BUFFERS: As UNREGISTER_FILES, of buffers.
 * @IO_RING_UNREGISTER_FILES: Takes the table of registered files away; @addr and
 *                            @nr are 0. ENXIO: there is none.
 * @IO_RING_REGISTER_EVENTFD: The eventfd whose descriptor, a __s32, is at @addr
 *                            is signalled whenever completions become readable;
 *                            @nr is 1. EBADF: not an open descriptor. EINVAL,
 *                            naming @addr: not that of an eventfd. EBUSY: there
 *                            is one already.
 * @IO_RING_UNREGISTER_EVENTFD: Ends that; @addr and @nr are 0. ENXIO: there is
 *                              none.
 * @IO_RING_REGISTER_EVENTFD_ASYNC: As IO_RING_REGISTER_EVENTFD, but completions
 *                                  that can be read when the IO_RING_ENTER that
 *                                  took their entries returns are not signalled.
 * @IO_RING_REGISTER_FILES: Makes a table of @nr files, at most IO_RING_MAX_FILES.
 *                          @addr is that of a struct io_ring_resources, whose
 *                          @first is 0. EMFILE: more than RLIMIT_NOFILE. EBUSY:
 *                          there is a table already.
 * @IO_RING_UPDATE_FILES: Replaces @nr files of the table from number @first of
 *                        the struct io_ring_resources at @addr on: all of them,
 *                        or on failure none. ENXIO: there is no table. EINVAL,
 *                        naming @nr: there are not so many.
 * @IO_RING_UPDATE_BUFFERS: As UPDATE_FILES, of buffers.
 * @IO_RING_REGISTER_QUIESCE: Cancels all requests, as IO_RING_OP_CANCEL with
 *                            ANY, and waits until none is under way. @addr is
 *                            that of a struct io_ring_quiesce, @nr is 1.
 *                            Nothing is submitted meanwhile. Afterwards the
 *                            kernel touches no memory of the process on behalf
 *                            of the ring, and holds nothing of it but what is
 *                            registered. ETIME: some requests are left.
 */
enum io_ring_register_op {
	IO_RING_REGISTER_BUFFERS	= 0,
	IO_RING_UNREGISTER_BUFFERS	= 1,
	IO_RING_UNREGISTER_FILES	= 3,
	IO_RING_REGISTER_EVENTFD	= 4,
	IO_RING_UNREGISTER_EVENTFD	= 5,
	IO_RING_REGISTER_EVENTFD_ASYNC	= 7,
	IO_RING_REGISTER_FILES		= 13,
	IO_RING_UPDATE_FILES		= 14,
	IO_RING_UPDATE_BUFFERS		= 16,
	IO_RING_REGISTER_QUIESCE	= 128
};

/**
 * struct io_ring_resources - argument of REGISTER and UPDATE of files and buffers
 * @first: In: number of the first resource that is meant.
 * @resv: Must be 0.
 * @data: In: user address of an array. Of files, of __s32: descriptors,
 *        IO_RING_FILE_NONE for no file, IO_RING_FILE_KEEP for what is there
 *        (nothing, in a new table). Of buffers, of struct io_ring_buffer. 0 means
 *        no resources at all.
 * @tags: In: user address of an array of __u64, or 0. A tag that is not 0 comes
 *        back as user_data of a completion with result 0 when its resource has
 *        left the table and no request uses it any more.
 *
 * EINVAL: a tag for nothing. EBUSY: no request slot is free for the completion
 * of a tag.
 *
 * Files: EBADF: not an open descriptor, or opened with O_PATH. ELOOP: a ring, the
 * device of rings, a ring of io_uring or an AF_UNIX socket: a ring that holds
 * one of these could hold itself.
 *
 * Buffers: see struct io_ring_buffer.
 */
struct io_ring_resources {
	__u32	first;
	__u32	resv;
	__aligned_u64	data;
	__aligned_u64	tags;
};

/* Instead of a descriptor: no file, and the file that is there. */
#define IO_RING_FILE_NONE	(-1)
#define IO_RING_FILE_KEEP	(-2)

/**
 * struct io_ring_buffer - a buffer to register
 * @addr: User address of its first byte. With @len 0: 0 for no buffer, or
 *        IO_RING_BUFFER_KEEP for what is there.
 * @len: Its size in bytes, at most IO_RING_MAX_BUFFER_LEN.
 *
 * The buffer is the pages that the range has at the time of the call. They are
 * made writable and stay in memory, whatever becomes of the range, until the
 * buffer has left the table and no request uses it. Each page counts for
 * RLIMIT_MEMLOCK of the user, as often as it is registered, unless the caller has
 * CAP_IPC_LOCK.
 *
 * ENOMEM: too little memory, or more than RLIMIT_MEMLOCK. EFAULT: not mapped, not
 * writable, or shared memory of a file that has to be told of writes (which is
 * any file of a disk). EOPNOTSUPP: memory of a file system with DAX. E2BIG: @len.
 * EINVAL: an @addr for nothing. EINTR: killed.
 */
struct io_ring_buffer {
	__aligned_u64	addr;
	__aligned_u64	len;
};

/* io_ring_buffer.addr, with @len 0: the buffer that is there. */
#define IO_RING_BUFFER_KEEP	(~0ULL)

/**
 * struct io_ring_quiesce - argument of IO_RING_REGISTER_QUIESCE
 * @timeout: In: how long to wait, in nanoseconds, at most 2^63 - 1; 0 means no
 *           limit. A larger one is EINVAL, and io_ring_register.error_field
 *           names @addr.
 * @left: Out: how many requests are still under way: 0 on success; also written
 *        when the call fails with ETIME or EINTR. In: must be 0.
 * @resv: Must be 0.
 */
struct io_ring_quiesce {
	__aligned_u64	timeout;
	__u32	left;
	__u32	resv;
};

/**
 * struct io_ring_op_info - what one operation accepts
 * @opcode: An enum io_ring_op.
 * @flags: IO_RING_OP_* bits: SUPPORTED if the operation exists, IOPOLL if it does
 *         also in a ring with IO_RING_SETUP_IOPOLL.
 * @sqe_flags: IO_RING_SQE_* bits that io_ring_sqe.flags may have.
 * @resv: 0.
 * @op_flags: Bits that io_ring_sqe.op_flags may have.
 * @fields: Bit n is set if byte n of struct io_ring_sqe may be other than 0.
 *
 * The kernel validates requests with the same table. An operation that is not
 * allowed on the node or the ring that is asked is told of as one that does not
 * exist.
 */
struct io_ring_op_info {
	__u8	opcode;
	__u8	flags;
	__u8	sqe_flags;
	__u8	resv;
	__u32	op_flags;
	__aligned_u64	fields;
};

/* io_ring_op_info.flags: it exists, and is allowed. */
#define IO_RING_OP_SUPPORTED	(1U << 0)
#define IO_RING_OP_IOPOLL	(1U << 1)

/**
 * struct io_ring_query - argument of IO_RING_QUERY
 * @size: In: sizeof(struct io_ring_query) as the program knows it; the rules
 *        are those of io_ring_setup.size, the smallest is 64.
 * @abi_version: Out: IO_RING_ABI_VERSION of the kernel. In: must be 0.
 * @ops: In: user address of an array of struct io_ring_op_info, or 0.
 * @ops_len: In: elements of that array; out: elements written, one for each
 *           opcode from 0 on.
 * @ops_max: Out: one more than the highest opcode known. In: must be 0.
 * @features: Out: IO_RING_FEAT_* bits. In: must be 0.
 * @setup_flags: Out: IO_RING_SETUP_* bits known. In: must be 0.
 * @enter_flags: Out: bits that io_ring_enter.flags may have. In: must be 0.
 * @max_entries: Out: largest io_ring_setup.entries. In: must be 0.
 * @max_cq_entries: Out: largest io_ring_setup.cq_entries. In: must be 0.
 * @max_requests: Out: largest io_ring_setup.requests. In: must be 0.
 * @disabled: Out: 1 if IO_RING_SETUP would fail with EPERM for the caller, 2 if
 *            with EOPNOTSUPP because this CPU's data cache aliases, else 0. In:
 *            must be 0.
 * @error_field: Out, on EINVAL: byte offset in this structure of the field to
 *               blame. In: must be 0.
 * @max_workers: Out: largest io_ring_setup.max_workers. In: must be 0.
 */
struct io_ring_query {
	__u32	size;
	__u32	abi_version;
	__aligned_u64	ops;
	__u32	ops_len;
	__u32	ops_max;
	__aligned_u64	features;
	__u32	setup_flags;
	__u32	enter_flags;
	__u32	max_entries;
	__u32	max_cq_entries;
	__u32	max_requests;
	__u32	disabled;
	__u32	error_field;
	__u32	max_workers;
};

#endif /* _UAPI_LINUX_IO_RING_H */

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "files.h"
#include "target.h"
#include "twin.h"

#define DRAIN_TIMEOUT_MS 2000

const char *twin_name(enum twin_target target)
{
	return targets[target].name;
}

bool twin_is_write(__u8 opcode)
{
	return opcode == IO_RING_OP_WRITE || opcode == IO_RING_OP_WRITEV;
}

unsigned char *twin_memory(void)
{
	static unsigned char *memory;

	if (!memory)
		memory = guarded_pages(TWIN_MEMORY / getpagesize());
	return memory;
}

static void *address_of(const struct twin_transfer *t)
{
	switch (t->buffer) {
	case TWIN_AT_START:
		return twin_memory();
	case TWIN_AT_ODD:
		return twin_memory() + 1;
	case TWIN_AT_TAIL:
		return twin_memory() + TWIN_MEMORY - ACCESSIBLE_TAIL;
	case TWIN_AT_GUARD:
		return twin_memory() + TWIN_MEMORY;
	case TWIN_AT_NULL:
		return NULL;
	case TWIN_AT_WILD:
		return WILD_ADDRESS;
	case TWIN_AT_GIVEN:
		return (void *)t->addr;
	}
	return NULL;
}

/* Whether the file has no use for offsets: the ring ignores them then, the system calls do not. */
static bool ignores_offsets(int fd, bool is_write)
{
	return (is_write ? pwrite(fd, "", 0, 0) : pread(fd, &(char){ 0 }, 0, 0)) < 0 &&
	       errno == ESPIPE;
}

/* The C library knows how a machine passes an offset of 64 bits, and passes on what is wrong. */
static long vectored(bool is_write, int fd, const void *iov, __u32 count, off_t off, int flags)
{
	if (is_write)
		return pwritev2(fd, iov, count, off, flags);
	return preadv2(fd, iov, count, off, flags);
}

static long by_syscall(int fd, const struct twin_transfer *t)
{
	void *addr = address_of(t);
	const struct iovec iov = { addr, t->len };
	bool is_write = twin_is_write(t->opcode);
	bool is_vector = t->opcode == IO_RING_OP_READV || t->opcode == IO_RING_OP_WRITEV;
	bool is_current = t->off == ~0ULL || ignores_offsets(fd, is_write);
	off_t off = is_current ? -1 : (off_t)t->off;
	long n;

	if (is_vector)
		n = vectored(is_write, fd, addr, t->len, off, t->op_flags);
	else if (t->op_flags)
		n = vectored(is_write, fd, &iov, 1, off, t->op_flags);
	else if (is_current)
		n = is_write ? write(fd, addr, t->len) : read(fd, addr, t->len);
	else
		n = is_write ? pwrite(fd, addr, t->len, off) : pread(fd, addr, t->len, off);
	return n < 0 ? -errno : n;
}

static long by_ring(const struct ring *ring, int fd, const struct twin_transfer *t,
		    struct io_ring_cqe *cqe)
{
	struct io_ring_sqe sqe = sqe_rw(t->opcode, fd, address_of(t), t->len, t->off);
	int error;

	sqe.op_flags = t->op_flags;
	error = ring_run(ring, &sqe, cqe);
	if (error)
		fprintf(stderr, "# %s: the ring did not run it: %s\n", t->name, strerror(-error));
	return error ? INT32_MIN : cqe->res;
}

/* Read back what reached the other end. */
static long drain(int peer, unsigned char *content, long len)
{
	struct pollfd pollfd = { .fd = peer, .events = POLLIN };
	long done = 0;

	while (done < len && poll(&pollfd, 1, DRAIN_TIMEOUT_MS) == 1) {
		ssize_t n = read(peer, content + done, len - done);

		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

static void observe(const struct target *target, const struct endpoint *e,
		    const struct twin_transfer *t, struct twin_outcome *out)
{
	struct stat st = { 0 };
	int left = 0;

	memcpy(out->memory, twin_memory(), TWIN_MEMORY);
	if (target->positioned) {
		out->position = lseek(e->fd, 0, SEEK_CUR);
		fstat(e->fd, &st);
		out->size = st.st_size;
		if (e->peer >= 0)
			out->arrived = pread(e->peer, out->content, sizeof(out->content), 0);
	} else if (twin_is_write(t->opcode) && e->peer >= 0) {
		long len = out->res > (long)sizeof(out->content) ? (long)sizeof(out->content) :
								   out->res;

		out->arrived = drain(e->peer, out->content, len);
	} else {
		ioctl(e->fd, FIONREAD, &left);
		out->left = left;
	}
}

/* One of the two ways: the ring's if there is a cqe to fill. */
static bool run_once(const struct ring *ring, const struct target *target,
		     const struct twin_transfer *t, struct twin_outcome *out,
		     struct io_ring_cqe *cqe)
{
	struct endpoint e = { -1, -1, -1 };
	bool ready = twin_memory() && target->open(&e, t->mode) &&
		     (!target->positioned || lseek(e.fd, t->start, SEEK_SET) >= 0);

	memset(out, 0, sizeof(*out));
	if (ready) {
		pattern_fill(twin_memory(), TWIN_MEMORY, TWIN_SEED);
		out->res = cqe ? by_ring(ring, e.fd, t, cqe) : by_syscall(e.fd, t);
		observe(target, &e, t, out);
	} else {
		fprintf(stderr, "# %s on %s: not prepared: %m\n", t->name, target->name);
	}
	endpoint_close(&e);
	return ready;
}

bool twin_run(const struct ring *ring, enum twin_target target, const struct twin_transfer *t,
	      struct twin_outcome *by_syscall, struct twin_outcome *by_ring,
	      struct io_ring_cqe *cqe)
{
	return run_once(ring, &targets[target], t, by_syscall, NULL) &&
	       run_once(ring, &targets[target], t, by_ring, cqe);
}

static bool same(const char *what, const struct target *target, const struct twin_transfer *t,
		 long by_syscall, long by_ring)
{
	if (by_syscall != by_ring)
		fprintf(stderr, "# %s on %s: %s is %ld by system call, %ld by ring\n", t->name,
			target->name, what, by_syscall, by_ring);
	return by_syscall == by_ring;
}

static bool same_bytes(const char *what, const struct target *target, const struct twin_transfer *t,
		       const unsigned char *by_syscall, const unsigned char *by_ring, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (by_syscall[i] != by_ring[i]) {
			fprintf(stderr, "# %s on %s: %s differs at byte %zu\n", t->name,
				target->name, what, i);
			return false;
		}
	}
	return true;
}

bool twin_agree(const struct ring *ring, enum twin_target number, const struct twin_transfer *t)
{
	static struct twin_outcome s;
	static struct twin_outcome r;
	const struct target *target = &targets[number];
	struct io_ring_cqe cqe;
	bool agree;

	if (!twin_run(ring, number, t, &s, &r, &cqe))
		return false;
	agree = same("the result", target, t, s.res, r.res);
	agree &= same("the position", target, t, s.position, r.position);
	agree &= same("the size", target, t, s.size, r.size);
	agree &= same("what is left", target, t, s.left, r.left);
	agree &= same("what arrived", target, t, s.arrived, r.arrived);
	agree &= same_bytes("memory", target, t, s.memory, r.memory, sizeof(s.memory));
	agree &= same_bytes("content", target, t, s.content, r.content, sizeof(s.content));
	return agree;
}

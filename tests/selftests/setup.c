// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SETUP: its argument, its errors, and the ring that it makes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define MIN_SIZE 160		/* of the first version */
#define SIZE 168
#define AT(member) offsetof(struct io_ring_setup, member)

FIXTURE(setup)
{
	int control;
	struct io_ring_setup s;
};

FIXTURE_SETUP(setup)
{
	self->control = control_open();
	ASSERT_LE(0, self->control);
	self->s = ring_wanted(4, 0);
}

FIXTURE_TEARDOWN(setup)
{
	close(self->control);
}

/* The errno, or 0 and no descriptor is kept. */
static int setup_at(int control, void *arg)
{
	int fd = ioctl(control, IO_RING_SETUP, arg);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Fill what only the kernel writes with something else, to see that it does or does not. */
static void soil_outputs(struct io_ring_setup *s)
{
	memset(&s->features, 0xa5, AT(files) - AT(features));
}

static bool outputs_soiled(const struct io_ring_setup *s)
{
	return all_bytes(&s->features, AT(files) - AT(features), 0xa5);
}

static void expect_invalid(struct __test_metadata *_metadata, int control,
			   const struct io_ring_setup *wanted, unsigned int field, const char *what)
{
	struct io_ring_setup s = *wanted;

	soil_outputs(&s);
	EXPECT_EQ(EINVAL, setup_at(control, &s)) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(field, s.error_field) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(IO_RING_LIMIT_NONE, s.error_limit) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(0, s.limit_need);
	EXPECT_EQ(0, s.limit_have);
	EXPECT_TRUE(outputs_soiled(&s)) {
		TH_LOG("%s: outputs were written", what);
	}
	EXPECT_EQ(wanted->size, s.size);
	EXPECT_EQ(wanted->flags, s.flags);
	EXPECT_EQ(wanted->entries, s.entries);
	EXPECT_EQ(wanted->cq_entries, s.cq_entries);
	EXPECT_EQ(wanted->requests, s.requests);
	EXPECT_EQ(wanted->max_workers, s.max_workers);
}

TEST_F(setup, smallest_size_is_that_of_the_structure)
{
	static const __u32 sizes[] = { 0, 1, 64, MIN_SIZE - 1 };

	ASSERT_EQ(SIZE, sizeof(struct io_ring_setup));
	EXPECT_EQ(0, setup_at(self->control, &self->s));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_ring_setup s = ring_wanted(4, 0);

		s.size = sizes[i];
		EXPECT_EQ(EINVAL, setup_at(self->control, &s)) {
			TH_LOG("size %u", sizes[i]);
		}
		EXPECT_EQ(AT(size), s.error_field);
	}
}

TEST_F(setup, larger_sizes_have_to_end_in_zeros)
{
	static const unsigned int extra[] = { 1, 8, 64, 4096 - SIZE };
	unsigned char *page = guarded_pages(1);
	struct io_ring_setup *s = (void *)page;

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
		__u32 size = SIZE + extra[i];

		memset(page, 0, 4096);
		*s = self->s;
		s->size = size;
		EXPECT_EQ(0, setup_at(self->control, s)) {
			TH_LOG("%u bytes more, all 0", extra[i]);
		}
		EXPECT_TRUE(all_bytes(s + 1, 4096 - sizeof(*s), 0));

		*s = self->s;
		s->size = size;
		page[size - 1] = 1;
		EXPECT_EQ(E2BIG, setup_at(self->control, s)) {
			TH_LOG("%u bytes more, the last is 1", extra[i]);
		}
		EXPECT_EQ(AT(size), s->error_field);
		EXPECT_EQ(0, s->features);
	}
	guarded_free(page, 1);
}

/* The limit is a page: the size alone is refused, before the rest is looked at. */
TEST_F(setup, sizes_beyond_a_page)
{
	static const __u32 sizes[] = { 4097, 8192, 1U << 20, 1U << 31, ~0U };
	unsigned char *page = guarded_pages(1);
	struct io_ring_setup *s = (void *)page;

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(page, 0, 4096);
		*s = self->s;
		s->size = sizes[i];
		EXPECT_EQ(E2BIG, setup_at(self->control, s)) {
			TH_LOG("size %u", sizes[i]);
		}
	}
	guarded_free(page, 1);
}

TEST_F(setup, fields_that_must_be_zero)
{
	static const struct {
		const char *name;
		unsigned int offset;
		unsigned int bits;
	} fields[] = {
		{ "error_field", AT(error_field), 32 }, { "error_limit", AT(error_limit), 32 },
		{ "limit_need", AT(limit_need), 64 }, { "limit_have", AT(limit_have), 64 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (unsigned int bit = 0; bit < fields[i].bits; bit++) {
			struct io_ring_setup s = self->s;

			((unsigned char *)&s)[fields[i].offset + bit / 8] = 1U << bit % 8;
			EXPECT_EQ(EINVAL, setup_at(self->control, &s)) {
				TH_LOG("bit %u of %s", bit, fields[i].name);
			}
			EXPECT_EQ(fields[i].offset, s.error_field) {
				TH_LOG("bit %u of %s", bit, fields[i].name);
			}
		}
	}
}

TEST_F(setup, each_flag)
{
	const __u32 known = IO_RING_SETUP_IOPOLL | IO_RING_SETUP_CLAMP | IO_RING_SETUP_SUBMIT_ALL |
			    IO_RING_SETUP_NO_SQARRAY | IO_RING_SETUP_REBIND |
			    IO_RING_SETUP_FORK_SHARED | IO_RING_SETUP_STOP_ON_REJECT |
			    IO_RING_SETUP_SQPOLL;

	for (unsigned int bit = 0; bit < 32; bit++) {
		struct io_ring_setup s = self->s;
		char what[32];

		s.flags = 1U << bit;
		snprintf(what, sizeof(what), "flag bit %u", bit);
		if (s.flags & known) {
			EXPECT_EQ(0, setup_at(self->control, &s)) {
				TH_LOG("%s", what);
			}
		} else if (s.flags == IO_RING_SETUP_CQSIZE) {
			/* It asks for a size, which is not there. */
			expect_invalid(_metadata, self->control, &s, AT(cq_entries), what);
		} else {
			expect_invalid(_metadata, self->control, &s, AT(flags), what);
			s.flags |= known;
			expect_invalid(_metadata, self->control, &s, AT(flags), what);
		}
	}
}

TEST_F(setup, sizes_that_do_not_fit_each_other)
{
	self->s.entries = 0;
	expect_invalid(_metadata, self->control, &self->s, AT(entries), "no entries");
	self->s.flags = IO_RING_SETUP_CLAMP;
	expect_invalid(_metadata, self->control, &self->s, AT(entries), "no entries, clamped");

	self->s = ring_wanted(4, 0);
	self->s.cq_entries = 8;
	expect_invalid(_metadata, self->control, &self->s, AT(cq_entries), "size without CQSIZE");

	/* 5 is made 8, and so is each of 5, 6, 7 and 8. */
	self->s = ring_wanted(5, IO_RING_SETUP_CQSIZE);
	for (self->s.cq_entries = 0; self->s.cq_entries <= 4; self->s.cq_entries++)
		expect_invalid(_metadata, self->control, &self->s, AT(cq_entries), "5 SQ entries");

	self->s = ring_wanted(4, 0);
	self->s.requests = 7;
	expect_invalid(_metadata, self->control, &self->s, AT(requests), "7 requests for 8 CQEs");
	self->s.requests = 1;
	expect_invalid(_metadata, self->control, &self->s, AT(requests), "1 request for 8 CQEs");
}

TEST_F(setup, argument_that_cannot_be_accessed)
{
	unsigned char *page = guarded_pages(1);
	unsigned char *guard = page + 4096;
	struct io_ring_setup *s = (void *)page;
	int fd = next_fd();

	ASSERT_NE(NULL, page);
	EXPECT_EQ(EFAULT, setup_at(self->control, NULL));
	EXPECT_EQ(EFAULT, setup_at(self->control, (void *)~0UL));
	EXPECT_EQ(EFAULT, setup_at(self->control, WILD_ADDRESS));
	EXPECT_EQ(EFAULT, setup_at(self->control, guard));
	memcpy(guard - 64, &self->s, 64);
	EXPECT_EQ(EFAULT, setup_at(self->control, guard - 64));
	*s = self->s;
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(EFAULT, setup_at(self->control, s));
	guarded_free(page, 1);

	/* A ring whose description could not be handed over is not left behind. */
	EXPECT_EQ(fd, next_fd());
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(setup, out_of_descriptors)
{
	struct rlimit saved;
	struct rlimit none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &saved));
	none = (struct rlimit) { .rlim_cur = next_fd(), .rlim_max = saved.rlim_max };
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	soil_outputs(&self->s);
	EXPECT_EQ(EMFILE, setup_at(self->control, &self->s));
	EXPECT_EQ(IO_RING_NO_FIELD, self->s.error_field);
	EXPECT_EQ(IO_RING_LIMIT_NONE, self->s.error_limit);
	EXPECT_TRUE(outputs_soiled(&self->s));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &saved));
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ((int)none.rlim_cur, next_fd());
}

TEST_F(setup, success_describes_the_ring)
{
	const __u64 features = IO_RING_FEAT_SINGLE_MMAP | IO_RING_FEAT_NODROP |
			       IO_RING_FEAT_SUBMIT_STABLE | IO_RING_FEAT_RW_CUR_POS;

	soil_outputs(&self->s);
	ASSERT_EQ(0, setup_at(self->control, &self->s));
	EXPECT_EQ(SIZE, self->s.size);
	EXPECT_EQ(0, self->s.flags);
	EXPECT_EQ(4, self->s.entries);
	EXPECT_EQ(8, self->s.cq_entries);
	EXPECT_EQ(8, self->s.requests);
	EXPECT_EQ(number_read(PARAM_MAX_WORKERS), self->s.max_workers);
	EXPECT_EQ(0, self->s.error_field);
	EXPECT_EQ(0, self->s.error_limit);
	EXPECT_EQ(0, self->s.limit_need);
	EXPECT_EQ(0, self->s.limit_have);
	EXPECT_EQ(features, self->s.features);
	EXPECT_EQ(self->s.cq_off.head + sizeof(__u32), self->s.cq_off.flags);
	EXPECT_EQ(0, self->s.cq_off.resv);
}

TEST_F(setup, descriptor_is_anonymous_and_close_on_exec)
{
	char path[32];
	char link[64] = "";
	int fd = ioctl(self->control, IO_RING_SETUP, &self->s);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT_LT(0, readlink(path, link, sizeof(link) - 1));
	EXPECT_STREQ("anon_inode:[io_ring]", link);
	close(fd);
}

TEST_F(setup, many_rings_are_independent)
{
	struct io_ring_cqe cqe;
	struct ring rings[16];

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		ASSERT_EQ(0, ring_open(&rings[i], 4, 0));
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		ring_push_nops(&rings[i], 1, i);
		EXPECT_EQ(1, ring_enter(&rings[i], 1, 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		ASSERT_TRUE(ring_pop(&rings[i], &cqe));
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_FALSE(ring_pop(&rings[i], &cqe));
		ring_close(&rings[i]);
	}
}

TEST_HARNESS_MAIN

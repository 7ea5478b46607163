// SPDX-License-Identifier: GPL-2.0-only
/* Who may make rings: the module parameters disabled and group. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define GROUP_TEXT "4242"
#define GROUP_ID 4242

FIXTURE(parameters)
{
	char disabled[32];
	char group[32];
	int control;
};

FIXTURE_SETUP(parameters)
{
	ASSERT_EQ(0, text_read(PARAM_DISABLED, self->disabled, sizeof(self->disabled)));
	ASSERT_EQ(0, text_read(PARAM_GROUP, self->group, sizeof(self->group)));
	ASSERT_EQ(0, text_write(PARAM_GROUP, GROUP_TEXT));
	self->control = control_open();
	ASSERT_LE(0, self->control);
}

FIXTURE_TEARDOWN_PARENT(parameters)
{
	EXPECT_EQ(0, text_write(PARAM_DISABLED, self->disabled));
	EXPECT_EQ(0, text_write(PARAM_GROUP, self->group));
}

/* How SETUP and QUERY treat the caller. */
struct treatment {
	int error;
	__u32 error_field;
	__u32 error_limit;
	__u32 disabled;
};

static bool treat(int control, struct treatment *out)
{
	struct io_ring_query query = { .size = sizeof(query) };
	struct io_ring_setup setup = ring_wanted(4, 0);
	int fd;

	if (ioctl(control, IO_RING_QUERY, &query))
		return false;
	fd = ioctl(control, IO_RING_SETUP, &setup);
	*out = (struct treatment) {
		.error = fd < 0 ? errno : 0,
		.error_field = setup.error_field,
		.error_limit = setup.error_limit,
		.disabled = query.disabled,
	};
	if (fd >= 0)
		close(fd);
	return true;
}

static bool is_allowed(const struct treatment *t)
{
	return !t->error && !t->disabled;
}

static bool is_refused(const struct treatment *t)
{
	return t->error == EPERM && t->disabled == 1 && t->error_limit == IO_RING_LIMIT_DISABLED &&
	       t->error_field == IO_RING_NO_FIELD;
}

enum verdict { ALLOWED, REFUSED, INCONSISTENT, BROKEN };

static int verdict_here(int control)
{
	struct treatment t;

	if (!treat(control, &t))
		return BROKEN;
	if (is_allowed(&t))
		return ALLOWED;
	if (is_refused(&t))
		return REFUSED;
	fprintf(stderr, "# errno %d, error_field %u, error_limit %u, QUERY.disabled %u\n",
		t.error, t.error_field, t.error_limit, t.disabled);
	return INCONSISTENT;
}

static int as_root(void *control)
{
	return verdict_here(*(int *)control);
}

static int as_other(void *control)
{
	return become_other() ? BROKEN : verdict_here(*(int *)control);
}

static int as_member(void *control)
{
	gid_t group = GROUP_ID;

	if (setgroups(1, &group) || setresgid(OTHER_ID, OTHER_ID, OTHER_ID) ||
	    setresuid(OTHER_ID, OTHER_ID, OTHER_ID))
		return BROKEN;
	return verdict_here(*(int *)control);
}

static int as_primary_member(void *control)
{
	if (setgroups(0, NULL) || setresgid(GROUP_ID, GROUP_ID, GROUP_ID) ||
	    setresuid(OTHER_ID, OTHER_ID, OTHER_ID))
		return BROKEN;
	return verdict_here(*(int *)control);
}

static const struct {
	const char *disabled;
	enum verdict root;
	enum verdict other;
	enum verdict member;
} rules[] = {
	{ "0", ALLOWED, ALLOWED, ALLOWED },
	{ "1", ALLOWED, REFUSED, ALLOWED },
	{ "2", REFUSED, REFUSED, REFUSED },
	{ "3", REFUSED, REFUSED, REFUSED },
};

TEST_F(parameters, decide_who_may_set_up)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		ASSERT_EQ(0, text_write(PARAM_DISABLED, rules[i].disabled));
		EXPECT_EQ(rules[i].root, in_child(as_root, &self->control)) {
			TH_LOG("disabled=%s, root", rules[i].disabled);
		}
		EXPECT_EQ(rules[i].other, in_child(as_other, &self->control)) {
			TH_LOG("disabled=%s, another user", rules[i].disabled);
		}
		EXPECT_EQ(rules[i].member, in_child(as_member, &self->control)) {
			TH_LOG("disabled=%s, a member of the group", rules[i].disabled);
		}
		EXPECT_EQ(rules[i].member, in_child(as_primary_member, &self->control)) {
			TH_LOG("disabled=%s, a member by primary group", rules[i].disabled);
		}
	}
}

TEST_F(parameters, are_seen_by_query_on_a_ring)
{
	struct io_ring_query query = { .size = sizeof(query) };
	struct io_ring_setup setup = ring_wanted(4, 0);
	int fd;

	ASSERT_EQ(0, text_write(PARAM_DISABLED, "0"));
	fd = ring_setup(&setup);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, IO_RING_QUERY, &query));
	EXPECT_EQ(0, query.disabled);

	ASSERT_EQ(0, text_write(PARAM_DISABLED, "2"));
	query = (struct io_ring_query) { .size = sizeof(query) };
	ASSERT_EQ(0, ioctl(fd, IO_RING_QUERY, &query));
	EXPECT_EQ(1, query.disabled);
	close(fd);
}

TEST_F(parameters, do_not_touch_rings_that_exist)
{
	struct io_ring_sqe sqe = sqe_nop(1);
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, text_write(PARAM_DISABLED, "0"));
	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	ASSERT_EQ(0, text_write(PARAM_DISABLED, "2"));
	EXPECT_EQ(0, ring_run(&ring, &sqe, &cqe));
	ring_close(&ring);
}

TEST_HARNESS_MAIN

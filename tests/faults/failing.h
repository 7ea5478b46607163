/* SPDX-License-Identifier: GPL-2.0-only */
/* A test case for each trial: FIXTURE_VARIANT_ADD(failing, NAME) { .trial = { ... } }. */
#ifndef FAULTS_FAILING_H
#define FAULTS_FAILING_H

#include "fault.h"
#include "harness.h"
#include "module.h"
#include "trial.h"

FIXTURE(failing)
{
};

FIXTURE_VARIANT(failing)
{
	struct trial trial;
};

FIXTURE_SETUP(failing)
{
	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, fault_open());
}

FIXTURE_TEARDOWN(failing)
{
	fault_close();
	EXPECT_EQ(0, module_reload_with(""));
}

TEST_F(failing, until_it_succeeds)
{
	struct outcome outcome = trial_run(&variant->trial);

	ksft_print_msg("figure: %s: %u failures inside, %u of the call\n", variant->trial.name,
		       outcome.faults, outcome.failed);
	EXPECT_EQ(NULL, outcome.wrong) {
		TH_LOG("%s, failure %u, answer %ld: %s", variant->trial.name, outcome.at,
		       outcome.answer, outcome.wrong);
	}
	EXPECT_LT(0, outcome.faults);
}

#endif

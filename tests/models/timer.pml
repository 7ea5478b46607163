/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A slot that waits for its timer: rust/abstractions/timer.rs (set_up, arm, claim,
 * take_matching, rang, drop of Timer).
 *
 * One slot and its timer. Two tasks arm it, whichever has it, ROUNDS times in all; it
 * rings at any time after that, and another task cancels at any time. Whoever gets it has
 * it to himself, and gives it back to be armed again. In the end the slot is freed.
 *
 * Claim: the slot has one owner at any time, and gets out each time it was armed; the
 * callback uses nothing that another has or that was freed, and a timer is set up
 * only while its callback does not run.
 *
 * hrtimer_start, hrtimer_cancel and what the lock guards are one step each. The callback
 * of a timer may run on another processor while the timer is started again, not while
 * itself runs. That the orders of accesses suffice: tests/litmus/timer-claim.litmus.
 *
 * Left out: bells (timer/bell.rs), which have no list, and more slots than one, which
 * share nothing but the lock.
 *
 * Mutant CLAIM_IN_TWO_STEPS: the stage is looked at and then changed
 * Mutant LOSER_LOOKS: the callback looks at the slot before it has claimed it
 * Mutant SET_UP_WHILE_IT_RUNS: who has the slot does not wait for the callback
 * Mutant STARTS_WITHOUT_LOCK: the timer is started after the lock was let go of
 * Mutant FREED_WHILE_IT_RUNS: the slot is freed without stopping the timer
 * Mutant CANCELS_WITHOUT_CLAIM: who finds the slot in the list takes it
 */

#define ROUNDS 3

/* Who has the slot. */
mtype = { HOME, NOBODY, ARMER, CALLBACK, CANCELLER };
mtype owner = HOME;

/* The timer: what is in it, whether it is set, and whether its callback runs. */
bool is_armed, is_set, is_running, is_freed;
/* The lock of the timers, and what it guards. */
bool locked, is_in_list;
/* How often it was armed, and how often somebody got it since. */
byte rounds, got;

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

inline get(who)
{
	d_step {
		assert(owner == NOBODY && !is_freed);
		owner = who;
		got++
	}
}

/* Timer::claim. */
inline claim(won)
{
	assert(!is_freed);
#ifdef CLAIM_IN_TWO_STEPS
	won = is_armed;
	if
	:: won -> is_armed = false
	:: else -> skip
	fi
#else
	d_step { won = is_armed; is_armed = false }
#endif
}

/* hrtimer_start_range_ns. */
inline start()
{
	d_step { assert(!is_freed); is_set = true }
}

/* hrtimer_cancel: waits for the callback. */
inline stop()
{
	atomic { !is_running -> is_set = false }
}

/* Who has a slot, and arms it. */
proctype Armer()
{
	do
	:: atomic { rounds < ROUNDS && owner == HOME -> owner = ARMER; rounds++ };
		/* set_up */
#ifndef SET_UP_WHILE_IT_RUNS
		stop();
#endif
		d_step {
			assert(owner == ARMER && !is_running && !is_set);
			owner = NOBODY
		}
		lock();
		is_in_list = true;
		is_armed = true;
#ifdef STARTS_WITHOUT_LOCK
		unlock();
		start()
#else
		start();
		unlock()
#endif
	:: rounds == ROUNDS -> break
	od
}

/* Who closes the ring, when all slots are at home. */
proctype Closer()
{
	rounds == ROUNDS && owner == HOME ->
	assert(got == ROUNDS && !is_in_list && !is_armed);
	/* drop of the slot, and of its timer */
#ifndef FREED_WHILE_IT_RUNS
	stop();
#endif
	is_freed = true
}

/* The interrupt: whenever the timer is set, until nobody sets it any more. */
proctype Interrupt()
{
	bool won;

	do
	:: atomic { is_set && !is_running -> is_set = false; is_running = true };
		assert(!is_freed);
#ifdef LOSER_LOOKS
		assert(owner == NOBODY);
#endif
		claim(won);
		if
		:: won ->
			lock();
			d_step { assert(is_in_list); is_in_list = false }
			unlock();
			get(CALLBACK);
			/* TimerDomain::rang: it completes, and is used again. */
			owner = HOME
		:: else -> skip
		fi;
		won = false;
		assert(!is_freed);
		is_running = false
	:: is_freed && !is_set -> break
	od
}

/* Who cancels: looks through the list, and takes what it claims. */
proctype Canceller()
{
	bool won;

	do
	:: is_freed -> break
	:: !is_freed && is_in_list ->
		lock();
		if
		:: is_in_list ->
#ifdef CANCELS_WITHOUT_CLAIM
			won = true;
#else
			claim(won);
#endif
			if
			:: won -> is_in_list = false
			:: else -> skip
			fi
		:: else -> skip
		fi;
		unlock();
		if
		:: won ->
			get(CANCELLER);
			stop();
			owner = HOME
		:: else -> skip
		fi;
		won = false
	od
}

init
{
	atomic {
		run Armer();
		run Armer();
		run Closer();
		run Interrupt();
		run Canceller()
	}
}

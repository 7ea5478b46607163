/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting for completions: rust/wait.rs (run, judge, sleep, pass_on),
 * rust/ring/completion.rs (post, publish, flush_parked, is_worth_a_look) and
 * rust/abstractions/wait_queue.rs (wake_some, stand_in_line).
 *
 * Who completes adds up to POSTS completions to a queue of CAPACITY; what finds it full
 * is parked. WAITERS threads wait for any number of them, read what they like and leave
 * or wait again. Or (EVENTS) there are fewer of them, and one thing more happens at some
 * time: a signal, the alarm of a wait that is content with one completion from then on,
 * the end of the process of the ring, or another thread that reads without waiting.
 *
 * Claim: when nothing moves any more, whoever sleeps wants more completions than are
 * in sight, has no signal pending, and the process of the ring is there.
 *
 * What is done with a lock held is one step, but for the stores that those see who have
 * none. A look at head and tail is one step: of different moments, they are too far apart,
 * and that costs one more round. Steps happen in one order that all agree on: a barrier
 * that is missing shows as two steps swapped. That the barriers are enough for a machine
 * is what tests/litmus/wait-*.litmus show.
 *
 * A signal that comes when the kernel has looked for the last time is as one that comes
 * before the program reads: the program is trusted to read in spite of it.
 *
 * Left out: waits that end by a time (as a signal, but in vain), IO_RING_ENTER_NO_STALL
 * (such a waiter is no part of the line), and heads that cannot be true.
 *
 * Run EVENTS
 * Run CROWD
 *
 * Mutant LOOKS_FIRST (EVENTS): the waiter looks before it has entered the queue
 * Mutant WAKES_FIRST (EVENTS): who completes looks for sleepers before it has stored the tail
 * Mutant PARKS_IN_SILENCE (EVENTS): what is parked counts as nothing new
 * Mutant PARKED_UNSEEN (EVENTS): a waiter sleeps though there is room for what is parked
 * Mutant KEEPS_WAKE_UP (CROWD): who was woken in vain tells nobody
 * Mutant KEEPS_WAKE_UP_IF_SIGNALLED (EVENTS): who has enough is trusted in spite of a signal
 * Mutant WAKES_TWICE (EVENTS): who is awake already is counted as woken once more
 * Mutant RINGS_LATE (EVENTS): the alarm wakes its task before it has noted that it rang
 * Mutant LEAVES_LATE (EVENTS): those who wait are told before the process has left
 */

#define CAPACITY 2
#ifdef EVENTS
#define POSTS 3
#define WAITERS 2
#else
#define POSTS 2
#define WAITERS 3
#endif

/* Guarded by the lock of the pool. */
bool pool_locked;
byte tail, parked, room = CAPACITY;
/* In shared memory: the program writes the head and reads the tail. */
byte head, tail_word;
/* Copies for those who do not hold the lock. */
byte shared_tail, shared_parked;
bool owner_gone;

byte want[WAITERS];
bool signal[WAITERS], rang[WAITERS];
/* The state of the task, which who wakes it changes. */
bool sleeping[WAITERS];

/* Who stands in line, in this order. Guarded by the lock of the wait queue. */
byte line[WAITERS], in_line;
/* For loops that are one step. */
byte place, left;

#define wanted(who) (rang[who] -> 1 : want[who])

/* Shared::is_worth_a_look. A tail that is older than the head is worth a look, too. */
#ifdef PARKED_UNSEEN
#define has_room_for_parked false
#else
#define has_room_for_parked (shared_parked != 0 && shared_tail - head < CAPACITY)
#endif
#define is_worth_a_look(number) \
	(shared_tail < head || shared_tail - head >= number || has_room_for_parked)

/* Wait::is_worth_a_look, by the sleeper or by who wakes it. */
#define is_met(who) (is_worth_a_look(wanted(who)) || owner_gone)

#ifdef WAKES_TWICE
#define can_be_woken(who) is_met(who)
#else
#define can_be_woken(who) (is_met(who) && sleeping[who])
#endif

/* WaitQueue::wake_some; all, if `most` is ALL. The first look is without the lock. */
#define ALL 255
inline wake_some(most)
{
	if
	:: in_line == 0 || most == 0 -> skip
	:: else ->
		d_step {
			left = most;
			place = 0;
			do
			:: place == in_line || left == 0 -> break
			:: else ->
				if
				:: can_be_woken(line[place]) ->
					sleeping[line[place]] = false;
					left--
				:: else -> skip
				fi;
				place++
			od;
			place = 0;
			left = 0
		}
	fi
}

inline lock_pool() { atomic { !pool_locked -> pool_locked = true } }

inline look_for_room()
{
	if
	:: room == 0 -> room = CAPACITY - (tail - head)
	:: else -> skip
	fi
}

/* completion::unpark, as many as there is room for. */
inline unpark(moved)
{
	moved = 0;
	do
	:: parked != 0 ->
		look_for_room();
		if
		:: room != 0 -> parked--; tail++; room--; moved++
		:: else -> break
		fi
	:: else -> break
	od
}

/* completion::post. */
inline post()
{
	unpark(new);
	look_for_room();
	if
	:: parked == 0 && room != 0 -> tail++; room--
	:: else -> parked++
	fi
}

#ifdef PARKS_IN_SILENCE
#define new_ones (tail - shared_tail)
#else
#define new_ones (tail - shared_tail + (parked > shared_parked -> parked - shared_parked : 0))
#endif

/* completion::publish, which ends with the lock. */
inline publish()
{
	new = new_ones;
#ifdef WAKES_FIRST
	wake_some(new);
#endif
	tail_word = tail;
	shared_tail = tail;
	shared_parked = parked;
#ifndef WAKES_FIRST
	wake_some(new);
#endif
	d_step { new = 0; pool_locked = false }
}

proctype Completer()
{
	byte posted, new;

	do
	:: posted < POSTS ->
		lock_pool();
		/* One completion at a time, or several. */
		atomic {
			do
			:: posted < POSTS ->
				d_step { posted++; post() };
				if
				:: break
				:: skip
				fi
			:: else -> break
			od
		};
		publish()
	:: else -> break
	od
}

/* completion::flush_parked and completion::ready. */
inline judge()
{
	do
	:: shared_parked != 0 ->
		lock_pool();
		d_step { unpark(moved) };
		publish();
		if
		:: moved == 0 -> break
		:: else -> moved = 0
		fi
	:: else -> break
	od;
	/* What is plain to see at rest, or with the lock held. */
	if
	:: atomic { head <= shared_tail -> enough = shared_tail - head >= wanted(me) }
	:: atomic { !pool_locked -> enough = tail - head >= wanted(me) }
	fi
}

inline enter_line()
{
	d_step {
		line[in_line] = me;
		in_line++;
		sleeping[me] = true
	}
}

inline leave_line()
{
	sleeping[me] = false;
	d_step {
		place = 0;
		do
		:: line[place] == me -> break
		:: else -> place++
		od;
		in_line--;
		do
		:: place == in_line -> break
		:: else -> line[place] = line[place + 1]; place++
		od;
		line[place] = 0;
		place = 0
	}
}

/* WaitQueue::stand_in_line. */
inline stand_in_line()
{
#ifdef LOOKS_FIRST
	met = is_met(me);
	enter_line();
#else
	enter_line();
	met = is_met(me);
#endif
	if
	:: met -> met = false
	:: else ->
end_asleep:	!sleeping[me] || signal[me]
	fi;
	leave_line()
}

/* Wait::pass_on. */
inline pass_on()
{
	if
	:: is_worth_a_look(1) -> wake_some(1)
	:: else -> skip
	fi
}

/* Wait::run, and what the program does when it has returned. */
proctype Waiter(byte me)
{
	byte new, moved;
	bool met, enough, is_trusted;

again:
	is_trusted = false;
	judge();
	do
	:: enough || owner_gone || signal[me] -> break
	:: else ->
		stand_in_line();
		judge();
		if
#ifdef KEEPS_WAKE_UP
		:: !enough -> skip
#else
		:: !enough -> pass_on()
#endif
#ifdef KEEPS_WAKE_UP_IF_SIGNALLED
		:: enough && signal[me] -> skip
#else
		:: enough && signal[me] -> pass_on()
#endif
		:: else -> is_trusted = true
		fi
	od;
	if
	/* The signal is handled first, and may lead elsewhere. */
	:: !enough || (signal[me] && !is_trusted) -> skip
	:: else ->
		/* Reads at least one, if others have left any. */
		if
		:: atomic { head < tail_word -> head++ };
			do
			:: atomic { head < tail_word -> head++ }
			:: break
			od;
			if
			:: goto again
			:: skip
			fi
		:: atomic { head == tail_word -> goto again }
		fi
	fi
}

/* What else may happen, once. */
proctype World()
{
	if
	:: signal[0] = true
	:: signal[1] = true
#ifdef RINGS_LATE
	:: sleeping[1] = false; rang[1] = true
#else
	:: rang[1] = true; sleeping[1] = false
#endif
#ifdef LEAVES_LATE
	:: wake_some(ALL); owner_gone = true
#else
	:: owner_gone = true; wake_some(ALL)
#endif
	:: atomic { head < tail_word -> head++ }
	:: skip
	fi
}

/* Nothing moves any more. */
proctype Judge()
{
	byte who;

	timeout ->
	assert(!pool_locked);
	for (who : 0 .. WAITERS - 1) {
		assert(!sleeping[who] ||
		       (tail - head + parked < wanted(who) && !signal[who] && !owner_gone))
	}
}

init
{
	byte who;

	atomic {
		for (who : 0 .. WAITERS - 1) {
			if
			:: want[who] = 1
			:: want[who] = 2
			fi;
			run Waiter(who)
		}
		run Completer();
#ifdef EVENTS
		run World();
#endif
		run Judge()
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that wait, and the threads that see to them: rust/worker.rs, rust/worker/crew.rs
 * and rust/worker/thread.rs (take, carry_on, wait_again, put_back, rest),
 * rust/abstractions/watch.rs, and stand_by of rust/abstractions/wait_queue.rs.
 *
 * Two requests, at most LIMIT threads. One request waits for its file, whose wake-ups may
 * be in vain (FILES), or is with a device, which completes it or wants it done where
 * blocking is allowed (DEVICES). The other one blocks where it is done, maybe for ever. A
 * thread that has nothing to do leaves after a while, EXPIRIES times in all; or (ENDS)
 * somebody cancels all, or ends all, after a signal maybe.
 *
 * Claim: when nothing moves any more, nothing is left that a thread could go on with; if
 * all was cancelled or ended after it had been submitted, all requests have completed; if
 * all was ended, all threads have left. No request completes twice.
 *
 * What the mutex guards is one step, and so are the copies that those see who do not have
 * it, which come later.
 *
 * Left out: threads that cannot be made, lanes of the backlog, rings that change hands,
 * timers and requests in line, which wait in places of their own with the same rules.
 *
 * Run FILES
 * Run FILES ENDS
 * Run DEVICES
 * Run DEVICES ENDS
 *
 * Mutant LEAVES_IN_SILENCE (DEVICES): the last thread looks whether it may leave, and then says so
 * Mutant LEAVES_STUCK_ONES (FILES): a thread leaves though all others are with what blocks
 * Mutant BLOCKS_IN_SILENCE (DEVICES): the last thread begins what blocks, and does not look at devices
 * Mutant HANDS_LATE (DEVICES): who has handed a request to a device looks first, and counts it then
 * Mutant ARMS_LATE (FILES ENDS): a thread lets its request wait when the mutex is unlocked
 * Mutant PUTS_BACK_ANYWAY (DEVICES ENDS): a thread that was interrupted does not ask whether it is cancelled
 * Mutant FORGETS_EARLY_NEWS (FILES): a wake-up before the request is armed is not noted
 * Mutant WATCH_STAYS_OPEN (DEVICES ENDS): whoever ends all does not close the watch
 * Mutant NOTED_LATE (FILES): that a request is not armed any more is noted without the lock
 * Mutant READY_FIRST (FILES ENDS): who cancels looks at those that are ready before those that are armed
 */

#define LIMIT 2
#define REQUESTS 2
#ifdef ENDS
#define EXPIRIES 0
#define WAKES 1
#else
#define EXPIRIES 1
#define WAKES 2
#endif

/* Where a request is. */
mtype = { NEW, PREPARING, ARMED, READY, BACKLOG, BUSY, DEVICE, DONE };
mtype place[REQUESTS] = NEW;
/* Its file has what it wants; a wake-up came while it was being prepared. */
bool has_data[REQUESTS], is_early[REQUESTS];
/* It ends only if somebody ends it. */
bool is_stuck;
byte submitted;

/* The watch. What needs its lock is one step, but for a wake-up of the file. */
bool watch_locked, is_open = true;
/* Copies for those who do not hold it. */
byte armed, ready;

/* The mutex of the crew, and what it guards. */
bool locked;
bool is_closed;
byte due_now, live_now, busy_now, blocked_now;
bool is_seated[LIMIT], is_reserved[LIMIT], has_job[LIMIT], is_cancelled[LIMIT];
byte job[LIMIT];
bool job_blocks[LIMIT];
/* Copies for those who do not hold it. */
byte due, live, blocked;

/* Requests that devices were handed, and those of them that have completed. */
byte handed, returned;

/* Threads. */
bool exists[LIMIT], leaving[LIMIT], signal[LIMIT], sleeping[LIMIT];
/* Those who stand by, the last to come at the end. */
byte standing[LIMIT], in_queue;
byte expired;

/* Somebody has cancelled or ended all that was submitted. */
bool all_must_end;

byte i, j;

#define is_watching (armed != 0 || ready != 0)
#define may_block (blocked + 1 < LIMIT && (blocked + 1 < live || !is_watching))
/* Workers::is_unattended: no thread keeps out of what may block. */
#define is_unattended (live <= blocked)
#define has_work (ready != 0 || (due != 0 && may_block))
#define is_met(who) (has_work || leaving[who] || signal[who])

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

/* Workers::note. */
inline note()
{
	d_step {
		due = due_now;
		live = live_now;
		blocked = blocked_now
	}
}

inline note_and_unlock()
{
	d_step {
		due = due_now;
		live = live_now;
		blocked = blocked_now;
		locked = false
	}
}

inline complete(which)
{
	assert(place[which] != DONE);
	place[which] = DONE
}

/* WaitQueue::wake of those who stand by: one of those whose condition is met. */
inline wake()
{
	d_step {
		i = in_queue;
		do
		:: i == 0 -> break
		:: else ->
			i--;
			if
			:: sleeping[standing[i]] && is_met(standing[i]) ->
				sleeping[standing[i]] = false;
				break
			:: else -> skip
			fi
		od;
		i = 0
	}
}

/* Workers::make_threads; at least one if `attend`. */
inline make_threads(attend)
{
	do
	:: atomic {
			lock();
			number = LIMIT;
			i = (blocked_now < LIMIT - 1 -> LIMIT - 1 - blocked_now : 0);
			i = (due_now < i -> due_now : i) + is_watching;
			if
			:: is_closed || (live_now - busy_now >= i && (live_now > blocked_now || !attend)) -> skip
			:: else ->
				/* Crew::reserve */
				number = 0;
				do
				:: number == LIMIT -> break
				:: else ->
					if
					:: !is_seated[number] && !is_reserved[number] && !has_job[number] ->
						is_reserved[number] = true;
						live_now++;
						break
					:: else -> number++
					fi
				od
			fi;
			i = 0
		};
		if
		:: number == LIMIT -> unlock(); break
		:: else -> note_and_unlock()
		fi;
		atomic { !exists[number] -> exists[number] = true; leaving[number] = false };
		/* Workers::add */
		atomic {
			lock();
			is_reserved[number] = false;
			if
			:: is_closed -> live_now--; leaving[number] = true; sleeping[number] = false
			:: else -> is_seated[number] = true
			fi
		};
		note_and_unlock();
		wake();
		number = 0
	od;
	number = 0
}

/* Workers::see_to_it. */
inline see_to_it()
{
	wake();
	make_threads(false)
}

/* Watch::add_ready, else the request is cancelled. */
inline add_ready(which)
{
	atomic {
		!watch_locked ->
		if
		:: is_open -> place[which] = READY; ready++; wake()
		:: else -> complete(which)
		fi
	}
}

/* watch::prepare: in the wait queue first, and then the file is asked. */
inline prepare(which)
{
	d_step { is_early[which] = false; place[which] = PREPARING }
}

/* Workers::arm. */
inline arm(which)
{
	atomic {
		!watch_locked ->
		if
		:: is_early[which] || !is_open -> add_ready(which)
		:: else -> place[which] = ARMED; armed++
		fi
	}
}

/* Workers::wait_for_worker. */
inline push(which)
{
	atomic {
		lock();
		if
		:: is_closed -> complete(which)
		:: else -> place[which] = BACKLOG; due_now++
		fi
	};
	note_and_unlock()
}

/* Workers::hand_to_devices. */
inline hand_to_devices()
{
#ifdef HANDS_LATE
	is_alone = is_unattended;
	handed++;
#else
	handed++;
	is_alone = is_unattended;
#endif
	if
	:: is_alone -> make_threads(true)
	:: else -> skip
	fi
}

proctype Submitter()
{
	byte number;
#ifdef DEVICES
	bool is_alone;
#endif

	if
	:: is_stuck = true
	:: skip
	fi;
	do
#ifdef DEVICES
	:: place[0] == NEW -> place[0] = DEVICE; hand_to_devices(); submitted++
#else
	:: place[0] == NEW ->
		prepare(0);
		if
		:: has_data[0] -> complete(0)
		:: else -> arm(0); see_to_it()
		fi;
		submitted++
#endif
	:: place[1] == NEW -> push(1); see_to_it(); submitted++
	:: submitted == REQUESTS -> break
	od
}

/* The file of the first request: it becomes ready, maybe after a wake-up in vain. */
proctype File()
{
	byte wakes;

	do
	:: wakes < WAKES ->
		wakes++;
		if
		:: wakes == WAKES -> has_data[0] = true
		:: wakes == 1 -> skip
		fi;
		/* get_ready: counts as ready before it does not count as armed any more. */
		atomic {
			!watch_locked ->
			if
			:: place[0] == ARMED -> place[0] = READY; watch_locked = true
			:: else ->
#ifndef FORGETS_EARLY_NEWS
				is_early[0] = true;
#endif
				goto next
			fi
		};
		ready++;
		wake();
#ifdef NOTED_LATE
		watch_locked = false;
		armed--;
#else
		armed--;
		watch_locked = false;
#endif
next:
		skip
	:: break
	od
}

/* The device of the first request. */
proctype Device()
{
	place[0] == DEVICE;
	if
	:: d_step { complete(0); returned++ }
	:: add_ready(0)
	fi
}

/* A thread has done with its request. */
inline end_job()
{
	d_step {
		has_job[me] = false;
		busy_now--;
		blocked_now = blocked_now - job_blocks[me];
		was_cancelled = is_closed || is_cancelled[me];
		is_cancelled[me] = false
	}
}

/* Workers::done. */
inline done()
{
	atomic { lock(); end_job() };
	note_and_unlock();
	wake()
}

/* Workers::wait_again. */
inline wait_again()
{
	atomic { lock(); end_job() };
	note();
#ifdef ARMS_LATE
	unlock();
	if
	:: !was_cancelled -> arm(mine)
	:: else -> complete(mine)
	fi;
	if
	:: !was_cancelled && due != 0 -> see_to_it()
	:: else -> skip
	fi
#else
	if
	:: !was_cancelled ->
		arm(mine);
		is_due = due_now != 0;
		unlock();
		if
		:: is_due -> is_due = false; see_to_it()
		:: else -> skip
		fi
	:: else -> unlock(); complete(mine)
	fi
#endif
}

/* Workers::put_back. */
inline put_back()
{
	atomic { lock(); end_job() };
#ifdef PUTS_BACK_ANYWAY
	was_cancelled = false;
#endif
	if
	:: was_cancelled -> note_and_unlock(); complete(mine)
	:: else ->
		d_step { place[mine] = BACKLOG; due_now++ };
		note_and_unlock();
		if
		:: job_blocks[me] -> skip
		:: else -> see_to_it()
		fi
	fi
}

inline carry_on()
{
	if
#ifdef DEVICES
	/* It can only be done where blocking is allowed, or at once. */
	:: mine == 0 && !job_blocks[me] -> put_back()
	:: mine == 0 -> done(); d_step { complete(0); returned++ }
#else
	:: mine == 0 && has_data[0] -> done(); complete(0)
	:: mine == 0 && !has_data[0] ->
		prepare(0);
		if
		:: has_data[0] -> done(); complete(0)
		:: else -> wait_again()
		fi
#endif
	:: mine == 1 ->
end_stuck:	if
		:: !is_stuck -> done(); complete(1)
		:: signal[me] -> put_back()
		fi
	fi
}

/* The last one that keeps out of what may block. */
#ifdef LEAVES_STUCK_ONES
#define is_last (live_now == 1)
#else
#define is_last (live_now - blocked_now == 1)
#endif

/* Workers::rest. */
inline rest()
{
	/* stand_by */
	if
	:: is_met(me) -> skip
	:: else ->
		d_step { standing[in_queue] = me; in_queue++; sleeping[me] = true };
		if
		:: is_met(me) -> skip
		:: else ->
end_asleep:		if
			:: !sleeping[me] -> skip
			:: atomic { sleeping[me] && expired < EXPIRIES -> expired++; is_late = true }
			fi
		fi;
		d_step {
			sleeping[me] = false;
			j = 0;
			do
			:: standing[j] == me -> break
			:: else -> j++
			od;
			in_queue--;
			do
			:: j == in_queue -> break
			:: else -> standing[j] = standing[j + 1]; j++
			od;
			standing[j] = 0;
			j = 0
		}
	fi;
	if
	:: is_late && !is_met(me) ->
		is_late = false;
		lock();
		if
		:: has_work || !is_seated[me] -> unlock()
		:: else ->
			if
			:: is_last ->
#ifndef LEAVES_IN_SILENCE
				live = live_now - 1;
#endif
				stays = is_watching || due_now != 0 || handed != returned
			:: else -> skip
			fi;
			if
			:: stays -> stays = false; note_and_unlock()
			:: else ->
				d_step { is_seated[me] = false; live_now-- };
				note_and_unlock();
				leaving[me] = true
			fi
		fi
	:: else -> is_late = false
	fi
}

/* Workers::take. */
inline take()
{
	atomic {
		lock();
		!watch_locked ->
		mine = REQUESTS;
		i = 0;
		do
		:: is_closed || leaving[me] || !is_seated[me] || has_job[me] || i == REQUESTS -> break
		:: else ->
			if
			:: place[i] == READY ->
				mine = i;
				ready--;
				job_blocks[me] = false;
				break
			:: else -> i++
			fi
		od;
		if
		:: mine == REQUESTS && !is_closed && !leaving[me] && is_seated[me] && may_block ->
			i = 0;
			do
			:: i == REQUESTS -> break
			:: else ->
				if
				:: place[i] == BACKLOG ->
					mine = i;
					due_now--;
					job_blocks[me] = true;
					blocked_now++;
					break
				:: else -> i++
				fi
			od
		:: else -> skip
		fi;
		if
		:: mine != REQUESTS ->
			place[mine] = BUSY;
			has_job[me] = true;
			busy_now++
		:: else -> skip
		fi;
		i = 0
	};
	note_and_unlock();
	if
	:: has_work -> wake()
	:: else -> skip
	fi;
#ifndef BLOCKS_IN_SILENCE
	if
	:: mine != REQUESTS && job_blocks[me] && is_unattended && handed != returned ->
		make_threads(true)
	:: else -> skip
	fi
#endif
}

/* A thread, and the next one in the same seat. */
proctype Thread(byte me)
{
	byte mine, number;
	bool was_cancelled, is_due, is_late, stays;

end_gone:
	do
	:: atomic { exists[me] && !leaving[me] -> signal[me] = false };
		take();
		if
		:: mine != REQUESTS -> carry_on()
		:: else -> rest()
		fi;
		d_step { mine = 0; was_cancelled = false }
	:: atomic { exists[me] && leaving[me] -> exists[me] = false }
	od
}

/* A thread's signal: it is stopped, and goes on. */
inline interrupt(who)
{
	signal[who] = true;
	sleeping[who] = false
}

/* Workers::end_waiting_of, with the mutex held. */
inline take_armed()
{
	atomic {
		!watch_locked ->
		i = 0;
		do
		:: i == REQUESTS -> break
		:: else ->
			if
			:: place[i] == ARMED -> armed--; complete(i)
			:: else -> skip
			fi;
			i++
		od;
		i = 0
	}
}

inline take_ready()
{
	atomic {
		!watch_locked ->
		i = 0;
		do
		:: i == REQUESTS -> break
		:: else ->
			if
			:: place[i] == READY -> ready--; complete(i)
			:: else -> skip
			fi;
			i++
		od;
		i = 0
	}
}

inline end_waiting()
{
#ifdef READY_FIRST
	take_ready();
	take_armed();
#else
	take_armed();
	take_ready();
#endif
	d_step {
		i = 0;
		do
		:: i == REQUESTS -> break
		:: else ->
			if
			:: place[i] == BACKLOG -> due_now--; complete(i)
			:: else -> skip
			fi;
			i++
		od;
		/* Crew::interrupt */
		i = 0;
		do
		:: i == LIMIT -> break
		:: else ->
			if
			:: has_job[i] -> is_cancelled[i] = true; interrupt(i)
			:: else -> skip
			fi;
			i++
		od;
		i = 0
	};
	note_and_unlock();
	wake()
}

#ifdef ENDS
/* What else may happen. */
proctype World()
{
	byte number;

	if
#ifdef DEVICES
	:: exists[0] -> interrupt(0)
#endif
	:: skip
	fi;
	if
#ifdef FILES
	:: submitted == REQUESTS ->
		/* CANCEL, IO_RING_CANCEL_ANY, which does not reach devices */
		lock();
		end_waiting();
		all_must_end = true
#endif
	:: submitted == REQUESTS ->
		/* Workers::shut_down */
		lock();
		is_closed = true;
#ifndef WATCH_STAYS_OPEN
		is_open = false;
#endif
		end_waiting();
		do
		:: number == LIMIT -> break
		:: else ->
			lock();
			if
			:: is_seated[number] ->
				d_step { is_seated[number] = false; live_now-- };
				note_and_unlock();
				leaving[number] = true;
				interrupt(number)
			:: else -> unlock()
			fi;
			number++
		od;
		all_must_end = true
	fi
}
#endif

/* Nothing moves any more. */
proctype Judge()
{
	timeout ->
	assert(!locked && submitted == REQUESTS);
	assert(armed == (place[0] == ARMED) + (place[1] == ARMED));
	for (i : 0 .. REQUESTS - 1) {
		assert(place[i] == DONE || !all_must_end);
		assert(place[i] == DONE || (place[i] == ARMED && !has_data[i]) ||
		       (place[i] == BUSY && i == 1 && is_stuck) ||
		       (place[i] == BACKLOG && blocked + 1 == LIMIT))
	}
	assert(!is_closed || (!exists[0] && !exists[1]))
}

init
{
	atomic {
		run Submitter();
#ifdef DEVICES
		run Device();
#else
		run File();
#endif
		run Thread(0);
		run Thread(1);
#ifdef ENDS
		run World();
#endif
		run Judge()
	}
}

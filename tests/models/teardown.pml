/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a ring while devices have its requests: rust/context.rs (release, OnIdle,
 * WorkItem), rust/abstractions/pool.rs (finish, drop), rust/ring/completion.rs (post,
 * publish) with completion/discard.rs and completion/observers.rs (when_idle),
 * rust/closer.rs, and what keeps the module loaded (abstractions/deferred.rs).
 *
 * SLOTS requests are with devices, which complete them in interrupt handlers, some by way
 * of the work item that closes files. The completion queue has room for ROOM of them; the
 * others are parked. Meanwhile the ring is closed by a task that waits for as long as it
 * likes, and the module is unloaded as soon as it can be.
 *
 * Claims: nobody uses what was freed, nor the module when it is gone; the ring is freed,
 * once, after each request has completed; nobody waits in vain.
 *
 * What the lock of the pool guards is one step each, but the lock is held from the
 * first to the last of them.
 *
 * Left out: the return of a function from the module after its last access to anything,
 * which RCU covers in an interrupt handler, and the flush of the work queue in a work
 * item; workers (worker.pml); readers of the ring, who have a descriptor.
 *
 * Mutant FREES_WITHOUT_LOCK: the pool counts the slots at home without its lock
 * Mutant TELLS_AFTER_UNLOCK: who completes wakes waiters when it has let go of the lock
 * Mutant TAKES_IDLE_FOR_GRANTED: the close believes a count from before it began
 * Mutant PARKED_IS_BUSY: a parked request counts as one that somebody works on
 * Mutant LEFT_IN_SILENCE: who gives up waiting does not look once more
 * Mutant FREES_ANYWAY: who gives up waiting leaves nobody behind
 * Mutant CALLS_CLOSER_LATE: the work item is asked for when the list is unlocked
 * Mutant KEEPS_NO_MODULE: the ring does not refer to its module
 * Mutant CLOSER_FORGOTTEN: unloading does not wait for the work item
 */

#define SLOTS 2
#define ROOM 1

/* The pool: its lock, and what that guards. */
bool pool_locked;
byte at_home, posted, parked;
bool is_watched;
/* Copies for those who do not hold the lock. As noted before the slots left. */
byte idle = SLOTS;
bool is_freed;

/* References to the ring. */
byte references = 1;
/* The task that closes the ring sleeps. */
bool sleeping;
bool is_released;

/* Slots whose file has to be closed, and the work item that does it. */
bool closer_locked;
byte to_close;
bool closer_wanted, closer_runs;
/* The work item that frees the ring. */
bool teardown_wanted, teardown_runs;

#ifdef KEEPS_NO_MODULE
byte module_references;
#else
byte module_references = 1;
#endif
bool is_unloaded;

byte completed;

inline lock_pool()
{
	atomic { !pool_locked -> assert(!is_freed && !is_unloaded); pool_locked = true }
}

inline unlock_pool()
{
	d_step { assert(!is_freed); pool_locked = false }
}

#ifdef PARKED_IS_BUSY
#define idle_now at_home
#else
#define idle_now (at_home + parked)
#endif

/* observers::tell: the ring that is left behind is freed when the last one is done. */
inline tell()
{
	d_step {
		if
		:: is_watched && idle == SLOTS ->
			is_watched = false;
			teardown_wanted = true
		:: else -> skip
		fi
	}
}

/* completion::publish. Whom it wakes looks at `idle`. */
inline publish()
{
	d_step { assert(!is_freed); idle = idle_now };
	d_step { assert(!is_freed); sleeping = (idle == SLOTS -> false : sleeping) };
	tell()
}

/* Slot::finish with completion::post. */
inline finish()
{
	lock_pool();
	d_step {
		completed++;
		if
		:: parked == 0 && posted < ROOM -> posted++; at_home++
		:: else -> parked++
		fi
	};
#ifdef TELLS_AFTER_UNLOCK
	unlock_pool();
	publish()
#else
	publish();
	unlock_pool()
#endif
}

/* A device, in an interrupt handler. */
proctype Device()
{
	if
	:: finish()
	:: /* Closer::add */
		atomic { !closer_locked -> closer_locked = true; to_close++ };
#ifdef CALLS_CLOSER_LATE
		closer_locked = false;
		assert(!is_unloaded);
		closer_wanted = true
#else
		closer_wanted = true;
		closer_locked = false
#endif
	fi
}

/* The work item of the closer; it may be asked for again while it runs. */
proctype Closer()
{
	bool has_one;

	do
	:: atomic { closer_wanted -> closer_wanted = false; closer_runs = true };
		do
		:: atomic {
				!closer_locked ->
				assert(!is_unloaded);
				has_one = to_close != 0;
				to_close = (has_one -> to_close - 1 : 0)
			};
			if
			:: has_one -> has_one = false; finish()
			:: else -> break
			fi
		od;
		closer_runs = false
	:: is_unloaded && !closer_wanted -> break
	od
}

/* Arc::drop of the ring: the pool, and then the module. */
inline drop_ring()
{
	atomic { references--; last = references == 0 };
	if
	:: last ->
		/* Pool::drop */
#ifndef FREES_WITHOUT_LOCK
		lock_pool();
#endif
		d_step {
			at_home = at_home + parked;
			parked = 0
		};
		assert(at_home == SLOTS);
#ifndef FREES_WITHOUT_LOCK
		unlock_pool();
#endif
		d_step { assert(!is_freed && !is_unloaded); is_freed = true };
		/* ModuleRef::drop */
#ifndef KEEPS_NO_MODULE
		module_references--
#endif
	:: else -> skip
	fi
}

/* completion::discard_parked. */
inline discard_parked()
{
	lock_pool();
	d_step {
		at_home = at_home + parked;
		parked = 0
	};
#ifndef TAKES_IDLE_FOR_GRANTED
	publish();
#endif
	unlock_pool()
}

/* Context::release. */
proctype Release()
{
	bool last, gave_up;

	discard_parked();
	/* Waits until all is idle, or it is killed, or some time has passed. */
	sleeping = true;
	if
	:: idle == SLOTS -> skip
	:: else ->
		if
		:: !sleeping
		:: gave_up = true
		fi
	fi;
	sleeping = false;
	if
#ifdef FREES_ANYWAY
	:: false -> skip
#else
	:: gave_up && idle != SLOTS ->
		/* completion::when_idle */
		references++;
		lock_pool();
		is_watched = true;
#ifndef LEFT_IN_SILENCE
		publish();
#endif
		unlock_pool()
#endif
	:: else -> skip
	fi;
	drop_ring();
	is_released = true
}

/* The work item that frees a ring that was left behind. */
proctype Teardown()
{
	bool last;

	do
	:: atomic { teardown_wanted -> teardown_wanted = false; teardown_runs = true };
		drop_ring();
		teardown_runs = false
	:: is_unloaded && !teardown_wanted -> break
	od
}

/* Whoever unloads the module: as soon as nothing refers to it, and after the work items. */
proctype Unload()
{
	module_references == 0 && is_released;
#ifdef CLOSER_FORGOTTEN
	!teardown_wanted && !teardown_runs;
#else
	!teardown_wanted && !teardown_runs && !closer_wanted && !closer_runs;
#endif
	is_unloaded = true;
	assert(completed == SLOTS && is_freed && references == 0)
}

init
{
	atomic {
		run Device();
		run Device();
		run Closer();
		run Release();
		run Teardown();
		run Unload()
	}
}

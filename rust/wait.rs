// SPDX-License-Identifier: GPL-2.0

//! Waiting for completions.
//!
//! # No lost wake-up
//!
//! A waiter judges how many completions can be read, and if they are too few, sleeps on
//! `Shared::waiters` until it is worth judging again. The two sides:
//!
//! ```text
//! waiter      enter the wait queue; full barrier; worth a look? if not, sleep
//! completer   write completion; tail.store(release), or park it and store the number of parked
//!             ones; full barrier; look at the wait queue; worth a look for whom?
//! ```
//!
//! Both barriers are in [`wait_queue`](crate::abstractions::wait_queue). If the waiter does not see
//! what the completer stored, the completer sees the waiter, and wakes it if it is worth it. Parked
//! completions count: a program that reads a full queue and waits, while another completion is just
//! being parked, has room for it that only the next judgement uses.
//!
//! The look is only a hint, made without a lock, from a head and a tail that may be of different
//! moments; [`completion::ready`] is the judgement. A hint that was wrong costs one more round.
//!
//! # One thread for a completion
//!
//! Waiters stand in line: [`completion::publish`] wakes as many as completions have come, those first
//! that came first, but only those for whom there are enough now. Nothing is reserved for who was
//! woken: whoever is faster reads. Nobody is forgotten, because of this:
//!
//! > While somebody sleeps who wants `w`, at most `w - 1` completions are in sight (readable or
//! > parked) beyond one for each thread that was woken and has not read yet.
//!
//! * The sleeper begins to sleep: it has just found fewer than `w`.
//! * A completion comes that makes `w` or more: there is enough for the sleeper, so that either it
//!   or somebody before it is woken.
//! * Somebody reads: at least one completion less, and at most one thread less that will read.
//! * Who was woken finds too few, because others were faster, and sleeps again or leaves: it passes
//!   the wake-up on. If there is nobody to take it, there is not enough for the sleeper either.
//! * The sleeper's `w` becomes smaller: its alarm has woken it.
//!
//! So when all who were woken have read, fewer than `w` are left. Who was woken and has enough is
//! trusted to read, or to wait again if it finds nothing any more. It is not if a signal is about to
//! end it or to lead it elsewhere: then it passes the wake-up on as well, which wakes one too many at
//! worst. For the same reason nobody passes on because more can be read than it asked for: each of
//! those has woken somebody already, and the wake-ups would run through the whole line until the
//! first has read.
//!
//! One wake-up never stands for two: who is awake is passed over, until it has left the queue and
//! judged anew. And who finds enough without having slept was not woken, and owes nothing.
//!
//! # Time
//!
//! A timeout is an [`Alarm`], set once before the first round, so that rounds do not add up. Another
//! one says when to be content with a single completion. They are two because their clocks may
//! differ: one of them may be set back. What an alarm does is to note that it rang and to wake its
//! task, which looks at the alarms along with everything else:
//!
//! ```text
//! waiter      set the state of a sleeper; full barrier; rang? if not, sleep
//! alarm       rang = true; wake the task, whose state decides: a full barrier, too
//! ```
//!
//! Each round reads the alarms before it judges. So a wait that ends with `ETIME` was short of
//! completions after the alarm had rung, and one that came in time is never reported as late.
//!
//! # Stalling
//!
//! Who asks for it is not put to sleep if completions are missing that nobody works on.
//! [`completion::would_stall`] counts, with the pool's lock held; only a waiter that is about to
//! sleep pays for that. Requests in the hands of somebody count until they end, and every end is
//! published, so the same two barriers make sure that it is noticed. What is not noticed before the
//! next end of a request is that somebody else read completions: this needs no kernel.
//!
//! Who asks for it does not stand in line, where nobody looks any further once enough have been woken:
//! a completion that is for somebody else may be what it has to know of. It is woken beside the others,
//! and takes no wake-up from them.
//!
//! # What ends a wait
//!
//! Enough completions; a signal; a timeout; a stall, if asked for; a head that cannot be true, since
//! nothing could be compared with it; or that the process of the ring is gone, since then nobody
//! submits what is missing. Enough completions come before all else.

#![forbid(unsafe_code)]

pub(crate) mod terms;

use self::terms::Terms;
use crate::{
    abstractions::{
        alarm::Alarm,
        pool::Pool,
        trace, //
    },
    request::Requests,
    ring::completion, //
};
use kernel::{
    current,
    prelude::*, //
};

/// How long a waiter leaves devices to somebody else, in milliseconds.
const MOMENT: u32 = 1;

/// What came of looking whether devices have completed something that they do not tell of.
pub(crate) enum Looked {
    /// They were asked.
    Once,
    /// They have nothing.
    ForNothing,
    /// Somebody else asks, or submits.
    Busy,
}

/// Waits until `min_complete` completions can be read, or as many as the queue holds.
///
/// Process context; sleeps.
///
/// # Errors
///
/// `EINTR`, `EOVERFLOW` (the head is out of range), `EOWNERDEAD`; if the terms have it: `ETIME`,
/// `EDEADLK` (too few requests are under way).
#[inline]
pub(crate) fn for_completions(
    pool: &Pool<Requests>,
    min_complete: u32,
    terms: Option<&Terms>,
    look: &(dyn Fn() -> Looked + Sync),
) -> Result {
    let wanted = min_complete.min(pool.shared().completion.capacity());
    if completion::are_ready(pool, wanted) {
        return Ok(());
    }
    wait(pool, wanted, terms, look)
}

#[inline(never)]
fn wait(
    pool: &Pool<Requests>,
    wanted: u32,
    terms: Option<&Terms>,
    look: &(dyn Fn() -> Looked + Sync),
) -> Result {
    let wait = Wait {
        pool,
        wanted,
        owner_epoch: pool.shared().completion.owner_epoch(),
        timeout: None,
        min_wait: None,
        no_stall: false,
        look,
    };
    let ring = pool.shared().completion.ring();
    trace::wait(|| (ring, wanted));
    let waited = match terms {
        None => wait.run(),
        Some(terms) => wait.run_on(terms),
    };
    trace::wait_end(|| (ring, waited.err().map_or(0, |error| error.to_errno())));
    waited
}

/// One wait.
struct Wait<'a> {
    pool: &'a Pool<Requests>,
    wanted: u32,
    owner_epoch: u32,
    timeout: Option<&'a Alarm>,
    min_wait: Option<&'a Alarm>,
    no_stall: bool,
    look: &'a (dyn Fn() -> Looked + Sync),
}

impl Wait<'_> {
    #[cold]
    fn run_on(self, terms: &Terms) -> Result {
        let run = || {
            Alarm::while_set(terms.timeout, |timeout| {
                Alarm::while_set(terms.min_wait, |min_wait| {
                    let wait = Wait {
                        timeout: Some(timeout),
                        min_wait: Some(min_wait),
                        no_stall: terms.no_stall,
                        ..self
                    };
                    wait.run()
                })
            })
        };
        match terms.sigmask {
            None => run(),
            Some(mask) => mask.during(run),
        }
    }

    fn run(&self) -> Result {
        let mut is_over = self.judge();
        while is_over == Ok(false) {
            match (self.look)() {
                Looked::Once => (),
                Looked::ForNothing => self.sleep(),
                Looked::Busy => self.rest(),
            }
            is_over = self.judge();
            // Also if a signal comes first, and the thread may never get to reading.
            if is_over != Ok(true) || current!().signal_pending() {
                self.pass_on();
            }
        }
        is_over.map(|_| ())
    }

    /// Wakes another one, if there is anything to wake it for.
    fn pass_on(&self) {
        let shared = &self.pool.shared().completion;
        if shared.is_worth_a_look(1) {
            shared.waiters.wake_some(1);
        }
    }

    /// Whether the wait is over, and if so, whether in vain.
    fn judge(&self) -> Result<bool> {
        let shared = &self.pool.shared().completion;
        let is_late = self.is_late();
        let wanted = self.wanted();
        completion::flush_parked(self.pool);
        if completion::ready(self.pool).map_err(|_| EOVERFLOW)? >= wanted {
            return Ok(true);
        }
        if shared.has_owner_left(self.owner_epoch) {
            return Err(EOWNERDEAD);
        }
        if is_late {
            return Err(ETIME);
        }
        if self.no_stall && completion::would_stall(self.pool, wanted).map_err(|_| EOVERFLOW)? {
            return Err(EDEADLK);
        }
        // Whoever keeps the hint true keeps this from sleeping, where signals are noticed.
        if current!().signal_pending() {
            return Err(EINTR);
        }
        Ok(false)
    }

    /// Sleeps until it is worth judging again. A signal ends that, too.
    fn sleep(&self) {
        let waiters = &self.pool.shared().completion.waiters;
        if self.no_stall {
            // The judgement notices signals.
            let _ = waiters.wait_until(|| self.is_worth_a_look());
        } else {
            waiters.stand_in_line(|| self.is_worth_a_look());
        }
    }

    /// Leaves devices to somebody else who asks them, for a moment.
    fn rest(&self) {
        let shared = &self.pool.shared().completion;
        let wanted = self.wanted();
        // Either is as good as the other.
        let _ = (shared.waiters).wait_for_sure(|| shared.is_worth_a_look(wanted), MOMENT);
    }

    /// How many completions are enough by now.
    fn wanted(&self) -> u32 {
        if self.min_wait.is_some_and(Alarm::has_rung) {
            1
        } else {
            self.wanted
        }
    }

    fn is_late(&self) -> bool {
        self.timeout.is_some_and(Alarm::has_rung)
    }

    /// Whether it is worth judging again. Any context.
    fn is_worth_a_look(&self) -> bool {
        let shared = &self.pool.shared().completion;
        let wanted = self.wanted();
        shared.is_worth_a_look(wanted)
            || self.pool.shared().polled() != 0
            || shared.has_owner_left(self.owner_epoch)
            || self.is_late()
            || (self.no_stall && shared.may_stall(wanted))
    }
}

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
        pool::Pool, //
    },
    request::Requests,
    ring::completion, //
};
use kernel::{
    current,
    prelude::*, //
};

/// Waits until `min_complete` completions can be read, or as many as the queue holds.
///
/// Process context; sleeps.
///
/// # Errors
///
/// `EINTR`, `EOVERFLOW` (the head is out of range), `EOWNERDEAD`; if the terms have it: `ETIME`,
/// `EDEADLK` (too few requests are under way).
pub(crate) fn for_completions(
    pool: &Pool<Requests>,
    min_complete: u32,
    terms: Option<&Terms>,
) -> Result {
    let wait = Wait {
        pool,
        wanted: min_complete.min(pool.shared().completion.capacity()),
        owner_epoch: pool.shared().completion.owner_epoch(),
        timeout: None,
        min_wait: None,
        no_stall: false,
    };
    match terms {
        None => wait.run(),
        Some(terms) => wait.run_on(terms),
    }
}

/// One wait.
struct Wait<'a> {
    pool: &'a Pool<Requests>,
    wanted: u32,
    owner_epoch: u32,
    timeout: Option<&'a Alarm>,
    min_wait: Option<&'a Alarm>,
    no_stall: bool,
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
        let shared = &self.pool.shared().completion;
        loop {
            let is_late = self.is_late();
            let wanted = self.wanted();
            completion::flush_parked(self.pool);
            if completion::ready(self.pool).map_err(|_| EOVERFLOW)? >= wanted {
                return Ok(());
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
            // Whoever keeps the hint true keeps this loop from sleeping, where signals are noticed.
            if current!().signal_pending() {
                return Err(EINTR);
            }
            shared.waiters.wait_until(|| self.is_worth_a_look())?;
        }
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
            || shared.has_owner_left(self.owner_epoch)
            || self.is_late()
            || (self.no_stall && shared.may_stall(wanted))
    }
}

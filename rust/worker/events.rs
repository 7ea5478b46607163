// SPDX-License-Identifier: GPL-2.0

//! Requests that wait for events: of files, or in time.
//!
//! POLL_ADD waits in the [`Watch`](crate::abstractions::watch::Watch), and so does a TIMEOUT that recurs:
//! a thread tells of what has come and lets it wait again, so that it is the process that pays for what
//! it has asked for. Every other TIMEOUT completes where its timer rings; if it counts completions, a
//! thread looks for it when enough have come.

#![forbid(unsafe_code)]

use super::{
    crew::{
        Crew,
        End, //
    },
    Workers, //
};
use crate::{
    abstractions::{
        async_io::IoSlot,
        pool::Slot,
        trace,
        wait_queue::News,
        watch::{
            self,
            Polled,
            Time,
            Waiting, //
        },
        worker_thread::WorkerThread, //
    },
    op::{
        cancel::Cancel,
        poll::{
            Changes,
            Poll, //
        },
        timeout::{
            NewTime,
            Timeout, //
        },
        Blocking,
        Update, //
    },
    request::{
        self,
        Path,
        Request,
        Requests, //
    },
};
use core::cell::Cell;
use kernel::prelude::*;

/// What became of a request that was to wait.
pub(super) enum Begun {
    /// It waits, as soon as that is committed.
    Waiting(Waiting<Requests>),
    /// It has finished, with this result.
    Done(Slot<Requests>, isize),
}

impl Begun {
    fn done(mut slot: Slot<Requests>, result: isize) -> Self {
        slot.request.blocking = None;
        Self::Done(slot, result)
    }

    fn failed(slot: Slot<Requests>, reason: Error) -> Self {
        Self::done(slot, reason.to_errno() as isize)
    }
}

/// Asks the file of a POLL_ADD, and lets it wait if there is nothing to tell, or nothing but once more.
pub(super) fn ask(mut slot: Slot<Requests>, poll: Poll, path: Path) -> Begun {
    let is_multi = poll.is_multi();
    slot.request.blocking = Some(Blocking::Poll(poll));
    let tell =
        |slot: &Slot<Requests>, events| is_multi && request::post_more(slot, events as isize, path);
    match watch::poll(slot) {
        Polled::NoMemory(slot) => Begun::failed(slot, ENOMEM),
        // Nothing will ever come.
        Polled::Final(slot, 0) => Begun::failed(slot, EINVAL),
        Polled::Final(slot, events) => Begun::done(slot, events as isize),
        Polled::Waiting(waiting, 0) => Begun::Waiting(waiting),
        Polled::Waiting(waiting, events) => {
            if waiting.with_slot(|slot| tell(slot, events)) {
                Begun::Waiting(waiting)
            } else {
                Begun::done(waiting.leave(), events as isize)
            }
        }
    }
}

/// Lets a TIMEOUT that recurs wait for its next time.
fn recur(mut slot: Slot<Requests>, timeout: Timeout, time: Time) -> Begun {
    slot.request.blocking = Some(Blocking::Timeout(timeout));
    match watch::prepare_time(slot, time) {
        Ok(waiting) => Begun::Waiting(waiting),
        Err(slot) => Begun::failed(slot, ENOMEM),
    }
}

/// Goes on with a TIMEOUT that recurs, whose time has come.
pub(super) fn go_on(slot: Slot<Requests>, mut timeout: Timeout) -> Begun {
    let result = ETIME.to_errno() as isize;
    match timeout.period() {
        Some(period) if !timeout.is_last() && request::post_more(&slot, result, Path::Polled) => {
            recur(slot, timeout, Time::Again(period))
        }
        _ => Begun::done(slot, result),
    }
}

/// A TIMEOUT counts completions from now on, if it does; answers which one it waits for.
fn begin_count(slot: &Slot<Requests>, timeout: &mut Timeout) -> Option<u64> {
    let number = request::count(slot).wrapping_add(timeout.count()?);
    timeout.count_to(number);
    Some(number)
}

impl Workers {
    /// Lets a POLL_ADD wait. Gives it back with its result if it has finished.
    ///
    /// Process context; sleeps where the file's `poll` does. [`Workers::see_to_it`] comes later.
    pub(crate) fn wait_for_events(
        &self,
        slot: Slot<Requests>,
        poll: Poll,
    ) -> Option<(Slot<Requests>, isize)> {
        self.begin(ask(slot, poll, Path::Inline))
    }

    /// Lets a TIMEOUT wait. Gives it back with its result if it has finished.
    ///
    /// Process context; sleeps. [`Workers::see_to_it`] comes later.
    pub(crate) fn wait_for_time(
        &self,
        slot: Slot<Requests>,
        mut timeout: Timeout,
    ) -> Option<(Slot<Requests>, isize)> {
        let (clock, when) = timeout.time();
        if timeout.period().is_some() {
            return self.begin(recur(slot, timeout, Time::At(clock, when)));
        }
        let number = begin_count(&slot, &mut timeout);
        let ended = self.set_timer(&self.crew.lock(), slot, timeout);
        self.await_count(number);
        ended
    }

    /// A thread's TIMEOUT begins to wait, or has finished.
    pub(super) fn begin_time(
        &self,
        me: &WorkerThread<Self>,
        slot: Slot<Requests>,
        mut timeout: Timeout,
    ) {
        let (clock, when) = timeout.time();
        if timeout.period().is_some() {
            return self.wait_on(me, recur(slot, timeout, Time::At(clock, when)));
        }
        let number = begin_count(&slot, &mut timeout);
        let mut crew = self.crew.lock();
        let end = crew.end(me.number);
        self.note(&crew);
        // Before the mutex is let go of: who cancels has to find it in one place or the other.
        let ended = match end {
            End::Free => self.set_timer(&crew, slot, timeout),
            End::Cancelled => Some((slot, ECANCELED.to_errno() as isize)),
        };
        drop(crew);
        self.await_count(number);
        if let Some((slot, result)) = ended {
            request::complete(slot, result, Path::Worker);
        }
        // From now on, one thread keeps out of what may block.
        Self::see_to_it(me.work());
    }

    /// Has a thread look for those that wait until `number` completions have come, if they have.
    fn await_count(&self, number: Option<u64>) {
        if number.is_some_and(|number| self.away.tally.want(number)) {
            self.away.watch.attendants.wake(News::Readable);
        }
    }

    fn begin(&self, begun: Begun) -> Option<(Slot<Requests>, isize)> {
        match begun {
            Begun::Waiting(waiting) => {
                self.arm(waiting);
                None
            }
            Begun::Done(slot, result) => Some((slot, result)),
        }
    }

    /// Arms the timer of a TIMEOUT that does not recur. Gives it back with its result if that cannot be.
    fn set_timer(
        &self,
        crew: &Crew,
        mut slot: Slot<Requests>,
        timeout: Timeout,
    ) -> Option<(Slot<Requests>, isize)> {
        let (clock, when) = timeout.time();
        let counts = timeout.count().is_some();
        let (slot, reason) = if crew.is_closed {
            (slot, ECANCELED)
        } else {
            slot.request.blocking = Some(Blocking::Timeout(timeout));
            trace::arm(|| request::traced(&slot));
            match self.away.timers.arm(slot, clock, when, counts) {
                Ok(()) => return None,
                Err(slot) => (slot, ENOMEM),
            }
        };
        let Begun::Done(slot, result) = Begun::failed(slot, reason) else {
            return None;
        };
        Some((slot, result))
    }

    /// Completes what has waited for a number of completions that have come. Process context.
    pub(super) fn settle_counts(&self) {
        while let Some(came) = self.away.tally.take_due() {
            let next = Cell::new(u64::MAX);
            let is_due =
                |slot: &IoSlot<Request>| match slot.request.timeout().and_then(Timeout::count) {
                    Some(number) if number > came => {
                        next.set(next.get().min(number));
                        false
                    }
                    number => number.is_some(),
                };
            let mut due = self.away.timers.take_matching(true, &is_due);
            while let Some(mut slot) = due.pop() {
                slot.request.blocking = None;
                request::complete(slot, 0, Path::Polled);
            }
            self.away.tally.want(next.get());
        }
    }

    /// A thread's request waits once more, or has finished.
    pub(super) fn wait_on(&self, me: &WorkerThread<Self>, begun: Begun) {
        match begun {
            Begun::Waiting(waiting) => self.wait_again(me, waiting),
            Begun::Done(slot, result) => {
                self.done(me);
                request::complete(slot, result, Path::Polled);
            }
        }
    }

    /// Changes a request that waits; answers as the request that asks for it. Process context; sleeps.
    pub(crate) fn update(&self, update: Update) -> isize {
        let done = match update {
            Update::Poll(changes) => self.update_poll(&changes),
            Update::Timeout(time) => self.update_timeout(&time),
        };
        done.map_or_else(|reason| reason.to_errno() as isize, |()| 0)
    }

    fn update_poll(&self, changes: &Changes) -> Result {
        let meant = changes.meant();
        let crew = self.crew.lock();
        let matches = |slot: &IoSlot<Request>| meant.matches(&request::tag(slot));
        let Some(mut slot) = self.away.watch.take_matching(false, &matches).pop() else {
            return Err(Self::why_not(&crew, &meant));
        };
        slot.request.cqe.user_data = changes.new_user_data();
        if let Some(Blocking::NewPoll(poll) | Blocking::Poll(poll)) = &mut slot.request.blocking {
            changes.make(poll);
        }
        // A thread asks the file. Before the mutex is let go of: who cancels has to find it.
        let unwanted = self.away.watch.add_ready(slot);
        drop(crew);
        if let Err(slot) = unwanted {
            request::cancel(slot, ECANCELED, Path::Polled);
        }
        Ok(())
    }

    fn update_timeout(&self, time: &NewTime) -> Result {
        let meant = time.meant();
        let crew = self.crew.lock();
        let suits = Cell::new(true);
        let matches = |slot: &IoSlot<Request>| {
            let timeout = slot.request.timeout();
            let is_meant = meant.matches(&request::tag(slot));
            let is_right = timeout.is_some_and(|timeout| time.suits(timeout));
            if is_meant && !is_right {
                suits.set(false);
            }
            is_meant && is_right
        };
        let mut found = self.away.timers.take_matching(false, &matches);
        if found.is_empty() {
            found = self.away.watch.take_matching(false, &matches);
        }
        let Some(mut slot) = found.pop() else {
            return Err(if suits.get() {
                Self::why_not(&crew, &meant)
            } else {
                EINVAL
            });
        };
        let Some(Blocking::Timeout(mut timeout)) = slot.request.blocking.take() else {
            return Err(ENOENT);
        };
        time.set(&mut timeout);
        let (clock, when) = timeout.time();
        let ended = if timeout.period().is_some() {
            self.begin(recur(slot, timeout, Time::At(clock, when)))
        } else {
            self.set_timer(&crew, slot, timeout)
        };
        drop(crew);
        if let Some((slot, result)) = ended {
            request::complete(slot, result, Path::Polled);
        }
        Ok(())
    }

    /// Why a request was not found where requests wait.
    fn why_not(crew: &Crew, meant: &Cancel) -> Error {
        if crew.is_busy_with(meant) {
            EALREADY
        } else {
            ENOENT
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What a worker thread does.

#![forbid(unsafe_code)]

use super::{
    crew::End,
    events,
    Workers, //
};
use crate::{
    abstractions::{
        deferred::DeferredQueue,
        pool::Slot,
        trace,
        wait_queue::News,
        watch::{
            self,
            Prepared,
            Waiting, //
        },
        worker_thread::{
            Work,
            WorkerThread, //
        },
    },
    op::{
        self,
        Blocking,
        Issued, //
    },
    request::{
        self,
        Path,
        Requests, //
    },
};
use kernel::{prelude::*, sync::atomic::Full};

/// How long an idle thread stays, in milliseconds.
const IDLE_LIMIT: u32 = 5000;

impl Workers {
    /// Takes something for the thread of a seat, which is busy from now on. The second is whether it
    /// may block.
    fn take(&self, me: &WorkerThread<Self>) -> Option<(Slot<Requests>, bool)> {
        let mut crew = self.crew.lock();
        // What is closed may be open for the next process.
        if crew.is_closed || me.is_leaving() || !crew.is_seated(me.number) {
            return None;
        }
        let taken = if let Some(slot) = self.away.watch.take_ready() {
            crew.begin(me.number, &slot, false, None);
            Some((slot, false))
        } else if self.may_block() {
            crew.backlog.take().map(|(slot, lane)| {
                crew.begin(me.number, &slot, true, lane);
                (slot, true)
            })
        } else {
            None
        };
        let blocks = taken.as_ref().is_some_and(|(_, may_block)| *may_block);
        let is_last = blocks && crew.attending() == 0;
        if is_last {
            // Said first, with a full barrier, see `hand_to_devices`.
            self.blocked.xchg(crew.blocked, Full);
        }
        self.note(&crew);
        drop(crew);
        if self.has_work() {
            // One wake-up may stand for several things to do.
            self.away.watch.attendants.wake(News::Readable);
        }
        if is_last && self.away.are_with_devices() {
            Self::make_threads(me.work(), true);
        }
        taken
    }

    /// Does what a thread has taken, as far as it goes.
    fn carry_on(&self, me: &WorkerThread<Self>, mut slot: Slot<Requests>, may_block: bool) {
        let blocking = slot.request.blocking.take();
        let path = if may_block || blocking.as_ref().is_some_and(|this| !this.has_waited()) {
            Path::Worker
        } else {
            Path::Polled
        };
        let mut issued = match blocking {
            // That is what it ends with.
            _ if slot.request.turn.is_doomed() => Issued::Done(slot, ECANCELED.to_errno() as isize),
            Some(Blocking::Timeout(timeout)) => {
                return self.wait_on(me, events::go_on(slot, timeout));
            }
            Some(blocking) if may_block => blocking.run(slot),
            Some(blocking) => blocking.start(slot),
            None => op::retry(slot),
        };
        loop {
            issued = match issued {
                Issued::WouldPoll(slot) => match watch::prepare(slot) {
                    Prepared::Ready(slot) => op::retry(slot),
                    // It was asked where it may wait, and would not: `O_NONBLOCK`.
                    Prepared::Impossible(slot) if may_block && !slot.is_hopeless() => {
                        Blocking::Transfer.run(slot)
                    }
                    Prepared::Impossible(slot) if may_block => {
                        let is_cancelled = self.done(me) == End::Cancelled;
                        let reason = if is_cancelled { ECANCELED } else { EAGAIN };
                        return request::cancel(slot, reason, path);
                    }
                    Prepared::Impossible(slot) => Issued::WouldBlock(slot, Blocking::Transfer),
                    Prepared::Waiting(waiting) => return self.wait_again(me, waiting),
                },
                Issued::WouldBlock(slot, blocking) => {
                    return self.put_back(me, slot, blocking, may_block)
                }
                Issued::Done(slot, result) | Issued::DoneByFile(slot, result) => {
                    let cancelled = self.done(me) == End::Cancelled;
                    let interrupted = result == EINTR.to_errno() as isize;
                    if cancelled && interrupted {
                        return request::cancel(slot, ECANCELED, path);
                    }
                    return request::complete(slot, result, path);
                }
                Issued::Queued => {
                    self.away.note_handed(1);
                    self.done(me);
                    return;
                }
                Issued::Poll(slot, poll) => {
                    return self.wait_on(me, events::ask(slot, poll, path));
                }
                Issued::Timeout(slot, timeout) => return self.begin_time(me, slot, timeout),
                Issued::Cancel(slot, what) => {
                    // First, so that it does not find itself.
                    self.done(me);
                    let (cancelled, interrupted) = self.cancel(&what);
                    let result = what.result(cancelled, interrupted);
                    return request::complete(slot, result, path);
                }
                Issued::Misplaced(slot) => Issued::Done(slot, EINVAL.to_errno() as isize),
                Issued::Update(slot, update) => {
                    self.done(me);
                    return request::complete(slot, self.update(update), path);
                }
            };
        }
    }

    /// A thread has done with its request.
    pub(super) fn done(&self, me: &WorkerThread<Self>) -> End {
        let mut crew = self.crew.lock();
        let end = crew.end(me.number);
        self.note(&crew);
        drop(crew);
        self.away.watch.attendants.wake(News::Readable);
        end
    }

    /// A thread's request waits for its file once more.
    pub(super) fn wait_again(&self, me: &WorkerThread<Self>, waiting: Waiting<Requests>) {
        let mut crew = self.crew.lock();
        let end = crew.end(me.number);
        self.note(&crew);
        if end == End::Free {
            // Before the mutex is let go of: who cancels has to find it in one place or the other.
            self.arm(waiting);
            let is_due = crew.backlog.due() != 0;
            drop(crew);
            if is_due {
                // From now on, one thread keeps out of it.
                Self::see_to_it(me.work());
            }
            return;
        }
        drop(crew);
        request::cancel(waiting.leave(), ECANCELED, Path::Polled);
    }

    /// A thread's request is not done, and can only be done where blocking is allowed. If it was, a
    /// signal has interrupted it.
    fn put_back(
        &self,
        me: &WorkerThread<Self>,
        mut slot: Slot<Requests>,
        blocking: Blocking,
        may_block: bool,
    ) {
        slot.request.blocking = Some(blocking);
        trace::queue(|| request::traced(&slot));
        let mut crew = self.crew.lock();
        let cancelled = crew.put_back(me.number, slot);
        self.note(&crew);
        drop(crew);
        match cancelled {
            Err(slot) => request::cancel(slot, ECANCELED, Path::Worker),
            // A process that is being stopped makes no threads.
            Ok(()) if may_block => (),
            Ok(()) => Self::see_to_it(me.work()),
        }
    }

    /// Sleeps until there is something to do. Leaves after a while.
    fn rest(&self, me: &WorkerThread<Self>) {
        let waited = self
            .away
            .watch
            .attendants
            .stand_by(|| self.has_work() || me.is_leaving(), IDLE_LIMIT);
        if waited != Err(ETIME) {
            return;
        }
        if me.is_left_alone() {
            // The last thread has ended by itself, and nobody was told.
            return self.shut_down();
        }
        let mut crew = self.crew.lock();
        if self.has_work() || !crew.is_seated(me.number) {
            return;
        }
        if crew.attending() == 1 {
            // Said first, with a full barrier, see `hand_to_devices`.
            self.live.xchg(crew.live.wrapping_sub(1), Full);
            if self.is_watching() || crew.backlog.due() != 0 || self.away.are_with_devices() {
                self.note(&crew);
                return;
            }
        }
        let thread = crew.unseat(me.number);
        self.note(&crew);
        drop(crew);
        if let Some(thread) = thread {
            thread.leave();
        }
    }
}

impl Work for Workers {
    fn work(&self, me: &WorkerThread<Self>) {
        self.settle_counts();
        self.away.turns.pass_gate(request::go_on);
        match self.take(me) {
            Some((slot, may_block)) => {
                trace::work(|| request::traced(&slot));
                let limited = slot.request.limited();
                self.carry_on(me, slot, may_block);
                if let Some((line, number)) = limited {
                    self.limit(line, number);
                }
            }
            None => self.rest(me),
        }
    }

    fn killed(&self, _me: &WorkerThread<Self>) {
        self.shut_down();
    }

    fn ended(&self) {
        self.gone();
    }

    fn farewell(&self) -> &DeferredQueue {
        &self.driver.farewell
    }
}

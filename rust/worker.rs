// SPDX-License-Identifier: GPL-2.0

//! Requests that cannot go on at once, and the threads of the owner's process that see to them.
//!
//! # Two kinds of waiting
//!
//! A request whose file can be polled waits in the [`Watch`](crate::abstractions::watch::Watch) until
//! the file is ready. That takes no thread; when it is ready, a thread goes on with it, without
//! blocking. Every other request waits in the [`backlog`] for a thread that does it, and may block.
//!
//! If a signal interrupts that (the process is being stopped or frozen), the request goes back to the
//! front, and the thread to where signals are looked at. If the request was cancelled, or the ring is
//! being shut down, or the process is dying, it completes with what it has done so far, or
//! `ECANCELED`.
//!
//! # Threads
//!
//! A thread is made when there is something to do and no thread is idle, as long as the ring and the
//! user may have one more. While requests wait for readiness, one thread keeps out of what may block,
//! so that they never wait for a thread that is stuck.
//!
//! News wake one idle thread, the one that became idle last, and a thread that leaves something to do
//! wakes the next. One that has been idle for 5 seconds leaves, but the last one that does nothing that
//! may block stays while requests wait for readiness or are with a device, which may want them done again
//! where blocking is allowed. If such a one begins what may block while requests are with a device, it
//! makes the next. If no thread can be made and there is none, what waits completes with the reason.
//!
//! When the process dies its threads do, too, and the first of them to notice shuts everything down:
//! nothing waits for a process that is gone, even if nobody closes the ring.
//!
//! # Cancelling
//!
//! A thread takes a request, and lets it wait again, with the mutex held, and whoever cancels holds it
//! while looking through all places. Only wake-ups move requests meanwhile: from those that wait for
//! readiness to those that are ready, where is looked later.
//!
//! # Locks
//!
//! The mutex is taken in process context only. Inside it, the lock of the watch and those of the wait
//! queues of files may be taken, but not the lock of the ring's pool: completing comes after it.

#![forbid(unsafe_code)]

mod backlog;
mod crew;
mod events;
mod limit;
mod thread;

use self::crew::Crew;
use crate::{
    abstractions::{
        async_io::IoSlot,
        pool::{
            Chain,
            Slot, //
        },
        trace,
        wait_queue::{
            News,
            WaitQueue, //
        },
        watch::{
            self,
            Opening,
            Prepared,
            Waiting, //
        },
        worker_thread::{
            self,
            WorkerThread, //
        },
    },
    driver::Driver,
    op::{
        cancel::Cancel,
        Blocking, //
    },
    request::{
        self,
        Away,
        Path,
        Request,
        Requests, //
    },
    turns::Turns,
    users::User, //
};
use kernel::{
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex,
        MutexGuard, //
    },
};

/// The requests of a ring that cannot go on at once, and the threads that see to them.
#[pin_data]
pub(crate) struct Workers {
    #[pin]
    crew: Mutex<Crew>,
    away: Arc<Away>,
    /// Copies for those who sleep.
    due: Atomic<usize>,
    live: Atomic<usize>,
    blocked: Atomic<usize>,
    /// The last thread that was wanted could not be made.
    is_short: Atomic<bool>,
    limit: usize,
    opening: Opening,
    /// Threads that exist, and where those sleep who wait for their ends.
    existing: Atomic<usize>,
    #[pin]
    ends: WaitQueue,
    driver: Arc<Driver>,
    user: Arc<User>,
}

impl Workers {
    /// No thread, and nothing to do. There may be up to `limit` threads, which count for `user`.
    ///
    /// Opens the watch of `away`: those who had it before have been shut down.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        driver: Arc<Driver>,
        user: Arc<User>,
        away: Arc<Away>,
        limit: usize,
    ) -> Result<Arc<Self>> {
        let crew = Crew::new(limit)?;
        Arc::pin_init(
            pin_init!(Self {
                crew <- new_mutex!(crew, "io_ring_crew"),
                due: Atomic::new(0),
                live: Atomic::new(0),
                blocked: Atomic::new(0),
                is_short: Atomic::new(false),
                limit,
                opening: away.watch.open(),
                away,
                existing: Atomic::new(0),
                ends <- WaitQueue::new(c"io_ring_ends", static_lock_class!()),
                driver,
                user,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Since when the watch has been open for them.
    #[inline]
    pub(crate) fn opening(&self) -> Opening {
        self.opening
    }

    /// Those whose turn has not come.
    #[inline]
    pub(crate) fn turns(&self) -> &Turns<Requests> {
        &self.away.turns
    }

    /// For whom the threads count.
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// How many threads there are.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// Lets a request wait until its file is ready. Gives it back if the file is.
    ///
    /// Process context; sleeps where the file's `poll` does. [`Workers::see_to_it`] comes later.
    pub(crate) fn wait_for_file(&self, slot: Slot<Requests>) -> Option<Slot<Requests>> {
        match watch::prepare(slot) {
            Prepared::Ready(slot) => return Some(slot),
            Prepared::Impossible(slot) => self.wait_for_worker(slot, Blocking::Transfer),
            Prepared::Waiting(waiting) => self.arm(waiting),
        }
        None
    }

    /// Lets a request wait for a worker. Process context; [`Workers::see_to_it`] comes later.
    pub(crate) fn wait_for_worker(&self, mut slot: Slot<Requests>, blocking: Blocking) {
        slot.request.blocking = Some(blocking);
        let mut crew = self.crew.lock();
        if crew.is_closed {
            drop(crew);
            return request::cancel(slot, ECANCELED, Path::Worker);
        }
        trace::queue(|| request::traced(&slot));
        crew.backlog.push(slot);
        self.note(&crew);
    }

    /// Counts requests that devices have got, and sees to it that there is a thread for those that they
    /// may not be able to do. Process context, in the process of the ring; sleeps.
    pub(crate) fn hand_to_devices(this: &Arc<Self>, count: u32) {
        // A full barrier: the last thread says first that it leaves or blocks, and then looks at this.
        this.away.note_handed(u64::from(count));
        if this.is_unattended() {
            Self::make_threads(this, true);
        }
    }

    /// Sees to it that there are threads for what waits. Process context, in the process of the ring;
    /// sleeps.
    pub(crate) fn see_to_it(this: &Arc<Self>) {
        this.away.watch.attendants.wake(News::Readable);
        Self::make_threads(this, false);
    }

    /// Arms a request, or cancels it if all is over.
    fn arm(&self, waiting: Waiting<Requests>) {
        let watch = &self.away.watch;
        trace::arm(|| waiting.with_slot(request::traced));
        if let Err(slot) = waiting.commit().or_else(|slot| watch.add_ready(slot)) {
            request::cancel(slot, ECANCELED, Path::Polled);
        }
    }

    /// Notes for those who sleep what has changed.
    fn note(&self, crew: &Crew) {
        self.due.store(crew.backlog.due(), Relaxed);
        self.live.store(crew.live, Relaxed);
        self.blocked.store(crew.blocked, Relaxed);
    }

    /// Whether one more thread may do something that blocks. Any context; a hint without the mutex.
    fn may_block(&self) -> bool {
        let blocked = self.blocked.load(Relaxed).wrapping_add(1);
        let is_one_left = blocked < self.live();
        blocked < self.limit && (is_one_left || !self.is_watching() || self.is_short.load(Relaxed))
    }

    /// Whether no thread keeps out of what may block. A hint without the mutex.
    fn is_unattended(&self) -> bool {
        self.live() <= self.blocked.load(Relaxed)
    }

    /// Whether there are requests that may need a thread at any time. Any context.
    fn is_watching(&self) -> bool {
        let (turns, watch) = (&self.away.turns, &self.away.watch);
        // In this order: from each they go to the next.
        turns.waiting() != 0
            || turns.limits() != 0
            || self.away.timers.attended() != 0
            || watch.armed() != 0
            || watch.ready() != 0
    }

    /// Whether something waits for a thread that may block. A hint without the mutex.
    pub(crate) fn is_behind(&self) -> bool {
        self.due.load(Relaxed) != 0
    }

    /// Whether there is something for an idle thread. Any context.
    fn has_work(&self) -> bool {
        self.away.watch.ready() != 0
            || self.away.tally.is_due()
            || self.away.turns.may_pass()
            || (self.due.load(Relaxed) != 0 && self.may_block())
    }

    /// Makes threads until there are enough idle ones, or there may not be more; at least one that keeps
    /// out of what may block if `attend`.
    fn make_threads(this: &Arc<Self>, attend: bool) {
        loop {
            let mut crew = this.crew.lock();
            let most = this.limit.wrapping_sub(1).saturating_sub(crew.blocked);
            let wanted = crew.backlog.due().min(most) + usize::from(this.is_watching());
            let idle = crew.live.saturating_sub(crew.busy);
            if crew.is_closed || (idle >= wanted && (crew.attending() != 0 || !attend)) {
                return;
            }
            let Some(number) = crew.reserve() else {
                return;
            };
            this.note(&crew);
            drop(crew);
            match Self::make_thread(this, number) {
                Ok(thread) => this.add(thread),
                Err(reason) => return this.go_without(number, reason),
            }
        }
    }

    fn make_thread(this: &Arc<Self>, number: usize) -> Result<Arc<WorkerThread<Self>>> {
        if !this.user.take() {
            return Err(EAGAIN);
        }
        this.existing.fetch_add(1, Relaxed);
        WorkerThread::spawn(this.clone(), number, c"io_ring_worker").inspect_err(|_| this.gone())
    }

    /// A thread does not exist any more.
    fn gone(&self) {
        self.user.give_back();
        self.existing.fetch_sub(1, Relaxed);
        self.ends.wake(News::HungUp);
    }

    /// Seats a new thread.
    fn add(&self, thread: Arc<WorkerThread<Self>>) {
        self.is_short.store(false, Relaxed);
        self.away.set_owes_threads(false);
        let mut crew = self.crew.lock();
        let unwanted = crew.seat(thread);
        self.note(&crew);
        drop(crew);
        if let Err(thread) = unwanted {
            thread.leave();
        }
        self.away.watch.attendants.wake(News::Readable);
    }

    /// No thread could be made. If there is none at all, nobody will do what waits; unless that is
    /// because the process is just being stopped: then it makes it when it comes by again.
    fn go_without(&self, number: usize, reason: Error) {
        self.is_short.store(true, Relaxed);
        let mut crew = self.crew.lock();
        crew.unreserve(number);
        self.note(&crew);
        let is_alone = crew.live == 0;
        drop(crew);
        // The one that keeps out of what may block need not any more.
        self.away.watch.attendants.wake(News::Readable);
        if is_alone && worker_thread::current_is_dying() {
            self.end_waiting(&Cancel::ANY, ECANCELED);
        } else if is_alone && reason != ERESTARTNOINTR {
            self.end_waiting(&Cancel::ANY, reason);
        } else {
            self.away.set_owes_threads(true);
        }
    }

    /// Cancels; answers how many were cancelled and how many interrupted. Process context; sleeps.
    pub(crate) fn cancel(&self, what: &Cancel) -> (usize, usize) {
        self.end_waiting(what, ECANCELED)
    }

    fn end_waiting(&self, what: &Cancel, reason: Error) -> (usize, usize) {
        self.end_waiting_of(self.crew.lock(), what, reason)
    }

    fn end_waiting_of(
        &self,
        mut crew: MutexGuard<'_, Crew>,
        what: &Cancel,
        reason: Error,
    ) -> (usize, usize) {
        let matches = |slot: &IoSlot<Request>| what.matches(&request::tag(slot));
        // First: from here they go to those that are ready.
        let turns = &self.away.turns;
        let mut in_line = turns.take_matching(what.all, &matches, request::go_on);
        let mut watched = Chain::new();
        if what.all || in_line.matched == 0 {
            watched = self.away.watch.take_matching(what.all, &matches);
        }
        if what.all || (in_line.matched == 0 && watched.is_empty()) {
            watched.append(self.away.timers.take_matching(what.all, &matches));
        }
        let queued = if what.all || (in_line.matched == 0 && watched.is_empty()) {
            crew.backlog.take_matching(what)
        } else {
            Chain::new()
        };
        let is_found = in_line.matched != 0 || !watched.is_empty() || !queued.is_empty();
        let interrupted = if what.all || !is_found {
            crew.interrupt(what)
        } else {
            0
        };
        self.note(&crew);
        drop(crew);
        // The fewer wait for readiness, the more may block.
        self.away.watch.attendants.wake(News::Readable);
        // Those in line last: what they wait for may be among the others.
        let mut cancelled = in_line.matched;
        cancelled = cancelled.wrapping_add(cancel_all(watched, reason, Path::Polled));
        cancelled = cancelled.wrapping_add(cancel_all(queued, reason, Path::Worker));
        cancel_all(in_line.slots, reason, Path::Worker);
        while let Some(slot) = in_line.lifted.pop() {
            request::complete_limit(slot);
        }
        (cancelled, interrupted)
    }

    /// Ends all: what waits completes with `ECANCELED`, what is being done is interrupted, the threads
    /// leave. Process context; does not wait for any of it.
    ///
    /// Does nothing the second time: the watch may be open for others then.
    pub(crate) fn shut_down(&self) {
        let mut crew = self.crew.lock();
        if crew.is_closed {
            return;
        }
        crew.is_closed = true;
        self.away.watch.close();
        self.end_waiting_of(crew, &Cancel::ANY, ECANCELED);
        for number in 0..self.limit {
            let mut crew = self.crew.lock();
            let thread = crew.unseat(number);
            self.note(&crew);
            drop(crew);
            if let Some(thread) = thread {
                thread.leave();
            }
        }
    }

    /// Waits until the threads have ended that left, `limit` milliseconds at most.
    pub(crate) fn wait_for_ends(&self, limit: u32) {
        // Whoever stops the process may make this take long; it is only a courtesy.
        let _ = self
            .ends
            .wait_for_sure(|| self.existing.load(Relaxed) == 0, limit);
    }
}

/// Completes all of `slots` with what they have done, or `reason`; answers how many.
fn cancel_all(mut slots: Chain<Requests>, reason: Error, path: Path) -> usize {
    let mut count: usize = 0;
    while let Some(slot) = slots.pop() {
        request::cancel(slot, reason, path);
        count = count.wrapping_add(1);
    }
    count
}

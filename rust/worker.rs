// SPDX-License-Identifier: GPL-2.0

//! Doing what blocks, in threads of the owner's process.
//!
//! # Life of a blocking request
//!
//! The submitter queues it. A worker takes it, does it, and completes it. If a signal ends that
//! early (the process is being stopped or frozen), the request goes back to the front of the queue,
//! and the worker to where signals are looked at. If the ring is being shut down, or the process is
//! dying, it completes with what it has done so far, or `ECANCELED`.
//!
//! # Threads
//!
//! A thread is made when a request is queued and no thread is idle, as long as the ring and the user
//! may have one more. One that has been idle for [`IDLE_LIMIT`] leaves. Making threads is the
//! submitter's business, since a thread joins the process that makes it. If none can be made and
//! there is none, the queued requests complete with the reason.
//!
//! # Locks
//!
//! The state has a lock of its own, taken in process context only. The ring's pool lock and wait
//! queue locks may be taken inside it, never the other way round.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        owner,
        pool::{
            Chain,
            Slot, //
        },
        wait_queue::{
            News,
            WaitQueue, //
        },
        worker_thread::{
            Work,
            WorkerThread, //
        },
    },
    driver::Driver,
    op::Issued,
    request::{
        self,
        Requests, //
    },
    users::User, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    },
};

/// How long an idle thread stays, in milliseconds.
const IDLE_LIMIT: u32 = 5000;

struct State {
    queue: Chain<Requests>,
    /// As many places as there may be threads.
    threads: KVec<Option<Arc<WorkerThread<Workers>>>>,
    busy: usize,
    live: usize,
    shut_down: bool,
}

/// The threads of a ring and what they have to do.
#[pin_data]
pub(crate) struct Workers {
    #[pin]
    state: SpinLock<State>,
    /// Where idle threads sleep, and those who wait for threads to end.
    #[pin]
    idle: WaitQueue,
    /// Copies for those who sleep there.
    queued: Atomic<usize>,
    ending: Atomic<usize>,
    driver: Arc<Driver>,
    user: Arc<User>,
}

impl Workers {
    /// No thread, and nothing to do. There may be up to `limit` threads, which count for `user`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(driver: Arc<Driver>, user: Arc<User>, limit: usize) -> Result<Arc<Self>> {
        let mut threads = KVec::with_capacity(limit, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..limit {
            threads.push(None, GFP_KERNEL_ACCOUNT)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                state <- new_spinlock!(State {
                    queue: Chain::new(),
                    threads,
                    busy: 0,
                    live: 0,
                    shut_down: false,
                }),
                idle <- WaitQueue::new(),
                queued: Atomic::new(0),
                ending: Atomic::new(0),
                driver,
                user,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Queues requests that would block, and sees to it that there are threads for them.
    ///
    /// Process context, in the process of the ring; sleeps.
    pub(crate) fn submit(this: &Arc<Self>, requests: &mut Chain<Requests>) {
        if requests.is_empty() {
            return;
        }
        let mut state = this.state.lock();
        while let Some(slot) = requests.pop() {
            state.queue.push_back(slot);
            this.queued.fetch_add(1, Relaxed);
        }
        let shut_down = state.shut_down;
        drop(state);
        if shut_down {
            this.cancel_queued(ECANCELED);
            return;
        }
        this.idle.wake(News::Readable);
        Self::make_threads(this);
    }

    /// Makes threads until each queued request has one, or there may not be more.
    fn make_threads(this: &Arc<Self>) {
        loop {
            let state = this.state.lock();
            let idle = state.live.wrapping_sub(state.busy);
            let enough = this.queued.load(Relaxed) <= idle;
            let free = state.threads.iter().position(Option::is_none);
            let live = state.live;
            drop(state);
            let Some(number) = free.filter(|_| !enough) else {
                return;
            };
            match Self::make_thread(this, number) {
                Ok(handle) => this.add(handle),
                Err(reason) => {
                    if live == 0 {
                        this.cancel_queued(reason);
                    }
                    return;
                }
            }
        }
    }

    fn make_thread(this: &Arc<Self>, number: usize) -> Result<Arc<WorkerThread<Self>>> {
        if !this.user.take() {
            return Err(EAGAIN);
        }
        WorkerThread::spawn(this.clone(), number, c"io_ring_worker")
            .inspect_err(|_| this.user.give_back())
    }

    /// Enters a new thread. Only the submitter makes threads, so its place is still free.
    fn add(&self, handle: Arc<WorkerThread<Self>>) {
        let mut state = self.state.lock();
        if state.shut_down {
            drop(state);
            self.send_off(handle);
            return;
        }
        if let Some(place) = state.threads.get_mut(handle.number) {
            *place = Some(handle);
            state.live = state.live.wrapping_add(1);
        }
    }

    /// Completes all that is queued with an error.
    fn cancel_queued(&self, reason: Error) {
        while let Some(slot) = self.take_queued() {
            cancel(slot, reason);
        }
    }

    fn take_queued(&self) -> Option<Slot<Requests>> {
        let mut state = self.state.lock();
        let slot = state.queue.pop()?;
        self.queued.fetch_sub(1, Relaxed);
        Some(slot)
    }

    /// Takes a request for the thread `number`, which is busy from now on.
    fn take(&self, number: usize) -> Option<Slot<Requests>> {
        let mut state = self.state.lock();
        // A thread that is not entered yet, or not any more, takes nothing.
        state.threads.get(number)?.as_ref()?;
        let slot = state.queue.pop()?;
        self.queued.fetch_sub(1, Relaxed);
        state.busy = state.busy.wrapping_add(1);
        Some(slot)
    }

    /// The thread `number` has done with its request, or gives it back.
    fn done(&self, number: usize, back: Option<Slot<Requests>>) {
        let mut state = self.state.lock();
        if let Some(Some(_)) = state.threads.get(number) {
            state.busy = state.busy.wrapping_sub(1);
        }
        let Some(slot) = back else {
            return;
        };
        if state.shut_down {
            drop(state);
            cancel(slot, ECANCELED);
        } else {
            state.queue.push(slot);
            self.queued.fetch_add(1, Relaxed);
        }
    }

    /// Takes the thread `number` out; it does not work any more.
    fn remove(&self, number: usize) {
        let mut state = self.state.lock();
        let Some(thread) = state.threads.get_mut(number).and_then(Option::take) else {
            return;
        };
        state.live = state.live.wrapping_sub(1);
        drop(state);
        self.send_off(thread);
    }

    /// Has the module wait for the end of a thread.
    fn send_off(&self, handle: Arc<WorkerThread<Self>>) {
        self.ending.fetch_add(1, Relaxed);
        WorkerThread::leave(handle, &self.driver.farewell);
    }

    /// Ends all: queued requests complete with `ECANCELED`, those being done are interrupted, the
    /// threads leave. Process context; does not wait for any of it.
    pub(crate) fn shut_down(&self) {
        let mut state = self.state.lock();
        state.shut_down = true;
        drop(state);
        self.cancel_queued(ECANCELED);
        for number in 0..self.limit() {
            let mut state = self.state.lock();
            let thread = state.threads.get_mut(number).and_then(Option::take);
            if thread.is_some() {
                state.live = state.live.wrapping_sub(1);
            }
            drop(state);
            if let Some(thread) = thread {
                thread.interrupt();
                self.send_off(thread);
            }
        }
        self.idle.wake(News::HungUp);
    }

    /// Waits until the threads have ended that left, `limit` milliseconds at most.
    pub(crate) fn wait_for_ends(&self, limit: u32) {
        // Whoever stops the process may make this take long; it is only a courtesy.
        let _ = self
            .idle
            .wait_for_sure(|| self.ending.load(Relaxed) == 0, limit);
    }

    /// How many threads there may be.
    pub(crate) fn limit(&self) -> usize {
        self.state.lock().threads.len()
    }

    /// For whom the threads count.
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// How many threads there are.
    pub(crate) fn live(&self) -> usize {
        self.state.lock().live
    }

    /// Does one request in the thread `me`.
    fn run(&self, me: &WorkerThread<Self>, mut slot: Slot<Requests>) {
        let Some(blocking) = slot.request.blocking.take() else {
            request::complete(slot, 0);
            self.done(me.number, None);
            return;
        };
        let again = match blocking.run(slot) {
            Issued::Done(slot, result) => {
                request::complete(slot, result);
                None
            }
            Issued::Queued => None,
            Issued::WouldBlock(slot, _) if owner::current_is_dying() => {
                cancel(slot, ECANCELED);
                None
            }
            // Interrupted, and not by the program: as if nothing had happened, unless the ring is
            // being shut down.
            Issued::WouldBlock(mut slot, blocking) => {
                slot.request.blocking = Some(blocking);
                Some(slot)
            }
        };
        self.done(me.number, again);
    }
}

impl Work for Workers {
    fn work(&self, me: &WorkerThread<Self>) {
        if let Some(slot) = self.take(me.number) {
            self.run(me, slot);
            return;
        }
        let waited = self.idle.wait_until_or_timeout(
            || self.queued.load(Relaxed) != 0 || me.is_leaving(),
            IDLE_LIMIT,
        );
        if waited == Err(ETIME) && self.queued.load(Relaxed) == 0 {
            self.remove(me.number);
        }
    }

    fn killed(&self, me: &WorkerThread<Self>) {
        self.remove(me.number);
        if self.state.lock().live == 0 {
            self.cancel_queued(ECANCELED);
        }
    }

    fn ended(&self) {
        self.user.give_back();
        self.ending.fetch_sub(1, Relaxed);
        self.idle.wake(News::HungUp);
    }
}

/// Completes a request that was not done.
fn cancel(mut slot: Slot<Requests>, reason: Error) {
    slot.request.blocking = None;
    let done = slot.abandon();
    request::complete(
        slot,
        if done == 0 {
            reason.to_errno() as isize
        } else {
            done
        },
    );
}

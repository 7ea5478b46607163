// SPDX-License-Identifier: GPL-2.0

//! The threads of a ring, what each of them does, and what waits for one. Guarded by one mutex.

#![forbid(unsafe_code)]

use super::{
    backlog::{
        Backlog,
        LaneNumber, //
    },
    Workers, //
};
use crate::{
    abstractions::{
        pool::Slot,
        worker_thread::WorkerThread, //
    },
    op::cancel::{
        Cancel,
        Tag, //
    },
    request::{
        self,
        Requests, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What a thread does.
struct Job {
    tag: Tag,
    lane: Option<LaneNumber>,
    may_block: bool,
    is_cancelled: bool,
}

/// A place for a thread.
#[derive(Default)]
struct Seat {
    thread: Option<Arc<WorkerThread<Workers>>>,
    /// Somebody is making a thread for it.
    is_reserved: bool,
    /// What the thread does; outlasts `thread`, which may be asked to leave meanwhile.
    job: Option<Job>,
}

impl Seat {
    fn is_free(&self) -> bool {
        self.thread.is_none() && !self.is_reserved && self.job.is_none()
    }
}

/// How a thread's work on a request has ended.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum End {
    /// The request may go where it has to.
    Free,
    /// The request was cancelled meanwhile, or all is over: it should not wait again.
    Cancelled,
}

/// The threads and what they have to do.
pub(super) struct Crew {
    pub(super) backlog: Backlog,
    seats: KVec<Seat>,
    /// Threads that there are, those being made included.
    pub(super) live: usize,
    /// Threads that do something.
    pub(super) busy: usize,
    /// Threads that do something that may block.
    pub(super) blocked: usize,
    /// Nothing waits any more: the process or the ring is going away.
    pub(super) is_closed: bool,
}

impl Crew {
    /// No thread, and room for `limit`.
    pub(super) fn new(limit: usize) -> Result<Self> {
        let mut seats = KVec::with_capacity(limit, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..limit {
            seats.push(Seat::default(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self {
            backlog: Backlog::new(),
            seats,
            live: 0,
            busy: 0,
            blocked: 0,
            is_closed: false,
        })
    }

    /// How many threads do nothing that may block.
    pub(super) fn attending(&self) -> usize {
        self.live.saturating_sub(self.blocked)
    }

    /// Reserves a seat for a thread that is going to be made.
    pub(super) fn reserve(&mut self) -> Option<usize> {
        let number = self.seats.iter().position(Seat::is_free)?;
        self.seats.get_mut(number)?.is_reserved = true;
        self.live = self.live.wrapping_add(1);
        Some(number)
    }

    /// No thread could be made for a seat.
    pub(super) fn unreserve(&mut self, number: usize) {
        if let Some(seat) = self.seats.get_mut(number) {
            seat.is_reserved = false;
            self.live = self.live.wrapping_sub(1);
        }
    }

    /// Seats a thread. Gives it back if it is not needed any more.
    pub(super) fn seat(
        &mut self,
        thread: Arc<WorkerThread<Workers>>,
    ) -> Result<(), Arc<WorkerThread<Workers>>> {
        let closed = self.is_closed;
        match self.seats.get_mut(thread.number).filter(|_| !closed) {
            Some(seat) => {
                seat.is_reserved = false;
                seat.thread = Some(thread);
                Ok(())
            }
            None => {
                self.unreserve(thread.number);
                Err(thread)
            }
        }
    }

    /// Whether the thread of a seat is there to work.
    pub(super) fn is_seated(&self, number: usize) -> bool {
        self.seats
            .get(number)
            .is_some_and(|seat| seat.thread.is_some() && seat.job.is_none())
    }

    /// Takes a thread out of its seat.
    pub(super) fn unseat(&mut self, number: usize) -> Option<Arc<WorkerThread<Workers>>> {
        let thread = self.seats.get_mut(number)?.thread.take()?;
        self.live = self.live.wrapping_sub(1);
        Some(thread)
    }

    /// The thread of a seat begins with a request.
    pub(super) fn begin(
        &mut self,
        number: usize,
        slot: &Slot<Requests>,
        may_block: bool,
        lane: Option<LaneNumber>,
    ) {
        if let Some(seat) = self.seats.get_mut(number) {
            seat.job = Some(Job {
                tag: request::tag(slot),
                lane,
                may_block,
                is_cancelled: false,
            });
            self.busy = self.busy.wrapping_add(1);
            self.blocked = self.blocked.wrapping_add(usize::from(may_block));
        }
    }

    fn end_job(&mut self, number: usize) -> Option<Job> {
        let job = self.seats.get_mut(number)?.job.take()?;
        self.busy = self.busy.wrapping_sub(1);
        self.blocked = self.blocked.wrapping_sub(usize::from(job.may_block));
        Some(job)
    }

    /// The thread of a seat has ended with its request.
    pub(super) fn end(&mut self, number: usize) -> End {
        let job = self.end_job(number);
        if let Some(lane) = job.as_ref().and_then(|job| job.lane) {
            self.backlog.leave(lane);
        }
        if self.is_closed || job.is_some_and(|job| job.is_cancelled) {
            End::Cancelled
        } else {
            End::Free
        }
    }

    /// The thread of a seat has ended with a request that is not done and has to be done by a
    /// worker. Gives it back if it is cancelled.
    pub(super) fn put_back(
        &mut self,
        number: usize,
        slot: Slot<Requests>,
    ) -> Result<(), Slot<Requests>> {
        let job = self.end_job(number);
        let lane = job.as_ref().and_then(|job| job.lane);
        if self.is_closed || job.as_ref().is_some_and(|job| job.is_cancelled) {
            if let Some(lane) = lane {
                self.backlog.leave(lane);
            }
            return Err(slot);
        }
        match job {
            // It was interrupted, and is the next.
            Some(job) if job.may_block => self.backlog.put_back(slot, lane),
            _ => self.backlog.push(slot),
        }
        Ok(())
    }

    /// Interrupts threads that are with requests that `what` means; answers how many.
    pub(super) fn interrupt(&mut self, what: &Cancel) -> usize {
        let mut interrupted: usize = 0;
        for seat in &mut self.seats {
            let means = |job: &&mut Job| what.matches(&job.tag) && (what.all || !job.is_cancelled);
            let Some(job) = seat.job.as_mut().filter(means) else {
                continue;
            };
            job.is_cancelled = true;
            if let Some(thread) = &seat.thread {
                thread.interrupt();
            }
            interrupted = interrupted.wrapping_add(1);
            if !what.all {
                break;
            }
        }
        if interrupted == 0 && !what.all {
            // Those that have been interrupted already are not gone yet.
            interrupted = usize::from(self.is_busy_with(what));
        }
        interrupted
    }

    /// Whether a thread is with a request that `what` means.
    pub(super) fn is_busy_with(&self, what: &Cancel) -> bool {
        let mut jobs = self.seats.iter().filter_map(|seat| seat.job.as_ref());
        jobs.any(|job| what.matches(&job.tag))
    }
}

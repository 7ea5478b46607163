// SPDX-License-Identifier: GPL-2.0

//! Taking entries from the submission queue and starting them.
//!
//! A batch is cut into rounds. A round takes entries, starts them under one block plug, and hands
//! in the completions of those that finished at once under one lock; those that would block go to
//! the workers. An entry is only taken when
//! there is a slot for its request, so that its completion has a place whatever happens.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        plug,
        pool::{
            Chain,
            Pool,
            Slot, //
        },
    },
    buffers::BufferTable,
    files::FileTable,
    op::{
        self,
        Issued,
        Rejected, //
    },
    request::{
        Path,
        Requests, //
    },
    ring::{
        completion,
        submission::SubmissionQueue, //
    },
    worker::Workers, //
};
use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

/// Most entries in one round: as many as the block layer collects under a plug
/// (`BLK_MAX_REQUEST_COUNT` in `block/blk.h`).
const ROUND: u16 = 32;

/// What becomes of a batch when an entry is rejected.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum OnReject {
    /// It goes on with the next entry.
    Continue,
    /// It ends; the rejected entry is the last one taken.
    Stop,
}

/// The one who submits; guarded by the ring's mutex.
pub(crate) struct Submitter {
    queue: SubmissionQueue,
    on_reject: OnReject,
    /// Slots fetched from the pool for this round and not used yet.
    spare: Chain<Requests>,
    /// Finished requests whose completions have not been handed in yet.
    finished: Chain<Requests>,
    /// Registered files.
    pub(crate) files: FileTable,
    /// Registered buffers.
    pub(crate) buffers: BufferTable,
    /// Requests of this round that devices have got.
    devices: u32,
    /// Whether some of them wait now.
    has_held: bool,
}

/// How a batch went.
pub(crate) struct Submitted {
    /// Entries taken from the queue.
    pub(crate) taken: u32,
    /// Whether the queue was full before that.
    pub(crate) was_full: bool,
}

/// How a round went.
struct Round {
    taken: u32,
    stop: bool,
}

impl Submitter {
    /// A submitter that takes from `queue`.
    pub(crate) fn new(queue: SubmissionQueue, on_reject: OnReject) -> Self {
        Self {
            queue,
            on_reject,
            spare: Chain::new(),
            finished: Chain::new(),
            files: FileTable::new(),
            buffers: BufferTable::new(),
            devices: 0,
            has_held: false,
        }
    }

    /// The queue.
    pub(crate) fn queue(&self) -> &SubmissionQueue {
        &self.queue
    }

    /// Lets go of what is registered, and nobody is told of tags. Process context; sleeps.
    pub(crate) fn forget_registered(&mut self) {
        self.files.forget();
        self.buffers.forget();
    }

    /// Takes and starts up to `to_submit` entries; answers how it went. A signal ends it early.
    ///
    /// Process context, in the process of the ring; sleeps where files do.
    ///
    /// # Errors
    ///
    /// If none was taken: `EOVERFLOW` (the tail is out of range), `EBUSY` (no slot is free).
    pub(crate) fn submit(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Arc<Workers>,
        to_submit: u32,
    ) -> Result<Submitted> {
        let available = self.queue.available().map_err(|_| EOVERFLOW)?;
        let wanted = to_submit.min(available);
        let mut taken: u32 = 0;
        while taken < wanted {
            let left = wanted.wrapping_sub(taken);
            let size = u16::try_from(left).unwrap_or(ROUND).min(ROUND);
            self.fetch_slots(pool, size);
            let round = plug::plugged(size, || self.round(workers, size));
            self.queue.publish();
            self.hand_in(pool);
            self.leave_to(workers);
            taken = taken.wrapping_add(round.taken);
            if round.stop || current!().signal_pending() {
                break;
            }
        }
        if taken == 0 && wanted != 0 {
            return Err(EBUSY);
        }
        let was_full = available == self.queue.capacity();
        Ok(Submitted { taken, was_full })
    }

    /// Leaves to the workers what did not end in this round.
    #[inline]
    fn leave_to(&mut self, workers: &Arc<Workers>) {
        let devices = core::mem::take(&mut self.devices);
        if devices != 0 {
            Workers::hand_to_devices(workers, devices);
        }
        if core::mem::take(&mut self.has_held) {
            Workers::see_to_it(workers);
        }
    }

    /// Fetches slots from the pool for a round of `size` entries.
    fn fetch_slots(&mut self, pool: &Pool<Requests>, size: u16) {
        let mut inside = pool.lock();
        for _ in 0..size {
            match inside.take() {
                Some(slot) => self.spare.push(slot),
                None => break,
            }
        }
    }

    /// Takes and starts up to `size` entries.
    fn round(&mut self, workers: &Workers, size: u16) -> Round {
        let mut taken = 0;
        while taken < u32::from(size) {
            let Some(slot) = self.spare.pop() else {
                return Round { taken, stop: true };
            };
            taken = taken.wrapping_add(1);
            let Some(sqe) = self.queue.take() else {
                self.spare.push(slot);
                continue;
            };
            let rejected = self.start(workers, slot, &sqe).is_err();
            if rejected && self.on_reject == OnReject::Stop {
                return Round { taken, stop: true };
            }
        }
        Round { taken, stop: false }
    }

    /// Starts one request.
    #[inline]
    fn start(
        &mut self,
        workers: &Workers,
        mut slot: Slot<Requests>,
        sqe: &abi::Sqe,
    ) -> Result<(), Rejected> {
        slot.request
            .begin(sqe.user_data, sqe.opcode, workers.opening());
        match op::prepare(sqe, &self.files, &self.buffers) {
            Ok(op) => {
                match op.issue(slot) {
                    Issued::Done(slot, result) => self.finish(slot, result),
                    Issued::Queued => self.devices = self.devices.wrapping_add(1),
                    issued => self.hold(workers, issued),
                }
                Ok(())
            }
            Err(rejected) => {
                slot.request.cqe.res = rejected.error.to_errno();
                slot.request.cqe.flags =
                    abi::CQE_F_REJECTED | (rejected.field.offset() << abi::CQE_FIELD_SHIFT);
                self.finished.push_back(slot);
                Err(rejected)
            }
        }
    }

    #[inline]
    fn finish(&mut self, mut slot: Slot<Requests>, result: isize) {
        slot.request.finished(result, Path::Inline);
        self.finished.push_back(slot);
    }

    /// Sees to a request that did not go on at once.
    #[cold]
    fn hold(&mut self, workers: &Workers, mut issued: Issued<Requests>) {
        self.has_held = true;
        loop {
            issued = match issued {
                Issued::WouldPoll(slot) => match workers.wait_for_file(slot) {
                    Some(slot) => op::retry(slot),
                    None => return,
                },
                Issued::WouldBlock(slot, blocking) => {
                    return workers.wait_for_worker(slot, blocking)
                }
                Issued::Cancel(slot, what) => {
                    let (cancelled, interrupted) = workers.cancel(&what);
                    return self.finish(slot, what.result(cancelled, interrupted));
                }
                Issued::Done(slot, result) => return self.finish(slot, result),
                Issued::Queued => {
                    self.devices = self.devices.wrapping_add(1);
                    return;
                }
            };
        }
    }

    /// Hands in the completions of what has finished, and the slots that were not needed.
    fn hand_in(&mut self, pool: &Pool<Requests>) {
        if self.finished.is_empty() && self.spare.is_empty() {
            return;
        }
        let mut inside = pool.lock();
        while let Some(slot) = self.spare.pop() {
            inside.put(slot);
        }
        while let Some(slot) = self.finished.pop() {
            completion::post(&mut inside, slot);
        }
        completion::publish(&pool.shared().completion, &mut inside);
    }
}

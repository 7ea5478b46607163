// SPDX-License-Identifier: GPL-2.0

//! Taking entries from the submission queue and starting them.
//!
//! A batch is cut into rounds. A round takes entries, starts them under one block plug, and hands
//! in the completions of those that finished at once under one lock; those that would block go to
//! the workers.
//!
//! An entry is only taken when there is a slot for it, so that its completion has a place whatever
//! happens. A request that finishes at once leaves its slot to the next one and only its completion
//! behind; but as many slots stay in reserve as there are such completions, see [`Finished`].

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        plug,
        pool::{
            Pool,
            Slot,
            Spare, //
        },
    },
    buffers::BufferTable,
    files::FileTable,
    op::{
        self,
        allowed::OpSet,
        rules,
        Issued,
        Rejected, //
    },
    request::{
        self,
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

/// Completions of requests that finished at once and have not been handed in yet.
///
/// For each of them there is a spare slot, in case it has to be parked.
struct Finished {
    cqes: [abi::Cqe; ROUND as usize],
    count: usize,
}

impl Finished {
    /// Adds one. There is room for all that a round takes.
    #[inline]
    fn push(&mut self, cqe: abi::Cqe) {
        if let Some(place) = self.cqes.get_mut(self.count) {
            *place = cqe;
            self.count = self.count.wrapping_add(1);
        }
    }

    fn as_slice(&self) -> &[abi::Cqe] {
        self.cqes.get(..self.count).unwrap_or(&[])
    }
}

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
    ops: OpSet,
    /// Slots fetched from the pool for this round that are not used.
    spare: Spare<Requests>,
    finished: Finished,
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
    /// A submitter that takes from `queue`, and may do `ops`.
    pub(crate) fn new(queue: SubmissionQueue, on_reject: OnReject, ops: OpSet) -> Self {
        Self {
            queue,
            on_reject,
            ops,
            spare: Spare::new(),
            finished: Finished {
                cqes: [abi::Cqe::default(); ROUND as usize],
                count: 0,
            },
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
            self.spare = pool.lock().take_some(usize::from(size));
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

    /// Takes and starts up to `size` entries.
    #[inline]
    fn round(&mut self, workers: &Workers, size: u16) -> Round {
        let mut taken = 0;
        while taken < u32::from(size) {
            // Those that have finished need theirs if they are parked.
            if self.spare.len() <= self.finished.count {
                return Round { taken, stop: true };
            }
            taken = taken.wrapping_add(1);
            let Some(sqe) = self.queue.take() else {
                continue;
            };
            let rejected = self.start(workers, &sqe).is_err();
            if rejected && self.on_reject == OnReject::Stop {
                return Round { taken, stop: true };
            }
        }
        Round { taken, stop: false }
    }

    /// Starts one request, for which there is a spare slot.
    #[inline]
    fn start(&mut self, workers: &Workers, sqe: &abi::Sqe) -> Result<(), Rejected> {
        if rules::is_bare_nop(sqe) && self.ops.contains(abi::OP_NOP) {
            self.finished
                .push(request::done(sqe.user_data, 0, Path::Inline));
            return Ok(());
        }
        let op =
            op::prepare(sqe, &self.ops, &self.files, &self.buffers).inspect_err(|rejected| {
                self.finished
                    .push(request::rejected(sqe.user_data, rejected));
            })?;
        if let Some(mut slot) = self.spare.take() {
            slot.request
                .begin(sqe.user_data, sqe.opcode, workers.opening());
            match op.issue(slot) {
                Issued::Done(slot, result) => self.finish(slot, result, Path::Inline),
                Issued::DoneByFile(slot, result) => self.finish(slot, result, Path::Device),
                Issued::Queued => self.devices = self.devices.wrapping_add(1),
                issued => self.hold(workers, issued),
            }
        }
        Ok(())
    }

    #[inline]
    fn finish(&mut self, slot: Slot<Requests>, result: isize, path: Path) {
        self.finished
            .push(request::done(slot.request.cqe.user_data, result, path));
        self.spare.put(slot);
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
                    let result = what.result(cancelled, interrupted);
                    return self.finish(slot, result, Path::Inline);
                }
                Issued::Done(slot, result) => return self.finish(slot, result, Path::Inline),
                Issued::DoneByFile(slot, result) => return self.finish(slot, result, Path::Device),
                Issued::Queued => {
                    self.devices = self.devices.wrapping_add(1);
                    return;
                }
            };
        }
    }

    /// Hands in the completions of what has finished, and the slots that were not needed.
    #[inline]
    fn hand_in(&mut self, pool: &Pool<Requests>) {
        if self.spare.len() == 0 {
            return;
        }
        let mut inside = pool.lock();
        completion::post_all(&mut inside, self.finished.as_slice(), &mut self.spare);
        self.finished.count = 0;
        inside.put_all(&mut self.spare);
        completion::publish_at_once(&pool.shared().completion, &mut inside);
    }
}

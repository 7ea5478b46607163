// SPDX-License-Identifier: GPL-2.0

//! Taking entries from the submission queue and starting them.
//!
//! A batch is cut into rounds. A round takes entries, starts them under one block plug, and hands
//! in the completions of those that finished at once under one lock; those that would block go to
//! the workers. An entry is only taken when
//! there is a slot for its request, so that its completion has a place whatever happens.

#![forbid(unsafe_code)]

mod chain;

use self::chain::NewChain;
use crate::{
    abi,
    abstractions::{
        plug,
        pool::{
            Chain,
            Inside,
            Pool,
            Slot, //
        },
    },
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
    /// Finished requests that want no completion.
    skipped: Chain<Requests>,
    /// A chain that is being put together.
    chain: NewChain,
    /// Flags that all entries are treated as if they had: they are members of a chain.
    always: u8,
    /// Registered files.
    pub(crate) files: FileTable,
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
            skipped: Chain::new(),
            chain: NewChain::new(),
            always: 0,
            files: FileTable::new(),
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
            self.fetch_slots(pool, size);
            let round = plug::plugged(size, || self.round(pool, workers, size));
            self.queue.publish();
            self.hand_in(pool);
            self.leave_to(workers);
            taken = taken.wrapping_add(round.taken);
            if round.stop || current!().signal_pending() {
                break;
            }
        }
        if self.always != 0 {
            self.end_batch(pool, workers);
        }
        if taken == 0 && wanted != 0 {
            return Err(EBUSY);
        }
        let was_full = available == self.queue.capacity();
        Ok(Submitted { taken, was_full })
    }

    /// Starts the chain that the last entry of a batch has left open.
    #[cold]
    fn end_batch(&mut self, pool: &Pool<Requests>, workers: &Arc<Workers>) {
        // Its rejected entries have completed, and nothing follows them.
        let _ = plug::plugged(ROUND, || self.end_chain(pool, workers));
        self.hand_in(pool);
        self.leave_to(workers);
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
    fn round(&mut self, pool: &Pool<Requests>, workers: &Workers, size: u16) -> Round {
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
            let rejected = self.start(pool, workers, slot, &sqe).is_err();
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
        pool: &Pool<Requests>,
        workers: &Workers,
        mut slot: Slot<Requests>,
        sqe: &abi::Sqe,
    ) -> Result<(), Rejected> {
        slot.request
            .begin(sqe.user_data, sqe.opcode, workers.opening());
        let prepared = op::prepare(sqe, &self.files);
        if (sqe.flags | self.always) & abi::SQE_IN_TURN != 0 {
            let kept = prepared.map(|op| op.keep(&mut slot));
            return self.take_in_turn(pool, workers, slot, sqe.flags, kept);
        }
        match prepared {
            Ok(op) => {
                match op.issue(slot) {
                    Issued::Done(slot, result) => self.finish(slot, result),
                    Issued::Queued => self.devices = self.devices.wrapping_add(1),
                    issued => {
                        if let Some((slot, result)) = self.hold(workers, issued) {
                            self.finish(slot, result);
                        }
                    }
                }
                Ok(())
            }
            Err(rejected) => {
                slot.request.refused(&rejected);
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

    /// Sees to a request that was issued. Answers its result if it has ended after all.
    #[cold]
    fn hold(
        &mut self,
        workers: &Workers,
        mut issued: Issued<Requests>,
    ) -> Option<(Slot<Requests>, isize)> {
        loop {
            issued = match issued {
                Issued::WouldPoll(slot) => {
                    self.has_held = true;
                    op::retry(workers.wait_for_file(slot)?)
                }
                Issued::WouldBlock(slot, blocking) => {
                    self.has_held = true;
                    workers.wait_for_worker(slot, blocking);
                    return None;
                }
                Issued::Cancel(slot, what) => {
                    self.has_held = true;
                    let (cancelled, interrupted) = workers.cancel(&what);
                    return Some((slot, what.result(cancelled, interrupted)));
                }
                Issued::Done(slot, result) => return Some((slot, result)),
                Issued::Queued => {
                    self.devices = self.devices.wrapping_add(1);
                    return None;
                }
            };
        }
    }

    /// Hands in the completions of what has finished, and the slots that were not needed.
    fn hand_in(&mut self, pool: &Pool<Requests>) {
        if self.finished.is_empty() && self.spare.is_empty() && self.skipped.is_empty() {
            return;
        }
        let mut inside = pool.lock();
        while let Some(slot) = self.spare.pop() {
            inside.put(slot);
        }
        let is_all = self.post_round(&mut inside);
        completion::publish(&pool.shared().completion, &mut inside);
        drop(inside);
        if !is_all {
            self.post_finished(pool);
        }
    }

    /// Hands in the completions of what has finished, if there are any.
    #[cold]
    fn post_finished(&mut self, pool: &Pool<Requests>) {
        while !(self.finished.is_empty() && self.skipped.is_empty()) {
            let mut inside = pool.lock();
            self.post_round(&mut inside);
            completion::publish(&pool.shared().completion, &mut inside);
        }
    }

    /// Ends what has finished, but not more than a round can have: a chain may have more. Answers
    /// whether that was all.
    #[inline]
    fn post_round(&mut self, inside: &mut Inside<Requests>) -> bool {
        for _ in 0..ROUND {
            if let Some(slot) = self.finished.pop() {
                completion::post(inside, slot);
            } else if let Some(slot) = self.skipped.pop() {
                completion::skip(inside, slot);
            } else {
                return true;
            }
        }
        self.finished.is_empty() && self.skipped.is_empty()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Taking entries from the submission queue and starting them.
//!
//! A batch is cut into rounds. A round takes entries, starts them under one block plug, and hands
//! in the completions of those that finished at once under one lock; those that would block go to
//! the workers.
//!
//! An entry is only taken when there is a slot for it, so that its completion has a place whatever
//! happens. What is done at once needs none, and a request that finishes in this call leaves its slot to
//! the next one; either leaves only its completion behind. But as many slots stay in reserve as there
//! are such completions, see [`Finished`]. They need not be fetched: only who submits, or holds the
//! ring's mutex for another reason, takes slots from home, so that they can only become more.

#![forbid(unsafe_code)]

mod chain;
mod device;
mod polled;
mod refusals;

pub(crate) use self::polled::leave_blocked;

use self::{
    chain::NewChain,
    polled::POLLED,
    refusals::Refusals, //
};
use crate::{
    abi,
    abstractions::{
        early_ends::Collecting,
        plug::{
            self,
            Plug, //
        },
        pool::{
            Inside,
            Pool,
            Slot,
            Spare, //
        },
        trace,
        transfer::{
            DeviceRound,
            Place, //
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
    polled::Polled,
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

/// Flags that make an entry more than itself.
const RARE: u8 = abi::SQE_IN_TURN | POLLED;

/// Completions of requests that finished at once and have not been handed in yet.
///
/// For each of them there is a slot, spare or at home, in case it has to be parked.
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

    fn is_full(&self) -> bool {
        self.count == self.cqes.len()
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
    /// Operations whose refusal has been recorded.
    pub(crate) refusals: Refusals,
    /// Slots fetched from the pool that are not used.
    spare: Spare<Requests>,
    /// How many there are at home, at least: only who holds the ring's mutex takes any.
    at_home: usize,
    finished: Finished,
    /// Requests of this round that have finished and want no completion.
    skipped: u64,
    /// A chain that is being put together.
    chain: NewChain,
    /// Flags that all entries are treated as if they had: they are members of a chain, or may have to
    /// wait at the gate.
    always: u8,
    /// Whether the next entry waits for all before it, of which the last has DRAIN.
    is_behind_drain: bool,
    /// The number of the last LINK_TIMEOUT.
    limit_number: u32,
    /// Transfers that complete without an interrupt.
    pub(crate) polled: Polled,
    /// Registered files.
    pub(crate) files: FileTable,
    /// Registered buffers.
    pub(crate) buffers: BufferTable,
    /// What transfers that go to block devices have in common, in this round.
    device_round: DeviceRound,
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
            refusals: Refusals::new(),
            spare: Spare::new(),
            at_home: 0,
            finished: Finished {
                cqes: [abi::Cqe::default(); ROUND as usize],
                count: 0,
            },
            skipped: 0,
            chain: NewChain::new(),
            always: 0,
            is_behind_drain: false,
            limit_number: 0,
            polled: Polled::new(),
            files: FileTable::new(),
            buffers: BufferTable::new(),
            device_round: DeviceRound::new(),
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
        self.spare.adopt(pool);
        while taken < wanted {
            let left = wanted.wrapping_sub(taken);
            let size = u16::try_from(left).unwrap_or(ROUND).min(ROUND);
            let mut early = None;
            let round = plug::may_plug(size, |plug| {
                self.round(pool, workers, size, plug, &mut early)
            });
            if let Some(early) = early {
                self.end_early(early.stop());
            }
            self.device_round.end();
            self.queue.publish();
            self.hand_in(pool);
            self.leave_to(workers);
            taken = taken.wrapping_add(round.taken);
            // A chain is taken as a whole.
            let goes_on = taken >= wanted || self.is_in_chain();
            if round.stop || (!goes_on && current!().signal_pending()) {
                break;
            }
        }
        if self.is_in_chain() {
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

    /// Takes and starts up to `size` entries.
    #[inline]
    fn round<'a>(
        &mut self,
        pool: &'a Pool<Requests>,
        workers: &Workers,
        size: u16,
        plug: &mut Plug<'_>,
        early: &mut Option<Collecting<'a, Requests>>,
    ) -> Round {
        let mut taken = 0;
        self.device_round.begin(size);
        while taken < u32::from(size) {
            if !self.has_slot(pool) {
                return Round { taken, stop: true };
            }
            taken = taken.wrapping_add(1);
            let Some(sqe) = self.queue.take() else {
                continue;
            };
            trace::submit(|| (request::traced_entry(pool, &sqe), sqe.flags, sqe.fd));
            let is_plain = self.always == 0 && self.ops.contains(sqe.opcode);
            let done = if is_plain { self.at_once(&sqe) } else { None };
            let rejected = match done {
                Some(result) => {
                    (self.finished).push(request::done(sqe.user_data, result, Path::Inline));
                    false
                }
                None => {
                    plug.hold();
                    if self.spare.len() == 0 {
                        self.fetch(pool, usize::from(size));
                    }
                    let is_with_device =
                        is_plain && self.hand_to_device(pool, workers, &sqe, early);
                    !is_with_device && self.start(pool, workers, &sqe).is_err()
                }
            };
            if rejected && self.on_reject == OnReject::Stop {
                return Round { taken, stop: true };
            }
        }
        Round { taken, stop: false }
    }

    /// Whether there is a slot for one more request: those that have finished need theirs if they are
    /// parked.
    #[inline]
    fn has_slot(&mut self, pool: &Pool<Requests>) -> bool {
        let needed = self.finished.count;
        self.spare.len().wrapping_add(self.at_home) > needed || {
            self.at_home = pool.lock().at_home();
            self.spare.len().wrapping_add(self.at_home) > needed
        }
    }

    /// Fetches slots for this round, but those that completions may need.
    fn fetch(&mut self, pool: &Pool<Requests>, most: usize) {
        let mut inside = pool.lock();
        inside.fetch(&mut self.spare, most);
        self.at_home = inside.at_home();
    }

    /// What is known of the slots at home is not true any more: others have been taken.
    pub(crate) fn forget_home(&mut self) {
        self.at_home = 0;
    }

    /// Starts one request, for which there is a spare slot. Kept apart from what is done at once, which is
    /// cheaper without it.
    #[inline(never)]
    fn start(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        sqe: &abi::Sqe,
    ) -> Result<(), Rejected> {
        let mut place = Place::new();
        let prepared = op::prepare(sqe, &mut place, &self.ops, &self.files, &self.buffers);
        if (sqe.flags | self.always) & RARE != 0 {
            let Some(mut slot) = self.spare.take() else {
                return Ok(());
            };
            slot.request
                .begin(sqe.user_data, sqe.opcode, workers.opening());
            if self.is_polled() {
                let judged = op::polled::judge(sqe, &self.ops, prepared);
                let started = self.polled.start(slot, judged);
                return self.see_to_polled(pool, workers, started);
            }
            let kept = prepared.map(|op| op.keep(&mut slot));
            return self.take_in_turn(pool, workers, slot, sqe.flags, kept);
        }
        let op = prepared.inspect_err(|&rejected| {
            (self.refusals).tell_of_entry(pool, sqe, rejected, &self.ops);
            self.finished
                .push(request::rejected(sqe.user_data, &rejected));
        })?;
        if let Some(mut slot) = self.spare.take() {
            slot.request
                .begin(sqe.user_data, sqe.opcode, workers.opening());
            match op.issue(slot) {
                Issued::Done(slot, result) => self.finish(slot, result, Path::Inline),
                Issued::DoneByFile(slot, result) => self.finish(slot, result, Path::Device),
                Issued::Queued => self.devices = self.devices.wrapping_add(1),
                issued => {
                    if let Some((slot, result, path)) = self.hold(pool, workers, issued)? {
                        self.finish(slot, result, path);
                    }
                }
            }
        }
        Ok(())
    }

    /// Does what needs no slot: what most programs do most of the time, without anything special, and
    /// this one may do. Answers the result.
    #[inline]
    fn at_once(&self, sqe: &abi::Sqe) -> Option<isize> {
        match sqe.opcode {
            abi::OP_NOP if rules::is_bare_nop(sqe) => Some(0),
            abi::OP_READ if rules::READ.check(sqe).is_ok() => {
                op::read_write::at_once(sqe, &self.files)
            }
            _ => None,
        }
    }

    #[inline]
    fn finish(&mut self, slot: Slot<Requests>, result: isize, path: Path) {
        self.finished
            .push(request::done(slot.request.cqe.user_data, result, path));
        self.spare.put(slot);
    }

    /// Sees to a request that was issued. Answers how it has ended, if it has after all.
    ///
    /// # Errors
    ///
    /// It is rejected after all, and has ended.
    #[cold]
    fn hold(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        mut issued: Issued<Requests>,
    ) -> Result<Option<(Slot<Requests>, isize, Path)>, Rejected> {
        loop {
            issued = match issued {
                Issued::WouldPoll(slot) => {
                    self.has_held = true;
                    match workers.wait_for_file(slot) {
                        Some(slot) => op::retry(slot),
                        None => return Ok(None),
                    }
                }
                Issued::WouldBlock(slot, blocking) => {
                    self.has_held = true;
                    workers.wait_for_worker(slot, blocking);
                    return Ok(None);
                }
                Issued::Cancel(slot, what) => {
                    self.has_held = true;
                    let (cancelled, interrupted) = workers.cancel(&what);
                    let result = what.result(cancelled, interrupted);
                    return Ok(Some((slot, result, Path::Inline)));
                }
                Issued::Poll(slot, poll) => {
                    self.has_held = true;
                    match workers.wait_for_events(slot, poll) {
                        Some((slot, result)) => Issued::Done(slot, result),
                        None => return Ok(None),
                    }
                }
                Issued::Timeout(slot, timeout) => {
                    self.has_held = true;
                    // One that counts does not count those that were there before it.
                    self.post_finished(pool);
                    match workers.wait_for_time(slot, timeout) {
                        Some((slot, result)) => Issued::Done(slot, result),
                        None => return Ok(None),
                    }
                }
                Issued::Update(slot, update) => {
                    self.has_held = true;
                    Issued::Done(slot, workers.update(update))
                }
                Issued::Misplaced(slot) => {
                    let rejected = op::misplaced();
                    self.refusals
                        .tell(request::traced(&slot), rejected, &self.ops);
                    self.finished
                        .push(request::rejected(slot.request.cqe.user_data, &rejected));
                    self.spare.put(slot);
                    return Err(rejected);
                }
                Issued::Done(slot, result) => return Ok(Some((slot, result, Path::Inline))),
                Issued::DoneByFile(slot, result) => return Ok(Some((slot, result, Path::Device))),
                Issued::Queued => {
                    self.devices = self.devices.wrapping_add(1);
                    return Ok(None);
                }
            };
        }
    }

    /// Adds the completions of what has finished to the queue.
    #[inline(always)]
    fn post(&mut self, inside: &mut Inside<Requests>) {
        completion::post_all(inside, self.finished.as_slice(), &mut self.spare);
        self.finished.count = 0;
        // Those that had to be parked may have taken some.
        self.at_home = inside.at_home();
    }

    /// Hands in the completions of what has finished, and the slots that were not needed.
    #[inline]
    fn hand_in(&mut self, pool: &Pool<Requests>) {
        if self.finished.count == 0 && self.spare.len() == 0 && self.skipped == 0 {
            return;
        }
        let mut inside = pool.lock();
        self.post(&mut inside);
        completion::skip(&mut inside, core::mem::take(&mut self.skipped));
        inside.put_all(&mut self.spare);
        self.at_home = inside.at_home();
        completion::publish_at_once(&pool.shared().completion, &mut inside);
    }
}

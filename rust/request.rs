// SPDX-License-Identifier: GPL-2.0

//! A request: one submission entry's life.
//!
//! A request lives in a slot of the ring's pool, and always has one owner:
//!
//! ```text
//! free        at home in the pool, or spare with the submitter
//! taken       the submitter holds it: the entry has been copied and is judged
//! under way   a file holds it, until it completes
//! armed       it waits until its file is ready; the watch holds it
//! ready       its file is ready, or it came back from a device; it waits for a worker
//! blocking    it waits for a worker, or a worker holds it
//! in line     its turn has not come: it waits for other requests, see [`turns`](crate::turns)
//! finished    it has a result; on its way to the completion queue
//! parked      the completion queue was full: it keeps its result until there is room
//! ```
//!
//! The result is kept in the slot itself, so that no completion ever needs memory, and none is lost.

#![forbid(unsafe_code)]

mod events;
mod in_turn;
mod polled;

pub(crate) use events::{
    count,
    post_more, //
};
pub(crate) use in_turn::{
    complete_limit,
    end_limit,
    give_up,
    go_on,
    is_silent, //
};

use crate::{
    abi,
    abstractions::{
        async_io::{
            IoDomain,
            IoSlot, //
        },
        early_ends::EarlyEnds,
        pool::{
            Domain,
            Inside,
            Pool,
            Slot, //
        },
        timer::{
            TimerDomain,
            Timers, //
        },
        trace,
        transfer::OpenFile,
        wait_queue::News,
        watch::{
            Events,
            Opening,
            Watch, //
        },
    },
    closer::Closer,
    op::{
        cancel::Tag,
        names,
        timeout::Timeout,
        Blocking,
        Rejected, //
    },
    ring::completion::{
        self,
        Completing,
        CompletionQueue,
        OnCount,
        OnOut, //
    },
    tally::Tally,
    turns::{
        Turn,
        Turns, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
};

/// How a request came to its result.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Path {
    /// In the thread that submitted it.
    Inline,
    /// Its file became ready.
    Polled,
    /// A worker did what would have blocked.
    Worker,
    /// Its file finished it later.
    Device,
}

impl Path {
    fn flags(self) -> u32 {
        let path = match self {
            Self::Inline => abi::PATH_INLINE,
            Self::Polled => abi::PATH_POLLED,
            Self::Worker => abi::PATH_WORKER,
            Self::Device => abi::PATH_DEVICE,
        };
        path << abi::CQE_PATH_SHIFT
    }
}

/// What a slot of the pool keeps for the driver: the completion, as far as it is known.
#[derive(Default)]
pub(crate) struct Request {
    /// Its `user_data` is set when the entry is taken, the rest when the request has finished. Until
    /// then `res` is the least result that is a success, if that matters, and `flags` the number that it
    /// shares with a LINK_TIMEOUT, or 0.
    pub(crate) cqe: abi::Cqe,
    /// What is left to do where blocking is allowed.
    pub(crate) blocking: Option<Blocking>,
    /// What it waits for, and what waits for it.
    pub(crate) turn: Turn,
    opcode: u8,
    /// A device had it, and could not do it at once.
    came_back: bool,
    /// Since when the watch has been open for its process.
    opening: Opening,
}

impl Request {
    /// Begins a request.
    #[inline]
    pub(crate) fn begin(&mut self, user_data: u64, opcode: u8, opening: Opening) {
        self.opcode = opcode;
        self.cqe = abi::Cqe {
            user_data,
            ..abi::Cqe::default()
        };
        self.turn = Turn::default();
        self.came_back = false;
        self.opening = opening;
    }

    /// Begins a completion without an entry.
    pub(crate) fn begin_note(&mut self, tag: u64) {
        self.cqe = abi::Cqe {
            user_data: tag,
            ..abi::Cqe::default()
        };
        self.turn = Turn::default();
        self.came_back = false;
    }

    /// The timeout that it is, while it waits.
    pub(crate) fn timeout(&self) -> Option<&Timeout> {
        match &self.blocking {
            Some(Blocking::Timeout(timeout)) => Some(timeout),
            _ => None,
        }
    }

    /// Notes the least result that is a success, or the one below 0 that is.
    pub(crate) fn succeeds_from(&mut self, least: isize) {
        self.cqe.res = as_res(least);
    }

    /// Notes the result: what the operation answered. Tells whether it is a success.
    #[inline]
    pub(crate) fn finished(&mut self, result: isize, path: Path) -> bool {
        let result = as_res(result);
        let least = self.cqe.res;
        // One below 0 is itself the only such success.
        let is_success = result >= least.max(0) || result == least;
        self.cqe.res = result;
        self.cqe.flags = path.flags();
        is_success
    }

    /// How often it has come back from a device, if it completes by `path`.
    fn returned(&self, path: Path) -> u64 {
        u64::from(self.came_back) + u64::from(path == Path::Device)
    }

    /// Notes that the entry was rejected.
    pub(crate) fn reject(&mut self, rejected: &Rejected) {
        self.cqe = self::rejected(self.cqe.user_data, rejected);
        self.turn.reject();
    }
}

/// Requests that are with their files. Shared with worker threads, which may outlive the ring.
#[pin_data]
pub(crate) struct Away {
    /// Those that wait for readiness.
    #[pin]
    pub(crate) watch: Watch<Requests>,
    /// Those whose turn has not come.
    #[pin]
    pub(crate) turns: Turns<Requests>,
    /// How many were handed to devices, and how many of them have come back.
    handed: Atomic<u64>,
    returned: Atomic<u64>,
    /// The process was being stopped when it should have made a thread.
    owes_threads: Atomic<bool>,
    /// Those that wait for their time.
    #[pin]
    pub(crate) timers: Timers<Requests>,
    /// Completions that some of them wait for.
    pub(crate) tally: Tally,
}

impl Away {
    /// None. There may be `requests` in all.
    pub(crate) fn new(requests: usize) -> Result<Arc<Self>> {
        let turns = Turns::new(requests)?;
        Arc::pin_init(
            pin_init!(Self {
                watch <- Watch::new(),
                turns <- turns,
                handed: Atomic::new(0),
                returned: Atomic::new(0),
                owes_threads: Atomic::new(false),
                timers <- Timers::new(),
                tally: Tally::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Whether the process was being stopped when it should have made a thread. Whenever it comes by, it
    /// should try again.
    #[inline]
    pub(crate) fn owes_threads(&self) -> bool {
        self.owes_threads.load(Relaxed)
    }

    /// Notes what [`Away::owes_threads`] answers.
    pub(crate) fn set_owes_threads(&self, owes: bool) {
        self.owes_threads.store(owes, Relaxed);
    }

    /// Counts `n` more that devices have. A full barrier.
    pub(crate) fn note_handed(&self, n: u64) {
        self.handed.fetch_add(n, Full);
    }

    /// Whether devices have some, as far as that has been noted.
    pub(crate) fn are_with_devices(&self) -> bool {
        self.handed.load(Relaxed) != self.returned.load(Relaxed)
    }

    /// Counts `n` more that came back. With the lock of the pool held, so nobody else does.
    fn note_returned(&self, n: u64) {
        let returned = self.returned.load(Relaxed);
        self.returned.store(returned.wrapping_add(n), Relaxed);
    }
}

impl OnCount for Away {
    fn run(&self, came: u64) {
        if self.tally.came(came) {
            self.watch.attendants.wake(News::Readable);
        }
    }
}

impl OnOut for Away {
    fn run(&self, out: usize) -> bool {
        let is_wanted = self.turns.note_out(out);
        if self.turns.may_pass() {
            self.watch.attendants.wake(News::Readable);
        }
        is_wanted
    }
}

/// What everybody who holds a slot may look at.
#[pin_data]
pub(crate) struct Shared {
    /// What those who wait for completions look at.
    #[pin]
    pub(crate) completion: completion::Shared,
    /// Requests that devices complete while they are being submitted.
    pub(crate) early_ends: EarlyEnds<Requests>,
    /// Requests that are with their files.
    pub(crate) away: Arc<Away>,
    /// How many transfers somebody has to ask for.
    polled: Atomic<usize>,
    /// Who closes files that cannot be closed where their request completes.
    pub(crate) closer: Arc<Closer<Requests>>,
}

impl Shared {
    /// The state of a new ring.
    pub(crate) fn new<'a>(
        completion: impl PinInit<completion::Shared, Error> + 'a,
        away: Arc<Away>,
        closer: Arc<Closer<Requests>>,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            completion <- completion,
            early_ends: EarlyEnds::new(),
            away,
            polled: Atomic::new(0),
            closer,
        }? Error)
    }
}

/// The types of a ring's pool.
pub(crate) enum Requests {}

impl Domain for Requests {
    type Item = IoSlot<Request>;
    type Shared = Shared;
    type Locked = CompletionQueue<Self>;

    fn recall(inside: &mut Inside<Self>) {
        while completion::recall_one(inside) {}
    }
}

impl Completing for Requests {
    fn completion(shared: &Shared) -> &completion::Shared {
        &shared.completion
    }

    fn cqe(item: &IoSlot<Request>) -> abi::Cqe {
        item.request.cqe
    }

    fn keep(item: &mut IoSlot<Request>, cqe: abi::Cqe) {
        item.request.cqe = cqe;
    }
}

impl IoDomain for Requests {
    type Request = Request;

    fn complete(slot: Slot<Self>, result: isize) {
        complete(slot, result, Path::Device);
    }

    fn put_off(slot: Slot<Self>) {
        Closer::add(slot.shared().closer.clone(), slot);
    }

    fn come_back(request: &mut Request) -> Opening {
        request.came_back = true;
        request.opening
    }

    fn stay_away(request: &mut Request) {
        request.came_back = false;
    }

    fn polled(request: &Request) -> Option<(&OpenFile, Events)> {
        match &request.blocking {
            Some(Blocking::Poll(poll)) => Some(poll.readiness()),
            _ => None,
        }
    }

    fn early_ends(shared: &Shared) -> &EarlyEnds<Self> {
        &shared.early_ends
    }

    fn watch(shared: &Shared) -> &Watch<Self> {
        &shared.away.watch
    }
}

impl TimerDomain for Requests {
    fn timers(shared: &Shared) -> &Timers<Self> {
        &shared.away.timers
    }

    fn rang(slot: Slot<Self>) {
        end(slot, ETIME, Path::Polled);
    }
}

/// The completion of a request that has finished in the thread that submitted it.
#[inline]
pub(crate) fn done(user_data: u64, result: isize, path: Path) -> abi::Cqe {
    abi::Cqe {
        user_data,
        res: as_res(result),
        flags: path.flags(),
    }
}

/// The completion of an entry that has been rejected.
#[cold]
pub(crate) fn rejected(user_data: u64, rejected: &Rejected) -> abi::Cqe {
    abi::Cqe {
        user_data,
        res: rejected.error.to_errno(),
        flags: abi::CQE_F_REJECTED | (rejected.field.offset() << abi::CQE_FIELD_SHIFT),
    }
}

/// What an operation answered, as a completion has it.
#[inline]
fn as_res(result: isize) -> i32 {
    // A transfer is at most 0x7ffff000 bytes, and an errno is small.
    i32::try_from(result).unwrap_or(i32::MAX)
}

/// What a request that waits is known by.
pub(crate) fn tag(slot: &IoSlot<Request>) -> Tag {
    let held = slot.request.blocking.as_ref().and_then(Blocking::file_id);
    Tag {
        limit: slot.request.limit_number(),
        user_data: slot.request.cqe.user_data,
        opcode: slot.request.opcode,
        file: held.or_else(|| slot.file_id()),
    }
}

/// What listeners are told of a request.
pub(crate) fn traced(slot: &Slot<Requests>) -> trace::Request {
    trace::Request {
        ring: slot.shared().completion.ring(),
        user_data: slot.request.cqe.user_data,
        opcode: slot.request.opcode,
        name: names::name(slot.request.opcode),
    }
}

/// What listeners are told of an entry.
#[cold]
pub(crate) fn traced_entry(pool: &Pool<Requests>, sqe: &abi::Sqe) -> trace::Request {
    trace::Request {
        ring: pool.shared().completion.ring(),
        user_data: sqe.user_data,
        opcode: sqe.opcode,
        name: names::name(sqe.opcode),
    }
}

/// Completes a request with `result`. Any context.
pub(crate) fn complete(mut slot: Slot<Requests>, result: isize, path: Path) {
    if !slot.request.turn.is_plain() {
        return in_turn::complete(slot, result, path);
    }
    slot.request.finished(result, path);
    let returned = slot.request.returned(path);
    let is_timeout = slot.request.opcode == abi::OP_TIMEOUT;
    slot.finish(|shared, inside, slot| {
        shared.away.note_returned(returned);
        if is_timeout {
            inside.state.leave_out();
        }
        completion::post(inside, slot);
        completion::publish(&shared.completion, inside);
    });
}

/// Completes a request that is not done any more, with what it has done so far, or `reason`.
pub(crate) fn cancel(slot: Slot<Requests>, reason: Error, path: Path) {
    if !slot.request.turn.is_doomed() {
        trace::cancel(|| traced(&slot));
    }
    end(slot, reason, path);
}

fn end(mut slot: Slot<Requests>, reason: Error, path: Path) {
    slot.request.blocking = None;
    let done = slot.abandon();
    let result = if done == 0 {
        reason.to_errno() as isize
    } else {
        done
    };
    complete(slot, result, path);
}

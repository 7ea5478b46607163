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
//! finished    it has a result; on its way to the completion queue
//! parked      the completion queue was full: it keeps its result until there is room
//! ```
//!
//! The result is kept in the slot itself, so that no completion ever needs memory, and none is lost.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        async_io::{
            IoDomain,
            IoSlot, //
        },
        pool::{
            Domain,
            Inside,
            Slot, //
        },
        watch::{
            Opening,
            Watch, //
        },
    },
    closer::Closer,
    op::{
        cancel::Tag,
        Blocking,
        Rejected, //
    },
    ring::completion::{
        self,
        Completing,
        CompletionQueue, //
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
    /// Its `user_data` is set when the entry is taken, the rest when the request has finished.
    pub(crate) cqe: abi::Cqe,
    /// What is left to do where blocking is allowed.
    pub(crate) blocking: Option<Blocking>,
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
        self.came_back = false;
        self.opening = opening;
    }

    /// Begins a completion without an entry.
    pub(crate) fn begin_note(&mut self, tag: u64) {
        self.cqe = abi::Cqe {
            user_data: tag,
            ..abi::Cqe::default()
        };
        self.came_back = false;
    }

    /// Notes the result: what the operation answered.
    #[inline]
    pub(crate) fn finished(&mut self, result: isize, path: Path) {
        self.cqe.res = as_res(result);
        self.cqe.flags = path.flags();
    }
}

/// Requests that are with their files. Shared with worker threads, which may outlive the ring.
#[pin_data]
pub(crate) struct Away {
    /// Those that wait for readiness.
    #[pin]
    pub(crate) watch: Watch<Requests>,
    /// How many were handed to devices, and how many of them have come back.
    handed: Atomic<u64>,
    returned: Atomic<u64>,
    /// The process was being stopped when it should have made a thread.
    owes_threads: Atomic<bool>,
}

impl Away {
    /// None.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                watch <- Watch::new(),
                handed: Atomic::new(0),
                returned: Atomic::new(0),
                owes_threads: Atomic::new(false),
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

/// What everybody who holds a slot may look at.
#[pin_data]
pub(crate) struct Shared {
    /// What those who wait for completions look at.
    #[pin]
    pub(crate) completion: completion::Shared,
    /// Requests that are with their files.
    pub(crate) away: Arc<Away>,
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
            away,
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

    fn watch(shared: &Shared) -> &Watch<Self> {
        &shared.away.watch
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
        user_data: slot.request.cqe.user_data,
        opcode: slot.request.opcode,
        file: held.or_else(|| slot.file_id()),
    }
}

/// Completes a request with `result`. Any context.
pub(crate) fn complete(mut slot: Slot<Requests>, result: isize, path: Path) {
    slot.request.finished(result, path);
    let returned = u64::from(slot.request.came_back) + u64::from(path == Path::Device);
    slot.finish(|shared, inside, slot| {
        shared.away.note_returned(returned);
        completion::post(inside, slot);
        completion::publish(&shared.completion, inside);
    });
}

/// Completes a request that is not done any more, with what it has done so far, or `reason`.
pub(crate) fn cancel(mut slot: Slot<Requests>, reason: Error, path: Path) {
    slot.request.blocking = None;
    let done = slot.abandon();
    let result = if done == 0 {
        reason.to_errno() as isize
    } else {
        done
    };
    complete(slot, result, path);
}

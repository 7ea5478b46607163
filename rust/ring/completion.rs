// SPDX-License-Identifier: GPL-2.0

//! The kernel's end of the completion queue. The order of accesses is described in [`crate::ring`].
//!
//! A completion that finds the queue full is parked: it stays in its request, in order, and nothing
//! newer overtakes it. Parked ones move over when somebody enters, polls, or completes something
//! after the program has made room. So the completion path never allocates and never drops.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        pool::{
            Chain,
            Inside,
            Slot, //
        },
        shared_mem::{
            SharedArray,
            SharedMem,
            SharedWord, //
        },
        wait_queue::WaitQueue, //
    },
    request::Requests,
    ring::{
        index::{
            self,
            Capacity,
            OutOfRange,
            Position, //
        },
        layout::Layout, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

/// The completion queue, seen by those who add to it. Guarded by the lock of the ring's pool.
pub(crate) struct CompletionQueue {
    capacity: Capacity,
    /// Ours; the copy in shared memory is only ever written.
    tail: Position,
    /// How many elements are known to be free from `tail` on, without looking at the head again.
    room: u32,
    parked: Chain<Requests>,
    parked_now: u32,
    overflow: u32,
    posted: u64,
    cqes: SharedArray<[u64; 2]>,
    head_word: SharedWord,
    tail_word: SharedWord,
    overflow_word: SharedWord,
    flags_word: SharedWord,
}

impl CompletionQueue {
    /// The queue that `layout` puts into `mem`. Writes the constants that programs read.
    pub(crate) fn new(mem: &Arc<SharedMem>, layout: &Layout) -> Result<Self> {
        let off = &layout.cq_off;
        let capacity = layout.cq_entries;
        mem.word(off.ring_mask)?.store(capacity.mask());
        mem.word(off.ring_entries)?.store(capacity.get());
        Ok(Self {
            capacity,
            tail: Position::default(),
            room: capacity.get(),
            parked: Chain::new(),
            parked_now: 0,
            overflow: 0,
            posted: 0,
            cqes: mem.array(off.cqes, capacity.get())?,
            head_word: mem.word(off.head)?,
            tail_word: mem.word(off.tail)?,
            overflow_word: mem.word(off.overflow)?,
            flags_word: mem.word(layout.sq_off.flags)?,
        })
    }

    /// Whether there is a free element. A head that cannot be true counts as a full queue: what
    /// comes is parked until the program has put it right.
    #[inline]
    fn has_room(&mut self) -> bool {
        if self.room == 0 {
            let head = Position::new(self.head_word.load_acquire());
            self.room = index::room(head, self.tail, self.capacity).unwrap_or(0);
        }
        self.room != 0
    }

    /// Writes a completion into the free element at the tail.
    #[inline]
    fn push(&mut self, cqe: abi::Cqe) {
        self.cqes
            .write(self.tail.element(self.capacity), zerocopy::transmute!(cqe));
        self.tail = self.tail.advanced(1);
        // OVERFLOW: There was room.
        self.room = self.room.wrapping_sub(1);
        self.posted = self.posted.wrapping_add(1);
    }

    #[cold]
    fn park(&mut self, slot: Slot<Requests>) {
        if self.parked.is_empty() {
            self.flags_word.store_release(abi::SQ_CQ_OVERFLOW);
        }
        self.parked.push_back(slot);
        self.parked_now = self.parked_now.wrapping_add(1);
        self.overflow = self.overflow.wrapping_add(1);
        self.overflow_word.store(self.overflow);
    }

    /// The request that has been parked longest.
    fn unpark(&mut self) -> Option<Slot<Requests>> {
        let slot = self.parked.pop()?;
        self.parked_now = self.parked_now.wrapping_sub(1);
        if self.parked.is_empty() {
            self.flags_word.store_release(0);
        }
        Some(slot)
    }

    /// How many completions wait for room.
    pub(crate) fn parked(&self) -> u32 {
        self.parked_now
    }

    /// How many completions had to wait for room so far.
    pub(crate) fn overflow(&self) -> u32 {
        self.overflow
    }

    /// How many completions the program has been given so far.
    pub(crate) fn posted(&self) -> u64 {
        self.posted
    }
}

/// What those who wait for completions look at, without the lock.
#[pin_data]
pub(crate) struct Shared {
    /// Where they wait.
    #[pin]
    pub(crate) waiters: WaitQueue,
    capacity: Capacity,
    tail: Atomic<u32>,
    parked: Atomic<u32>,
    /// Requests that nobody works on: at home or parked. True while nothing is submitted.
    idle: Atomic<usize>,
    head_word: SharedWord,
    owner_gone: Atomic<bool>,
}

impl Shared {
    /// The state of a new ring.
    pub(crate) fn new<'a>(
        mem: &'a Arc<SharedMem>,
        layout: &'a Layout,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            waiters <- WaitQueue::new(),
            capacity: layout.cq_entries,
            tail: Atomic::new(0),
            parked: Atomic::new(0),
            idle: Atomic::new(0),
            head_word: mem.word(layout.cq_off.head)?,
            owner_gone: Atomic::new(false),
        }? Error)
    }

    /// How many completions the program can read. Any context.
    pub(crate) fn ready(&self) -> Result<u32, OutOfRange> {
        let head = Position::new(self.head_word.load_acquire());
        index::filled(head, Position::new(self.tail.load(Relaxed)), self.capacity)
    }

    /// Size of the queue.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity.get()
    }

    /// Whether completions wait for room.
    #[inline]
    pub(crate) fn has_parked(&self) -> bool {
        self.parked.load(Relaxed) != 0
    }

    /// How many requests nobody works on, as of the last [`publish`].
    pub(crate) fn idle(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// The process of the ring is gone: nothing more will be submitted.
    pub(crate) fn set_owner_gone(&self) {
        self.owner_gone.store(true, Release);
        self.waiters.wake();
    }

    /// Whether the process of the ring is gone.
    pub(crate) fn is_owner_gone(&self) -> bool {
        self.owner_gone.load(Relaxed)
    }
}

/// Adds a finished request's completion, or parks it. [`publish`] makes it known.
#[inline]
pub(crate) fn post(inside: &mut Inside<Requests>, slot: Slot<Requests>) {
    if !inside.state.parked.is_empty() {
        unpark(inside);
    }
    if inside.state.parked.is_empty() && inside.state.has_room() {
        inside.state.push(slot.request.cqe);
        inside.put(slot);
    } else {
        inside.state.park(slot);
    }
}

/// Moves parked completions to the queue, as far as there is room. [`publish`] makes them known.
#[cold]
pub(crate) fn unpark(inside: &mut Inside<Requests>) {
    while !inside.state.parked.is_empty() && inside.state.has_room() {
        if let Some(slot) = inside.state.unpark() {
            inside.state.push(slot.request.cqe);
            inside.put(slot);
        }
    }
}

/// Makes known what was added, to the program and to those who wait.
#[inline]
pub(crate) fn publish(shared: &Shared, inside: &mut Inside<Requests>) {
    let queue = &inside.state;
    queue.tail_word.store_release(queue.tail.get());
    shared.tail.store(queue.tail.get(), Release);
    shared.parked.store(queue.parked_now, Relaxed);
    let idle = inside.at_home().wrapping_add(queue.parked_now as usize);
    shared.idle.store(idle, Relaxed);
    shared.waiters.wake();
}

/// Forgets parked completions: nobody can read them any more.
pub(crate) fn discard_parked(inside: &mut Inside<Requests>) {
    while let Some(slot) = inside.state.unpark() {
        inside.put(slot);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The kernel's end of the completion queue. The order of accesses is described in [`crate::ring`].
//!
//! A completion that finds the queue full is parked: it stays in its request, in order, and nothing
//! newer overtakes it. Parked ones move over when somebody enters, polls, or completes something
//! after the program has made room. So the completion path never allocates and never drops.

#![forbid(unsafe_code)]

mod counts;
mod discard;
mod flags;
mod more;
mod observers;
mod parked;
mod traced;

pub(crate) use counts::skip;
pub(crate) use discard::{
    discard_parked,
    recall_one, //
};
pub(crate) use more::post_more;
pub(crate) use observers::{
    count,
    out,
    watch_out,
    when_idle,
    OnCount,
    OnIdle,
    OnOut, //
};
pub(crate) use parked::{
    flush_parked,
    unpark, //
};
pub(crate) use traced::traced;

use flags::Flags;
use observers::Observers;

use crate::{
    abi,
    abstractions::{
        pool::{
            Chain,
            Domain,
            Inside,
            Pool,
            Slot,
            Spare, //
        },
        shared_mem::{
            SharedArray,
            SharedMem,
            SharedWord, //
        },
        trace,
        wait_queue::{
            News,
            WaitQueue, //
        },
    },
    ring::{
        index::{
            self,
            Capacity,
            OutOfRange,
            Position, //
        },
        layout::Layout, //
        notice::{
            Notice,
            Notices, //
        },
    },
};
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

/// Most parked completions that are moved at once, with interrupts off, where there is no hurry.
const MOVE_AT_ONCE: u32 = 32;
/// The same on the way of a completion.
const MOVE_ON_POST: u32 = 4;

/// The types of a pool whose slots become completions.
pub(crate) trait Completing: Domain<Locked = CompletionQueue<Self>> {
    /// What those who wait for completions look at.
    fn completion(shared: &Self::Shared) -> &Shared;

    /// The completion of a finished request.
    fn cqe(item: &Self::Item) -> abi::Cqe;

    /// Lets a slot that has no request keep a completion.
    fn keep(item: &mut Self::Item, cqe: abi::Cqe);
}

/// The completion queue, seen by those who add to it. Guarded by the lock of the ring's pool.
pub(crate) struct CompletionQueue<D: Completing> {
    capacity: Capacity,
    /// Ours; the copy in shared memory is only ever written.
    tail: Position,
    /// How many elements are known to be free from `tail` on, without looking at the head again.
    room: u32,
    parked: Chain<D>,
    parked_now: u32,
    overflow: u64,
    posted: u64,
    /// How many of them were not the last of their request.
    more: u64,
    skipped: u64,
    /// How many completions [`CompletionQueue::came`] leaves out.
    left_out: u64,
    observers: Observers,
    pub(crate) notices: Notices,
    ring: u64,
    cqes: SharedArray<[u64; 2]>,
    head_word: SharedWord,
    tail_word: SharedWord,
    overflow_word: SharedWord,
    pub(crate) flags: Flags,
}

impl<D: Completing> CompletionQueue<D> {
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
            more: 0,
            skipped: 0,
            left_out: 0,
            observers: Observers::NONE,
            notices: Notices::new(),
            ring: mem.number(),
            cqes: mem.array(off.cqes, capacity.get())?,
            head_word: mem.word(off.head)?,
            tail_word: mem.word(off.tail)?,
            overflow_word: mem.word(off.overflow)?,
            flags: Flags::new(mem.word(layout.sq_off.flags)?),
        })
    }

    /// Lets the queue start at another position than 0, to see what happens at the wrap.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn start_at(&mut self, position: Position) {
        self.tail = position;
        self.tail_word.store(position.get());
        self.head_word.store(position.get());
    }

    /// Lets the counters start at another number than 0, for the same reason.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn count_from(&mut self, number: u64) {
        (self.posted, self.overflow, self.skipped) = (number, number, number);
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
        let ring = &self.ring;
        trace::complete(move || traced(*ring, &cqe));
        self.cqes
            .write(self.tail.element(self.capacity), zerocopy::transmute!(cqe));
        self.tail = self.tail.advanced(1);
        // OVERFLOW: There was room.
        self.room = self.room.wrapping_sub(1);
        self.posted = self.posted.wrapping_add(1);
    }

    #[cold]
    fn park(&mut self, slot: Slot<D>) {
        trace::park(|| traced(self.ring, &D::cqe(&slot)));
        if self.parked.is_empty() {
            self.flags.set(abi::SQ_CQ_OVERFLOW);
        }
        self.parked.push_back(slot);
        self.parked_now = self.parked_now.wrapping_add(1);
        self.overflow = self.overflow.wrapping_add(1);
        self.overflow_word.store(index::lower_half(self.overflow));
    }

    /// The request that has been parked longest.
    fn unpark(&mut self) -> Option<Slot<D>> {
        let slot = self.parked.pop()?;
        self.parked_now = self.parked_now.wrapping_sub(1);
        if self.parked.is_empty() {
            self.flags.clear(abi::SQ_CQ_OVERFLOW);
        }
        Some(slot)
    }

    /// Has somebody told of completions from now on, unless somebody is already.
    pub(crate) fn tell(&mut self, notice: Notice) -> Result<(), Notice> {
        self.notices.set(notice, self.tail)
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
    requests: usize,
    ring: u64,
    idle: Atomic<usize>,
    head_word: SharedWord,
    /// Odd while the process of the ring is gone; one more whenever one goes or comes after that.
    owner_epoch: Atomic<u32>,
}

impl Shared {
    /// The state of a new ring.
    pub(crate) fn new<'a>(
        mem: &'a Arc<SharedMem>,
        layout: &'a Layout,
        requests: usize,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            waiters <- WaitQueue::new(c"io_ring_waiters", static_lock_class!()),
            capacity: layout.cq_entries,
            tail: Atomic::new(0),
            parked: Atomic::new(0),
            requests,
            ring: mem.number(),
            idle: Atomic::new(0),
            head_word: mem.word(layout.cq_off.head)?,
            owner_epoch: Atomic::new(0),
        }? Error)
    }

    /// Whether it is worth judging again what can be read: maybe `wanted` completions, maybe room
    /// for parked ones, maybe a head that cannot be true. Any context.
    pub(crate) fn is_worth_a_look(&self, wanted: u32) -> bool {
        let head = Position::new(self.head_word.load_acquire());
        let distance = Position::new(self.tail.load(Relaxed)).since(head);
        distance >= wanted || (self.has_parked() && distance < self.capacity.get())
    }

    /// Whether it is worth judging again whether a wait for `wanted` completions would stall.
    /// Any context.
    pub(crate) fn may_stall(&self, wanted: u32) -> bool {
        let head = Position::new(self.head_word.load_acquire());
        let ready = Position::new(self.tail.load(Relaxed)).since(head);
        let parked = self.parked.load(Relaxed);
        let working = self.requests.saturating_sub(self.idle.load(Relaxed));
        let in_sight = (ready as usize).saturating_add(parked as usize);
        in_sight.saturating_add(working) < wanted as usize
    }

    /// How many completions the program can read, if that is plain to see without the lock.
    ///
    /// Nothing is plain while the tail moves. A head out of range is not either: the program sees a
    /// new tail before `tail` has it, and may have read on.
    #[inline]
    fn ready_at_rest(&self) -> Option<u32> {
        let tail = self.tail.load(Acquire);
        let head = Position::new(self.head_word.load_acquire());
        let ready = index::filled(head, Position::new(tail), self.capacity).ok()?;
        (self.tail.load(Relaxed) == tail).then_some(ready)
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

    /// How many completions have come since the last [`publish`], at least: those that can be read
    /// now, and those that are parked.
    #[inline]
    fn new_in<D: Completing>(&self, queue: &CompletionQueue<D>) -> u32 {
        let readable = queue.tail.since(Position::new(self.tail.load(Relaxed)));
        let parked = queue.parked_now.saturating_sub(self.parked.load(Relaxed));
        readable.wrapping_add(parked)
    }

    /// Notes how many requests nobody works on.
    #[inline]
    fn note_idle<D: Completing>(&self, inside: &Inside<D>) {
        let parked = inside.state.parked_now as usize;
        self.idle
            .store(inside.at_home().wrapping_add(parked), Relaxed);
    }

    /// Whether nobody works on a request any more: each is at home or parked.
    ///
    /// As it was last noted, so only true to the letter when nothing is submitted any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle.load(Relaxed) == self.requests
    }

    /// The process of the ring is gone: nothing more will be submitted, unless another one comes.
    ///
    /// Who calls this or [`Shared::set_owner_new`] holds the lock of the ring's binding.
    pub(crate) fn set_owner_gone(&self) {
        if !self.is_owner_gone() {
            self.owner_epoch.fetch_add(1, Release);
            self.waiters.wake(News::HungUp);
        }
    }

    /// The ring belongs to a process that has just come.
    pub(crate) fn set_owner_new(&self) {
        if self.is_owner_gone() {
            self.owner_epoch.fetch_add(1, Release);
        }
    }

    /// Whether the process of the ring is gone.
    pub(crate) fn is_owner_gone(&self) -> bool {
        self.owner_epoch() & 1 != 0
    }

    /// Which process the ring belongs to: a number that changes when it does.
    pub(crate) fn owner_epoch(&self) -> u32 {
        self.owner_epoch.load(Relaxed)
    }

    /// Whether the process that the ring belonged to in `epoch` is gone.
    pub(crate) fn has_owner_left(&self, epoch: u32) -> bool {
        self.is_owner_gone() || self.owner_epoch() != epoch
    }
}

/// How many completions the program can read.
///
/// Head and tail are compared as they were at the same moment: else other threads that reap and
/// complete could make a true head look false. Process context.
#[inline]
pub(crate) fn ready<D: Completing>(pool: &Pool<D>) -> Result<u32, OutOfRange> {
    let shared = D::completion(pool.shared());
    shared.ready_at_rest().map_or_else(|| judge(pool), Ok)
}

#[cold]
fn judge<D: Completing>(pool: &Pool<D>) -> Result<u32, OutOfRange> {
    let inside = pool.lock();
    let head = Position::new(inside.state.head_word.load_acquire());
    index::filled(head, inside.state.tail, inside.state.capacity)
}

/// Whether it is plain to see, without the lock, that the program can read `wanted` completions.
#[inline]
pub(crate) fn are_ready<D: Completing>(pool: &Pool<D>, wanted: u32) -> bool {
    let ready = D::completion(pool.shared()).ready_at_rest();
    ready.is_some_and(|ready| ready >= wanted)
}

/// Whether what can be read and what is under way, parked ones included, are together fewer than
/// `wanted` completions: then somebody would have to submit more. Process context.
///
/// A slot that a submitter has fetched counts as under way until it comes home unused.
pub(crate) fn would_stall<D: Completing>(pool: &Pool<D>, wanted: u32) -> Result<bool, OutOfRange> {
    let shared = D::completion(pool.shared());
    let inside = pool.lock();
    let head = Position::new(inside.state.head_word.load_acquire());
    let ready = index::filled(head, inside.state.tail, shared.capacity)?;
    let under_way = pool.len().saturating_sub(inside.at_home());
    // Slots leave home without a word. As of now the hint is true, and only wrong for what happens
    // next.
    shared.note_idle(&inside);
    Ok(under_way.saturating_add(ready as usize) < wanted as usize)
}

/// How many requests somebody works on. Process context.
///
/// A slot that a submitter has fetched counts until it comes home unused.
pub(crate) fn under_way<D: Completing>(pool: &Pool<D>) -> usize {
    let inside = pool.lock();
    D::completion(pool.shared()).note_idle(&inside);
    let idle = inside
        .at_home()
        .saturating_add(inside.state.parked_now as usize);
    pool.len().saturating_sub(idle)
}

/// Adds a finished request's completion, or parks it. [`publish`] makes it known.
#[inline]
pub(crate) fn post<D: Completing>(inside: &mut Inside<D>, slot: Slot<D>) {
    if !inside.state.parked.is_empty() {
        unpark(inside, MOVE_ON_POST);
    }
    if inside.state.parked.is_empty() && inside.state.has_room() {
        inside.state.push(D::cqe(&slot));
        inside.put(slot);
    } else {
        inside.state.park(slot);
    }
}

/// Adds completions of requests without a slot of their own; those that have to be parked take one of
/// `spare`, or of those at home: together there are as many. [`publish`] makes them known.
#[inline(always)]
pub(crate) fn post_all<D: Completing>(
    inside: &mut Inside<D>,
    cqes: &[abi::Cqe],
    spare: &mut Spare<D>,
) {
    for &cqe in cqes {
        if inside.state.parked.is_empty() && inside.state.has_room() {
            inside.state.push(cqe);
        } else if let Some(mut slot) = spare.take().or_else(|| inside.take()) {
            D::keep(&mut slot, cqe);
            post(inside, slot);
        }
    }
}

/// Makes known what was added, to the program and to those who wait.
#[inline]
pub(crate) fn publish<D: Completing>(shared: &Shared, inside: &mut Inside<D>) {
    make_known(shared, inside, false);
}

/// As [`publish`], for the call that has submitted what was added.
#[inline]
pub(crate) fn publish_at_once<D: Completing>(shared: &Shared, inside: &mut Inside<D>) {
    make_known(shared, inside, true);
}

#[inline(always)]
fn make_known<D: Completing>(shared: &Shared, inside: &mut Inside<D>, is_at_once: bool) {
    let queue = &inside.state;
    let new = shared.new_in(queue);
    queue.tail_word.store_release(queue.tail.get());
    shared.tail.store(queue.tail.get(), Release);
    shared.parked.store(queue.parked_now, Relaxed);
    shared.note_idle(inside);
    shared.waiters.wake_some(new);
    let tail = inside.state.tail;
    inside.state.notices.tell(tail, is_at_once);
    if inside.state.observers.are_there {
        observers::tell(shared, inside);
    }
}

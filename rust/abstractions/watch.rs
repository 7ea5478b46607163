// SPDX-License-Identifier: GPL-2.0

//! Slots that wait until their file is ready. Would join `rust/kernel/sync/poll.rs`.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)
//!
//! # Life of a watched slot
//!
//! ```text
//! prepare   enters the wait queues of the file, which it is asked for at the same time
//! commit    puts the slot into the set of armed ones; it has no other owner any more
//! wake-up   moves it from there to those that are ready, and wakes an attendant
//! take      an attendant, or who cancels, takes it out; it leaves the wait queues
//! ```
//!
//! A wake-up between prepare and commit is noted, and commit then gives the slot back as ready.
//!
//! # What the callback may do
//!
//! It runs in any context with the lock of the file's wait queue held, which may belong to anybody,
//! and which other locks of that owner may be nested in. So it takes nothing but the lock of the
//! [`Watch`] and that of the attendants' wait queue, inside of which nothing else is taken.
//!
//! # Lifetime
//!
//! The callback uses the slot's [`Places`], the slot's links and the [`Watch`]. None of them goes
//! away under it: a slot is only given to somebody after it has left the wait queues, which needs
//! their locks, and while it is watched its pool exists, and so the [`Watch`].

mod places;

pub(super) use places::Places;

use places::{
    enter,
    leave,
    places,
    Inner,
    Place,
    Stage, //
};

use super::{
    async_io::IoDomain,
    helpers,
    pool::{
        Chain,
        List,
        Slot, //
    },
    transfer::Transfer,
    wait_queue::{
        News,
        WaitQueue, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    new_spinlock_irq,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        SpinLockIrq, //
    }, //
};

/// Most slots that are looked at with interrupts off.
const LOOK_AT_ONCE: usize = 64;

/// How often in a row a file may say that it is ready without being so.
const MOST_LIES: u8 = 8;

struct State<D: IoDomain> {
    armed: List<D>,
    ready: Chain<D>,
    ready_now: usize,
    is_open: bool,
    opening: Opening,
}

/// Which time a [`Watch`] was opened.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) struct Opening(u32);

/// The watched slots of a ring.
#[pin_data]
pub(crate) struct Watch<D: IoDomain> {
    #[pin]
    state: SpinLockIrq<State<D>>,
    /// Where those sleep who attend to ready slots.
    #[pin]
    pub(crate) attendants: WaitQueue,
    /// Copies for those who sleep there.
    armed: Atomic<usize>,
    ready: Atomic<usize>,
}

/// What became of a slot that was to be watched.
pub(crate) enum Prepared<D: IoDomain> {
    /// Its file is ready.
    Ready(Slot<D>),
    /// It is in the wait queues of its file.
    Waiting(Waiting<D>),
    /// It cannot be watched, or its file said too often that it is ready and was not.
    Impossible(Slot<D>),
}

/// A slot that is in the wait queues of its file, and not armed yet.
///
/// # Invariants
///
/// `item` comes from [`Slot::into_raw`]; its `places` are there, and in use.
pub(crate) struct Waiting<D: IoDomain> {
    item: NonNull<D::Item>,
}

// SAFETY: As a slot.
unsafe impl<D: IoDomain> Send for Waiting<D> {}

/// Enters the wait queues of the file of the transfer in `slot`.
///
/// Process context; sleeps where the file's `poll` does.
pub(crate) fn prepare<D: IoDomain>(mut slot: Slot<D>) -> Prepared<D> {
    if slot.places.is_none() {
        match Places::new() {
            Ok(places) => slot.places = Some(places),
            Err(_) => return Prepared::Impossible(slot),
        }
    }
    let Some((file, events)) = slot.transfer.as_ref().map(Transfer::readiness) else {
        return Prepared::Impossible(slot);
    };
    // An error that stays, and has nothing to do with this: that of a time stamp that waits, for one.
    let ignored = if slot.lies >= MOST_LIES {
        helpers::IO_RING_EPOLLERR | helpers::IO_RING_EPOLLHUP
    } else {
        0
    };
    let item = slot.into_raw();
    // SAFETY: The slot is ours, and its places are there.
    let inner = unsafe { places(item) };
    let enter = Inner {
        table: bindings::poll_table_struct {
            _qproc: Some(enter),
            _key: events,
        },
        used: 0,
        is_crowded: false,
        events,
        stage: Stage::Preparing,
        item: item.as_ptr().cast(),
        callback: Some(woken::<D>),
        // SAFETY: As above; plain data that is not in use.
        place: unsafe { core::ptr::read(&raw const (*inner).place) },
    };
    // SAFETY: As above.
    unsafe { inner.write(enter) };
    // SAFETY: The transfer holds the file, and the table is in the places, which stay where they
    // are.
    let mask = unsafe { helpers::io_ring_vfs_poll(file, &raw mut (*inner).table) };
    // INVARIANT: Just made so.
    let waiting = Waiting { item };
    // SAFETY: Only `enter` writes these, during the call above.
    let (used, is_crowded) = unsafe { ((*inner).used, (*inner).is_crowded) };
    let ready = mask & events & !ignored;
    if ready == 0 && used != 0 && !is_crowded {
        return Prepared::Waiting(waiting);
    }
    let mut slot = waiting.leave();
    slot.lies = slot.lies.saturating_add(1);
    if ready == 0 || slot.lies > MOST_LIES {
        return Prepared::Impossible(slot);
    }
    Prepared::Ready(slot)
}

impl<D: IoDomain> Waiting<D> {
    /// Arms the slot, unless its file has become ready meanwhile or the watch is closed.
    pub(crate) fn commit(self) -> Result<(), Slot<D>> {
        // SAFETY: By the type invariants; the slot stays out as long as it is not given to anybody.
        let watch = D::watch(unsafe { Slot::<D>::shared_of(self.item) });
        // SAFETY: By the type invariants.
        let inner = unsafe { places(self.item) };
        let mut state = watch.state.lock();
        // SAFETY: With the lock held.
        let stage = unsafe { (*inner).stage };
        if stage != Stage::Preparing || !state.is_open {
            drop(state);
            return Err(self.leave());
        }
        // SAFETY: As above.
        unsafe { (*inner).stage = Stage::Armed };
        // SAFETY: Given up by `prepare`, and `self` is used up.
        let mut slot = unsafe { Slot::<D>::from_raw(self.item) };
        slot.lies = 0;
        state.armed.push_back(slot);
        watch.armed.store(state.armed.len(), Relaxed);
        Ok(())
    }

    /// Leaves the wait queues.
    pub(crate) fn leave(self) -> Slot<D> {
        // SAFETY: By the type invariants.
        unsafe { leave(self.item) }
    }
}

impl<D: IoDomain> Watch<D> {
    /// Watches nothing yet; to be opened.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock_irq!(State {
                armed: List::new(),
                ready: Chain::new(),
                ready_now: 0,
                is_open: false,
                opening: Opening(0),
            }, "io_ring_watch"),
            attendants <- WaitQueue::new(c"io_ring_attendants", static_lock_class!()),
            armed: Atomic::new(0),
            ready: Atomic::new(0),
        })
    }

    /// How many slots are armed.
    pub(crate) fn armed(&self) -> usize {
        self.armed.load(Relaxed)
    }

    /// How many slots are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.load(Relaxed)
    }

    /// Accepts slots from now on.
    pub(crate) fn open(&self) -> Opening {
        let mut state = self.state.lock();
        state.is_open = true;
        // OVERFLOW: Slots do not stay under way that long.
        state.opening = Opening(state.opening.0.wrapping_add(1));
        state.opening
    }

    /// Accepts no slots any more. What is in here is not touched.
    pub(crate) fn close(&self) {
        self.state.lock().is_open = false;
    }

    fn put_ready(&self, state: &mut State<D>, slot: Slot<D>) {
        self.push_ready(state, slot);
        // With the lock held: as soon as it is not, the slot may end, and with it all this.
        self.attendants.wake(News::Readable);
    }

    /// Adds a slot that needs attendance. Any context.
    ///
    /// Gives it back if the watch is closed.
    pub(crate) fn add_ready(&self, slot: Slot<D>) -> Result<(), Slot<D>> {
        let mut state = self.state.lock();
        if !state.is_open {
            return Err(slot);
        }
        self.put_ready(&mut state, slot);
        Ok(())
    }

    /// As [`Watch::add_ready`], for a slot that has been under way since `opening`: if the watch has
    /// been closed meanwhile it does not belong here.
    pub(crate) fn come_back(&self, slot: Slot<D>, opening: Opening) -> Result<(), Slot<D>> {
        let mut state = self.state.lock();
        if !state.is_open || state.opening != opening {
            return Err(slot);
        }
        self.put_ready(&mut state, slot);
        Ok(())
    }

    /// Takes a slot that is ready. Process context.
    pub(crate) fn take_ready(&self) -> Option<Slot<D>> {
        let mut state = self.state.lock();
        let slot = self.pop_ready(&mut state)?;
        drop(state);
        Some(at_rest(slot))
    }

    /// Takes those that `matches`, armed or ready: all, or at most one. Process context.
    ///
    /// Finds all that were there when it was called and that nobody else takes or adds again.
    pub(crate) fn take_matching(&self, all: bool, matches: &dyn Fn(&D::Item) -> bool) -> Chain<D> {
        // Those that get ready meanwhile are found there.
        let mut found = self.look_through(all, matches, self.armed(), Self::pop_armed, Self::rearm);
        if all || found.is_empty() {
            let ready = self.ready();
            let more = self.look_through(all, matches, ready, Self::pop_ready, Self::push_ready);
            found.append(more);
        }
        let mut taken = Chain::new();
        while let Some(slot) = found.pop() {
            taken.push_back(at_rest(slot));
        }
        taken
    }

    /// Takes `count` slots out by `pop`; those that do not match go back by `push`.
    fn look_through(
        &self,
        all: bool,
        matches: &dyn Fn(&D::Item) -> bool,
        count: usize,
        pop: fn(&Self, &mut State<D>) -> Option<Slot<D>>,
        push: fn(&Self, &mut State<D>, Slot<D>),
    ) -> Chain<D> {
        let mut found = Chain::new();
        let mut left = count;
        while left != 0 {
            let mut state = self.state.lock();
            for _ in 0..left.min(LOOK_AT_ONCE) {
                match pop(self, &mut state) {
                    Some(slot) if matches(&slot) => {
                        found.push_back(slot);
                        if !all {
                            return found;
                        }
                    }
                    Some(slot) => push(self, &mut state, slot),
                    None => return found,
                }
            }
            left = left.saturating_sub(LOOK_AT_ONCE);
        }
        found
    }

    fn pop_armed(&self, state: &mut State<D>) -> Option<Slot<D>> {
        let slot = state.armed.pop()?;
        self.armed.store(state.armed.len(), Relaxed);
        set_stage(&slot, Stage::Over);
        Some(slot)
    }

    fn rearm(&self, state: &mut State<D>, slot: Slot<D>) {
        set_stage(&slot, Stage::Armed);
        state.armed.push_back(slot);
        self.armed.store(state.armed.len(), Relaxed);
    }

    fn push_ready(&self, state: &mut State<D>, slot: Slot<D>) {
        state.ready.push_back(slot);
        // OVERFLOW: At most the number of slots.
        state.ready_now = state.ready_now.wrapping_add(1);
        self.ready.store(state.ready_now, Relaxed);
    }

    fn pop_ready(&self, state: &mut State<D>) -> Option<Slot<D>> {
        let slot = state.ready.pop()?;
        // OVERFLOW: There was one.
        state.ready_now = state.ready_now.wrapping_sub(1);
        self.ready.store(state.ready_now, Relaxed);
        Some(slot)
    }
}

/// Notes where a slot is. The caller holds the lock of the [`Watch`], and the slot has places.
fn set_stage<D: IoDomain>(slot: &Slot<D>, stage: Stage) {
    if let Some(places) = &slot.places {
        // SAFETY: Guarded by the lock that the caller holds.
        unsafe { (*places.get()).stage = stage };
    }
}

/// Has a slot that was taken leave the wait queues, if it is in any.
fn at_rest<D: IoDomain>(slot: Slot<D>) -> Slot<D> {
    if slot.places.is_none() {
        return slot;
    }
    // SAFETY: Given up right here, and in no list. Its places are in use or were left.
    unsafe { leave(slot.into_raw()) }
}

/// The callback of a place.
///
/// # Safety
///
/// `entry` is the first field of a [`Place`] that `enter::<D>` has put into a queue, whose lock is
/// held.
unsafe extern "C" fn woken<D: IoDomain>(
    entry: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    const ALWAYS: u32 =
        helpers::IO_RING_EPOLLERR | helpers::IO_RING_EPOLLHUP | helpers::IO_RING_POLLFREE;
    let place: *mut Place = entry.cast();
    // SAFETY: By the safety requirements; `leave` would wait for the lock that is held.
    let inner = unsafe { (*place).places };
    #[expect(clippy::cast_possible_truncation, reason = "a mask of 32 bits")]
    // CAST: A mask of events; none means that anything may have happened.
    let mask = key.addr() as u32;
    // SAFETY: As above; this field does not change while the place is used.
    if mask != 0 && mask & (unsafe { (*inner).events } | ALWAYS) == 0 {
        return 0;
    }
    // SAFETY: As above; set by `prepare` to the address of the slot's item.
    let item = unsafe { NonNull::new_unchecked((*inner).item.cast::<D::Item>()) };
    // SAFETY: The slot is out, since it is watched.
    let watch = D::watch(unsafe { Slot::<D>::shared_of(item) });

    let mut state = watch.state.lock();
    // SAFETY: Guarded by the lock.
    let stage = core::mem::replace(unsafe { &mut (*inner).stage }, Stage::Over);
    if stage == Stage::Armed {
        // SAFETY: Armed means that it is in this list, and it was put there after `into_raw`.
        let slot = unsafe { state.armed.remove(item) };
        watch.armed.store(state.armed.len(), Relaxed);
        watch.put_ready(&mut state, slot);
    }
    drop(state);
    if mask & helpers::IO_RING_POLLFREE != 0 {
        // SAFETY: The entry is in the queue, whose lock is held.
        unsafe { helpers::io_ring_poll_forsake(entry, &raw mut (*place).queue) };
    }
    1
}

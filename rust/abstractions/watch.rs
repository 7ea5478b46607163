// SPDX-License-Identifier: GPL-2.0

//! Slots that wait until their file is ready, or for a time. Would join `rust/kernel/sync/poll.rs`.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h)
//!
//! # Life of a watched slot
//!
//! ```text
//! prepare   enters the wait queues of the file, which it is asked for at the same time; or starts a
//!           timer
//! commit    puts the slot into the set of armed ones; it has no other owner any more
//! wake-up   moves it from there to those that are ready, and wakes an attendant
//! take      an attendant, or who cancels, takes it out; it leaves the wait queues
//! ```
//!
//! A wake-up between prepare and commit is noted, and commit then gives the slot back as ready.
//!
//! # Counting without the lock
//!
//! Who looks first at how many slots are armed, and then at how many are ready, misses none on its way
//! from here to there: it counts as ready before it does not count as armed any more.
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
//! their locks, or stopped its timer, which waits for the callback, and while it is watched its pool exists, and so the [`Watch`].

mod places;
mod prepare;

pub(super) use places::Places;
pub(crate) use prepare::{
    poll,
    prepare,
    prepare_time,
    Events,
    Polled,
    Prepared,
    Time, //
};

use places::{
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
    wait_queue::{
        News,
        WaitQueue, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    new_spinlock_irq,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        SpinLockIrq, //
    }, //
};

/// Most slots that are looked at with interrupts off.
const LOOK_AT_ONCE: usize = 64;

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

    /// Lends the slot, which nobody else has yet.
    pub(crate) fn with_slot<R>(&self, action: impl FnOnce(&Slot<D>) -> R) -> R {
        // SAFETY: By the type invariants. It is still given up afterwards.
        let slot = ManuallyDrop::new(unsafe { Slot::<D>::from_raw(self.item) });
        action(&slot)
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
        // Pairs with the store in `get_ready`.
        self.armed.load(Acquire)
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
        // In this order: those that get ready meanwhile are found there.
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

/// Notes that what a slot waits for has come.
///
/// # Safety
///
/// Called by a callback of `inner`, which is that of `item`, while the slot cannot leave.
unsafe fn get_ready<D: IoDomain>(watch: &Watch<D>, item: NonNull<D::Item>, inner: *mut Inner) {
    let mut state = watch.state.lock();
    // SAFETY: Guarded by the lock.
    let stage = core::mem::replace(unsafe { &mut (*inner).stage }, Stage::Over);
    if stage == Stage::Armed {
        // SAFETY: Armed means that it is in this list, and it was put there after `into_raw`.
        let slot = unsafe { state.armed.remove(item) };
        watch.put_ready(&mut state, slot);
        // Release: pairs with the load in `armed`, after which `ready` has the slot.
        watch.armed.store(state.armed.len(), Release);
    }
}

/// The callback of a timer.
///
/// # Safety
///
/// `timer` is that of an [`Inner`] whose slot cannot leave before this has returned.
unsafe extern "C" fn rang<D: IoDomain>(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // SAFETY: By the safety requirements.
    let inner: *mut Inner = unsafe { kernel::container_of!(timer, Inner, timer) };
    // SAFETY: As above; set by `prepare_time` to the address of the slot's item.
    let item = unsafe { NonNull::new_unchecked((*inner).item.cast::<D::Item>()) };
    // SAFETY: The slot is out, since it is watched.
    let watch = D::watch(unsafe { Slot::<D>::shared_of(item) });
    // SAFETY: As above.
    unsafe { get_ready(watch, item, inner) };
    bindings::hrtimer_restart::HRTIMER_NORESTART
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

    // SAFETY: As above.
    unsafe { get_ready(watch, item, inner) };
    if mask & helpers::IO_RING_POLLFREE != 0 {
        // SAFETY: The entry is in the queue, whose lock is held.
        unsafe { helpers::io_ring_poll_forsake(entry, &raw mut (*place).queue) };
    }
    1
}

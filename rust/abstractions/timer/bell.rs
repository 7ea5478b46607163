// SPDX-License-Identifier: GPL-2.0

//! Timers of slots that stay where they are until the timer rings.
//!
//! Whoever has such a slot keeps it as a [`Bell`], and gets at it by silencing it. If the timer has rung
//! before that, the bell has to stay where it is: it is asked for by [`BellDomain::take_bell`], and what
//! it holds goes to [`BellDomain::bell_rang`]. Both exchange [`Timer::stage`], so only one of them wins.

use super::{
    set_up,
    Timer,
    TimerDomain,
    ARMED, //
};
use crate::abstractions::{
    alarm::{
        Clock,
        When, //
    },
    helpers,
    pool::Slot, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::Release, //
};

/// A [`Domain`](crate::abstractions::pool::Domain) whose slots may have bells.
pub(crate) trait BellDomain: TimerDomain {
    /// Finds the bell that was started with `number`, which rings and cannot be silenced any more.
    ///
    /// Any context, hard interrupts included.
    fn take_bell(shared: &Self::Shared, number: u32) -> Option<Bell<Self>>;

    /// The bell of a slot has rung. Any context, hard interrupts included.
    fn bell_rang(slot: Slot<Self>);
}

/// A slot whose timer is set.
///
/// # Invariants
///
/// The slot is there until the end of the bell. It has a timer, which is initialised with [`rang`] as
/// its function and has the slot's item. It is only given to who has made `stage` other than armed.
pub(crate) struct Bell<D: BellDomain> {
    slot: Option<Slot<D>>,
}

impl<D: BellDomain> Bell<D> {
    /// Sets the timer of a slot, to be started. Gives the slot back if there is no memory.
    ///
    /// Process context; sleeps, and waits for a callback that is just running.
    pub(crate) fn new(slot: Slot<D>, clock: Clock, when: When) -> Result<Self, Slot<D>> {
        let (_, is_absolute) = when.parts();
        let (item, timer) = set_up(slot, rang::<D>, clock, is_absolute)?;
        // SAFETY: The slot keeps it as long as its pool exists, and that does while the slot is out.
        let timer = unsafe { timer.as_ref() };
        // SAFETY: The timer has not been started, and the slot is ours.
        unsafe { *timer.time.get() = (clock, when) };
        // Release: pairs with the exchange in `claim`, whose winner reads `item`.
        timer.stage.store(ARMED, Release);
        Ok(Self {
            // SAFETY: Given up by `set_up`.
            slot: Some(unsafe { Slot::from_raw(item) }),
        })
    }

    fn timer(&self) -> Option<&Timer> {
        self.slot.as_ref()?.timer.as_deref()
    }

    /// Starts the timer, once; the bell is to be found by `number` when it rings. Any context, with a
    /// lock that [`BellDomain::take_bell`] takes.
    pub(crate) fn start(&self, number: u32) {
        let Some(timer) = self.timer() else { return };
        // SAFETY: Not started yet, so its callback does not read it.
        unsafe { *timer.number.get() = number };
        // SAFETY: Written by `new` only, before there was a bell.
        let (clock, when) = unsafe { *timer.time.get() };
        let (time, is_absolute) = when.parts();
        let raw = timer.timer.get();
        // SAFETY: Initialised, by the type invariants.
        unsafe { helpers::io_ring_timer_start(raw, clock.id(), time, is_absolute) };
    }

    /// What the slot holds.
    pub(crate) fn item(&self) -> Option<&D::Item> {
        self.slot.as_deref()
    }

    /// Makes it never ring, and gives the slot; or leaves it if it rings already. Any context.
    pub(crate) fn silence(mut self) -> Result<Slot<D>, Self> {
        let Some(timer) = self.timer().filter(|timer| timer.claim()) else {
            return Err(self);
        };
        // If that fails its callback is just running, and finds that it came too late.
        // SAFETY: Initialised, by the type invariants.
        unsafe { bindings::hrtimer_try_to_cancel(timer.timer.get()) };
        self.slot.take().ok_or(self)
    }
}

impl<D: BellDomain> Drop for Bell<D> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer() {
            timer.stop();
        }
    }
}

/// The callback of a bell.
///
/// # Safety
///
/// `timer` is that of a [`Bell`], which is not freed before this has returned.
unsafe extern "C" fn rang<D: BellDomain>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    const DONE: bindings::hrtimer_restart = bindings::hrtimer_restart::HRTIMER_NORESTART;
    // SAFETY: By the safety requirements.
    let timer: &Timer = unsafe { Timer::of(timer) };
    if !timer.claim() {
        return DONE;
    }
    // SAFETY: Written before it was armed, and not again before somebody has the slot.
    let item = unsafe { NonNull::new_unchecked((*timer.item.get()).cast::<D::Item>()) };
    // SAFETY: Written before the timer was started.
    let number = unsafe { *timer.number.get() };
    // SAFETY: The slot is out, and stays so: it is in a bell, and that cannot be silenced any more.
    let shared = unsafe { Slot::<D>::shared_of(item) };
    let slot = D::take_bell(shared, number).and_then(|mut bell| bell.slot.take());
    if let Some(slot) = slot {
        D::bell_rang(slot);
    }
    DONE
}

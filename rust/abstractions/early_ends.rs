// SPDX-License-Identifier: GPL-2.0

//! Transfers that end while the thread that submits them is still about it. Would join
//! `rust/kernel/pool.rs`.
//!
//! Devices that are memory answer before `submit_bio` or `blk_finish_plug` returns, in the thread that
//! calls it. What ends so is collected for that thread, which sees to all of it at once, with one lock
//! and one publication instead of many.

use super::{
    helpers,
    pool::{
        Chain,
        Domain,
        Slot, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// No thread: no task has this address.
const NOBODY: usize = 0;

/// Where slots go whose transfers end so.
///
/// # Invariants
///
/// `slots` is used by the thread whose task `collector` is the address of, and not in interrupts.
pub(crate) struct EarlyEnds<D: Domain> {
    collector: Atomic<usize>,
    slots: UnsafeCell<Chain<D>>,
}

// SAFETY: By the type invariants only one thread uses the chain, which is `Send`.
unsafe impl<D: Domain> Sync for EarlyEnds<D> {}

/// The time in which the current thread collects. One that is forgotten goes on for ever.
///
/// # Invariants
///
/// The collector is this thread.
pub(crate) struct Collecting<'a, D: Domain>(&'a EarlyEnds<D>, PhantomData<*mut ()>);

impl<D: Domain> EarlyEnds<D> {
    /// Nobody collects.
    pub(crate) fn new() -> Self {
        Self {
            collector: Atomic::new(NOBODY),
            slots: UnsafeCell::new(Chain::new()),
        }
    }

    /// The current thread collects from now on; not if another one does. Process context.
    pub(crate) fn collect(&self) -> Option<Collecting<'_, D>> {
        let me = current_task();
        // Acquire: the last collector is done with the chain.
        let is_mine = me != NOBODY && self.collector.cmpxchg(NOBODY, me, Acquire).is_ok();
        // INVARIANT: Just written.
        is_mine.then_some(Collecting(self, PhantomData))
    }

    /// Adds a slot whose transfer has ended in the thread that collects; gives it back if this is not
    /// that thread, or an interrupt. Any context.
    #[inline]
    pub(super) fn add(&self, slot: Slot<D>) -> Result<(), Slot<D>> {
        let collector = self.collector.load(Relaxed);
        if collector == NOBODY || collector != current_task() {
            return Err(slot);
        }
        // SAFETY: This is the thread of the type invariants. What is called here calls nothing, so that
        // nobody else is in the middle of this.
        unsafe { (*self.slots.get()).push_back(slot) };
        Ok(())
    }
}

impl<D: Domain> Collecting<'_, D> {
    /// Stops, and answers what has ended.
    pub(crate) fn stop(self) -> Chain<D> {
        // SAFETY: This is the thread of the type invariants, and in process context.
        let slots = unsafe { core::mem::replace(&mut *self.0.slots.get(), Chain::new()) };
        // Release: this thread is done with the chain.
        self.0.collector.store(NOBODY, Release);
        slots
    }
}

/// The address of the current task, [`NOBODY`] in interrupts.
#[inline]
fn current_task() -> usize {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_current_task() }
}

// SPDX-License-Identifier: GPL-2.0

//! Slots in a row.

use super::{
    Cell,
    Domain,
    Slot, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// A list of slots, linked through themselves: adding and removing never allocates.
///
/// # Invariants
///
/// `first` starts a list, linked by `next`, of cells that this chain owns, and `last` is its last.
pub(crate) struct Chain<D: Domain> {
    first: Option<NonNull<Cell<D>>>,
    last: Option<NonNull<Cell<D>>>,
}

// SAFETY: A chain is a number of slots, which are `Send`.
unsafe impl<D: Domain> Send for Chain<D> {}

impl<D: Domain> Chain<D> {
    /// An empty chain.
    pub(crate) const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    /// Whether there is no slot in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a slot in front.
    #[inline]
    pub(crate) fn push(&mut self, slot: Slot<D>) {
        let cell = slot.0;
        core::mem::forget(slot);
        // SAFETY: The chain now owns the cell, and with it the right to use `next`.
        unsafe { *cell.as_ref().next.get() = self.first };
        if self.first.is_none() {
            self.last = Some(cell);
        }
        self.first = Some(cell);
    }

    /// Adds a slot at the end.
    #[inline]
    pub(crate) fn push_back(&mut self, slot: Slot<D>) {
        let cell = slot.0;
        core::mem::forget(slot);
        // SAFETY: The chain now owns the cell, and with it the right to use `next`.
        unsafe { *cell.as_ref().next.get() = None };
        match self.last {
            // SAFETY: The chain owns its cells by the type invariants.
            Some(last) => unsafe { *last.as_ref().next.get() = Some(cell) },
            None => self.first = Some(cell),
        }
        self.last = Some(cell);
    }

    /// Removes the first slot.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Slot<D>> {
        let cell = self.first?;
        // SAFETY: The chain owns its cells by the type invariants.
        self.first = unsafe { *cell.as_ref().next.get() };
        if self.first.is_none() {
            self.last = None;
        }
        // INVARIANT: The chain does not own the cell any more.
        Some(Slot(cell, PhantomData))
    }

    /// Removes the first `most` slots, or all if there are fewer; answers how many.
    #[inline]
    pub(super) fn split_front(&mut self, most: usize) -> (Self, usize) {
        let first = self.first;
        let mut last = None;
        let mut next = first;
        let mut count: usize = 0;
        while count < most {
            let Some(cell) = next else { break };
            // SAFETY: The chain owns its cells by the type invariants.
            next = unsafe { *cell.as_ref().next.get() };
            last = Some(cell);
            count = count.wrapping_add(1);
        }
        let Some(end) = last else {
            return (Self::new(), 0);
        };
        // SAFETY: As above.
        unsafe { *end.as_ref().next.get() = None };
        // INVARIANT: The cells up to `end` belong to the new chain, the others to this one.
        self.first = next;
        if next.is_none() {
            self.last = None;
        }
        (Self { first, last }, count)
    }

    /// Adds all of `others` in front.
    #[inline]
    pub(super) fn prepend(&mut self, mut others: Self) {
        let Some(end) = others.last else { return };
        // SAFETY: The chain owns its cells by the type invariants.
        unsafe { *end.as_ref().next.get() = self.first };
        if self.first.is_none() {
            self.last = Some(end);
        }
        // INVARIANT: The cells of the other chain, which loses them, come before those of this one.
        self.first = others.first;
        others.forget();
    }

    /// Adds all of `others` at the end.
    pub(crate) fn append(&mut self, mut others: Self) {
        while let Some(slot) = others.pop() {
            self.push_back(slot);
        }
    }

    /// Lets go of all slots without bringing them home.
    pub(super) fn forget(&mut self) {
        self.first = None;
        self.last = None;
    }
}

impl<D: Domain> Drop for Chain<D> {
    fn drop(&mut self) {
        while let Some(slot) = self.pop() {
            drop(slot);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Slots that can be taken out of the middle.

use super::{
    Cell,
    Domain,
    Slot, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// A list of slots, linked through themselves in both directions: adding and removing never
/// allocates.
///
/// # Invariants
///
/// `first` and `last` are the ends of a list, linked by `next` and `prev`, of `len` cells that this
/// list owns.
pub(in super::super) struct List<D: Domain> {
    first: Option<NonNull<Cell<D>>>,
    last: Option<NonNull<Cell<D>>>,
    len: usize,
}

// SAFETY: A list is a number of slots, which are `Send`.
unsafe impl<D: Domain> Send for List<D> {}

impl<D: Domain> List<D> {
    /// An empty list.
    pub(in super::super) const fn new() -> Self {
        Self {
            first: None,
            last: None,
            len: 0,
        }
    }

    /// How many slots are in it.
    pub(in super::super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a slot at the end.
    pub(in super::super) fn push_back(&mut self, slot: Slot<D>) {
        let cell = slot.0;
        core::mem::forget(slot);
        // INVARIANT: The list now owns the cell, whose links are set to be the last.
        // SAFETY: Owning the cell gives the right to use its links.
        unsafe { *cell.as_ref().next.get() = None };
        // SAFETY: As above.
        unsafe { *cell.as_ref().prev.get() = self.last };
        match self.last {
            // SAFETY: The list owns its cells by the type invariants.
            Some(last) => unsafe { *last.as_ref().next.get() = Some(cell) },
            None => self.first = Some(cell),
        }
        self.last = Some(cell);
        // OVERFLOW: At most the number of slots.
        self.len = self.len.wrapping_add(1);
    }

    /// Removes the first slot.
    pub(in super::super) fn pop(&mut self) -> Option<Slot<D>> {
        let cell = self.first?;
        // SAFETY: It is in this list.
        Some(unsafe { self.unlink(cell) })
    }

    /// Removes the slot whose item is `item`.
    ///
    /// # Safety
    ///
    /// `item` comes from [`Slot::into_raw`] of a slot that is in this list.
    pub(in super::super) unsafe fn remove(&mut self, item: NonNull<D::Item>) -> Slot<D> {
        // SAFETY: By the safety requirements it belongs to a slot. The list is its owner, so this
        // value is given up again at once.
        let slot = unsafe { Slot::<D>::from_raw(item) };
        let cell = slot.0;
        core::mem::forget(slot);
        // SAFETY: By the safety requirements.
        unsafe { self.unlink(cell) }
    }

    /// # Safety
    ///
    /// `cell` is in this list.
    unsafe fn unlink(&mut self, cell: NonNull<Cell<D>>) -> Slot<D> {
        // SAFETY: The list owns its cells by the type invariants.
        let (prev, next) = unsafe { (*cell.as_ref().prev.get(), *cell.as_ref().next.get()) };
        match prev {
            // SAFETY: A neighbour in the list, so owned too.
            Some(prev) => unsafe { *prev.as_ref().next.get() = next },
            None => self.first = next,
        }
        match next {
            // SAFETY: As above.
            Some(next) => unsafe { *next.as_ref().prev.get() = prev },
            None => self.last = prev,
        }
        // OVERFLOW: The cell was in the list.
        self.len = self.len.wrapping_sub(1);
        // INVARIANT: The list does not own the cell any more.
        Slot(cell, PhantomData)
    }
}

impl<D: Domain> Drop for List<D> {
    fn drop(&mut self) {
        while let Some(slot) = self.pop() {
            drop(slot);
        }
    }
}

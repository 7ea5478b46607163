// SPDX-License-Identifier: GPL-2.0

//! Slots that have been fetched from a pool at once, and are used one by one.

use super::{
    Chain,
    Core,
    Domain,
    Inside,
    Slot, //
};
use core::ptr::null;

/// Slots of one pool, fetched together; those that are not used go home together as well.
///
/// # Invariants
///
/// There are `count` of `slots`, all of the pool `core`.
pub(crate) struct Spare<D: Domain> {
    slots: Chain<D>,
    count: usize,
    core: *const Core<D>,
}

// SAFETY: A chain is `Send`, and `core` is only compared.
unsafe impl<D: Domain> Send for Spare<D> {}

impl<D: Domain> Spare<D> {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            slots: Chain::new(),
            count: 0,
            core: null(),
        }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Takes one of them.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Slot<D>> {
        let slot = self.slots.pop()?;
        // OVERFLOW: There was one.
        self.count = self.count.wrapping_sub(1);
        Some(slot)
    }

    /// Gives one back. A slot of another pool goes home by itself.
    #[inline]
    pub(crate) fn put(&mut self, slot: Slot<D>) {
        if slot.core().as_ptr().cast_const() != self.core {
            return;
        }
        self.slots.push(slot);
        // OVERFLOW: At most the number of slots of the pool.
        self.count = self.count.wrapping_add(1);
    }
}

impl<D: Domain> Inside<D> {
    /// Fetches up to `most` slots from those at home.
    #[inline]
    pub(crate) fn take_some(&mut self, most: usize) -> Spare<D> {
        let (slots, count) = self.home.split_front(most);
        // OVERFLOW: So many slots were at home.
        self.at_home = self.at_home.wrapping_sub(count);
        // INVARIANT: All that are at home are of this pool.
        Spare {
            slots,
            count,
            core: self.core,
        }
    }

    /// Brings home what was fetched and has not been used.
    #[inline]
    pub(crate) fn put_all(&mut self, spare: &mut Spare<D>) {
        let spare = core::mem::replace(spare, Spare::new());
        if spare.core != self.core {
            // Slots of another pool: their home is elsewhere, where dropping brings them.
            return;
        }
        self.home.prepend(spare.slots);
        // OVERFLOW: At most the number of slots of the pool.
        self.at_home = self.at_home.wrapping_add(spare.count);
    }
}

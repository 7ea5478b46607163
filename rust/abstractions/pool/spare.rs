// SPDX-License-Identifier: GPL-2.0

//! Slots that have been fetched from a pool at once, and are used one by one.

use super::{
    Chain,
    Core,
    Domain,
    Inside,
    Pool,
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

    /// From now on, slots of `pool`, unless there are some of another one.
    #[inline]
    pub(crate) fn adopt(&mut self, pool: &Pool<D>) {
        if self.count == 0 {
            // INVARIANT: There are none.
            self.core = pool.core.as_ptr();
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
    /// Adds to `spare`, which is empty, up to `most` slots from those at home.
    #[inline]
    pub(crate) fn fetch(&mut self, spare: &mut Spare<D>, most: usize) {
        if spare.core != self.core || spare.count != 0 {
            return;
        }
        let (slots, count) = self.home.split_front(most);
        // OVERFLOW: So many slots were at home.
        self.at_home = self.at_home.wrapping_sub(count);
        // INVARIANT: All that are at home are of this pool.
        spare.slots = slots;
        spare.count = count;
    }

    /// Brings home what was fetched and has not been used.
    #[inline]
    pub(crate) fn put_all(&mut self, spare: &mut Spare<D>) {
        if spare.count == 0 || spare.core != self.core {
            // The home of slots of another pool is elsewhere.
            return;
        }
        // INVARIANT: None is left.
        let slots = core::mem::replace(&mut spare.slots, Chain::new());
        let count = core::mem::take(&mut spare.count);
        self.home.prepend(slots);
        // OVERFLOW: At most the number of slots of the pool.
        self.at_home = self.at_home.wrapping_add(count);
    }
}

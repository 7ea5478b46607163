// SPDX-License-Identifier: GPL-2.0

//! A fixed set of slots that interrupt handlers may use. Would join `rust/kernel/pool.rs`.
//!
//! A pool is made once and never allocates again. Beside the slots it holds what those who use them
//! share ([`Domain::Shared`]) and what its lock guards ([`Domain::Locked`]). A slot in use is a
//! [`Slot`]: an owning pointer like a box, but into the pool.
//!
//! # Lifetime
//!
//! A slot may be with the hardware when its owner wants to let go of the pool, and comes back in an
//! interrupt handler, which must not use a reference count whose last drop would free things there.
//! So the rule is: **slots come home under the pool's lock, and the pool is only freed after its
//! lock has been taken and all slots were seen at home.** Whoever brings a slot home does so in
//! [`Slot::finish`], which does not touch the pool after it has released the lock; releasing a spin
//! lock is the last access to it. A pool that is dropped while slots are out is leaked, with a
//! warning: that wastes memory, but nothing can use it after free.

mod chain;
mod list;
mod spare;

pub(crate) use chain::Chain;
pub(super) use list::List;
pub(crate) use spare::Spare;

use super::deferred::ModuleRef;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::{
        addr_of_mut,
        null,
        NonNull, //
    },
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::SpinLockIrq, //
};

/// The types that go together in a pool.
pub(crate) trait Domain: Sized + 'static {
    /// What each slot holds.
    type Item: Send + 'static;
    /// What everybody who holds a slot, or the pool, may look at.
    type Shared: Send + Sync + 'static;
    /// What the pool's lock guards, besides the slots at home.
    type Locked: Send + Unpin + 'static;

    /// Brings home the slots that the locked part keeps; called before a pool is freed.
    fn recall(inside: &mut Inside<Self>);
}

/// Memory of one slot.
struct Cell<D: Domain> {
    item: UnsafeCell<D::Item>,
    /// The next slot of the chain this one is in; only used by the owner of that chain.
    next: UnsafeCell<Option<NonNull<Cell<D>>>>,
    /// The slot before it; only used by the owner of the [`List`] it is in.
    prev: UnsafeCell<Option<NonNull<Cell<D>>>>,
    core: NonNull<Core<D>>,
}

/// What the lock guards.
///
/// # Invariants
///
/// `home` has `at_home` slots, all of the pool `core`.
pub(crate) struct Inside<D: Domain> {
    core: *const Core<D>,
    home: Chain<D>,
    at_home: usize,
    /// The driver's part.
    pub(crate) state: D::Locked,
}

impl<D: Domain> Inside<D> {
    /// Takes a slot from those at home.
    pub(crate) fn take(&mut self) -> Option<Slot<D>> {
        let slot = self.home.pop()?;
        // OVERFLOW: A slot was at home, so the count was at least 1.
        self.at_home = self.at_home.wrapping_sub(1);
        Some(slot)
    }

    /// Brings a slot home.
    pub(crate) fn put(&mut self, slot: Slot<D>) {
        if slot.core().as_ptr().cast_const() != self.core {
            // A slot of another pool: its own home is elsewhere.
            return;
        }
        self.home.push(slot);
        // OVERFLOW: At most the number of slots.
        self.at_home = self.at_home.wrapping_add(1);
    }

    /// How many slots are at home.
    pub(crate) fn at_home(&self) -> usize {
        self.at_home
    }
}

#[pin_data]
struct Core<D: Domain> {
    #[pin]
    lock: SpinLockIrq<Inside<D>>,
    #[pin]
    shared: D::Shared,
}

/// Access to what a pool's lock guards, with the lock held and interrupts off.
pub(crate) type Guard<'a, D> =
    kernel::sync::lock::Guard<'a, Inside<D>, kernel::sync::lock::spinlock::SpinLockIrqBackend>;

/// A fixed set of slots and what belongs to them.
///
/// # Invariants
///
/// `core` is pinned and valid; `cells` points to `len` initialised cells, whose `core` is this one.
/// Each cell is in exactly one place: in a chain, in a [`Slot`], or where [`Slot::into_raw`] went.
pub(crate) struct Pool<D: Domain> {
    core: NonNull<Core<D>>,
    cells: NonNull<Cell<D>>,
    len: usize,
}

// SAFETY: All parts are `Send`, by the bounds of `Domain`.
unsafe impl<D: Domain> Send for Pool<D> {}
// SAFETY: `&Pool` gives `&Shared`, which is `Sync`, and the lock around what is `Send`.
unsafe impl<D: Domain> Sync for Pool<D> {}

impl<D: Domain> Pool<D> {
    /// Makes a pool of `len` slots, each initialised by `item`.
    ///
    /// Process context; sleeps. The memory is charged to the caller's memory cgroup.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `shared` fails with.
    pub(crate) fn new(
        len: usize,
        item: impl Fn() -> D::Item,
        state: D::Locked,
        shared: impl PinInit<D::Shared, Error>,
    ) -> Result<Self> {
        let mut cells = KVVec::<Cell<D>>::with_capacity(len, GFP_KERNEL_ACCOUNT | __GFP_NOWARN)?;
        let core = KBox::try_pin_init(
            try_pin_init!(Core::<D> {
                lock <- new_spinlock_irq!(
                    Inside {
                        core: null(),
                        home: Chain::new(),
                        at_home: 0,
                        state,
                    },
                    "io_ring_pool"
                ),
                shared <- shared,
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )?;
        // SAFETY: The box is not moved out of: it goes back into one, pinned, in `drop`.
        let core = NonNull::from(KBox::leak(unsafe { Pin::into_inner_unchecked(core) }));

        while cells.len() < len {
            // Does not fail: there is capacity for `len`.
            cells.push(
                Cell {
                    item: UnsafeCell::new(item()),
                    next: UnsafeCell::new(None),
                    prev: UnsafeCell::new(None),
                    core,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        let (cells, len, _) = cells.into_raw_parts();
        // SAFETY: A vector's buffer is not null.
        let cells = unsafe { NonNull::new_unchecked(cells) };

        let mut home = Chain::new();
        for i in (0..len).rev() {
            // SAFETY: `i` is less than the number of cells.
            let cell = unsafe { cells.add(i) };
            // INVARIANT: Each cell gets one owner.
            home.push(Slot(cell, PhantomData));
        }

        // INVARIANT: Just set up so; all slots are at home.
        let pool = Self { core, cells, len };
        let mut inside = pool.lock();
        inside.core = core.as_ptr();
        inside.home = home;
        inside.at_home = len;
        drop(inside);
        Ok(pool)
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What everybody may look at.
    #[inline]
    pub(crate) fn shared(&self) -> &D::Shared {
        // SAFETY: `core` is valid by the type invariants.
        unsafe { &self.core.as_ref().shared }
    }

    /// Takes the lock. Any context.
    pub(crate) fn lock(&self) -> Guard<'_, D> {
        // SAFETY: `core` is valid by the type invariants.
        unsafe { self.core.as_ref() }.lock.lock()
    }
}

impl<D: Domain> Drop for Pool<D> {
    fn drop(&mut self) {
        let mut inside = self.lock();
        D::recall(&mut inside);
        let at_home = inside.at_home();
        if at_home != self.len || inside.core != self.core.as_ptr() {
            pr_err!(
                "{} of {} request slots are still in use: the ring is leaked\n",
                self.len.wrapping_sub(at_home),
                self.len
            );
            // Whoever has them will call into this module.
            core::mem::forget(ModuleRef::get());
            return;
        }
        // The slots at home must not be dropped as slots: that would bring them home.
        inside.home.forget();
        drop(inside);
        // SAFETY: `core` was leaked from a pinned box in `new`. All slots were seen at home under
        // the lock, so nobody is left who holds one, and who brought the last one home does not use
        // `core` any more, see the description of this file.
        drop(unsafe { Pin::new_unchecked(KBox::from_raw(self.core.as_ptr())) });
        // SAFETY: These are the raw parts of the vector in `new`, whose capacity may be larger than
        // its length but is only needed to be at least that.
        drop(unsafe { KVVec::from_raw_parts(self.cells.as_ptr(), self.len, self.len) });
    }
}

/// A slot in use: owns what it holds, and the right to use the cell.
///
/// Dropping one brings it home, which takes the pool's lock: use [`Inside::put`] where that is held.
///
/// # Invariants
///
/// Points to a cell of a pool that has not been freed, and nothing else has that cell.
pub(crate) struct Slot<D: Domain>(NonNull<Cell<D>>, PhantomData<D::Item>);

// SAFETY: The item is `Send`, and so is the right to bring the slot home, under a lock.
unsafe impl<D: Domain> Send for Slot<D> {}

// A pointer: moving it moves nothing.
impl<D: Domain> Unpin for Slot<D> {}

impl<D: Domain> Slot<D> {
    /// The pool this is a slot of.
    fn core(&self) -> NonNull<Core<D>> {
        // SAFETY: The cell is valid by the type invariants, and this field never changes.
        unsafe { (*self.0.as_ptr()).core }
    }

    /// Ends the use of this slot: runs `end` with the pool's lock held, and nothing after it.
    ///
    /// `end` gets the slot and should bring it home or keep it in the locked part. Any context.
    pub(crate) fn finish(self, end: impl FnOnce(&D::Shared, &mut Inside<D>, Self)) {
        let core = self.core();
        // SAFETY: While this slot is out, `core` is valid. It stays so until the guard is gone: who
        // frees it takes the lock first.
        let core: &Core<D> = unsafe { core.as_ref() };
        let mut inside = core.lock.lock();
        end(&core.shared, &mut inside, self);
        drop(inside);
    }

    /// Runs `action` with the pool's lock held, while this slot stays out. Any context.
    pub(crate) fn with_lock<R>(&self, action: impl FnOnce(&D::Shared, &mut Inside<D>) -> R) -> R {
        // SAFETY: While this slot is out, `core` is valid.
        let core: &Core<D> = unsafe { self.core().as_ref() };
        action(&core.shared, &mut core.lock.lock())
    }

    /// What everybody who holds a slot may look at.
    pub(crate) fn shared(&self) -> &D::Shared {
        // SAFETY: While this slot is out, the pool's core is valid.
        unsafe { &self.core().as_ref().shared }
    }

    /// As [`Slot::shared`], for a slot that has been given up.
    ///
    /// # Safety
    ///
    /// `item` comes from [`Slot::into_raw`], and the slot stays out during `'a`.
    pub(super) unsafe fn shared_of<'a>(item: NonNull<D::Item>) -> &'a D::Shared {
        // SAFETY: By the safety requirements. This value is only looked at, not used up.
        let slot = ManuallyDrop::new(unsafe { Self::from_raw(item) });
        // SAFETY: While the slot is out, the pool's core is valid.
        unsafe { &(*slot.core().as_ptr()).shared }
    }

    /// Gives up ownership, for code that hands the item's address to C.
    ///
    /// The item stays where it is until [`Slot::from_raw`].
    pub(super) fn into_raw(self) -> NonNull<D::Item> {
        let cell = self.0;
        core::mem::forget(self);
        // SAFETY: The cell is valid, and this is a projection to its first field.
        unsafe { NonNull::new_unchecked(addr_of_mut!((*cell.as_ptr()).item).cast()) }
    }

    /// Takes up ownership again.
    ///
    /// # Safety
    ///
    /// `item` comes from [`Slot::into_raw`], and each such pointer is used once.
    pub(super) unsafe fn from_raw(item: NonNull<D::Item>) -> Self {
        // SAFETY: By the safety requirements `item` is the field of a cell.
        let cell = unsafe {
            kernel::container_of!(item.as_ptr().cast::<UnsafeCell<D::Item>>(), Cell<D>, item)
        };
        // SAFETY: As above, so not null.
        let cell = unsafe { NonNull::new_unchecked(cell) };
        // INVARIANT: `into_raw` gave up the ownership that this takes.
        Self(cell, PhantomData)
    }
}

impl<D: Domain> Deref for Slot<D> {
    type Target = D::Item;

    #[inline]
    fn deref(&self) -> &D::Item {
        // SAFETY: The slot owns its item by the type invariants.
        unsafe { &*self.0.as_ref().item.get() }
    }
}

impl<D: Domain> DerefMut for Slot<D> {
    #[inline]
    fn deref_mut(&mut self) -> &mut D::Item {
        // SAFETY: As for `deref`, and `&mut self` makes the access exclusive.
        unsafe { &mut *self.0.as_ref().item.get() }
    }
}

impl<D: Domain> Drop for Slot<D> {
    fn drop(&mut self) {
        // INVARIANT: This value is not used again; the new one has the cell.
        Self(self.0, PhantomData).finish(|_, inside, slot| inside.put(slot));
    }
}

// SAFETY: As for the pool: what is inside is only used with the lock held, and `core` only compared.
unsafe impl<D: Domain> Send for Inside<D> {}

// SPDX-License-Identifier: GPL-2.0

//! A mutex whose waiters a signal can wake. Would join `rust/kernel/sync/lock/mutex.rs`.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h)

use super::helpers;
use core::{
    cell::UnsafeCell,
    ops::{
        Deref,
        DerefMut, //
    }, //
};
use kernel::{
    bindings,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A `struct mutex` that is only ever taken with `mutex_lock_interruptible` and `mutex_trylock`.
///
/// # Invariants
///
/// `raw` is initialised and pinned; `data` is only accessed by whoever holds it.
#[pin_data]
pub(crate) struct InterruptibleMutex<T> {
    #[pin]
    raw: Opaque<bindings::mutex>,
    data: UnsafeCell<T>,
}

// SAFETY: The mutex hands the data from thread to thread, which `T: Send` allows.
unsafe impl<T: Send> Send for InterruptibleMutex<T> {}
// SAFETY: The mutex lets one thread at a time reach the data, so that `T: Send` is enough.
unsafe impl<T: Send> Sync for InterruptibleMutex<T> {}

impl<T> InterruptibleMutex<T> {
    /// An unlocked mutex around `data`.
    pub(crate) fn new(data: T) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and will not move.
            raw <- Opaque::ffi_init(|slot| unsafe { helpers::io_ring_mutex_init(slot) }),
            data: UnsafeCell::new(data),
        })
    }

    /// Takes the mutex, or gives up with `EINTR` when a signal comes first.
    ///
    /// Process context; sleeps.
    pub(crate) fn lock(&self) -> Result<Guard<'_, T>> {
        // SAFETY: The mutex is initialised by the type invariants.
        if unsafe { helpers::io_ring_mutex_lock_interruptible(self.raw.get()) } != 0 {
            return Err(EINTR);
        }
        // INVARIANT: Just taken.
        Ok(Guard {
            mutex: self,
            _not_send: NotThreadSafe,
        })
    }

    /// Takes the mutex, unless somebody has it. Process context.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // SAFETY: The mutex is initialised by the type invariants.
        if unsafe { !helpers::io_ring_mutex_trylock(self.raw.get()) } {
            return None;
        }
        // INVARIANT: Just taken.
        Some(Guard {
            mutex: self,
            _not_send: NotThreadSafe,
        })
    }
}

/// Access to what an [`InterruptibleMutex`] guards.
///
/// # Invariants
///
/// This thread holds the mutex.
pub(crate) struct Guard<'a, T> {
    mutex: &'a InterruptibleMutex<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: This thread holds the mutex by the type invariants.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: This thread holds the mutex by the type invariants.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: This thread holds the mutex by the type invariants.
        unsafe { bindings::mutex_unlock(self.mutex.raw.get()) };
    }
}

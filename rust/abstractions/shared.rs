// SPDX-License-Identifier: GPL-2.0

//! What many requests use: open files, pinned buffers. Would join `rust/kernel/sync/`.
//!
//! A [`Shared`] is a counted reference to something that was looked up once. It has a count of its
//! own for two reasons: whoever holds the table that it is in can lend it for the time of a call
//! without counting at all, and somebody can be told when the last one that used it is gone
//! ([`Registered::retire`]).

use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

/// Who wants to know when something is not used any more.
pub(crate) trait OnLast: Send + Sync {
    /// It is not. Process context; sleeps.
    fn gone(&self);
}

struct Inner<T> {
    count: Atomic<i64>,
    value: T,
    /// Written once, by the [`Registered`], before that gives its reference back.
    on_last: UnsafeCell<Option<Arc<dyn OnLast>>>,
}

/// A counted reference to something that many use.
///
/// # Invariants
///
/// Points to an `Inner` that was boxed, and counts as one in its `count`.
pub(crate) struct Shared<T>(NonNull<Inner<T>>);

// SAFETY: All that is inside is `Send` and `Sync`; `on_last` is used as it says.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

/// The reference that makes something known: there is one of them.
pub(crate) struct Registered<T>(Shared<T>);

impl<T> Registered<T> {
    /// Makes `value` known. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(value: T) -> Result<Self> {
        let inner = Inner {
            count: Atomic::new(1),
            value,
            on_last: UnsafeCell::new(None),
        };
        let inner = KBox::leak(KBox::new(inner, GFP_KERNEL_ACCOUNT)?);
        // INVARIANT: Boxed, and counted.
        Ok(Self(Shared(NonNull::from(inner))))
    }

    /// What is known, as those who use it see it.
    #[inline]
    pub(crate) fn shared(&self) -> &Shared<T> {
        &self.0
    }

    /// Lets go of it; `on_last` is told when nobody uses it any more. Process context; sleeps.
    pub(crate) fn retire(self, on_last: Option<Arc<dyn OnLast>>) {
        // SAFETY: Only this reference writes it, once; others only look after all references have
        // been given back, this one included.
        unsafe { *self.0.inner().on_last.get() = on_last };
    }
}

impl<T> Shared<T> {
    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: Alive by the type invariants.
        unsafe { self.0.as_ref() }
    }

    /// The same reference once more, without counting it.
    ///
    /// # Safety
    ///
    /// The copy is not used any more when the last counted reference goes.
    #[inline]
    pub(super) unsafe fn lend(&self) -> ManuallyDrop<Self> {
        // INVARIANT: Never dropped, so it need not count: `self` does for as long as it is used.
        ManuallyDrop::new(Self(self.0))
    }

    /// Gives back a reference, in any context, unless it is the last.
    pub(super) fn put_unless_last(self) -> Result<(), Self> {
        let count = &self.inner().count;
        let mut now = count.load(Relaxed);
        while now > 1 {
            // Release: what this user did comes before the end of what is shared.
            match count.cmpxchg(now, now.wrapping_sub(1), Release) {
                Ok(_) => {
                    core::mem::forget(self);
                    return Ok(());
                }
                Err(other) => now = other,
            }
        }
        Err(self)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        self.inner().count.fetch_add(1, Relaxed);
        // INVARIANT: Just counted.
        Self(self.0)
    }
}

/// Gives back `n` references.
///
/// # Safety
///
/// They are counted in `inner`, which was boxed, and not used any more.
#[inline]
unsafe fn put<T>(inner: NonNull<Inner<T>>, n: i64) {
    // SAFETY: Alive, as references to it are counted.
    if unsafe { inner.as_ref() }.count.fetch_sub(n, Full) == n {
        // SAFETY: There are no others.
        unsafe { end(inner) };
    }
}

/// Ends what is shared.
///
/// # Safety
///
/// `inner` was boxed, and nobody has a reference to it any more.
#[cold]
unsafe fn end<T>(inner: NonNull<Inner<T>>) {
    // SAFETY: By the safety requirements.
    let inner = unsafe { KBox::from_raw(inner.as_ptr()) };
    let Inner { value, on_last, .. } = KBox::into_inner(inner);
    drop(value);
    if let Some(on_last) = on_last.into_inner() {
        on_last.gone();
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: One reference, by the type invariants.
        unsafe { put(self.0, 1) };
    }
}

/// References that have been counted in advance, for who needs many of the same and may get them back
/// soon.
///
/// # Invariants
///
/// Points to an `Inner` that was boxed, in whose `count` it counts as `spare`, which is not 0.
struct Counted<T> {
    of: NonNull<Inner<T>>,
    spare: i64,
}

// SAFETY: As references.
unsafe impl<T: Send + Sync> Send for Counted<T> {}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { put(self.of, self.spare) };
    }
}

/// A stock of references to one thing.
pub(super) struct Stock<T>(Option<Counted<T>>);

impl<T> Stock<T> {
    /// None.
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Lets go of all. Process context; sleeps.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// One more reference; if there is none in stock, `more` are counted besides.
    #[inline]
    pub(super) fn take(&mut self, shared: &Shared<T>, more: u16) -> Shared<T> {
        match &mut self.0 {
            Some(counted) if counted.of == shared.0 && counted.spare > 1 => {
                counted.spare = counted.spare.wrapping_sub(1);
            }
            _ if more == 0 => return shared.clone(),
            stock => {
                let spare = i64::from(more);
                shared
                    .inner()
                    .count
                    .fetch_add(spare.wrapping_add(1), Relaxed);
                // INVARIANT: Just counted, and not 0.
                *stock = Some(Counted {
                    of: shared.0,
                    spare,
                });
            }
        }
        // INVARIANT: It was one of the stock, or just counted.
        Shared(shared.0)
    }

    /// Takes back a reference. Process context; sleeps.
    #[inline]
    pub(super) fn put(&mut self, shared: Shared<T>) {
        match &mut self.0 {
            Some(counted) if counted.of == shared.0 => {
                core::mem::forget(shared);
                // INVARIANT: It counts as one.
                counted.spare = counted.spare.wrapping_add(1);
            }
            _ => drop(shared),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

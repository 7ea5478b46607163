// SPDX-License-Identifier: GPL-2.0

//! Open files that many requests use. Would join `rust/kernel/fs/file.rs`.
//!
//! A [`SharedFile`] is a counted reference to an open file that was looked up once. It exists beside
//! the reference count of `struct file` for two reasons: whoever holds the table that it is in can
//! lend it for the time of a call without counting at all ([`FileArgument::Lent`]), and somebody can be
//! told when the last one that used it is gone ([`RegisteredFile::retire`]).

use super::transfer::OpenFile;
use core::{
    cell::UnsafeCell,
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

/// Who wants to know when a file is not used any more.
pub(crate) trait OnLast: Send + Sync {
    /// It is not. Process context; sleeps.
    fn gone(&self);
}

struct Inner {
    count: Atomic<i64>,
    file: OpenFile,
    /// Written once, by the [`RegisteredFile`], before that gives its reference back.
    on_last: UnsafeCell<Option<Arc<dyn OnLast>>>,
}

/// A counted reference to an open file.
///
/// # Invariants
///
/// Points to an `Inner` that was boxed, and counts as one in its `count`.
pub(crate) struct SharedFile(NonNull<Inner>);

// SAFETY: All that is inside is `Send` and `Sync`; `on_last` is used as it says.
unsafe impl Send for SharedFile {}
// SAFETY: As above.
unsafe impl Sync for SharedFile {}

/// The reference that makes a file known: there is one of them.
pub(crate) struct RegisteredFile(SharedFile);

impl RegisteredFile {
    /// Makes a file known. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(file: OpenFile) -> Result<Self> {
        let inner = Inner {
            count: Atomic::new(1),
            file,
            on_last: UnsafeCell::new(None),
        };
        let inner = KBox::leak(KBox::new(inner, GFP_KERNEL_ACCOUNT)?);
        // INVARIANT: Boxed, and counted.
        Ok(Self(SharedFile(NonNull::from(inner))))
    }

    /// The file, as those who use it see it.
    #[inline]
    pub(crate) fn shared(&self) -> &SharedFile {
        &self.0
    }

    /// Lets go of the file; `on_last` is told when nobody uses it any more. Process context; sleeps.
    pub(crate) fn retire(self, on_last: Option<Arc<dyn OnLast>>) {
        // SAFETY: Only this reference writes it, once; others only look after all references have
        // been given back, this one included.
        unsafe { *self.0.inner().on_last.get() = on_last };
    }
}

impl SharedFile {
    fn inner(&self) -> &Inner {
        // SAFETY: Alive by the type invariants.
        unsafe { self.0.as_ref() }
    }

    /// Gives back a reference, in any context, unless it is the last.
    pub(super) fn put_unless_last(self) -> Result<(), Self> {
        let count = &self.inner().count;
        let mut now = count.load(Relaxed);
        while now > 1 {
            // Release: what this user did comes before the file is closed.
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

impl Clone for SharedFile {
    fn clone(&self) -> Self {
        self.inner().count.fetch_add(1, Relaxed);
        // INVARIANT: Just counted.
        Self(self.0)
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        if self.inner().count.fetch_sub(1, Full) != 1 {
            return;
        }
        // SAFETY: Boxed in `new`, and nobody has a reference any more.
        let inner = unsafe { KBox::from_raw(self.0.as_ptr()) };
        let Inner { file, on_last, .. } = KBox::into_inner(inner);
        drop(file);
        if let Some(on_last) = on_last.into_inner() {
            on_last.gone();
        }
    }
}

impl Deref for SharedFile {
    type Target = OpenFile;

    fn deref(&self) -> &OpenFile {
        &self.inner().file
    }
}

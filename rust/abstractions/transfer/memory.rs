// SPDX-License-Identifier: GPL-2.0

//! What the iterator of a transfer points to.

use crate::abstractions::{
    pinned::PinnedBuffer,
    shared::Shared, //
};
use core::mem::{
    size_of,
    ManuallyDrop, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// What an iterator points to.
///
/// # Invariants
///
/// `Lent` is a reference that it does not own, to a buffer that others hold until [`Memory::hold`] is
/// called, or this value is not used any more.
pub(super) enum Memory {
    /// User memory itself.
    User,
    /// An array of addresses in user memory.
    Iovec {
        /// The array.
        _array: OwnedIovec,
    },
    /// A pinned buffer that others hold.
    Lent(ManuallyDrop<Shared<PinnedBuffer>>),
    /// A pinned buffer.
    Held(Shared<PinnedBuffer>),
    /// Pieces of a pinned buffer.
    Pieces(KBox<Pieces>),
}

/// An iovec array that `import_iovec` allocated, or null.
pub(super) struct OwnedIovec(pub(super) *mut bindings::iovec);

impl Drop for OwnedIovec {
    fn drop(&mut self) {
        // SAFETY: Null, or allocated by `import_iovec` and not freed yet.
        unsafe { bindings::kfree(self.0.cast()) };
    }
}

/// Pieces of a pinned buffer.
pub(super) struct Pieces {
    list: KVVec<bindings::bio_vec>,
    buffer: Option<Shared<PinnedBuffer>>,
}

impl Memory {
    /// The `list` of pieces of `buffer`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn pieces(
        list: KVVec<bindings::bio_vec>,
        buffer: Shared<PinnedBuffer>,
    ) -> Result<Self> {
        let buffer = Some(buffer);
        let pieces = KBox::new(Pieces { list, buffer }, GFP_KERNEL_ACCOUNT)?;
        Ok(Self::Pieces(pieces))
    }

    /// Whether it is lent.
    pub(super) fn is_lent(&self) -> bool {
        matches!(self, Self::Lent(_))
    }

    /// Makes what was lent its own.
    pub(super) fn hold(&mut self) {
        if let Self::Lent(buffer) = self {
            let counted = Shared::clone(buffer);
            *self = Self::Held(counted);
        }
    }

    /// Lets go of it, in any context, unless that may sleep.
    pub(super) fn put_unless_last(self) -> Result<(), Self> {
        match self {
            Self::Held(buffer) => buffer.put_unless_last().map_err(Self::Held),
            Self::Pieces(mut pieces) => {
                // More than a page may have been mapped, and unmapping sleeps.
                if pieces.list.capacity() > PAGE_SIZE / size_of::<bindings::bio_vec>() {
                    return Err(Self::Pieces(pieces));
                }
                match pieces.buffer.take().map(Shared::put_unless_last) {
                    Some(Err(buffer)) => {
                        pieces.buffer = Some(buffer);
                        Err(Self::Pieces(pieces))
                    }
                    _ => Ok(()),
                }
            }
            Self::User | Self::Iovec { .. } | Self::Lent(_) => Ok(()),
        }
    }
}

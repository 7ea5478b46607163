// SPDX-License-Identifier: GPL-2.0

//! How a request has its file.

use super::OpenFile;
use crate::abstractions::shared::Shared;
use core::{
    mem::ManuallyDrop,
    ops::Deref, //
};

/// A file that others use as well.
pub(crate) type SharedFile = Shared<OpenFile>;

/// A file for a request.
pub(crate) enum FileArgument<'a> {
    /// Looked up for it.
    Own(OpenFile),
    /// Known to others, and lent to it.
    Lent(&'a SharedFile),
}

impl FileArgument<'_> {
    /// Keeps the file for as long as one likes.
    pub(crate) fn keep(self) -> HeldFile {
        match self {
            Self::Own(file) => HeldFile::Own(file),
            Self::Lent(file) => HeldFile::Shared(file.clone()),
        }
    }
}

/// A file that a request holds.
pub(crate) enum HeldFile {
    /// By itself.
    Own(OpenFile),
    /// With others.
    Shared(SharedFile),
}

impl HeldFile {
    /// Lets go of the file, in any context, unless that would close it, which may sleep.
    pub(super) fn put_unless_last(self) -> Result<(), Self> {
        match self {
            Self::Own(file) => file.put_unless_last().map_err(Self::Own),
            Self::Shared(file) => file.put_unless_last().map_err(Self::Shared),
        }
    }
}

impl Deref for HeldFile {
    type Target = OpenFile;

    #[inline]
    fn deref(&self) -> &OpenFile {
        match self {
            Self::Own(file) => file,
            Self::Shared(file) => file,
        }
    }
}

/// A file of a transfer: held, or lent for as long as the transfer is in the hands of its submitter.
///
/// # Invariants
///
/// `Lent` has a copy of a reference that it does not own, to a file that others hold until
/// [`TransferFile::hold`] is called, or this value is not used any more.
pub(super) enum TransferFile {
    Held(HeldFile),
    Lent(ManuallyDrop<SharedFile>),
}

impl TransferFile {
    /// As it is given. What is lent is only used as long as the invariant says.
    pub(super) fn new(file: FileArgument<'_>) -> Self {
        match file {
            FileArgument::Own(file) => Self::Held(HeldFile::Own(file)),
            FileArgument::Lent(file) => {
                // SAFETY: Only used as the type invariants say.
                Self::Lent(unsafe { file.lend() })
            }
        }
    }

    /// Makes the file its own.
    pub(super) fn hold(&mut self) {
        if let Self::Lent(file) = self {
            *self = Self::Held(HeldFile::Shared(SharedFile::clone(file)));
        }
    }

    pub(super) fn is_lent(&self) -> bool {
        matches!(self, Self::Lent(_))
    }

    /// As [`HeldFile::put_unless_last`].
    pub(super) fn put_unless_last(self) -> Result<(), Self> {
        match self {
            Self::Held(file) => file.put_unless_last().map_err(Self::Held),
            Self::Lent(_) => Ok(()),
        }
    }
}

impl Deref for TransferFile {
    type Target = OpenFile;

    #[inline]
    fn deref(&self) -> &OpenFile {
        match self {
            Self::Held(file) => file,
            Self::Lent(file) => file,
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What a transfer is asked for, and what it answers.

use crate::abstractions::helpers;
use kernel::prelude::*;

/// Where in the file a transfer starts.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// Nowhere: the file is a stream.
    None,
    /// At this offset, in bytes.
    At(i64),
    /// At the file position, which moves on, as `read(2)` does.
    Current,
}

impl Start {
    /// Whether a transfer with the `ki_flags` `flags` has to be done in one go: another one could come
    /// between.
    pub(super) fn is_whole(self, flags: c_int) -> bool {
        matches!(self, Self::Current) || flags & helpers::IO_RING_IOCB_APPEND != 0
    }
}

/// I/O priority of a transfer.
#[derive(Clone, Copy)]
pub(crate) struct Priority(pub(super) u16);

impl Priority {
    /// That of the calling thread.
    pub(super) const DEFAULT: Self = Self(0);

    /// As `ioprio_set(2)` encodes it; 0 for that of the calling thread.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such priority, `EPERM` if the caller may not have it.
    pub(crate) fn new(ioprio: u16) -> Result<Self> {
        if ioprio == 0 {
            return Ok(Self::DEFAULT);
        }
        // SAFETY: FFI call without requirements.
        kernel::error::to_result(unsafe { helpers::io_ring_ioprio_check(ioprio) })?;
        Ok(Self(ioprio))
    }

    /// The number, for a request that the calling thread makes.
    pub(super) fn resolved(self) -> Self {
        match self.0 {
            // SAFETY: FFI call without requirements.
            0 => Self(unsafe { helpers::io_ring_ioprio_current() }),
            _ => self,
        }
    }
}

/// Why a transfer cannot be made: which argument is to blame, and the error.
pub(crate) enum Unfit {
    /// The file: not open for this direction.
    File(Error),
    /// The offset: negative.
    Offset(Error),
    /// The `RWF_*` flags: not for this file or direction.
    Flags(Error),
    /// The memory: not for a direct transfer of this file.
    Buffers(Error),
}

/// Whether a transfer may sleep for as long as its file likes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum May {
    /// It must not.
    NotBlock,
    /// It must not, and the file has just said that it would not.
    NotBlockReady,
    /// It may.
    Block,
}

/// What came of an attempt.
#[derive(Clone, Copy)]
pub(in super::super) enum Attempt {
    /// The file has answered this.
    Done(isize),
    /// The file will answer later.
    Queued,
    /// It should be tried again when the file is ready.
    Poll,
    /// It should be tried again where blocking is allowed; there it means: after a signal.
    Block,
}

/// What a file does when it is asked not to block.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Nonblocking {
    /// It can be told, with `IOCB_NOWAIT`.
    Told,
    /// It does not block for long anyway: its data is memory, or the program said itself not to
    /// wait, or it will refuse.
    Anyway,
    /// It cannot be asked.
    Never,
}

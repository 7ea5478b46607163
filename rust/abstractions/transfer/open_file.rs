// SPDX-License-Identifier: GPL-2.0

//! Open files.

use super::Direction;
use crate::abstractions::helpers;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    fs::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// It has not been asked what the file is like: more than one use of it is not expected.
const UNKNOWN: c_int = -1;

/// An open file, looked up by descriptor once.
///
/// Dropping it may close the file; in a worker thread it is closed by then.
pub(crate) struct OpenFile {
    file: ManuallyDrop<ARef<File>>,
    /// What it is like, which does not change: `IO_RING_FILE_*`, or [`UNKNOWN`].
    modes: c_int,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // SAFETY: Gives back the reference that this value holds, and is not used again.
        unsafe { helpers::io_ring_put_file(self.as_ptr()) };
    }
}

/// Which open file, or which inode; only to be compared, and only while it is open.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct FileId(usize);

impl FileId {
    /// Another one for each direction.
    pub(super) fn with(self, direction: Direction) -> Self {
        // Addresses of inodes are even.
        Self(self.0 | usize::from(direction == Direction::Write))
    }
}

impl OpenFile {
    /// The file that `fd` stands for in the calling process. Process context, in an ioctl.
    ///
    /// # Errors
    ///
    /// `EBADF` if there is none, or it was opened with `O_PATH`.
    pub(crate) fn get(fd: i32) -> Result<Self> {
        let fd = u32::try_from(fd).map_err(|_| EBADF)?;
        let file = LocalFile::fget(fd).map_err(|_| EBADF)?;
        // SAFETY: ioctl uses `fdget`, not `fdget_pos`, so this thread has no such call under way.
        let file = unsafe { LocalFile::assume_no_fdget_pos(file) };
        // SAFETY: The file is alive.
        let modes = unsafe { helpers::io_ring_file_modes(file.as_ptr()) };
        Ok(Self {
            file: ManuallyDrop::new(file),
            modes,
        })
    }

    /// A file that the calling process has open, as `fdget` has answered.
    ///
    /// # Safety
    ///
    /// `file` is alive.
    #[inline]
    pub(super) unsafe fn of_light(file: *mut bindings::file) -> Self {
        // SAFETY: By the safety requirements.
        unsafe { helpers::io_ring_get_file(file) };
        // SAFETY: Not null, and just counted. The file was found without `fdget_pos`.
        let file = unsafe { ARef::<File>::from_raw(NonNull::new_unchecked(file.cast())) };
        Self {
            file: ManuallyDrop::new(file),
            modes: UNKNOWN,
        }
    }

    /// Gives back the reference, in any context, unless it is the last: closing files may sleep.
    pub(in super::super) fn put_unless_last(self) -> Result<(), Self> {
        // SAFETY: The file is alive; if this gives back the reference, it is not used again.
        if unsafe { !helpers::io_ring_put_file_unless_last(self.as_ptr()) } {
            return Err(self);
        }
        core::mem::forget(self);
        Ok(())
    }

    /// Whether the file may hold rings, or is one: who holds it as long as a ring exists, would make both
    /// exist for ever.
    pub(crate) fn may_hold_rings(&self) -> bool {
        // SAFETY: The file is alive.
        unsafe { helpers::io_ring_file_may_hold_rings(self.as_ptr()) }
    }

    /// Whether the file is a ring, of this module or of io_uring, or where rings are made.
    pub(crate) fn is_ring(&self) -> bool {
        // SAFETY: The file is alive.
        unsafe { helpers::io_ring_file_is_ring(self.as_ptr()) }
    }

    /// Which file it is.
    pub(crate) fn id(&self) -> FileId {
        FileId(self.as_ptr().addr())
    }

    /// Which inode it is a file of.
    pub(super) fn inode_id(&self) -> FileId {
        // SAFETY: The file is alive.
        FileId(unsafe { helpers::io_ring_file_inode(self.as_ptr()) }.addr())
    }

    pub(in super::super) fn as_ptr(&self) -> *mut bindings::file {
        self.file.as_ptr()
    }

    /// What the file is like: `IO_RING_FILE_*`.
    #[inline]
    pub(super) fn modes(&self) -> c_int {
        if self.modes == UNKNOWN {
            // SAFETY: The file is alive.
            return unsafe { helpers::io_ring_file_modes(self.as_ptr()) };
        }
        self.modes
    }
}

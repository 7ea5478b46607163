// SPDX-License-Identifier: GPL-2.0

//! What can be done with an open file besides transfers.
//!
//! Each answers what the file system answers: a result or a negative errno; `None` if a signal came
//! first and a system call would be restarted. Process context; they sleep.

use super::{
    is_restart,
    OpenFile, //
};
use crate::abstractions::helpers;
use kernel::{
    bindings,
    prelude::*, //
};

/// What a program is going to do with a file: a `POSIX_FADV_*`.
#[derive(Clone, Copy)]
pub(crate) struct Advice(u32);

impl Advice {
    /// The advice of a number, if there is one.
    pub(crate) fn new(number: u32) -> Option<Self> {
        let advice = Self(number);
        (advice.waits() || advice.is_noted()).then_some(advice)
    }

    /// Whether it is only noted in the file.
    fn is_noted(self) -> bool {
        matches!(
            self.0,
            helpers::IO_RING_FADV_NORMAL
                | helpers::IO_RING_FADV_RANDOM
                | helpers::IO_RING_FADV_SEQUENTIAL
                | helpers::IO_RING_FADV_NOREUSE
        )
    }

    /// Whether it is followed at once, which may wait for a device.
    pub(crate) fn waits(self) -> bool {
        matches!(
            self.0,
            helpers::IO_RING_FADV_WILLNEED | helpers::IO_RING_FADV_DONTNEED
        )
    }
}

fn unless_restart(result: isize) -> Option<isize> {
    (!is_restart(result)).then_some(result)
}

impl OpenFile {
    /// Whether [`OpenFile::sync`] does anything but fail with `EINVAL`.
    pub(crate) fn can_sync(&self) -> bool {
        self.modes() & helpers::IO_RING_FILE_SYNCS != 0
    }

    /// Whether the file is a regular one, a block device or a directory, and not a ring: what is no such
    /// file fails at once in everything here but [`OpenFile::sync`].
    pub(crate) fn is_stored(&self) -> bool {
        // SAFETY: The file is alive.
        unsafe { helpers::io_ring_file_is_stored(self.as_ptr()) && !self.may_hold_rings() }
    }

    /// As `fsync(2)` or `fdatasync(2)`, for the bytes `first..=last`.
    pub(crate) fn sync(&self, first: i64, last: i64, data_only: bool) -> Option<isize> {
        let data_only = c_int::from(data_only);
        // SAFETY: The file is alive.
        let ret = unsafe { bindings::vfs_fsync_range(self.as_ptr(), first, last, data_only) };
        unless_restart(ret as isize)
    }

    /// As `sync_file_range(2)`, for the bytes `first..=last`.
    pub(crate) fn sync_range(&self, first: i64, last: i64, flags: u32) -> Option<isize> {
        // SAFETY: The file is alive.
        let ret = unsafe { helpers::io_ring_sync_file_range(self.as_ptr(), first, last, flags) };
        unless_restart(ret as isize)
    }

    /// As `posix_fadvise(2)`.
    pub(crate) fn advise(&self, offset: i64, len: i64, advice: Advice) -> Option<isize> {
        // SAFETY: The file is alive.
        let ret = unsafe { helpers::io_ring_fadvise(self.as_ptr(), offset, len, advice.0) };
        unless_restart(ret as isize)
    }

    /// As `fallocate(2)`.
    pub(crate) fn allocate(&self, mode: u32, offset: i64, len: i64) -> Option<isize> {
        // SAFETY: The file is alive.
        let ret = unsafe { helpers::io_ring_fallocate(self.as_ptr(), mode, offset, len) };
        unless_restart(ret as isize)
    }

    /// As `truncate(2)`, of a file that is open for writing.
    pub(crate) fn truncate(&self, len: i64) -> Option<isize> {
        // SAFETY: The file is alive.
        let ret = unsafe { helpers::io_ring_ftruncate(self.as_ptr(), len) };
        unless_restart(ret as isize)
    }

    /// As `getdents64(2)`, to the `len` bytes of user memory at `address`. In the process they are of.
    pub(crate) fn list(&self, address: usize, len: u32) -> Option<isize> {
        let buffer = core::ptr::without_provenance_mut(address);
        // SAFETY: The file is alive; the address is checked by the function.
        let ret = unsafe { helpers::io_ring_getdents(self.as_ptr(), buffer, len) };
        unless_restart(ret as isize)
    }

    /// As `copy_file_range(2)`: `len` bytes at `from_offset` of `from` to `offset` of this file.
    pub(crate) fn copy_from(
        &self,
        offset: i64,
        from: &OpenFile,
        from_offset: i64,
        len: usize,
    ) -> Option<isize> {
        let (to, from) = (self.as_ptr(), from.as_ptr());
        // SAFETY: Both files are alive.
        let ret = unsafe { bindings::vfs_copy_file_range(from, from_offset, to, offset, len, 0) };
        unless_restart(ret as isize)
    }
}

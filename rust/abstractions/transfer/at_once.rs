// SPDX-License-Identifier: GPL-2.0

//! Reads of what is in memory: all of it at once, or nothing.
//!
//! Most reads of ordinary files find their data in the page cache. For them nothing has to be kept:
//! neither a slot nor the file outlasts the call. What comes out as anything but a whole read is
//! forgotten, and done again in the general way, which knows of errors, ends of files and waiting:
//! reading at an offset twice does no harm.

use super::OpenFile;
use crate::abstractions::helpers;
use core::mem::MaybeUninit;
use kernel::{
    bindings,
    prelude::*, //
};

/// Most bytes that are read so: of more, a part may be missing, and the rest was read in vain.
const MOST: u32 = 1 << 16;

/// What a file has to be like: an ordinary one, whose `read_iter` may be called at an offset.
const READS: c_int = helpers::IO_RING_FILE_READ
    | helpers::IO_RING_FILE_CAN_READ
    | helpers::IO_RING_FILE_READ_ITER
    | helpers::IO_RING_FILE_PREAD
    | helpers::IO_RING_FILE_STORAGE;

/// What it must not be like.
const NOT: c_int = helpers::IO_RING_FILE_STREAM | helpers::IO_RING_FILE_GUARDED;

impl OpenFile {
    /// Reads `len` bytes at `offset` to `address` of the calling process, if they are in memory. Answers
    /// whether it has read them; if not, nothing has happened that reading them again would not do.
    ///
    /// Process context; does not wait for devices, may fault pages in.
    #[inline]
    pub(crate) fn read_at_once(&self, offset: u64, address: u64, len: u32) -> bool {
        // SAFETY: The file is alive.
        unsafe { read(self.as_ptr(), || self.modes(), offset, address, len) }
    }
}

/// A file that a descriptor stands for, for the time of a call: with no other thread there is nothing
/// to count.
///
/// # Invariants
///
/// What `fdget` has answered in this thread, and not 0.
pub(super) struct LightFile(c_ulong);

impl LightFile {
    /// The file of `fd`, if it is a regular file or a block device.
    #[inline]
    pub(super) fn get(fd: i32) -> Option<Self> {
        let fd = u32::try_from(fd).ok()?;
        // SAFETY: FFI call without requirements.
        let word = unsafe { helpers::io_ring_fdget_storage(fd) };
        // INVARIANT: Just answered.
        (word != 0).then_some(Self(word))
    }

    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::file {
        // SAFETY: By the type invariants.
        unsafe { helpers::io_ring_fd_file(self.0) }
    }
}

impl Drop for LightFile {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and it is not used any more.
        unsafe { helpers::io_ring_fdput(self.0) };
    }
}

/// As [`OpenFile::read_at_once`], of the file that `fd` stands for in the calling process.
///
/// Process context, in an ioctl; does not wait for devices, may fault pages in.
#[inline]
pub(crate) fn read_at_once(fd: i32, offset: u64, address: u64, len: u32) -> bool {
    let Some(file) = LightFile::get(fd) else {
        return false;
    };
    let raw = file.as_ptr();
    // SAFETY: The file is alive for this call.
    unsafe {
        let modes = || helpers::io_ring_file_modes(raw);
        read(raw, modes, offset, address, len)
    }
}

/// # Safety
///
/// `file` is alive, and `modes` answers what it is like.
#[inline(always)]
unsafe fn read(
    file: *mut bindings::file,
    modes: impl FnOnce() -> c_int,
    offset: u64,
    address: u64,
    len: u32,
) -> bool {
    let (Ok(position), Ok(address)) = (i64::try_from(offset), usize::try_from(address)) else {
        return false;
    };
    // What a transfer without flags has: whether it is to be direct may change at any time.
    // SAFETY: The file is alive; any value is one.
    let flags = unsafe { (&raw const (*file).f_iocb_flags).read_volatile() } as c_int;
    if len.wrapping_sub(1) >= MOST || flags & helpers::IO_RING_IOCB_DIRECT != 0 {
        return false;
    }
    let modes = modes();
    if modes & (READS | NOT) != READS {
        return false;
    }
    let nowait = if modes & helpers::IO_RING_FILE_NOWAIT != 0 {
        // The general way starts devices: they are not asked twice.
        helpers::IO_RING_IOCB_NOWAIT | helpers::IO_RING_IOCB_NOIO
    } else if modes & helpers::IO_RING_FILE_IN_MEMORY != 0 {
        0
    } else {
        return false;
    };
    let mut kiocb = bindings::kiocb {
        ki_filp: file,
        ki_pos: position,
        ki_flags: nowait | flags,
        ..pin_init::zeroed()
    };
    let mut iter = MaybeUninit::<bindings::iov_iter>::uninit();
    let buffer = core::ptr::without_provenance_mut(address);
    // SAFETY: The file has a `read_iter`, may be read, and is alive; without a completion function
    // it has answered when this returns. The function checks the address, and makes the iterator.
    unsafe { helpers::io_ring_read_at_once(&mut kiocb, iter.as_mut_ptr(), buffer, len as usize) }
}

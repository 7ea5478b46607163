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
        let modes = self.modes();
        let Ok(position) = i64::try_from(offset) else {
            return false;
        };
        let Ok(address) = usize::try_from(address) else {
            return false;
        };
        if modes & (READS | NOT) != READS || len.wrapping_sub(1) >= MOST {
            return false;
        }
        let nowait = if modes & helpers::IO_RING_FILE_NOWAIT != 0 {
            helpers::IO_RING_IOCB_NOWAIT
        } else if modes & helpers::IO_RING_FILE_IN_MEMORY != 0 {
            0
        } else {
            return false;
        };
        let mut kiocb = bindings::kiocb {
            ki_filp: self.as_ptr(),
            ki_pos: position,
            ki_flags: nowait | self.iocb_flags(),
            ..pin_init::zeroed()
        };
        if kiocb.ki_flags & helpers::IO_RING_IOCB_DIRECT != 0 {
            return false;
        }
        let mut iter = MaybeUninit::<bindings::iov_iter>::uninit();
        let buffer = core::ptr::without_provenance_mut(address);
        // SAFETY: The file has a `read_iter`, may be read, and is alive; without a completion function
        // it has answered when this returns. The function checks the address, and makes the iterator.
        unsafe {
            helpers::io_ring_read_at_once(&mut kiocb, iter.as_mut_ptr(), buffer, len as usize)
        }
    }

    /// The `ki_flags` of a transfer without flags: some of them may change at any time.
    #[inline]
    fn iocb_flags(&self) -> c_int {
        // SAFETY: The file is alive; any value is one.
        unsafe { (&raw const (*self.as_ptr()).f_iocb_flags).read_volatile() as c_int }
    }
}

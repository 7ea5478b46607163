// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! The ring memory in this process.

use crate::errno::Errno;
use crate::region::Region;
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};
use std::os::fd::AsFd;

/// A shared mapping, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<c_void>,
    len: usize,
}

// SAFETY: A mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes of a ring from `offset` on.
    pub(crate) fn new(fd: impl AsFd, len: usize, offset: u64) -> Result<Self, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel chooses an address where nothing is.
        let base = unsafe { mmap(ptr::null_mut(), len, access, MapFlags::SHARED, fd, offset) }?;
        let base = NonNull::new(base).ok_or(Errno::from(rustix::io::Errno::NOMEM))?;
        Ok(Self { base, len })
    }

    /// The memory, for queues.
    ///
    /// # Safety
    ///
    /// Queues made from the region are not used once the mapping has been dropped.
    pub(crate) unsafe fn region(&self) -> Region {
        // SAFETY: A mapping starts on a page and is valid until it is dropped, which the caller
        // answers for; nothing makes references to it, and the kernel keeps to the order.
        unsafe { Region::new(self.base.cast(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: Mapped by `new`; queues on it are not used any more by the contract of `region`.
        // Unmapping what was mapped as a whole cannot fail.
        let _ = unsafe { munmap(self.base.as_ptr(), self.len) };
    }
}

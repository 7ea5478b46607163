// SPDX-License-Identifier: GPL-2.0

//! Files, or memory, mapped into an address space of a test's thread.
//!
//! Would join `rust/kernel/kunit.rs`. C header:
//! [`include/kunit/test.h`](srctree/include/kunit/test.h)

use super::{
    anon_fd::NewFd,
    file_ops::FileObject,
    helpers,
    user_struct::UserStruct, //
};
use core::ptr::null_mut;
use kernel::{
    bindings,
    prelude::*,
    types::NotThreadSafe, //
};

/// Whether the caller is interrupt code.
pub(crate) fn in_interrupt() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_in_hardirq() }
}

/// A mapping, as a program has it.
///
/// # Invariants
///
/// `len` bytes from `start` on are mapped in the address space of this thread.
pub(crate) struct UserMapping {
    start: usize,
    len: usize,
    _this_thread: NotThreadSafe,
}

impl UserMapping {
    /// Maps `len` bytes of the file behind `fd`, to read and write and share them.
    ///
    /// For threads of tests only: the thread has no address space before, and keeps the one that it
    /// gets here.
    ///
    /// # Errors
    ///
    /// Those of the file's `mmap`; `ENOMEM`.
    pub(crate) fn new<T: FileObject>(fd: &NewFd<T>, len: usize) -> Result<Self> {
        // SAFETY: The descriptor has a reference to the file.
        Self::mapped(unsafe { helpers::io_ring_map_user(fd.as_file(), len) }, len)
    }

    /// Maps `len` bytes of new memory. For threads of tests only, as [`UserMapping::new`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn anonymous(len: usize) -> Result<Self> {
        // SAFETY: There need not be a file.
        Self::mapped(unsafe { helpers::io_ring_map_user(null_mut(), len) }, len)
    }

    /// What `io_ring_map_user` has mapped at `start`, or the error that this is.
    fn mapped(start: usize, len: usize) -> Result<Self> {
        // Errors are the last addresses.
        #[expect(clippy::cast_possible_wrap, reason = "as IS_ERR_VALUE() does")]
        let error = start as isize;
        if (-4095..0).contains(&error) {
            return Err(Error::from_errno(i32::try_from(error)?));
        }
        // INVARIANT: Just mapped.
        Ok(Self {
            start,
            len,
            _this_thread: NotThreadSafe,
        })
    }

    /// Where it starts.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The 32-bit word at `offset` bytes, as system calls access it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not inside.
    pub(crate) fn word(&self, offset: usize) -> Result<UserStruct<u32>> {
        if offset > self.len.saturating_sub(4) {
            return Err(EINVAL);
        }
        Ok(UserStruct::new(self.start.wrapping_add(offset)))
    }
}

impl Drop for UserMapping {
    fn drop(&mut self) {
        // SAFETY: Mapped by the type invariants.
        unsafe { bindings::vm_munmap(self.start, self.len) };
    }
}

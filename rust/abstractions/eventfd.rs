// SPDX-License-Identifier: GPL-2.0

//! Eventfds that the kernel signals. Would join `rust/kernel/eventfd.rs`.
//!
//! C header: [`include/linux/eventfd.h`](srctree/include/linux/eventfd.h)

use super::helpers;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// A reference to what is behind a descriptor of `eventfd(2)`. It holds no file.
///
/// # Invariants
///
/// Points to a `struct eventfd_ctx`, and holds a reference to it.
pub(crate) struct EventFd(NonNull<c_void>);

// SAFETY: An eventfd may be used from any thread and any context; it has its own lock.
unsafe impl Send for EventFd {}

impl EventFd {
    /// The eventfd that `fd` stands for in the calling process. Process context, in an ioctl.
    ///
    /// # Errors
    ///
    /// `EBADF` if there is no such descriptor, `EINVAL` if it is another kind of file.
    pub(crate) fn get(fd: i32) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let raw = from_err_ptr(unsafe { helpers::io_ring_eventfd_get(fd) })?;
        // INVARIANT: Just taken.
        Ok(Self(NonNull::new(raw).ok_or(EBADF)?))
    }

    /// Adds 1 to its counter and wakes those who wait for that. Any context, but not in a callback of
    /// a wait queue: that might be the queue of an eventfd, and these do not nest.
    ///
    /// Calls those callbacks with the lock of the eventfd held.
    pub(crate) fn signal(&self) {
        // SAFETY: Alive by the type invariants.
        unsafe { helpers::io_ring_eventfd_signal(self.0.as_ptr()) };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: Gives back the reference held by the type invariants.
        unsafe { helpers::io_ring_eventfd_put(self.0.as_ptr()) };
    }
}

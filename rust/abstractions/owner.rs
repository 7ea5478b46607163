// SPDX-License-Identifier: GPL-2.0

//! Who a kernel object belongs to: one process's address space and credentials.
//!
//! Would join `rust/kernel/task.rs`. C headers: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h),
//! [`include/linux/cred.h`](srctree/include/linux/cred.h).

use super::helpers;
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// The process that made an object, remembered without keeping it alive.
///
/// # Invariants
///
/// Holds a `mmgrab` reference on `mm` (so that the pointer is never reused for another address
/// space, while the address space itself may go away) and references on `cred` and `pid`.
pub(crate) struct Owner {
    mm: NonNull<bindings::mm_struct>,
    cred: NonNull<bindings::cred>,
    pid: NonNull<bindings::pid>,
}

// SAFETY: The three references may be dropped from any thread.
unsafe impl Send for Owner {}
// SAFETY: Nothing behind the pointers is changed; they are compared, and `cred` is immutable.
unsafe impl Sync for Owner {}

impl Owner {
    /// The calling process.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a kernel thread, which has no address space of its own.
    pub(crate) fn current() -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let mm = NonNull::new(unsafe { helpers::io_ring_current_mm() }).ok_or(EINVAL)?;
        let pid = current_pid().ok_or(EINVAL)?;
        // SAFETY: The current task's address space is alive.
        unsafe { bindings::mmgrab(mm.as_ptr()) };
        // SAFETY: FFI call without requirements; the current credentials are never null.
        let cred =
            unsafe { NonNull::new_unchecked(helpers::io_ring_get_current_cred().cast_mut()) };
        // INVARIANT: One reference each was just taken.
        Ok(Self { mm, cred, pid })
    }

    /// Whether the caller is that process and still has the same credentials.
    ///
    /// Process context.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: FFI call without requirements.
        let mm = unsafe { helpers::io_ring_current_mm() };
        // SAFETY: `cred` is alive by the type invariants.
        mm == self.mm.as_ptr() && unsafe { helpers::io_ring_is_current_cred(self.cred.as_ptr()) }
    }

    /// Whether the caller is the last thread of that process, on its way out.
    ///
    /// Its address space is already gone then, so the process is told by its pid.
    pub(crate) fn is_current_exiting(&self) -> bool {
        // SAFETY: FFI call without requirements.
        if !unsafe { helpers::io_ring_current_is_exiting() } {
            return false;
        }
        let Some(pid) = current_pid() else {
            return false;
        };
        // SAFETY: Gives back the reference that `current_pid` took.
        unsafe { bindings::put_pid(pid.as_ptr()) };
        // The pointer is only compared, and `self.pid` is alive, so it names the same process.
        pid == self.pid
    }

    /// The process id as the initial pid namespace knows it.
    pub(crate) fn pid(&self) -> i32 {
        // SAFETY: `pid` is alive by the type invariants.
        unsafe { helpers::io_ring_pid_nr(self.pid.as_ptr()) }
    }
}

/// The thread group's `struct pid`, with a reference for the caller.
fn current_pid() -> Option<NonNull<bindings::pid>> {
    // SAFETY: FFI call without requirements.
    NonNull::new(unsafe { helpers::io_ring_get_current_tgid() })
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: Gives back the reference held by the type invariants.
        unsafe { bindings::put_pid(self.pid.as_ptr()) };
        // SAFETY: As above.
        unsafe { bindings::put_cred(self.cred.as_ptr()) };
        // SAFETY: As above.
        unsafe { bindings::mmdrop(self.mm.as_ptr()) };
    }
}

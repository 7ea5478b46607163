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
    /// Its descriptor table; only compared.
    files: *const c_void,
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
        // SAFETY: FFI call without requirements.
        let pid = NonNull::new(unsafe { helpers::io_ring_get_current_tgid() }).ok_or(EINVAL)?;
        // SAFETY: The current task's address space is alive.
        unsafe { bindings::mmgrab(mm.as_ptr()) };
        // SAFETY: FFI call without requirements; the current credentials are never null.
        let cred =
            unsafe { NonNull::new_unchecked(helpers::io_ring_get_current_cred().cast_mut()) };
        // SAFETY: FFI call without requirements.
        let files = unsafe { helpers::io_ring_current_files() };
        // INVARIANT: One reference each was just taken.
        Ok(Self {
            mm,
            cred,
            pid,
            files,
        })
    }

    /// Whether the caller is that process and still has the same credentials.
    ///
    /// Process context.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: All are alive by the type invariants.
        unsafe {
            helpers::io_ring_is_current(self.pid.as_ptr(), self.mm.as_ptr(), self.cred.as_ptr())
        }
    }

    /// Whether that process has exited, or executed another program. Process context.
    pub(crate) fn has_left(&self) -> bool {
        // SAFETY: `pid` is alive by the type invariants; `mm` is only compared.
        unsafe { helpers::io_ring_process_left(self.pid.as_ptr(), self.mm.as_ptr()) }
    }

    /// Whether that process has this address space.
    pub(crate) fn lives_in(&self, space: AddressSpace) -> bool {
        core::ptr::eq(space.0, self.mm.as_ptr())
    }

    /// Whether that process is done with the ring: a descriptor table of it goes away, which is the
    /// one the ring was made with, or it has just executed another program.
    pub(crate) fn is_current_leaving(&self, files: DescriptorTable) -> bool {
        let same = core::ptr::eq(files.0, self.files);
        // SAFETY: Both are alive by the type invariants, and only compared.
        unsafe { helpers::io_ring_current_leaves(self.pid.as_ptr(), self.mm.as_ptr(), same) }
    }

    /// What it holds references to.
    pub(super) fn parts(
        &self,
    ) -> (
        *mut bindings::pid,
        *const bindings::mm_struct,
        *const bindings::cred,
    ) {
        (self.pid.as_ptr(), self.mm.as_ptr(), self.cred.as_ptr())
    }

    /// The process id, in the pid namespace of the caller; 0 if the process is gone or not in it.
    pub(crate) fn pid(&self) -> i32 {
        // SAFETY: `pid` is alive by the type invariants.
        unsafe { helpers::io_ring_pid_nr(self.pid.as_ptr()) }
    }
}

/// The descriptor table that a descriptor is closed in.
#[derive(Clone, Copy)]
pub(crate) struct DescriptorTable(pub(super) *const c_void);

/// An address space; only compared.
#[derive(Clone, Copy)]
pub(crate) struct AddressSpace(pub(super) *const bindings::mm_struct);

impl Clone for Owner {
    fn clone(&self) -> Self {
        // SAFETY: Alive by the type invariants.
        unsafe { bindings::mmgrab(self.mm.as_ptr()) };
        // SAFETY: As above.
        unsafe { helpers::io_ring_get_cred(self.cred.as_ptr()) };
        // SAFETY: As above.
        unsafe { helpers::io_ring_get_pid(self.pid.as_ptr()) };
        // INVARIANT: One more reference each was just taken.
        Self { ..*self }
    }
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

/// How a task that lets go of the last reference to something may wait.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Patience {
    /// As long as nobody kills it.
    UntilKilled,
    /// A short time: it is exiting, and no signal reaches it any more.
    Short,
    /// Not at all: it works for the whole system.
    None,
}

impl Patience {
    /// That of the current task.
    pub(crate) fn current() -> Self {
        // SAFETY: FFI call without requirements.
        let is_kthread = unsafe { helpers::io_ring_current_is_kthread() };
        // SAFETY: FFI call without requirements.
        let is_exiting = unsafe { helpers::io_ring_current_is_exiting() };
        match (is_kthread, is_exiting) {
            (true, _) => Self::None,
            (_, true) => Self::Short,
            _ => Self::UntilKilled,
        }
    }
}

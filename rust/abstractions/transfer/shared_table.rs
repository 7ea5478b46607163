// SPDX-License-Identifier: GPL-2.0

//! A process's descriptor table, for files whose `read` or `write` looks at that of the current task.
//!
//! Worker threads have none (see `vhost_task_create()`), and such files do not expect that.

use crate::abstractions::helpers;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A counted reference to the descriptor table of the process that submits.
///
/// # Invariants
///
/// Counts as one user of the table.
pub(super) struct SharedTable(NonNull<c_void>);

// SAFETY: The table is only handed to a task of its process, or given back, from any thread.
unsafe impl Send for SharedTable {}

/// The current task, a worker, has the table until this is dropped.
///
/// # Invariants
///
/// If it is true, the task had no table before.
pub(super) struct Lent(bool);

impl SharedTable {
    /// That of the current task, which is one of a program.
    pub(super) fn current() -> Self {
        // SAFETY: FFI call without requirements in a task that has a table; not null then.
        let table = unsafe { NonNull::new_unchecked(helpers::io_ring_share_files()) };
        // INVARIANT: Just counted.
        Self(table)
    }

    /// Lends it to the current task, if that has none.
    pub(super) fn lend(&self) -> Lent {
        // SAFETY: The table is alive by the type invariants, and given back before this is.
        let lent = unsafe { helpers::io_ring_lend_files(self.0.as_ptr()) };
        // INVARIANT: As it answered.
        Lent(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: It was lent by the type invariants, and its owner still has it.
            unsafe { helpers::io_ring_unlend_files() };
        }
    }
}

impl Drop for SharedTable {
    fn drop(&mut self) {
        // SAFETY: Gives back what was counted in `current`.
        unsafe { helpers::io_ring_unshare_files(self.0.as_ptr()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Worker threads that stand in for the threads of their process. Would join `rust/kernel/task.rs`.
//!
//! A worker thread (see [`worker_thread`](super::worker_thread)) has the address space of its process,
//! and the credentials of the thread that made it, but no descriptor table, and it does not notice when
//! the process gives rights up. Before it does what a program has asked for through shared memory, it
//! looks whether the process still has its rights, and takes its descriptor table, for as long as a
//! [`StandIn`] lives: who held the table for longer would keep files open that nobody has.
//!
//! The process is known by its oldest thread that is no worker and does not exit: that is the main
//! thread as long as there is one.

use super::{
    helpers,
    owner::Owner, //
};
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// The calling thread, a worker, has the descriptor table of its process.
///
/// # Invariants
///
/// The current task has a counted reference to the table, which it got for this value.
pub(crate) struct StandIn(NotThreadSafe);

impl Owner {
    /// Has the calling thread, which is a worker of that process, stand in for it. Process context.
    ///
    /// # Errors
    ///
    /// `EPERM` if the process has other rights by now, `EOWNERDEAD` if it has no threads any more.
    pub(crate) fn stand_in(&self) -> Result<StandIn> {
        let (pid, mm, cred) = self.parts();
        // SAFETY: All are alive by the type invariants of `Owner`.
        kernel::error::to_result(unsafe { helpers::io_ring_stand_in(pid, mm, cred) })?;
        // INVARIANT: Just taken.
        Ok(StandIn(NotThreadSafe))
    }

    /// Whether a worker may stand in for that process. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Owner::stand_in`].
    pub(crate) fn may_stand_in(&self) -> Result {
        let (pid, mm, cred) = self.parts();
        // SAFETY: All are alive by the type invariants of `Owner`.
        kernel::error::to_result(unsafe { helpers::io_ring_may_stand_in(pid, mm, cred) })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // SAFETY: The current task has the table by the type invariants, and this is the task.
        unsafe { helpers::io_ring_stand_back() };
    }
}

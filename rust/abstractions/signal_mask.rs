// SPDX-License-Identifier: GPL-2.0

//! Sleeping under another signal mask, as `ppoll(2)` does.
//!
//! Would join `rust/kernel/task.rs`. C header:
//! [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::helpers;
use kernel::prelude::*;

/// The signals that are blocked: bit n - 1 is signal n.
#[derive(Clone, Copy)]
pub(crate) struct SignalMask(u64);

impl SignalMask {
    /// The mask of these bits. Signals that cannot be blocked never are, whatever their bits say.
    pub(crate) fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Calls `action` with the current task under this mask.
    ///
    /// Afterwards its own mask is back. If `action` fails with `EINTR` that takes place only after
    /// the signal that did it has been handled, under this mask: it may be blocked in the task's
    /// own one. For a task in a system call that returns to user space then.
    pub(crate) fn during(self, action: impl FnOnce() -> Result) -> Result {
        // SAFETY: FFI call without requirements in a task with a user space.
        unsafe { helpers::io_ring_set_sigmask(self.0) };
        let result = action();
        if result != Err(EINTR) {
            // SAFETY: Pairs with the call above.
            unsafe { helpers::io_ring_restore_sigmask() };
        }
        result
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Resource limits of the calling process. Would join `rust/kernel/task.rs`.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::helpers;

/// How many files it may have open: `RLIMIT_NOFILE`.
pub(crate) fn open_files() -> u64 {
    // SAFETY: FFI call without requirements.
    let limit = unsafe { helpers::io_ring_rlimit_nofile() };
    // CAST: Not wider.
    limit as u64
}

// SPDX-License-Identifier: GPL-2.0-only

//! What the module's files that are fuzzed on the host take from the kernel crate.
//!
//! There is one thread: what a program does at the same time is done by the model of shared memory,
//! between two accesses of the module. So atomic variables are cells, and barriers do nothing.

pub mod error;
pub mod prelude;
pub mod sync;

/// There are no locks to tell apart.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        ()
    };
}

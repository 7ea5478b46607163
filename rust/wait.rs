// SPDX-License-Identifier: GPL-2.0

//! Waiting for completions.
//!
//! # No lost wake-up
//!
//! A waiter sleeps on `Shared::waiters` with the condition "enough completions can be read", which
//! compares the published tail with the program's head. The two sides:
//!
//! ```text
//! waiter      enter the wait queue; full barrier; evaluate the condition; sleep
//! completer   write completion; tail.store(release); full barrier; look at the wait queue
//! ```
//!
//! Both barriers are in [`wait_queue`](crate::abstractions::wait_queue). If the waiter does not see
//! the new tail, the completer sees the waiter, evaluates the condition for it and wakes it. The
//! condition only becomes false again when a program reads completions, which no waiter can rely on
//! not to happen: it then sees fewer than it waited for, as with any shared queue.
//!
//! # What ends a wait
//!
//! Enough completions; a signal; a head that cannot be true, since nothing could be compared with
//! it; or that the process of the ring is gone, since then nobody submits what is missing.

#![forbid(unsafe_code)]

use crate::ring::completion::Shared;
use kernel::prelude::*;

/// Waits until `min_complete` completions can be read, or as many as the queue holds.
///
/// Process context; sleeps.
///
/// # Errors
///
/// `EINTR`, `EOVERFLOW` (the head is out of range), `EOWNERDEAD`.
pub(crate) fn for_completions(shared: &Shared, min_complete: u32) -> Result {
    let wanted = min_complete.min(shared.capacity());
    let ended = || match shared.ready() {
        Ok(ready) => ready >= wanted || shared.is_owner_gone(),
        Err(_) => true,
    };
    shared.waiters.wait_until(ended)?;

    match shared.ready() {
        Ok(ready) if ready < wanted && shared.is_owner_gone() => Err(EOWNERDEAD),
        Ok(_) => Ok(()),
        Err(_) => Err(EOVERFLOW),
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Waiting for completions.
//!
//! # No lost wake-up
//!
//! A waiter judges how many completions can be read, and if they are too few, sleeps on
//! `Shared::waiters` until it is worth judging again. The two sides:
//!
//! ```text
//! waiter      enter the wait queue; full barrier; worth a look? if not, sleep
//! completer   write completion; tail.store(release), or park it and store the number of parked
//!             ones; full barrier; look at the wait queue; worth a look for whom?
//! ```
//!
//! Both barriers are in [`wait_queue`](crate::abstractions::wait_queue). If the waiter does not see
//! what the completer stored, the completer sees the waiter, and wakes it if it is worth it. Parked
//! completions count: a program that reads a full queue and waits, while another completion is just
//! being parked, has room for it that only the next judgement uses.
//!
//! The look is only a hint, made without a lock, from a head and a tail that may be of different
//! moments; [`completion::ready`] is the judgement. A hint that was wrong costs one more round.
//!
//! # What ends a wait
//!
//! Enough completions; a signal; a head that cannot be true, since nothing could be compared with
//! it; or that the process of the ring is gone, since then nobody submits what is missing.

#![forbid(unsafe_code)]

use crate::{
    abstractions::pool::Pool,
    ring::{
        completion,
        request::Requests, //
    },
};
use kernel::prelude::*;

/// Waits until `min_complete` completions can be read, or as many as the queue holds.
///
/// Process context; sleeps.
///
/// # Errors
///
/// `EINTR`, `EOVERFLOW` (the head is out of range), `EOWNERDEAD`.
pub(crate) fn for_completions(pool: &Pool<Requests>, min_complete: u32) -> Result {
    let shared = pool.shared();
    let wanted = min_complete.min(shared.capacity());
    loop {
        completion::flush_parked(pool);
        if completion::ready(pool).map_err(|_| EOVERFLOW)? >= wanted {
            return Ok(());
        }
        if shared.is_owner_gone() {
            return Err(EOWNERDEAD);
        }
        shared
            .waiters
            .wait_until(|| shared.is_worth_a_look(wanted) || shared.is_owner_gone())?;
    }
}

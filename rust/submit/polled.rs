// SPDX-License-Identifier: GPL-2.0

//! Entries of a ring whose transfers complete without an interrupt.

#![forbid(unsafe_code)]

use super::Submitter;
use crate::{
    abstractions::pool::{
        Chain,
        Pool, //
    },
    op::{
        Blocking,
        Rejected, //
    },
    polled::Started,
    request::{
        self,
        Path,
        Requests, //
    },
    worker::Workers, //
};
use kernel::sync::Arc;

/// The bit of an entry's flags that stands for "it is polled"; none of those has it.
pub(super) const POLLED: u8 = 1 << 5;

/// Leaves to `workers`, which are those of the calling process, what has to block. Process context;
/// sleeps.
pub(crate) fn leave_blocked(workers: &Arc<Workers>, mut blocked: Chain<Requests>) {
    if blocked.is_empty() {
        return;
    }
    while let Some(slot) = blocked.pop() {
        workers.wait_for_worker(slot, Blocking::Transfer);
    }
    Workers::see_to_it(workers);
}

impl Submitter {
    /// Has all transfers complete without an interrupt.
    pub(crate) fn poll(&mut self) {
        self.always |= POLLED;
    }

    /// Whether they do.
    #[inline]
    pub(super) fn is_polled(&self) -> bool {
        self.always & POLLED != 0
    }

    /// Sees to a request that has begun.
    pub(super) fn see_to_polled(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        started: Started,
    ) -> Result<(), Rejected> {
        match started {
            Started::Done(slot, result) => self.finish(slot, result, Path::Inline),
            Started::Polled => pool.shared().set_polled(self.polled.len()),
            Started::WouldBlock(slot) => {
                self.has_held = true;
                workers.wait_for_worker(slot, Blocking::Transfer);
            }
            Started::Rejected(slot, rejected) => {
                self.refusals
                    .tell(request::traced(&slot), rejected, &self.ops);
                self.finished
                    .push(request::rejected(slot.request.cqe.user_data, &rejected));
                self.spare.put(slot);
                return Err(rejected);
            }
        }
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Counters of the completion queue.

#![forbid(unsafe_code)]

use super::{
    Completing,
    CompletionQueue,
    Shared, //
};
use crate::abstractions::pool::Inside;
use kernel::sync::atomic::Relaxed;

impl<D: Completing> CompletionQueue<D> {
    /// How many completions wait for room.
    pub(crate) fn parked(&self) -> u32 {
        self.parked_now
    }

    /// How many completions had to wait for room so far; the program sees the lower half.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// How many completions the program has been given so far.
    pub(crate) fn posted(&self) -> u64 {
        self.posted
    }

    /// How many requests have ended without a completion so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl Shared {
    /// Whether a slot may be free: as it was when somebody noted it last. Any context.
    pub(crate) fn has_free_slot(&self) -> bool {
        self.idle.load(Relaxed) > self.parked.load(Relaxed) as usize
    }
}

/// Notes that `count` requests have ended that want no completion.
pub(crate) fn skip<D: Completing>(inside: &mut Inside<D>, count: u64) {
    inside.state.skipped = inside.state.skipped.wrapping_add(count);
}

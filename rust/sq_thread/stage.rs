// SPDX-License-Identifier: GPL-2.0

//! Who comes last: the thread with a round, or who destroys the ring.

#![forbid(unsafe_code)]

use kernel::sync::atomic::{
    Atomic,
    Full,
    Relaxed, //
};

/// Nothing is being taken.
const REST: u32 = 0;
/// A round is under way.
const ROUND: u32 = 1;
/// There are no rounds any more.
const CLOSED: u32 = 2;
/// A round is under way, the last one, which does the rest.
const LAST: u32 = 3;

/// What the thread does, as far as it matters to who destroys the ring.
///
/// All changes are full barriers: what was done before is seen by who makes the next one.
pub(super) struct Stage(Atomic<u32>);

impl Stage {
    /// Nothing is being taken.
    pub(super) fn new() -> Self {
        Self(Atomic::new(REST))
    }

    /// Begins a round, unless there are to be none any more.
    pub(super) fn begin(&self) -> bool {
        self.0.cmpxchg(REST, ROUND, Full).is_ok()
    }

    /// Ends it. Answers whether somebody else does the rest, now or when the time comes.
    pub(super) fn end(&self) -> bool {
        self.0.cmpxchg(ROUND, REST, Full).is_ok()
    }

    /// Whether a round is under way. Any context; a hint.
    pub(super) fn is_round(&self) -> bool {
        self.0.load(Relaxed) == ROUND
    }

    /// Sees to it that there are no rounds any more, unless one is under way.
    pub(super) fn close(&self) -> bool {
        !matches!(self.0.cmpxchg(REST, CLOSED, Full), Err(ROUND))
    }

    /// Leaves the rest to a round that is under way, if there is one.
    pub(super) fn leave_to_round(&self) -> bool {
        self.0.cmpxchg(ROUND, LAST, Full).is_ok()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Who comes last: the thread with a visit, or who destroys the ring.

#![forbid(unsafe_code)]

use kernel::sync::atomic::{
    Atomic,
    Full,
    Relaxed, //
};

/// The thread has nothing of the ring.
const AWAY: u32 = 0;
/// A visit is under way.
const VISIT: u32 = 1;
/// There are no visits any more.
const CLOSED: u32 = 2;
/// A visit is under way, the last one, whose end does the rest.
const LAST: u32 = 3;

/// What the thread does, as far as it matters to who destroys the ring.
///
/// All changes are full barriers: what was done before is seen by who makes the next one.
pub(super) struct Stage(Atomic<u32>);

impl Stage {
    /// No visit yet.
    pub(super) fn new() -> Self {
        Self(Atomic::new(AWAY))
    }

    /// Begins a visit, unless there are to be none any more.
    pub(super) fn begin(&self) -> bool {
        self.0.cmpxchg(AWAY, VISIT, Full).is_ok()
    }

    /// Ends it. Answers whether somebody else does the rest, now or when the time comes.
    pub(super) fn end(&self) -> bool {
        self.0.cmpxchg(VISIT, AWAY, Full).is_ok()
    }

    /// Whether a visit is under way. Any context; a hint.
    pub(super) fn is_visit(&self) -> bool {
        self.0.load(Relaxed) == VISIT
    }

    /// Sees to it that there are no visits any more, unless one is under way.
    pub(super) fn close(&self) -> bool {
        !matches!(self.0.cmpxchg(AWAY, CLOSED, Full), Err(VISIT))
    }

    /// Leaves the rest to the end of a visit that is under way, if there is one.
    pub(super) fn leave_to_visit(&self) -> bool {
        self.0.cmpxchg(VISIT, LAST, Full).is_ok()
    }
}

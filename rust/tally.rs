// SPDX-License-Identifier: GPL-2.0

//! Waiting until a number of completions has come.
//!
//! Who completes something says how many completions have come, in any context; who sees to those that
//! wait for a number does so in process context, and has said before which is the lowest that somebody
//! waits for. Both write first, then look at what the other has written, with a full barrier between:
//! at least one of them sees that the number has been reached.

#![forbid(unsafe_code)]

use kernel::sync::atomic::{
    Atomic,
    Full,
    Relaxed, //
};

/// A number that is never reached.
const NEVER: u64 = u64::MAX;

/// How many completions have come, and which of them somebody waits for.
pub(crate) struct Tally {
    came: Atomic<u64>,
    wanted: Atomic<u64>,
}

impl Tally {
    /// None, and nobody waits.
    pub(crate) fn new() -> Self {
        Self {
            came: Atomic::new(0),
            wanted: Atomic::new(NEVER),
        }
    }

    /// So many have come. Answers whether somebody waits for that.
    ///
    /// Any context; nobody else calls this meanwhile.
    pub(crate) fn came(&self, came: u64) -> bool {
        // Pairs with the exchange in `want`.
        self.came.xchg(came, Full);
        self.is_due()
    }

    /// Somebody waits until so many have come. Answers whether they have.
    pub(crate) fn want(&self, number: u64) -> bool {
        let mut wanted = self.wanted.load(Relaxed);
        // Pairs with the exchange in `came`. Also if nothing changes: the barrier is needed.
        while let Err(other) = self.wanted.cmpxchg(wanted, wanted.min(number), Full) {
            wanted = other;
        }
        self.is_due()
    }

    /// Whether somebody waits for what has come. Any context.
    pub(crate) fn is_due(&self) -> bool {
        self.came.load(Relaxed) >= self.wanted.load(Relaxed)
    }

    /// Forgets who waits, if one of them is to be seen to, and answers how many completions have come.
    /// [`Tally::want`] what is still waited for.
    pub(crate) fn take_due(&self) -> Option<u64> {
        if !self.is_due() {
            return None;
        }
        // Full: who wants something now has armed it, and is found, or is not forgotten.
        self.wanted.xchg(NEVER, Full);
        Some(self.came.load(Relaxed))
    }
}

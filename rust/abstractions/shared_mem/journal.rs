// SPDX-License-Identifier: GPL-2.0

//! What was done to a shared memory, in order: the hooks of [`coherence`](super::coherence), counted
//! for tests.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// How many steps are kept: those of a few entries.
const KEPT: usize = 32;

/// What was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The kernel read.
    Read,
    /// The kernel wrote.
    Write,
    /// What was written was made visible to the program.
    Publish,
    /// What the program wrote was made visible to the kernel.
    Consume,
}

/// Which byte of the memory first, and how many.
pub(crate) type Range = (u32, u32);

fn pack(step: Step, (offset, len): Range) -> u64 {
    let step = match step {
        Step::Read => 0,
        Step::Write => 1,
        Step::Publish => 2,
        Step::Consume => 3,
    };
    u64::from(offset) << 32 | u64::from(len) << 2 | step
}

fn unpack(packed: u64) -> Result<(Step, Range)> {
    let step = match packed & 3 {
        0 => Step::Read,
        1 => Step::Write,
        2 => Step::Publish,
        _ => Step::Consume,
    };
    let offset = u32::try_from(packed >> 32)?;
    Ok((step, (offset, u32::try_from((packed & 0xffff_ffff) >> 2)?)))
}

/// The first steps since it was started anew.
pub(crate) struct Journal {
    noted: Atomic<usize>,
    steps: [Atomic<u64>; KEPT],
    flushed: Atomic<usize>,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self {
            noted: Atomic::new(0),
            steps: [const { Atomic::new(0) }; KEPT],
            flushed: Atomic::new(0),
        }
    }

    /// Forgets what was noted.
    pub(crate) fn restart(&self) {
        self.noted.store(0, Relaxed);
        self.flushed.store(0, Relaxed);
    }

    pub(super) fn note(&self, step: Step, range: Range) {
        let at = self.noted.load(Relaxed);
        if let Some(place) = self.steps.get(at) {
            place.store(pack(step, range), Relaxed);
            self.noted.store(at + 1, Relaxed);
        }
    }

    pub(super) fn note_flush(&self) {
        self.flushed.store(self.flushed() + 1, Relaxed);
    }

    /// What was noted, in order, as long as only one thread did something.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `E2BIG` if it is more than is kept.
    pub(crate) fn steps(&self) -> Result<KVec<(Step, Range)>> {
        let noted = self.noted.load(Relaxed);
        if noted == KEPT {
            return Err(E2BIG);
        }
        let mut steps = KVec::with_capacity(noted, GFP_KERNEL)?;
        for step in self.steps.iter().take(noted) {
            steps.push(unpack(step.load(Relaxed))?, GFP_KERNEL)?;
        }
        Ok(steps)
    }

    /// How many pages were flushed from the cache.
    pub(crate) fn flushed(&self) -> usize {
        self.flushed.load(Relaxed)
    }
}

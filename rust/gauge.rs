// SPDX-License-Identifier: GPL-2.0

//! Counting what is alive.

#![forbid(unsafe_code)]

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// A number that goes up when something is made and down when it is gone.
pub(crate) struct Gauge(Atomic<usize>);

impl Gauge {
    /// 0.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// The number.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Counts `n` more.
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Counts one more, unless there are `limit` already.
    pub(crate) fn add_below(&self, limit: usize) -> bool {
        let mut count = self.get();
        while count < limit {
            match self.0.cmpxchg(count, count.wrapping_add(1), Relaxed) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    /// Counts `n` fewer.
    pub(crate) fn sub(&self, n: usize) {
        self.0.fetch_sub(n, Relaxed);
    }
}

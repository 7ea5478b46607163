// SPDX-License-Identifier: GPL-2.0

//! What administrators can observe of a ring as a whole.

#![forbid(unsafe_code)]

use super::Context;
use crate::{
    abstractions::{
        audit::Record,
        trace, //
    },
    ring::sizes::Sizes, //
};

/// Tells listeners of the beginning and the end of a ring.
pub(super) struct Observed {
    number: u64,
}

impl Observed {
    /// A ring with this number is being made, of these sizes and with the flags of SETUP.
    pub(super) fn new(number: u64, sizes: &Sizes, flags: u32) -> Self {
        trace::create(|| trace::Ring {
            number,
            entries: sizes.entries.get(),
            cq_entries: sizes.cq_entries.get(),
            requests: sizes.requests,
            flags,
        });
        Self { number }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        trace::destroy(|| self.number);
    }
}

impl Context {
    /// The number by which traces and records know the ring.
    pub(crate) fn number(&self) -> u64 {
        self.mem.number()
    }

    /// Tells listeners that the ring belongs to the calling process now, and the audit log if it has
    /// belonged to another one.
    pub(super) fn tell_of_bound(&self, was_bound: bool) {
        trace::bind(|| (self.number(), was_bound));
        if !was_bound {
            return;
        }
        // Others wait for the mutex.
        if let Some(record) = Record::begin_at_once("io_ring_bind") {
            record.number("ring", self.number()).allowed();
        }
    }
}

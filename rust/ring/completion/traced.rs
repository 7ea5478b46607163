// SPDX-License-Identifier: GPL-2.0

//! Completions, as those see them who trace the driver.

#![forbid(unsafe_code)]

use super::Shared;
use crate::{
    abi,
    abstractions::trace, //
};

impl Shared {
    /// The number by which traces and records know the ring.
    pub(crate) fn ring(&self) -> u64 {
        self.ring
    }
}

/// What listeners are told of a completion of the ring with this number.
pub(crate) fn traced(ring: u64, cqe: &abi::Cqe) -> trace::Completion {
    trace::Completion {
        ring,
        user_data: cqe.user_data,
        res: cqe.res,
        flags: cqe.flags,
    }
}

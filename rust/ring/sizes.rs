// SPDX-License-Identifier: GPL-2.0

//! How large a ring becomes: what a program asked for, judged and rounded.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

use crate::{
    abi,
    ring::index::Capacity, //
};
use core::mem::offset_of;

/// A size that cannot be: which field of [`abi::Setup`] is to blame, and which limit, if any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    /// Byte offset of the field.
    pub(crate) field: usize,
    /// One of the `LIMIT_*`.
    pub(crate) limit: u32,
    /// What was asked for.
    pub(crate) need: u32,
    /// What is allowed.
    pub(crate) have: u32,
}

impl Refused {
    fn value(field: usize) -> Self {
        Self {
            field,
            limit: abi::LIMIT_NONE,
            need: 0,
            have: 0,
        }
    }
}

/// Fewest worker threads that a ring may be limited to.
const MIN_WORKERS: u32 = 2;

/// The limit of worker threads that the module parameter `max_workers` stands for.
pub(crate) fn workers_limit(parameter: u32) -> u32 {
    parameter.clamp(MIN_WORKERS, abi::MAX_WORKERS)
}

/// The sizes of a ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sizes {
    /// Submission queue entries.
    pub(crate) entries: Capacity,
    /// Completion queue entries, at least as many.
    pub(crate) cq_entries: Capacity,
    /// Request slots, at least as many as completion queue entries.
    pub(crate) requests: u32,
    /// Worker threads at once.
    pub(crate) max_workers: u32,
}

/// One size with its limit.
struct Wanted {
    value: u32,
    field: usize,
    limit: u32,
    max: u32,
}

impl Wanted {
    /// The value, cut to the maximum if the program asked for that.
    fn within_limit(&self, clamp: bool) -> Result<u32, Refused> {
        if self.value <= self.max {
            return Ok(self.value);
        }
        if clamp {
            return Ok(self.max);
        }
        Err(Refused {
            field: self.field,
            limit: self.limit,
            need: self.value,
            have: self.max,
        })
    }
}

impl Sizes {
    /// The sizes that `setup` asks for, where a ring may have up to `workers_limit` worker threads.
    pub(crate) fn of(setup: &abi::Setup, workers_limit: u32) -> Result<Self, Refused> {
        let clamp = setup.flags & abi::SETUP_CLAMP != 0;

        let field = offset_of!(abi::Setup, entries);
        let wanted = Wanted {
            value: setup.entries,
            field,
            limit: abi::LIMIT_ENTRIES,
            max: abi::MAX_ENTRIES,
        };
        let entries =
            Capacity::at_least(wanted.within_limit(clamp)?).ok_or(Refused::value(field))?;
        let cq_entries = Self::cq_entries(setup, entries, clamp)?;
        let requests = Self::requests(setup, cq_entries, clamp)?;
        let max_workers = Self::max_workers(setup, workers_limit, clamp)?;
        Ok(Self {
            entries,
            cq_entries,
            requests,
            max_workers,
        })
    }

    fn cq_entries(setup: &abi::Setup, entries: Capacity, clamp: bool) -> Result<Capacity, Refused> {
        let field = offset_of!(abi::Setup, cq_entries);
        let value = if setup.flags & abi::SETUP_CQSIZE != 0 {
            setup.cq_entries
        } else if setup.cq_entries == 0 {
            // The largest submission queue doubled is the largest completion queue.
            entries.get().saturating_mul(2)
        } else {
            return Err(Refused::value(field));
        };
        let wanted = Wanted {
            value,
            field,
            limit: abi::LIMIT_CQ_ENTRIES,
            max: abi::MAX_CQ_ENTRIES,
        };
        Capacity::at_least(wanted.within_limit(clamp)?)
            .filter(|cq_entries| cq_entries.get() >= entries.get())
            .ok_or(Refused::value(field))
    }

    fn requests(setup: &abi::Setup, cq_entries: Capacity, clamp: bool) -> Result<u32, Refused> {
        if setup.requests == 0 {
            return Ok(cq_entries.get());
        }
        let field = offset_of!(abi::Setup, requests);
        let wanted = Wanted {
            value: setup.requests,
            field,
            limit: abi::LIMIT_REQUESTS,
            max: abi::MAX_REQUESTS,
        };
        let requests = wanted.within_limit(clamp)?;
        if requests < cq_entries.get() {
            return Err(Refused::value(field));
        }
        Ok(requests)
    }

    fn max_workers(setup: &abi::Setup, limit: u32, clamp: bool) -> Result<u32, Refused> {
        if setup.max_workers == 0 {
            return Ok(limit);
        }
        let field = offset_of!(abi::Setup, max_workers);
        if setup.max_workers < MIN_WORKERS {
            return Err(Refused::value(field));
        }
        let wanted = Wanted {
            value: setup.max_workers,
            field,
            limit: abi::LIMIT_WORKERS,
            max: limit,
        };
        wanted.within_limit(clamp)
    }
}

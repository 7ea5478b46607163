// SPDX-License-Identifier: GPL-2.0

//! Who is told of an entry that is rejected, besides the program.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        audit::Record,
        pool::Pool,
        trace, //
    },
    op::{
        allowed::OpSet,
        Rejected, //
    },
    request::{
        self,
        Requests, //
    },
};
use kernel::prelude::*;

/// Operations whose refusal is in the audit log.
pub(crate) struct Refusals {
    recorded: OpSet,
}

impl Refusals {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            recorded: OpSet::NONE,
        }
    }

    /// Begins anew: another process submits.
    #[cold]
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Tells listeners of an entry that is rejected, and the audit log if that is because it is not among
    /// the `allowed`.
    #[cold]
    pub(super) fn tell(&mut self, entry: trace::Request, rejected: Rejected, allowed: &OpSet) {
        if rejected.error == EACCES && !allowed.contains(entry.opcode) {
            self.record(&entry);
        }
        let (error, field) = (rejected.error.to_errno(), rejected.field.offset());
        trace::reject(|| (entry, error, field));
    }

    /// As [`Refusals::tell`], for an entry that has no slot.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_of_entry(
        &mut self,
        pool: &Pool<Requests>,
        sqe: &abi::Sqe,
        rejected: Rejected,
        allowed: &OpSet,
    ) {
        self.tell(request::traced_entry(pool, sqe), rejected, allowed);
    }

    /// Once for each operation is enough to know, and does not flood the log.
    fn record(&mut self, entry: &trace::Request) {
        if self.recorded.contains(entry.opcode) {
            return;
        }
        if let Some(record) = Record::begin_at_once("io_ring_submit") {
            // It exists, or it would have been rejected for that.
            let _ = self.recorded.add(entry.opcode);
            let record = record.number("ring", entry.ring);
            record.word("operation", entry.name).refused();
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What requests that wait for events have of the completion queue besides their end.

#![forbid(unsafe_code)]

use super::{
    done,
    Path,
    Requests, //
};
use crate::{
    abi,
    abstractions::pool::Slot,
    ring::completion, //
};

/// Posts a completion of a request that goes on; answers whether there was room for it. Process context.
pub(crate) fn post_more(slot: &Slot<Requests>, result: isize, path: Path) -> bool {
    let mut cqe = done(slot.request.cqe.user_data, result, path);
    cqe.flags |= abi::CQE_F_MORE;
    slot.with_lock(|shared, inside| {
        let has_room = completion::post_more(inside, cqe);
        if has_room && slot.request.opcode == abi::OP_TIMEOUT {
            inside.state.leave_out();
        }
        if path == Path::Inline {
            completion::publish_at_once(&shared.completion, inside);
        } else {
            completion::publish(&shared.completion, inside);
        }
        has_room
    })
}

/// Answers how many completions of the ring have come, and lets the workers know of each from now on.
pub(crate) fn count(slot: &Slot<Requests>) -> u64 {
    slot.with_lock(|shared, inside| completion::count(inside, shared.away.clone()))
}

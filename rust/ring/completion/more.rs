// SPDX-License-Identifier: GPL-2.0

//! Completions of requests that go on: they have no place of their own to wait for room in.

#![forbid(unsafe_code)]

use super::{
    unpark,
    Completing,
    CompletionQueue,
    MOVE_ON_POST, //
};
use crate::{
    abi,
    abstractions::pool::Inside, //
};

impl<D: Completing> CompletionQueue<D> {
    /// How many requests have completed that the program has been told of so far.
    pub(crate) fn answered(&self) -> u64 {
        self.posted.wrapping_sub(self.more)
    }
}

/// Adds a completion of a request that goes on, if there is room and none is parked; answers whether it
/// did. [`publish`](super::publish) makes it known.
pub(crate) fn post_more<D: Completing>(inside: &mut Inside<D>, cqe: abi::Cqe) -> bool {
    if !inside.state.parked.is_empty() {
        unpark(inside, MOVE_ON_POST);
    }
    let has_place = inside.state.parked.is_empty() && inside.state.has_room();
    if has_place {
        inside.state.push(cqe);
        inside.state.more = inside.state.more.wrapping_add(1);
    }
    has_place
}

// SPDX-License-Identifier: GPL-2.0

//! A request: one submission entry's life.
//!
//! A request lives in a slot of the ring's pool, and always has one owner:
//!
//! ```text
//! free        at home in the pool, or spare with the submitter
//! taken       the submitter holds it: the entry has been copied and is judged
//! under way   a file holds it, until it completes
//! blocking    it waits for a worker, or a worker holds it
//! finished    it has a result; on its way to the completion queue
//! parked      the completion queue was full: it keeps its result until there is room
//! ```
//!
//! The result is kept in the slot itself, so that no completion ever needs memory, and none is lost.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        async_io::{
            IoDomain,
            IoSlot, //
        },
        pool::{
            Domain,
            Inside,
            Slot, //
        },
    },
    op::Blocking,
    ring::completion::{
        self,
        Completing,
        CompletionQueue,
        Shared, //
    },
};

/// What a slot of the pool keeps for the driver: the completion, as far as it is known.
#[derive(Default)]
pub(crate) struct Request {
    /// Its `user_data` is set when the entry is taken, the rest when the request has finished.
    pub(crate) cqe: abi::Cqe,
    /// What is left to do where blocking is allowed.
    pub(crate) blocking: Option<Blocking>,
}

impl Request {
    /// Notes the result: what the operation answered.
    pub(crate) fn finished(&mut self, result: isize) {
        // A transfer is at most 0x7ffff000 bytes, and an errno is small.
        self.cqe.res = i32::try_from(result).unwrap_or(i32::MAX);
    }
}

/// The types of a ring's pool.
pub(crate) enum Requests {}

impl Domain for Requests {
    type Item = IoSlot<Request>;
    type Shared = Shared;
    type Locked = CompletionQueue<Self>;

    fn recall(inside: &mut Inside<Self>) {
        while completion::recall_one(inside) {}
    }
}

impl Completing for Requests {
    fn cqe(item: &IoSlot<Request>) -> abi::Cqe {
        item.request.cqe
    }
}

impl IoDomain for Requests {
    type Request = Request;

    fn complete(slot: Slot<Self>, result: isize) {
        complete(slot, result);
    }
}

/// Completes a request with `result`. Any context.
pub(crate) fn complete(mut slot: Slot<Requests>, result: isize) {
    slot.request.finished(result);
    slot.finish(|shared, inside, slot| {
        completion::post(inside, slot);
        completion::publish(shared, inside);
    });
}

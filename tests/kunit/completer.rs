// SPDX-License-Identifier: GPL-2.0

//! Requests that have nothing to do but to complete.

#![forbid(unsafe_code)]

use super::fake_user::Memory;
use crate::{
    abi,
    abstractions::{
        async_io::IoSlot,
        pool::Pool, //
    },
    closer::Closer,
    request::{
        Away,
        Request,
        Requests,
        Shared, //
    },
    ring::completion::{
        self,
        CompletionQueue, //
    },
};
use kernel::prelude::*;

/// `requests` slots, whose completions go to `queue`, which is in `memory`.
pub(super) fn pool(
    memory: &Memory,
    requests: usize,
    queue: CompletionQueue<Requests>,
) -> Result<Pool<Requests>> {
    Pool::new(
        requests,
        || IoSlot::new(Request::default()),
        queue,
        Shared::new(
            completion::Shared::new(&memory.mem, &memory.layout, requests),
            Away::new(requests)?,
            Closer::new()?,
        ),
    )
}

/// Completes one request; false if no slot is free.
pub(super) fn complete(pool: &Pool<Requests>, cqe: abi::Cqe) -> bool {
    let Some(mut slot) = ({
        let taken = pool.lock().take();
        taken
    }) else {
        return false;
    };
    slot.request.cqe = cqe;
    slot.finish(|shared, inside, slot| {
        completion::post(inside, slot);
        completion::publish(&shared.completion, inside);
    });
    true
}

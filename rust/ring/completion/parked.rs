// SPDX-License-Identifier: GPL-2.0

//! Completions that wait for room, and move to the queue when there is some.

#![forbid(unsafe_code)]

use super::{
    publish,
    Completing,
    MOVE_AT_ONCE, //
};
use crate::abstractions::pool::{
    Inside,
    Pool, //
};

/// Moves parked completions to the queue, as far as there is room, and makes them known.
#[inline]
pub(crate) fn flush_parked<D: Completing>(pool: &Pool<D>) {
    if D::completion(pool.shared()).has_parked() {
        flush(pool);
    }
}

#[cold]
fn flush<D: Completing>(pool: &Pool<D>) {
    let shared = D::completion(pool.shared());
    let mut moved = true;
    while moved && shared.has_parked() {
        let mut inside = pool.lock();
        moved = unpark(&mut inside, MOVE_AT_ONCE);
        publish(shared, &mut inside);
    }
}

/// Moves up to `most` parked completions to the queue, if there is room, and answers whether it
/// moved any. [`publish`] makes them known.
#[cold]
pub(crate) fn unpark<D: Completing>(inside: &mut Inside<D>, most: u32) -> bool {
    let mut moved = 0;
    while moved < most && !inside.state.parked.is_empty() && inside.state.has_room() {
        if let Some(slot) = inside.state.unpark() {
            inside.state.push(D::cqe(&slot));
            inside.put(slot);
            moved = moved.wrapping_add(1);
        }
    }
    inside.state.notices.has_moved |= moved != 0;
    moved != 0
}

// SPDX-License-Identifier: GPL-2.0

//! Completions that nobody will read any more.

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

/// Forgets parked completions: nobody can read them any more.
pub(crate) fn discard_parked<D: Completing>(pool: &Pool<D>) {
    let mut more = true;
    while more {
        let mut inside = pool.lock();
        for _ in 0..MOVE_AT_ONCE {
            more = more && recall_one(&mut inside);
        }
        // Also if there was none: what is idle is only known from here on.
        publish(D::completion(pool.shared()), &mut inside);
    }
}

/// Brings one parked request home, if there is one; its completion is lost.
pub(crate) fn recall_one<D: Completing>(inside: &mut Inside<D>) -> bool {
    let slot = inside.state.unpark();
    slot.map(|slot| inside.put(slot)).is_some()
}

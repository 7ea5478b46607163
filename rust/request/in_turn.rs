// SPDX-License-Identifier: GPL-2.0

//! Requests that wait for others, and those that others wait for.

#![forbid(unsafe_code)]

use super::{
    Path,
    Request,
    Requests, //
};
use crate::{
    abi,
    abstractions::pool::Slot,
    closer::Closer,
    ring::completion,
    turns::{
        InTurn,
        Turn, //
    },
};
use kernel::prelude::*;

impl InTurn for Requests {
    fn turn(request: &mut Request) -> &mut Turn {
        &mut request.turn
    }
}

/// As [`request::complete`](super::complete), for a request whose end is of interest to others, or to
/// nobody.
#[cold]
pub(super) fn complete(mut slot: Slot<Requests>, result: isize, path: Path) {
    let (is_success, returned) = if slot.request.turn.is_doomed() {
        // No device has had it, whoever ends it.
        give_up(&mut slot, Path::Worker);
        (false, 0)
    } else {
        let returned = slot.request.returned(path);
        (slot.request.finished(result, path), returned)
    };
    let turn = slot.request.turn;
    let is_timeout = slot.request.opcode == abi::OP_TIMEOUT;
    slot.finish(|shared, inside, slot| {
        shared.away.note_returned(returned);
        if turn.skips(is_success) {
            completion::skip(inside, 1);
            inside.put(slot);
        } else {
            if is_timeout {
                inside.state.leave_out();
            }
            completion::post(inside, slot);
        }
        // With the lock held: as soon as it is not, those that wait may be cancelled, and all this
        // may end. Before it is told that the slot is at home: else the next would seem to wait for
        // nothing.
        shared.away.turns.pass_on(turn, is_success, go_on);
        completion::publish(&shared.completion, inside);
    });
}

/// Lets go of all that a request has that will not start, and notes that as its end. Process context;
/// may close files.
pub(crate) fn give_up(slot: &mut Slot<Requests>, path: Path) {
    slot.request.blocking = None;
    slot.abandon();
    slot.request.finished(ECANCELED.to_errno() as isize, path);
}

/// Has a worker go on with a request whose turn it is. If the process that submitted it is gone, it ends
/// somewhere else. Any context.
pub(crate) fn go_on(slot: Slot<Requests>) {
    let opening = slot.request.opening;
    let (away, closer) = (slot.shared().away.clone(), slot.shared().closer.clone());
    if let Err(mut slot) = away.watch.come_back(slot, opening) {
        slot.request.turn.doom();
        Closer::add(closer, slot);
    }
}

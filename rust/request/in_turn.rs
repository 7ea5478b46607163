// SPDX-License-Identifier: GPL-2.0

//! Requests that wait for others, and those that others wait for.

#![forbid(unsafe_code)]

use super::{
    traced,
    Path,
    Request,
    Requests,
    Shared, //
};
use crate::{
    abi,
    abstractions::{
        pool::{
            Inside,
            Slot, //
        },
        timer::{
            Bell,
            BellDomain, //
        },
        trace,
    },
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

    fn limit_number(request: &Request) -> u32 {
        request.limit_number()
    }
}

impl BellDomain for Requests {
    fn take_bell(shared: &Shared, number: u32) -> Option<Bell<Self>> {
        shared.away.turns.take_bell(number)
    }

    fn bell_rang(slot: Slot<Self>) {
        let away = slot.shared().away.clone();
        go_on(slot);
        // Not before there is something else that keeps the last thread.
        away.turns.note_lifted(1);
    }
}

impl Request {
    /// The number that it shares with a LINK_TIMEOUT, or 0.
    pub(crate) fn limit_number(&self) -> u32 {
        self.cqe.flags
    }

    /// Sets that number.
    pub(crate) fn set_limit_number(&mut self, number: u32) {
        self.cqe.flags = number;
    }

    /// The line behind it and that number, if a LINK_TIMEOUT is to limit it when it has been started.
    pub(crate) fn limited(&self) -> Option<(u32, u32)> {
        let (line, number) = (self.turn.line(), self.limit_number());
        (line != 0 && number != 0 && !self.turn.is_doomed()).then_some((line, number))
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
        if is_silent(&slot, is_success) {
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
        shared.away.turns.pass_on(turn, is_success, |after| {
            if let Some(limit) = after.limit {
                post_limit(inside, limit);
            }
            if let Some(next) = after.next {
                go_on(next);
            }
        });
        completion::publish(&shared.completion, inside);
    });
}

/// Lets go of all that a request has that will not start, and notes that as its end. Process context;
/// may close files.
pub(crate) fn give_up(slot: &mut Slot<Requests>, path: Path) {
    trace::cancel(|| traced(slot));
    slot.request.blocking = None;
    slot.abandon();
    slot.request.finished(ECANCELED.to_errno() as isize, path);
}

/// Ends a LINK_TIMEOUT that limits nothing any more, and notes that as its end. Answers whether that is
/// worth a completion.
fn lift(slot: &mut Slot<Requests>, path: Path) -> bool {
    give_up(slot, path);
    // That it is not needed is what it is for.
    !is_silent(slot, true)
}

/// Whether a request that has ended wants no completion.
pub(crate) fn is_silent(slot: &Slot<Requests>, is_success: bool) -> bool {
    let skips = slot.request.turn.skips(is_success);
    if skips {
        trace::skip(|| completion::traced(slot.shared().completion.ring(), &slot.request.cqe));
    }
    skips
}

fn post_limit(inside: &mut Inside<Requests>, mut slot: Slot<Requests>) {
    if lift(&mut slot, Path::Worker) {
        completion::post(inside, slot);
    } else {
        completion::skip(inside, 1);
        inside.put(slot);
    }
}

/// Completes a LINK_TIMEOUT that limits nothing any more. Any context.
pub(crate) fn complete_limit(slot: Slot<Requests>) {
    slot.finish(|shared, inside, slot| {
        post_limit(inside, slot);
        completion::publish(&shared.completion, inside);
    });
}

/// Ends a LINK_TIMEOUT that limits nothing any more, in the thread that submits. Gives it back if there
/// is a completion, which its slot has.
pub(crate) fn end_limit(mut slot: Slot<Requests>) -> Result<Slot<Requests>, Slot<Requests>> {
    if lift(&mut slot, Path::Inline) {
        Ok(slot)
    } else {
        Err(slot)
    }
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

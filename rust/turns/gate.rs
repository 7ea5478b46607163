// SPDX-License-Identifier: GPL-2.0

//! The gate: where lines stand in a queue that wait for all before them (DRAIN), and those behind.
//!
//! All that is under way is either at work, somebody has its slot in hand, or it waits in a line. Each
//! line that is not at the gate has a request before it that is at work. So nothing is at work any more
//! when as many slots are out as requests wait; and all of those are at the gate then.

#![forbid(unsafe_code)]

use super::{
    line::Lines,
    InTurn, //
};
use crate::abstractions::pool::{
    Chain,
    Slot, //
};

/// Where a line stands at the gate.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The lines before and behind it, 0 for none.
    prev: u32,
    next: u32,
    /// It passes when nothing is at work any more; others when they are the first.
    waits_for_all: bool,
}

/// The queue at the gate.
pub(super) struct Gate {
    first: u32,
    last: u32,
    /// How many slots were out when that was last told.
    out: usize,
    /// How many lines somebody looks at: what they hold has its turn nowhere.
    looks: u32,
}

impl Gate {
    /// Nobody.
    pub(super) const fn new() -> Self {
        Self {
            first: 0,
            last: 0,
            out: 0,
            looks: 0,
        }
    }

    /// Whether no line stands there.
    pub(super) fn is_empty(&self) -> bool {
        self.first == 0
    }

    /// Notes how many slots are out. That they leave home need not be told: they are for what comes
    /// later.
    pub(super) fn note_out(&mut self, out: usize) {
        self.out = out;
    }

    /// The members of a line are taken away to look at them.
    pub(super) fn begin_look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
    }

    /// They have come back.
    pub(super) fn end_look(&mut self) {
        self.looks = self.looks.wrapping_sub(1);
    }
}

impl<D: InTurn> Lines<D> {
    fn place(&mut self, number: u32) -> Option<&mut Place> {
        self.get(number)?.place.as_mut()
    }

    /// Has a line of `members` stand at the gate, behind the others. Gives them back if there is no
    /// place, which does not happen.
    pub(super) fn enter_gate(
        &mut self,
        members: Chain<D>,
        waits_for_all: bool,
    ) -> Result<(), Chain<D>> {
        let number = self.open(members)?;
        let prev = core::mem::replace(&mut self.gate.last, number);
        if let Some(line) = self.get(number) {
            line.place = Some(Place {
                prev,
                next: 0,
                waits_for_all,
            });
        }
        match self.place(prev) {
            Some(before) => before.next = number,
            None => self.gate.first = number,
        }
        Ok(())
    }

    /// Takes a line out of the queue.
    pub(super) fn leave_gate(&mut self, number: u32) {
        let Some(place) = self.get(number).and_then(|line| line.place.take()) else {
            return;
        };
        match self.place(place.prev) {
            Some(before) => before.next = place.next,
            None => self.gate.first = place.next,
        }
        match self.place(place.next) {
            Some(behind) => behind.prev = place.prev,
            None => self.gate.last = place.prev,
        }
    }

    /// Whether the first line may pass, where `waiting` requests wait in all.
    pub(super) fn may_pass(&mut self, waiting: usize) -> bool {
        let first = self.gate.first;
        let is_quiet = self.gate.out == waiting;
        let is_looked_at = self.gate.looks != 0;
        (self.place(first)).is_some_and(|place| !is_looked_at && (is_quiet || !place.waits_for_all))
    }

    /// Lets the first line pass, if it may; answers the first of it, which is now before the others.
    pub(super) fn pass(&mut self, waiting: usize) -> Option<Slot<D>> {
        if !self.may_pass(waiting) {
            return None;
        }
        let first = self.gate.first;
        self.leave_gate(first);
        self.advance(first, false).next
    }
}

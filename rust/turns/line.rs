// SPDX-License-Identifier: GPL-2.0

//! Lines of requests, each behind one that is under way.

#![forbid(unsafe_code)]

use super::{
    InTurn,
    Taken, //
};
use crate::abstractions::pool::{
    Chain,
    Slot, //
};
use kernel::prelude::*;

/// Most lines that are looked at with interrupts off.
const LOOK_AT_ONCE: u32 = 64;

/// A line, or a free place for one.
struct Line<D: InTurn> {
    waiting: Chain<D>,
    /// The next free place, if this is one.
    next_free: u32,
    /// Those that wait have been taken away, to look at them.
    is_looked_at: bool,
    /// How the one before them has ended meanwhile: whether they are doomed.
    ended: Option<bool>,
}

/// All lines. They have numbers, from 1 on.
pub(super) struct Lines<D: InTurn> {
    lines: KVVec<Line<D>>,
    free: u32,
}

/// What there is to look at.
pub(super) enum Look<D: InTurn> {
    /// Those in the line of this number.
    At(u32, Members<D>),
    /// Nothing before that number.
    Further(u32),
    /// Nothing more.
    Over,
}

/// Those that wait in a line.
pub(super) struct Members<D: InTurn>(Chain<D>);

impl<D: InTurn> Members<D> {
    /// Moves those that `matches`, or the first of them if not `all`, to `taken`, and what depends on
    /// them; answers how many that were.
    pub(super) fn sift(
        &mut self,
        all: bool,
        matches: &dyn Fn(&D::Item) -> bool,
        taken: &mut Taken<D>,
    ) -> usize {
        let mut rest = Chain::new();
        let mut moved: usize = 0;
        let mut is_broken = false;
        while let Some(mut slot) = self.0.pop() {
            let is_meant = (all || taken.matched == 0) && matches(&slot);
            if !is_meant && !is_broken {
                rest.push_back(slot);
                continue;
            }
            taken.matched = taken.matched.wrapping_add(usize::from(is_meant));
            is_broken = is_broken || D::turn(&mut slot.request).breaks_chain(false);
            taken.slots.push_back(slot);
            moved = moved.wrapping_add(1);
        }
        self.0 = rest;
        moved
    }
}

impl<D: InTurn> Lines<D> {
    /// Places for `count` lines, all free.
    pub(super) fn new(count: usize) -> Result<Self> {
        let count = u32::try_from(count)?;
        let mut lines = KVVec::with_capacity(count as usize, GFP_KERNEL_ACCOUNT)?;
        for number in 1..=count {
            lines.push(
                Line {
                    waiting: Chain::new(),
                    next_free: if number == count { 0 } else { number + 1 },
                    is_looked_at: false,
                    ended: None,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        Ok(Self { lines, free: 1 })
    }

    fn get(&mut self, number: u32) -> Option<&mut Line<D>> {
        let index = number.checked_sub(1)?;
        self.lines.get_mut(index as usize)
    }

    /// Opens a line of `members`; answers its number. Gives them back if there is no place, which
    /// does not happen: each line has a request before it.
    pub(super) fn open(&mut self, members: Chain<D>) -> Result<u32, Chain<D>> {
        let number = self.free;
        let Some(line) = self.get(number) else {
            return Err(members);
        };
        line.waiting = members;
        self.free = line.next_free;
        Ok(number)
    }

    fn close(&mut self, number: u32) {
        let free = self.free;
        if let Some(line) = self.get(number) {
            line.next_free = free;
            self.free = number;
        }
    }

    /// The one before a line has ended; answers the first of the line, which is now before the others.
    pub(super) fn advance(&mut self, number: u32, is_doomed: bool) -> Option<Slot<D>> {
        let line = self.get(number)?;
        if line.is_looked_at {
            line.ended = Some(is_doomed);
            return None;
        }
        let next = line.waiting.pop();
        let is_last = line.waiting.is_empty();
        if is_last {
            self.close(number);
        }
        let mut next = next?;
        let turn = D::turn(&mut next.request);
        turn.line = if is_last { 0 } else { number };
        if is_doomed {
            turn.doom();
        }
        Some(next)
    }

    /// Takes away the members of the next line, from `number` on, that has any.
    pub(super) fn look(&mut self, number: u32) -> Look<D> {
        let end = number.saturating_add(LOOK_AT_ONCE);
        for number in number..end {
            let Some(line) = self.get(number) else {
                return Look::Over;
            };
            if !line.waiting.is_empty() {
                line.is_looked_at = true;
                let members = core::mem::replace(&mut line.waiting, Chain::new());
                return Look::At(number, Members(members));
            }
        }
        Look::Further(end)
    }

    /// Gives back those of a line that still wait. Answers the first of them if its turn has come.
    pub(super) fn look_is_over(&mut self, number: u32, members: Members<D>) -> Option<Slot<D>> {
        let line = self.get(number)?;
        line.waiting = members.0;
        line.is_looked_at = false;
        let is_doomed = line.ended.take()?;
        self.advance(number, is_doomed)
    }
}

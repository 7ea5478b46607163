// SPDX-License-Identifier: GPL-2.0

//! Lines of requests, each behind one that is under way, or at the gate.

#![forbid(unsafe_code)]

use super::{
    gate::{
        Gate,
        Place, //
    },
    limit::Limit,
    After,
    InTurn,
    Taken, //
};
use crate::abstractions::{
    pool::Chain,
    timer::Bell, //
};
use kernel::prelude::*;

/// Most lines that are looked at with interrupts off.
pub(super) const LOOK_AT_ONCE: u32 = 64;

/// A line, or a free place for one.
pub(super) struct Line<D: InTurn> {
    pub(super) waiting: Chain<D>,
    /// The next free place, if this is one.
    next_free: u32,
    /// Where it stands at the gate, if it does.
    pub(super) place: Option<Place>,
    /// Those that wait have been taken away, to look at them.
    is_looked_at: bool,
    /// How the one before them has ended meanwhile: whether they are doomed.
    ended: Option<bool>,
    /// What limits the time of the one before them.
    pub(super) limit: Limit<D>,
}

/// All lines. They have numbers, from 1 on.
pub(super) struct Lines<D: InTurn> {
    lines: KVVec<Line<D>>,
    free: u32,
    pub(super) gate: Gate,
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
        let mut was_moved = false;
        while let Some(mut slot) = self.0.pop() {
            let is_meant = (all || taken.matched == 0) && matches(&slot);
            // There is no limit without what it limits.
            let is_left_over = was_moved && D::turn(&mut slot.request).is_limit();
            was_moved = is_meant || is_broken || is_left_over;
            if !was_moved {
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
                    place: None,
                    is_looked_at: false,
                    ended: None,
                    limit: Limit::NONE,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        Ok(Self {
            lines,
            free: 1,
            gate: Gate::new(),
        })
    }

    pub(super) fn get(&mut self, number: u32) -> Option<&mut Line<D>> {
        let index = number.checked_sub(1)?;
        self.lines.get_mut(index as usize)
    }

    /// Opens a line of `members`; answers its number. Gives them back if there is no place, which
    /// does not happen: each line has a request before it, or stands at the gate with one at least.
    pub(super) fn open(&mut self, members: Chain<D>) -> Result<u32, Chain<D>> {
        let number = self.free;
        let Some(line) = self.get(number) else {
            return Err(members);
        };
        line.waiting = members;
        self.free = line.next_free;
        Ok(number)
    }

    pub(super) fn close(&mut self, number: u32) {
        let free = self.free;
        if let Some(line) = self.get(number) {
            line.next_free = free;
            self.free = number;
        }
    }

    /// The one before a line has ended; answers the first of the line, which is now before the others,
    /// and what limited the one before it.
    pub(super) fn advance(&mut self, number: u32, is_doomed: bool) -> After<D> {
        let mut after = After::NONE;
        let Some(line) = self.get(number) else {
            return after;
        };
        after.limit = line.limit.lift();
        after.was_armed = after.limit.is_some();
        if line.is_looked_at {
            line.ended = Some(is_doomed);
            return after;
        }
        let number = self.leave_ringing(number);
        let Some(line) = self.get(number) else {
            return after;
        };
        let mut next = line.waiting.pop();
        after.waited = usize::from(next.is_some());
        if let Some(limit) = next.take_if(|slot| D::turn(&mut slot.request).is_limit()) {
            after.limit = Some(limit);
            next = line.waiting.pop();
            after.waited = after.waited.wrapping_add(usize::from(next.is_some()));
        }
        let is_last = line.waiting.is_empty();
        if is_last {
            self.close(number);
        }
        if let Some(next) = &mut next {
            let turn = D::turn(&mut next.request);
            turn.line = if is_last { 0 } else { number };
            if is_doomed {
                turn.doom();
            }
        }
        after.next = next;
        after
    }

    /// The number under which the rest of a line goes on: another one if the limit of who has ended is
    /// just ringing, and has to be found where it is. 0 if there is no rest then.
    fn leave_ringing(&mut self, number: u32) -> u32 {
        let Some(line) = self.get(number).filter(|line| line.limit.is_ringing()) else {
            return number;
        };
        let rest = core::mem::replace(&mut line.waiting, Chain::new());
        line.limit.linger();
        if rest.is_empty() {
            return 0;
        }
        // There is a place: two requests need two.
        self.open(rest).unwrap_or(0)
    }

    /// Takes the limit that rings.
    pub(super) fn take_ringing(&mut self, number: u32) -> Option<Bell<D>> {
        let line = self.get(number)?;
        let (bell, is_alone) = line.limit.take_ringing()?;
        if is_alone {
            self.close(number);
        }
        Some(bell)
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
                self.gate.begin_look();
                return Look::At(number, Members(members));
            }
        }
        Look::Further(end)
    }

    /// Gives back those of a line that still wait. Answers who comes after the one before them, if that
    /// has ended.
    pub(super) fn look_is_over(&mut self, number: u32, members: Members<D>) -> After<D> {
        self.gate.end_look();
        let Some(line) = self.get(number) else {
            return After::NONE;
        };
        line.waiting = members.0;
        line.is_looked_at = false;
        if line.place.is_some() {
            if line.waiting.is_empty() {
                self.leave_gate(number);
                self.close(number);
            }
            return After::NONE;
        }
        match line.ended.take() {
            Some(is_doomed) => self.advance(number, is_doomed),
            None => After::NONE,
        }
    }
}

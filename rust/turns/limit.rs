// SPDX-License-Identifier: GPL-2.0

//! LINK_TIMEOUT: how long a member of a chain may take.
//!
//! It stands in the line behind that member. When the member has been started and has not ended, its
//! bell is set: from then on the line keeps it, apart from those that wait. The end of the member
//! silences it. If it rings before that, a worker cancels the member. If it just rings when the member
//! ends, it stays where it is, until its timer has come to get it, and the rest of the chain goes on in
//! another line.

#![forbid(unsafe_code)]

use super::{
    line::{
        Lines,
        LOOK_AT_ONCE, //
    },
    InTurn,
    Taken,
    Turns, //
};
use crate::abstractions::{
    async_io::IoSlot,
    pool::Slot,
    timer::Bell, //
};
use kernel::sync::atomic::{
    Acquire,
    Full,
    Release, //
};

/// What limits the time of the one before a line.
pub(super) struct Limit<D: InTurn> {
    bell: Option<Bell<D>>,
    /// The number that it shares with that one; 0 if that has ended.
    number: u32,
    /// There is nothing else in the line, which is nobody's any more.
    lingers: bool,
}

impl<D: InTurn> Limit<D> {
    /// There is none.
    pub(super) const NONE: Self = Self {
        bell: None,
        number: 0,
        lingers: false,
    };

    /// The one whose time it limits has ended. Answers it, unless it rings.
    pub(super) fn lift(&mut self) -> Option<Slot<D>> {
        self.number = 0;
        self.bell
            .take()?
            .silence()
            .map_err(|bell| self.bell = Some(bell))
            .ok()
    }

    /// Whether it rings, and the one whose time it limits has ended.
    pub(super) fn is_ringing(&self) -> bool {
        self.number == 0 && self.bell.is_some()
    }

    /// It stays alone.
    pub(super) fn linger(&mut self) {
        self.lingers = true;
    }

    /// Takes what rings, and answers whether it was alone.
    pub(super) fn take_ringing(&mut self) -> Option<(Bell<D>, bool)> {
        let bell = self.bell.take()?;
        Some((bell, core::mem::take(&mut self.lingers)))
    }

    /// Takes it if it `matches` and does not ring.
    fn take_matching(&mut self, matches: &dyn Fn(&D::Item) -> bool) -> Option<Slot<D>> {
        let bell = self.bell.take_if(|bell| bell.item().is_some_and(matches))?;
        bell.silence().map_err(|bell| self.bell = Some(bell)).ok()
    }
}

impl<D: InTurn> Lines<D> {
    /// Takes the first of a line, if it limits the request that shares `number` with it.
    fn take_limit(&mut self, line: u32, number: u32) -> Option<Slot<D>> {
        let line = self.get(line)?;
        let mut first = line.waiting.pop()?;
        let is_limit = D::turn(&mut first.request).is_limit();
        if !is_limit || D::limit_number(&first.request) != number {
            line.waiting.push(first);
            return None;
        }
        line.limit.number = number;
        Some(first)
    }

    /// Starts a bell, for the one before a line that shares `number` with it. Gives it back if that has
    /// ended.
    fn start_limit(&mut self, line: u32, number: u32, bell: Bell<D>) -> Result<(), Bell<D>> {
        match self.get(line) {
            Some(place) if place.limit.number == number => {
                bell.start(line);
                place.limit.bell = Some(bell);
                Ok(())
            }
            _ => Err(bell),
        }
    }
}

impl<D: InTurn> Turns<D> {
    /// How many limits are armed. Pairs with the release in `note_lifted`, as `waiting` with that in
    /// `note_gone`.
    #[inline]
    pub(crate) fn limits(&self) -> usize {
        self.limits.load(Acquire)
    }

    /// Counts `n` fewer.
    pub(crate) fn note_lifted(&self, n: usize) {
        if n != 0 {
            self.limits.fetch_sub(n, Release);
        }
    }

    /// Takes the limit of the request before `line`, which has been started, if it has not ended; the two
    /// share `number`. It comes back by [`Turns::start_limit`].
    pub(crate) fn take_limit(&self, line: u32, number: u32) -> Option<Slot<D>> {
        let mut lines = self.lines.lock();
        let slot = lines.take_limit(line, number)?;
        // A full barrier, as in `line_up`. Before it does not count as waiting any more.
        self.limits.fetch_add(1, Full);
        self.note_gone(1);
        Some(slot)
    }

    /// Starts the limit that was taken. Gives it back if the request has ended meanwhile.
    pub(crate) fn start_limit(&self, line: u32, number: u32, bell: Bell<D>) -> Result<(), Bell<D>> {
        self.lines.lock().start_limit(line, number, bell)
    }

    /// Takes the bell that rings and was started for the one before `line`. Any context.
    pub(crate) fn take_bell(&self, line: u32) -> Option<Bell<D>> {
        self.lines.lock().take_ringing(line)
    }

    /// Takes limits that are armed, as [`Turns::take_matching`].
    pub(super) fn take_limits(
        &self,
        all: bool,
        matches: &dyn Fn(&IoSlot<D::Request>) -> bool,
        taken: &mut Taken<D>,
    ) {
        let mut first = 1;
        while (all || taken.matched == 0) && self.limits() != 0 {
            let mut lines = self.lines.lock();
            let end = LOOK_AT_ONCE.saturating_add(first);
            for number in first..end {
                let Some(line) = lines.get(number) else {
                    return;
                };
                if let Some(slot) = line.limit.take_matching(matches) {
                    taken.slots.push_back(slot);
                    taken.matched = taken.matched.wrapping_add(1);
                    self.note_lifted(1);
                    if !all {
                        return;
                    }
                }
            }
            first = end;
        }
    }
}

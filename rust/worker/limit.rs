// SPDX-License-Identifier: GPL-2.0

//! Requests whose time is limited by a LINK_TIMEOUT.

#![forbid(unsafe_code)]

use super::Workers;
use crate::{
    abstractions::timer::Bell,
    op::{
        cancel::Cancel,
        Blocking, //
    },
    request::{
        self,
        Path, //
    },
};
use kernel::prelude::*;

impl Workers {
    /// Arms the LINK_TIMEOUT of the request before `line`, with which it shares `number`, if that has not
    /// ended yet. When its time has come, it becomes a request that cancels that one.
    ///
    /// Process context; sleeps.
    pub(crate) fn limit(&self, line: u32, number: u32) {
        let turns = &self.away.turns;
        // Nobody looks through the line meanwhile.
        let crew = self.crew.lock();
        if crew.is_closed {
            return;
        }
        let Some(mut slot) = turns.take_limit(line, number) else {
            return;
        };
        let Some(Blocking::Limit(timeout)) = slot.request.blocking.take() else {
            return;
        };
        slot.request.blocking = Some(Blocking::Cancel(Cancel::limited(number)));
        let (clock, when) = timeout.time();
        let failed = match Bell::new(slot, clock, when) {
            Ok(bell) => (turns.start_limit(line, number, bell).err())
                .and_then(|bell| bell.silence().ok())
                .map(|slot| (slot, None)),
            Err(slot) => Some((slot, Some(ENOMEM))),
        };
        drop(crew);
        let Some((slot, reason)) = failed else {
            return;
        };
        turns.note_lifted(1);
        match reason {
            Some(reason) => request::cancel(slot, reason, Path::Worker),
            None => request::complete_limit(slot),
        }
    }
}

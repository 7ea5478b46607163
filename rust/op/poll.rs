// SPDX-License-Identifier: GPL-2.0

//! POLL_ADD and POLL_REMOVE: which events of which file, and how often.

#![forbid(unsafe_code)]

use super::{
    cancel::Cancel,
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::{
        transfer::{
            FileId,
            HeldFile,
            OpenFile, //
        },
        watch::Events, //
    },
    files::FileTable, //
};
use kernel::prelude::*;

/// A wait for a file.
pub(crate) struct Poll {
    file: HeldFile,
    events: Events,
    is_multi: bool,
}

impl Poll {
    /// Judges the entry.
    pub(crate) fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<Self, Rejected> {
        if sqe.len & !abi::POLL_ADD_MULTI != 0 {
            return Err(Field::LEN.into());
        }
        let is_multi = sqe.len & abi::POLL_ADD_MULTI != 0;
        if is_multi && sqe.flags & abi::SQE_CQE_SKIP_SUCCESS != 0 {
            return Err(Field::FLAGS.into());
        }
        let events = events(sqe.op_flags, is_multi)?;
        let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?.keep();
        if file.is_ring() {
            return Err(Rejected::by(Field::FD)(ELOOP));
        }
        Ok(Self {
            file,
            events,
            is_multi,
        })
    }

    /// The file.
    pub(crate) fn file_id(&self) -> FileId {
        self.file.id()
    }

    /// The file and the events.
    pub(crate) fn readiness(&self) -> (&OpenFile, Events) {
        (&self.file, self.events)
    }

    /// Whether it goes on after its first completion.
    pub(crate) fn is_multi(&self) -> bool {
        self.is_multi
    }
}

/// The events that a program asks for.
fn events(bits: u32, is_multi: bool) -> Result<Events, Rejected> {
    // It is what multishot requests do; others have no edge.
    let bits = if is_multi { bits & !Events::EDGE } else { bits };
    Events::new(bits).ok_or_else(|| Field::OP_FLAGS.into())
}

/// What POLL_REMOVE does.
pub(crate) enum Remove {
    /// It cancels.
    Cancel(Cancel),
    /// It changes what is waited for, or what that is known by.
    Update(Changes),
}

/// What changes of a wait for a file.
pub(crate) struct Changes {
    user_data: u64,
    events: Option<Events>,
    new_user_data: Option<u64>,
}

impl Remove {
    /// Judges the entry.
    pub(crate) fn prepare(sqe: &abi::Sqe) -> Result<Self, Rejected> {
        const UPDATES: u32 = abi::POLL_UPDATE_EVENTS | abi::POLL_UPDATE_USER_DATA;
        let has = |flag| sqe.len & flag != 0;
        let events_only = has(abi::POLL_ADD_MULTI) && !has(abi::POLL_UPDATE_EVENTS);
        if sqe.len & !(UPDATES | abi::POLL_ADD_MULTI) != 0 || events_only {
            return Err(Field::LEN.into());
        }
        if !has(abi::POLL_UPDATE_USER_DATA) && sqe.off != 0 {
            return Err(Field::OFF.into());
        }
        if !has(abi::POLL_UPDATE_EVENTS) && sqe.op_flags != 0 {
            return Err(Field::OP_FLAGS.into());
        }
        if !has(UPDATES) {
            return Ok(Self::Cancel(Cancel::one(abi::OP_POLL_ADD, sqe.addr)));
        }
        let events = if has(abi::POLL_UPDATE_EVENTS) {
            Some(events(sqe.op_flags, has(abi::POLL_ADD_MULTI))?)
        } else {
            None
        };
        Ok(Self::Update(Changes {
            user_data: sqe.addr,
            events,
            new_user_data: has(abi::POLL_UPDATE_USER_DATA).then_some(sqe.off),
        }))
    }
}

impl Changes {
    /// Which request is meant.
    pub(crate) fn meant(&self) -> Cancel {
        Cancel::one(abi::OP_POLL_ADD, self.user_data)
    }

    /// What it is to be known by.
    pub(crate) fn new_user_data(&self) -> u64 {
        self.new_user_data.unwrap_or(self.user_data)
    }

    /// Makes the changes. Whether it goes on after its first completion does not change.
    pub(crate) fn make(&self, poll: &mut Poll) {
        poll.events = self.events.unwrap_or(poll.events);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Who is told of completions without waiting for them: an eventfd.
//!
//! # Locks
//!
//! The eventfd is signalled with the lock of the ring's pool held, as those are woken who wait: it is
//! what keeps the ring and the eventfd there. Whoever waits for the eventfd is called with the lock of
//! that held, inside. This ring may be among them, since a request may wait for the same eventfd: the
//! callback takes the lock of the watch, and nobody takes that of a pool inside of either. For the same
//! reason no completion is ever added in such a callback, so that signals do not nest.
//!
//! # The program's switch
//!
//! ```text
//! program   clear EVENTFD_DISABLED; full barrier; look at the tail: if there is nothing, sleep
//! kernel    tail.store; full barrier; EVENTFD_DISABLED? if not, signal
//! ```
//!
//! If the program does not see the completion, the kernel sees that it wants to be told.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        eventfd::EventFd,
        shared_mem::SharedWord, //
    },
    ring::index::Position,
};
use kernel::sync::{
    atomic::Full,
    barrier::smp_mb, //
};

/// Which completions somebody is told of.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Interest {
    /// All.
    All,
    /// Those that the call which submitted them did not hand in.
    Later,
}

/// An eventfd, and what it is to be told of.
pub(crate) struct Notice {
    /// The eventfd.
    pub(crate) eventfd: EventFd,
    /// Which completions it is told of.
    pub(crate) interest: Interest,
    /// The word with the program's switch.
    pub(crate) switch: SharedWord,
}

impl Notice {
    /// Tells of completions that the program can see.
    fn tell(&self) {
        // Pairs with that of the program, see the description of this file.
        smp_mb(Full);
        if self.switch.load_acquire() & abi::CQ_EVENTFD_DISABLED == 0 {
            self.eventfd.signal();
        }
    }
}

/// Who is told, if anybody is, and what has been told.
pub(crate) struct Notices {
    notice: Option<Notice>,
    /// The end of what has been told.
    told: Position,
    /// Completions that were parked have been moved meanwhile.
    pub(super) has_moved: bool,
}

impl Notices {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self {
            notice: None,
            told: Position::default(),
            has_moved: false,
        }
    }

    /// Has somebody told of what comes after `tail`, unless somebody is told already.
    pub(super) fn set(&mut self, notice: Notice, tail: Position) -> Result<(), Notice> {
        if self.notice.is_some() {
            return Err(notice);
        }
        *self = Self {
            notice: Some(notice),
            told: tail,
            has_moved: false,
        };
        Ok(())
    }

    /// Has nobody told any more.
    pub(crate) fn take(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// Tells of completions up to `tail`, which the program can see. `is_at_once` says that the call
    /// which submitted them hands them in. Any context, but not in a callback of a wait queue.
    #[inline]
    pub(super) fn tell(&mut self, tail: Position, is_at_once: bool) {
        if self.notice.is_some() {
            self.tell_somebody(tail, is_at_once);
        }
    }

    #[cold]
    fn tell_somebody(&mut self, tail: Position, is_at_once: bool) {
        let is_news = core::mem::replace(&mut self.told, tail) != tail;
        let has_moved = core::mem::take(&mut self.has_moved);
        let concerns =
            |notice: &&Notice| notice.interest == Interest::All || has_moved || !is_at_once;
        if let Some(notice) = self.notice.as_ref().filter(concerns).filter(|_| is_news) {
            notice.tell();
        }
    }
}

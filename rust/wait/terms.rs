// SPDX-License-Identifier: GPL-2.0

//! What ENTER may be asked for besides numbers of entries and completions.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        alarm::{
            Clock,
            When, //
        },
        signal_mask::SignalMask,
        user_struct::UserStruct, //
    },
    ring::{
        index::Position,
        submission::SubmissionQueue, //
    },
};
use core::mem::offset_of;
use kernel::prelude::*;

/// The terms of a call, most of which are those of its wait.
pub(crate) struct Terms {
    /// What the tail was: nothing is taken that has been offered since.
    tail: Option<Position>,
    /// The end of the wait, if nothing else ends it.
    pub(super) timeout: Option<(Clock, When)>,
    /// When one completion becomes enough.
    pub(super) min_wait: Option<(Clock, When)>,
    /// The signal mask meanwhile.
    pub(super) sigmask: Option<SignalMask>,
    /// Do not sleep for more than what is under way can give.
    pub(super) no_stall: bool,
}

impl Terms {
    /// Those in `args`, with the signal mask copied in. Process context; may fault pages in.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `EINVAL` if [`first_invalid`] knows why.
    pub(crate) fn new(args: &abi::Enter) -> Result<Self> {
        let clock = Clock::from_id(args.clock).ok_or(EINVAL)?;
        let is_absolute = args.flags & abi::ENTER_ABS_TIMER != 0;
        let when = if is_absolute { When::At } else { When::After };
        let timeout = nanoseconds(args.timeout)?.map(|time| (clock, when(time)));
        let min_wait =
            nanoseconds(args.min_wait)?.map(|time| (Clock::Monotonic, When::After(time)));
        let sigmask = if args.sigmask == 0 {
            None
        } else {
            let address = usize::try_from(args.sigmask).map_err(|_| EFAULT)?;
            Some(SignalMask::new(UserStruct::new(address).read()?))
        };
        Ok(Self {
            tail: None,
            timeout,
            min_wait,
            sigmask,
            no_stall: args.flags & abi::ENTER_NO_STALL != 0,
        })
    }

    /// Those of who takes what was offered when the tail was `tail`, and does not wait.
    pub(crate) fn until(tail: Position) -> Self {
        Self {
            tail: Some(tail),
            timeout: None,
            min_wait: None,
            sigmask: None,
            no_stall: false,
        }
    }

    /// How many of `to_submit` entries may be taken from `queue`.
    #[cold]
    pub(crate) fn limit(&self, queue: &SubmissionQueue, to_submit: u32) -> u32 {
        match self.tail {
            // If it is out of range others have taken more than that.
            Some(tail) => queue.offered_by(tail).unwrap_or(0).min(to_submit),
            None => to_submit,
        }
    }
}

/// A span or a time, unless it is 0, which stands for none.
fn nanoseconds(value: u64) -> Result<Option<i64>> {
    let value = i64::try_from(value).map_err(|_| EINVAL)?;
    Ok((value != 0).then_some(value))
}

/// The first field of `args` whose value is not allowed, as a byte offset, on a ring that has a submission
/// thread or not.
///
/// What would have no effect is not allowed either: it is a mistake.
pub(crate) fn first_invalid(args: &abi::Enter, has_sq_thread: bool) -> Option<usize> {
    let waits = args.min_complete != 0;
    let times = args.timeout != 0;
    let mut flags = abi::ENTER_FLAGS;
    if !times {
        flags &= !abi::ENTER_ABS_TIMER;
    }
    if !waits {
        flags &= !abi::ENTER_NO_STALL;
    }
    if !has_sq_thread {
        flags &= !(abi::ENTER_SQ_WAKEUP | abi::ENTER_SQ_WAIT);
    }
    let is_span = |value| value == 0 || waits && i64::try_from(value).is_ok();
    let is_clock = args.clock == 0 || times && Clock::from_id(args.clock).is_some();
    [
        (offset_of!(abi::Enter, flags), args.flags & !flags == 0),
        (offset_of!(abi::Enter, wait_error), args.wait_error == 0),
        (offset_of!(abi::Enter, error_field), args.error_field == 0),
        (offset_of!(abi::Enter, clock), is_clock),
        (offset_of!(abi::Enter, timeout), is_span(args.timeout)),
        (offset_of!(abi::Enter, min_wait), is_span(args.min_wait)),
        (offset_of!(abi::Enter, sigmask), waits || args.sigmask == 0),
    ]
    .into_iter()
    .find_map(|(offset, is_valid)| (!is_valid).then_some(offset))
}

// SPDX-License-Identifier: GPL-2.0

//! TIMEOUT and TIMEOUT_REMOVE: which time, by which clock, and what else.

#![forbid(unsafe_code)]

use super::{
    cancel::Cancel,
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::{
        alarm::{
            Clock,
            When, //
        },
        user_struct::UserStruct, //
    },
};
use kernel::prelude::*;

/// What a TIMEOUT waits for besides its time.
#[derive(Clone, Copy)]
enum Until {
    /// Nothing.
    Time,
    /// That so many completions have come, counted from now, or from the first of the ring once the
    /// timeout has begun.
    Count(u64),
    /// It goes on after its time; so many times, `None` for ever.
    Rounds(Option<u32>),
}

/// A timeout.
pub(crate) struct Timeout {
    clock: Clock,
    when: When,
    until: Until,
    /// Whether it is no failure that its time comes.
    may_be_late: bool,
}

impl Timeout {
    /// Judges the entry, and copies the time in. Process context; sleeps.
    pub(crate) fn prepare(sqe: &abi::Sqe) -> Result<Self, Rejected> {
        let has = |flag| sqe.op_flags & flag != 0;
        let clock = match (has(abi::TIMEOUT_BOOTTIME), has(abi::TIMEOUT_REALTIME)) {
            (false, false) => Clock::Monotonic,
            (true, false) => Clock::Boottime,
            (false, true) => Clock::Realtime,
            (true, true) => return Err(Field::OP_FLAGS.into()),
        };
        let recurs = has(abi::TIMEOUT_MULTISHOT);
        if recurs && sqe.flags & abi::SQE_CQE_SKIP_SUCCESS != 0 {
            return Err(Field::FLAGS.into());
        }
        if recurs && has(abi::TIMEOUT_ABS) {
            return Err(Field::OP_FLAGS.into());
        }
        if sqe.len != 1 {
            return Err(Field::LEN.into());
        }
        let count = u32::try_from(sqe.off).map_err(|_| Field::OFF)?;
        let until = match count {
            _ if recurs => Until::Rounds((count != 0).then_some(count)),
            0 => Until::Time,
            _ => Until::Count(count.into()),
        };
        let when = when(sqe.addr, has(abi::TIMEOUT_ABS)).map_err(Rejected::by(Field::ADDR))?;
        if recurs && matches!(when, When::After(0)) {
            return Err(Field::ADDR.into());
        }
        Ok(Self {
            clock,
            when,
            until,
            may_be_late: has(abi::TIMEOUT_ETIME_SUCCESS),
        })
    }

    /// The result that is a success, beside those that are not below 0.
    pub(crate) fn least(&self) -> isize {
        if self.may_be_late {
            ETIME.to_errno() as isize
        } else {
            0
        }
    }

    /// What its timer is to be set to.
    pub(crate) fn time(&self) -> (Clock, When) {
        (self.clock, self.when)
    }

    /// How many completions it waits for.
    pub(crate) fn count(&self) -> Option<u64> {
        match self.until {
            Until::Count(count) => Some(count),
            _ => None,
        }
    }

    /// Notes which completion of the ring it waits for.
    pub(crate) fn count_to(&mut self, count: u64) {
        self.until = Until::Count(count);
    }

    /// Its period, if it goes on after its time.
    pub(crate) fn period(&self) -> Option<i64> {
        match (self.until, self.when) {
            (Until::Rounds(_), When::After(period)) => Some(period),
            _ => None,
        }
    }

    /// Notes that its time has come; answers whether that was the last.
    pub(crate) fn is_last(&mut self) -> bool {
        match &mut self.until {
            Until::Rounds(None) => false,
            Until::Rounds(Some(left)) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => true,
        }
    }
}

/// What TIMEOUT_REMOVE does.
pub(crate) enum Remove {
    /// It cancels.
    Cancel(Cancel),
    /// It sets another time.
    Update(NewTime),
}

/// Another time for a timeout.
pub(crate) struct NewTime {
    user_data: u64,
    when: When,
}

impl Remove {
    /// Judges the entry, and copies the time in. Process context; sleeps.
    pub(crate) fn prepare(sqe: &abi::Sqe) -> Result<Self, Rejected> {
        if sqe.op_flags & abi::TIMEOUT_UPDATE == 0 {
            if sqe.op_flags != 0 {
                return Err(Field::OP_FLAGS.into());
            }
            if sqe.off != 0 {
                return Err(Field::OFF.into());
            }
            return Ok(Self::Cancel(Cancel::one(abi::OP_TIMEOUT, sqe.addr)));
        }
        let is_absolute = sqe.op_flags & abi::TIMEOUT_ABS != 0;
        let when = when(sqe.off, is_absolute).map_err(Rejected::by(Field::OFF))?;
        Ok(Self::Update(NewTime {
            user_data: sqe.addr,
            when,
        }))
    }
}

impl NewTime {
    /// Which request is meant.
    pub(crate) fn meant(&self) -> Cancel {
        Cancel::one(abi::OP_TIMEOUT, self.user_data)
    }

    /// Whether a timeout can have this time.
    pub(crate) fn suits(&self, timeout: &Timeout) -> bool {
        timeout.period().is_none() || matches!(self.when, When::After(1..))
    }

    /// Sets it. What has counted completions does not any more.
    pub(crate) fn set(&self, timeout: &mut Timeout) {
        timeout.when = self.when;
        if let Until::Count(_) = timeout.until {
            timeout.until = Until::Time;
        }
    }
}

/// The time at a user address.
fn when(address: u64, is_absolute: bool) -> Result<When> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    let time: abi::Timespec = UserStruct::new(address).read()?;
    let time = nanoseconds(&time).ok_or(EINVAL)?;
    Ok(if is_absolute {
        When::At(time)
    } else {
        When::After(time)
    })
}

/// The same in nanoseconds, as far as 64 bits go: 292 years.
fn nanoseconds(time: &abi::Timespec) -> Option<i64> {
    const SECOND: i64 = 1_000_000_000;
    let seconds = i64::try_from(time.sec).ok()?;
    let rest = i64::try_from(time.nsec)
        .ok()
        .filter(|&rest| rest < SECOND)?;
    Some(seconds.saturating_mul(SECOND).saturating_add(rest))
}

// SPDX-License-Identifier: GPL-2.0

//! Timers that wake the task that set them, for sleeps that end at a time.
//!
//! Would join `rust/kernel/time/`. C header:
//! [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! An alarm is set once and spans all rounds of a sleep. It is part of the sleep's condition, as
//! anything else that its task is woken for: no ring is lost, since the timer notes that it rang
//! before it wakes the task, and who sleeps looks after it has said that it is going to.
//!
//! The time of a sleep with an alarm is not accounted as waiting for I/O.

use super::helpers;
use kernel::{
    bindings,
    types::Opaque, //
};

/// What an alarm goes by.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// `CLOCK_REALTIME`: the time of day, which can be set.
    Realtime,
    /// `CLOCK_MONOTONIC`: cannot be set, and stands still while the system is suspended.
    Monotonic,
    /// `CLOCK_BOOTTIME`: cannot be set.
    Boottime,
}

impl Clock {
    /// The clock that programs know by the number `id`, if alarms can go by it.
    pub(crate) fn from_id(id: u32) -> Option<Self> {
        match id {
            bindings::CLOCK_REALTIME => Some(Self::Realtime),
            bindings::CLOCK_MONOTONIC => Some(Self::Monotonic),
            bindings::CLOCK_BOOTTIME => Some(Self::Boottime),
            _ => None,
        }
    }

    pub(super) fn id(self) -> bindings::clockid_t {
        let id = match self {
            Self::Realtime => bindings::CLOCK_REALTIME,
            Self::Monotonic => bindings::CLOCK_MONOTONIC,
            Self::Boottime => bindings::CLOCK_BOOTTIME,
        };
        id as bindings::clockid_t
    }
}

/// When an alarm rings, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// So long after it is set. Setting a clock changes nothing about that.
    After(i64),
    /// When the clock, as the caller's time namespace shows it, says that.
    At(i64),
}

impl When {
    /// The time, and whether it is one that the clock says.
    pub(super) fn parts(self) -> (i64, bool) {
        match self {
            Self::After(time) => (time, false),
            Self::At(time) => (time, true),
        }
    }
}

/// An alarm of the current task.
///
/// # Invariants
///
/// If `is_set`, `sleeper` is an initialised timer that has been started.
pub(crate) struct Alarm {
    sleeper: Opaque<bindings::hrtimer_sleeper>,
    is_set: bool,
}

// SAFETY: All that can be done with a reference is to ask whether it rang, which is one load.
unsafe impl Sync for Alarm {}

impl Alarm {
    /// Calls `action` with an alarm that is set, or with one that never rings. It is taken back
    /// afterwards. Process context; `action` may sleep.
    pub(crate) fn while_set<R>(when: Option<(Clock, When)>, action: impl FnOnce(&Self) -> R) -> R {
        // Not moved from here on.
        let alarm = Self {
            sleeper: Opaque::uninit(),
            is_set: when.is_some(),
        };
        if let Some((clock, when)) = when {
            let (time, is_absolute) = when.parts();
            // INVARIANT: This initialises and starts it.
            // SAFETY: `sleeper` is valid for writes, on the stack of this task, and stays in place
            // until the alarm is cancelled below.
            unsafe {
                helpers::io_ring_alarm_set(alarm.sleeper.get(), clock.id(), time, is_absolute)
            };
        }
        let result = action(&alarm);
        if alarm.is_set {
            // SAFETY: It was set above. Afterwards the timer does not use it any more.
            unsafe { helpers::io_ring_alarm_cancel(alarm.sleeper.get()) };
        }
        result
    }

    /// Whether it rang. Any context.
    pub(crate) fn has_rung(&self) -> bool {
        // SAFETY: A timer that is set is initialised, by the type invariants.
        self.is_set && unsafe { helpers::io_ring_alarm_has_rung(self.sleeper.get()) }
    }
}

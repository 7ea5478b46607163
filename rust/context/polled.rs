// SPDX-License-Identifier: GPL-2.0

//! Asking the devices of a ring whose transfers complete without an interrupt.

#![forbid(unsafe_code)]

use super::{
    Context,
    Submitting, //
};
use crate::{
    abstractions::{
        alarm::Alarm,
        polled_io, //
    },
    polled::{
        self,
        OnRefused,
        Polled, //
    },
    submit::{
        self,
        Submitter, //
    },
    wait::Looked, //
};
use kernel::{
    current,
    prelude::*, //
};

impl Context {
    /// Whether its transfers complete without an interrupt.
    pub(crate) fn is_polled(&self) -> bool {
        self.is_polled
    }

    /// Asks the devices once, unless there is nothing to ask for. Process context; sleeps.
    ///
    /// Any process may: those that its device has refused are only begun again by that of the ring.
    pub(super) fn look_at_devices(&self) -> Looked {
        let shared = self.pool.shared();
        if shared.polled() == 0 {
            return Looked::ForNothing;
        }
        let Some(mut submitting) = self.submitting.try_lock() else {
            return Looked::Busy;
        };
        let Submitting { submitter, bound } = &mut *submitting;
        let here = bound.as_ref().filter(|bound| bound.is_current());
        let on_refused = here.map_or(OnRefused::Keep, |_| OnRefused::Again);
        let found = submitter.polled.look(on_refused);
        shared.set_polled(submitter.polled.len());
        if let Some(bound) = here {
            submit::leave_blocked(bound.workers(), found.blocked);
        }
        drop(submitting);
        polled::hand_in(&self.pool, found.ended);
        // Who left meanwhile may have found the mutex taken.
        self.forget_if_left();
        polled_io::make_way();
        Looked::Once
    }

    /// Asks the devices until nothing of the ring is with them, or the alarm rings; what they have
    /// refused is cancelled. The caller holds the submitter's mutex. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EINTR`.
    pub(super) fn ask_all(&self, submitter: &mut Submitter, alarm: &Alarm) -> Result {
        while submitter.polled.len() != 0 {
            // What is cancelled is not left to anybody.
            let ended = submitter.polled.look(OnRefused::Cancel).ended;
            self.pool.shared().set_polled(submitter.polled.len());
            polled::hand_in(&self.pool, ended);
            if current!().signal_pending() {
                return Err(EINTR);
            }
            if alarm.has_rung() {
                break;
            }
            polled_io::make_way();
        }
        Ok(())
    }

    /// Takes away what somebody else has to ask for. The caller holds the submitter's mutex.
    pub(super) fn take_polled(&self, submitter: &mut Submitter) -> Polled {
        self.pool.shared().set_polled(0);
        core::mem::replace(&mut submitter.polled, Polled::new())
    }
}

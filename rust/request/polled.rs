// SPDX-License-Identifier: GPL-2.0

//! How many transfers there are that somebody has to ask for.
//!
//! Who waits for completions and finds none asks the devices instead of sleeping. A sleeper that did
//! not know of any is woken by the first:
//!
//! ```text
//! waiter      enter the wait queue; full barrier; are there any? if not, sleep
//! submitter   store how many there are; full barrier; look at the wait queue
//! ```

#![forbid(unsafe_code)]

use super::Shared;
use crate::abstractions::wait_queue::News;
use kernel::sync::atomic::Relaxed;

impl Shared {
    /// How many transfers somebody has to ask for. Any context; a hint without the mutex.
    #[inline]
    pub(crate) fn polled(&self) -> usize {
        self.polled.load(Relaxed)
    }

    /// Notes how many there are. Who calls this holds the submitter's mutex.
    pub(crate) fn set_polled(&self, count: usize) {
        let before = self.polled();
        self.polled.store(count, Relaxed);
        if before == 0 && count != 0 {
            self.completion.waiters.wake(News::Readable);
        }
    }
}

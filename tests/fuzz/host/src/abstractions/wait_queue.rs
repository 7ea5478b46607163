// SPDX-License-Identifier: GPL-2.0-only

//! Nobody waits: there is one thread. What would be woken is counted.

use core::ffi::CStr;
use kernel::prelude::*;
use std::cell::Cell;

pub(crate) enum News {
    HungUp,
}

#[derive(Default)]
pub(crate) struct WaitQueue {
    woken: Cell<u64>,
}

impl WaitQueue {
    pub(crate) fn new(_name: &'static CStr, _class: ()) -> impl PinInit<Self, Error> {
        || Ok(Self::default())
    }

    pub(crate) fn wake(&self, news: News) {
        match news {
            News::HungUp => self.wake_some(1),
        }
    }

    pub(crate) fn wake_some(&self, count: u32) {
        self.woken.set(self.woken.get() + u64::from(count));
    }

    /// How many wake-ups there have been.
    pub(crate) fn woken(&self) -> u64 {
        self.woken.get()
    }
}

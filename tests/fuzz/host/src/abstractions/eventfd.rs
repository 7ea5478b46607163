// SPDX-License-Identifier: GPL-2.0-only

//! An eventfd, which counts.

use std::{cell::Cell, rc::Rc};

#[derive(Clone, Default)]
pub(crate) struct EventFd(Rc<Cell<u64>>);

impl EventFd {
    pub(crate) fn signal(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// What a program reads.
    pub(crate) fn count(&self) -> u64 {
        self.0.get()
    }
}

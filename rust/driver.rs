// SPDX-License-Identifier: GPL-2.0

//! What all rings of the module share: counters of what is alive, queues for late work, users.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        deferred::DeferredQueue,
        pinned, //
    },
    closer::Closer,
    gauge::Gauge,
    poller::Poller,
    request::Requests,
    users::Users, //
};
use core::ops::Deref;
use kernel::{
    debugfs::ScopedDir,
    fmt,
    prelude::*,
    sync::Arc, //
};

/// What is alive, module-wide. Nothing here changes on the way of a request.
pub(crate) struct Counters {
    rings: Gauge,
    ring_bytes: Gauge,
    requests: Gauge,
    /// Rings whose last descriptor is closed and whose devices have not finished.
    pub(crate) teardowns: Gauge,
}

/// The module's state.
pub(crate) struct Driver {
    /// What is alive.
    pub(crate) counters: Counters,
    /// Where rings are freed whose last request has finished in an interrupt handler.
    pub(crate) teardown: DeferredQueue,
    /// Where worker threads are waited for; a stopped process makes that take long.
    pub(crate) farewell: DeferredQueue,
    /// Where files are closed that cannot be closed where their request completes.
    pub(crate) closer: Arc<Closer<Requests>>,
    /// Who asks devices for what nobody else does.
    pub(crate) poller: Arc<Poller>,
    /// Who has how many worker threads.
    pub(crate) users: Arc<Users>,
}

impl Driver {
    /// The state of a module that has just been loaded.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                counters: Counters {
                    rings: Gauge::new(),
                    ring_bytes: Gauge::new(),
                    requests: Gauge::new(),
                    teardowns: Gauge::new(),
                },
                teardown: DeferredQueue::new(c"io_ring_teardown")?,
                farewell: DeferredQueue::new(c"io_ring_farewell")?,
                closer: Closer::new()?,
                poller: Poller::new()?,
                users: Users::new()?,
            },
            GFP_KERNEL,
        )?)
    }

    /// Fills the debugfs directory: one number per file; all are 0 when no ring exists.
    pub(crate) fn show<'data>(this: &'data Arc<Self>, dir: &ScopedDir<'data, '_>) {
        fn print(gauge: &Gauge, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            writeln!(out, "{}", gauge.get())
        }
        let counters = &this.deref().counters;
        dir.read_callback_file(c"rings", &counters.rings, &print);
        dir.read_callback_file(c"ring_bytes", &counters.ring_bytes, &print);
        dir.read_callback_file(c"requests", &counters.requests, &print);
        dir.read_callback_file(c"teardowns", &counters.teardowns, &print);
        dir.read_callback_file(c"pinned_pages", &(), &|(): &(), out| {
            writeln!(out, "{}", pinned::pinned_pages())
        });
        dir.read_callback_file(c"pinned_segments", &(), &|(): &(), out| {
            writeln!(out, "{}", pinned::pinned_segments())
        });
        dir.read_callback_file(c"workers", this.users.workers(), &print);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Else their own work items could be those to drop them.
        self.closer.settle();
        self.poller.settle();
    }
}

/// One ring's share of the counters; given back when it is dropped.
pub(crate) struct Counted {
    driver: Arc<Driver>,
    bytes: usize,
    requests: usize,
}

impl Counted {
    /// Counts a ring with `bytes` of shared memory and `requests` slots.
    pub(crate) fn new(driver: Arc<Driver>, bytes: usize, requests: usize) -> Self {
        driver.counters.rings.add(1);
        driver.counters.ring_bytes.add(bytes);
        driver.counters.requests.add(requests);
        Self {
            driver,
            bytes,
            requests,
        }
    }

    /// The module's state.
    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.driver.counters.requests.sub(self.requests);
        self.driver.counters.ring_bytes.sub(self.bytes);
        self.driver.counters.rings.sub(1);
    }
}

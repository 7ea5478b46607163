// SPDX-License-Identifier: GPL-2.0

//! Whom a ring belongs to: a process, and the threads that work for it.
//!
//! # Coming and going
//!
//! SETUP binds a ring to its caller. With `IO_RING_SETUP_REBIND` the first process that acts on the
//! ring binds it instead, and when that one has left, the next. A process leaves when it exits or
//! executes another program, which is noticed
//!
//! * when it closes its descriptor doing so,
//! * when its address space ends with a mapping of the ring in it, or
//! * by the next process, which looks.
//!
//! Whoever notices has the workers leave and cancels what waits, so that nothing of one process is
//! ever done by another one. Each binding has workers of its own.
//!
//! # Where it is kept
//!
//! What is bound is only changed by who holds both the submitter's mutex and the lock in here. The
//! submitter keeps a copy next to it, and needs no further lock to find that nothing has changed.

#![forbid(unsafe_code)]

use crate::{
    abstractions::owner::Owner,
    driver::Driver,
    request::Shared,
    users::Users,
    worker::Workers, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// A process that a ring belongs to, or belonged to.
#[derive(Clone)]
pub(crate) struct Bound {
    owner: Owner,
    workers: Arc<Workers>,
}

impl Bound {
    /// The calling process.
    fn current(binding: &Binding, shared: &Shared) -> Result<Self> {
        let owner = Owner::current()?;
        let driver = binding.driver.clone();
        let user = Users::current(&driver.users)?;
        let workers = Workers::new(driver, user, shared.away.clone(), binding.max_workers)?;
        Ok(Self { owner, workers })
    }

    /// Whether the caller is that process, with the same credentials.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        self.owner.is_current()
    }

    /// Its threads.
    #[inline]
    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Whether the process has left. The caller holds the lock of the binding.
    fn has_left(&self, shared: &Shared) -> bool {
        shared.completion.is_owner_gone() || self.owner.has_left()
    }

    /// Notes that the process has left. The caller holds the lock of the binding.
    fn leave(&self, shared: &Shared) {
        self.workers.shut_down();
        shared.completion.set_owner_gone();
    }
}

/// Whom a ring belongs to.
#[pin_data]
pub(crate) struct Binding {
    #[pin]
    last: Mutex<Option<Bound>>,
    rebinds: bool,
    max_workers: usize,
    driver: Arc<Driver>,
}

impl Binding {
    /// Of a ring that belongs to nobody yet. `rebinds` says whether it may belong to several
    /// processes, one after the other.
    pub(crate) fn new(
        driver: Arc<Driver>,
        max_workers: usize,
        rebinds: bool,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            last <- new_mutex!(None),
            rebinds,
            max_workers,
            driver,
        })
    }

    /// Binds the ring to the calling process, which holds the submitter's mutex. Sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM` if it belongs to another process, or to this one with other credentials; `ENOMEM`;
    /// `EINVAL` if the caller has no address space.
    #[cold]
    pub(crate) fn claim(&self, shared: &Shared) -> Result<Bound> {
        let mut last = self.last.lock();
        if let Some(bound) = &*last {
            if !self.rebinds || !bound.has_left(shared) {
                return Err(EPERM);
            }
            bound.leave(shared);
        }
        let next = Bound::current(self, shared)?;
        *last = Some(next.clone());
        shared.completion.set_owner_new();
        Ok(next)
    }

    /// Notes that the process has left, if `leaves` says so; answers whether it does. Process context.
    pub(crate) fn leave_if(&self, shared: &Shared, leaves: impl FnOnce(&Owner) -> bool) -> bool {
        let last = self.last.lock();
        let leaving = last.as_ref().filter(|bound| leaves(&bound.owner));
        if let Some(bound) = leaving {
            bound.leave(shared);
        }
        leaving.is_some()
    }

    /// Makes threads that could not be made when they were wanted, if the caller is the process.
    /// Process context; sleeps.
    #[cold]
    pub(crate) fn make_up_for_threads(&self) {
        let last = self.last.lock();
        let bound = last.as_ref().filter(|bound| bound.is_current()).cloned();
        drop(last);
        if let Some(bound) = bound {
            Workers::see_to_it(&bound.workers);
        }
    }

    /// The threads of the process, which may have left.
    pub(crate) fn workers(&self) -> Option<Arc<Workers>> {
        self.last.lock().as_ref().map(|bound| bound.workers.clone())
    }

    /// The process id, in the pid namespace of the caller; 0 if there is no process.
    pub(crate) fn pid(&self, shared: &Shared) -> i32 {
        match &*self.last.lock() {
            Some(bound) if !bound.has_left(shared) => bound.owner.pid(),
            _ => 0,
        }
    }

    /// How many threads the process may have for the ring.
    pub(crate) fn max_workers(&self) -> usize {
        self.max_workers
    }
}

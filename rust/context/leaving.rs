// SPDX-License-Identifier: GPL-2.0

//! How a ring loses its process, and its end.

#![forbid(unsafe_code)]

use super::Context;
use crate::{
    abstractions::owner::{
        AddressSpace,
        DescriptorTable,
        Owner,
        Patience, //
    },
    ring::completion::{
        self,
        OnIdle, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue::WorkItem, //
};

/// How long an exiting task waits for devices, in milliseconds.
const EXIT_PATIENCE: u32 = 1000;

/// How long a close waits for worker threads to end, in milliseconds: a process that is stopped keeps
/// them as long as it likes.
const THREAD_PATIENCE: u32 = 50;

impl Context {
    /// A descriptor is being closed. If that is because the process of the ring exits or executes
    /// another program, those who still wait for its completions are told.
    pub(crate) fn flush(&self, table: DescriptorTable) {
        let shared = self.pool.shared();
        let leaves = |owner: &Owner| owner.is_current_leaving(table);
        if self.binding.leave_if(shared, leaves) {
            self.dismiss_sq_thread();
            // Threads of the process with another descriptor table may be about to submit.
            drop(self.submitting.lock());
            self.forget_if_left();
        }
    }

    /// An address space ends in which the ring is mapped. If it is that of the process of the ring,
    /// those who wait are told: a descriptor that survives the execution of another program is not
    /// closed.
    pub(crate) fn address_space_ends(&self, space: AddressSpace) {
        let leaves = |owner: &Owner| owner.lives_in(space);
        if self.binding.leave_if(self.pool.shared(), leaves) {
            self.dismiss_sq_thread();
            self.forget_if_left();
        }
    }

    /// The last descriptor and the last mapping are gone. Process context; waits for what devices
    /// still own, as far as the current task may.
    pub(crate) fn release(this: Arc<Self>) {
        if this.close_sq_thread() {
            Self::destroy(this);
        }
    }

    /// The rest of [`Context::release`]: nobody submits any more.
    pub(super) fn destroy(this: Arc<Self>) {
        let workers = this.binding.workers();
        if let Some(workers) = &workers {
            workers.shut_down();
        }
        this.forget_registered();
        completion::discard_parked(&this.pool);
        let shared = &this.pool.shared().completion;
        let idle = || shared.is_idle();
        let waited = match Patience::current() {
            Patience::UntilKilled => shared.waiters.wait_until_killable(idle),
            Patience::Short => shared.waiters.wait_for_sure(idle, EXIT_PATIENCE),
            Patience::None => Err(ETIME),
        };
        if let Some(workers) = &workers {
            workers.wait_for_ends(THREAD_PATIENCE);
        }
        if let Some(thread) = this.sq_thread.as_ref() {
            thread.wait_for_end(THREAD_PATIENCE);
        }
        if waited.is_err() && !idle() {
            this.counted.driver().counters.teardowns.add(1);
            completion::when_idle(&this.clone().pool, this);
        }
    }
}

impl OnIdle for Context {
    fn run(self: Arc<Self>) {
        let driver = self.counted.driver().clone();
        driver.teardown.enqueue(self);
    }
}

impl WorkItem for Context {
    type Pointer = Arc<Self>;

    /// Frees a ring whose last request has finished after its last user was gone.
    fn run(this: Arc<Self>) {
        this.counted.driver().counters.teardowns.sub(1);
    }
}

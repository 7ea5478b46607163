// SPDX-License-Identifier: GPL-2.0

//! Closing files where that may sleep.
//!
//! A device completes requests in interrupt handlers. If the program has closed the file meanwhile,
//! the request has the last reference to it, and `fput` would leave it to a work item of the kernel
//! that nobody waits for: a mount could not be taken down, a lock not be taken, though everything is
//! closed. Such a request completes only after a work item of this module has closed its file, so
//! whoever waits for the request waits for that.

#![forbid(unsafe_code)]

use crate::abstractions::{
    async_io::{
        self,
        IoDomain, //
    },
    deferred::DeferredQueue,
    pool::{
        Chain,
        Slot, //
    },
};
use kernel::{
    impl_has_work, new_spinlock_irq, new_work,
    prelude::*,
    sync::{
        Arc,
        SpinLockIrq, //
    },
    workqueue::{
        Work,
        WorkItem, //
    },
};

/// Requests of all rings whose files have to be closed.
#[pin_data]
pub(crate) struct Closer<D: IoDomain> {
    #[pin]
    slots: SpinLockIrq<Chain<D>>,
    #[pin]
    work: Work<Self>,
    queue: DeferredQueue,
}

impl_has_work! {
    impl{D: IoDomain} HasWork<Self> for Closer<D> { self.work }
}

impl<D: IoDomain> Closer<D> {
    /// Nothing to do.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let queue = DeferredQueue::new(c"io_ring_closer")?;
        Arc::pin_init(
            pin_init!(Self {
                slots <- new_spinlock_irq!(Chain::new(), "io_ring_closer"),
                work <- new_work!("io_ring_closer"),
                queue,
            }),
            GFP_KERNEL,
        )
    }

    /// Closes the file of a request that has completed, and completes it. Any context.
    pub(crate) fn add(this: Arc<Self>, slot: Slot<D>) {
        let mut slots = this.slots.lock();
        slots.push_back(slot);
        // With the lock held: as soon as it is not, the slot may end, and with it the ring.
        this.queue.enqueue(this.clone());
    }

    /// Waits until nothing is being done. For the time when there are no rings any more.
    pub(crate) fn settle(&self) {
        self.queue.flush();
    }
}

impl<D: IoDomain> WorkItem for Closer<D> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        loop {
            let slot = this.slots.lock().pop();
            match slot {
                Some(slot) => async_io::close(slot),
                None => return,
            }
        }
    }
}

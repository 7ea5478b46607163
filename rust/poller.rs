// SPDX-License-Identifier: GPL-2.0

//! Asking devices for transfers whose ring has nobody left who would.
//!
//! A transfer that completes without an interrupt uses memory and a file of a process until somebody
//! has asked its device. When the process leaves, or the ring is closed, a work item of this module
//! does that until all are done: who waits for the ring to be at rest waits for that. A device that
//! takes forever keeps nothing but that work item, which sleeps most of the time.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        deferred::DeferredQueue,
        polled_io,
        wait_queue::WaitQueue, //
    },
    polled::{
        self,
        OnRefused,
        Polled, //
    },
};
use kernel::{
    impl_has_work, new_mutex, new_work,
    prelude::*,
    static_lock_class,
    sync::{
        Arc,
        Mutex, //
    },
    workqueue::{
        Work,
        WorkItem, //
    },
};

/// How often devices are asked in a row that have not completed anything.
const EAGER: u32 = 1000;

/// How long the work item sleeps after that, in milliseconds.
const PAUSE: u32 = 1;

/// Transfers of all rings that nobody else asks for.
#[pin_data]
pub(crate) struct Poller {
    #[pin]
    left: Mutex<Polled>,
    #[pin]
    work: Work<Self>,
    /// Where the work item sleeps.
    #[pin]
    pause: WaitQueue,
    queue: DeferredQueue,
}

impl_has_work! {
    impl HasWork<Self> for Poller { self.work }
}

impl Poller {
    /// Nothing to do.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let queue = DeferredQueue::new(c"io_ring_poller")?;
        Arc::pin_init(
            pin_init!(Self {
                left <- new_mutex!(Polled::new(), "io_ring_poller"),
                work <- new_work!("io_ring_poller"),
                pause <- WaitQueue::new(c"io_ring_pause", static_lock_class!()),
                queue,
            }),
            GFP_KERNEL,
        )
    }

    /// Sees to transfers from now on. Those that no device has taken are cancelled. Process context;
    /// sleeps.
    pub(crate) fn add(this: &Arc<Self>, polled: Polled) {
        if polled.len() == 0 {
            return;
        }
        this.left.lock().append(polled);
        this.queue.enqueue(this.clone());
    }

    /// Waits until nothing is being done. For the time when there are no rings any more.
    pub(crate) fn settle(&self) {
        self.queue.flush();
    }
}

impl WorkItem for Poller {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut mine = Polled::new();
        let mut in_vain: u32 = 0;
        loop {
            let new = core::mem::replace(&mut *this.left.lock(), Polled::new());
            mine.append(new);
            if mine.len() == 0 {
                return;
            }
            // What is cancelled is not left to anybody.
            let ended = mine.look(OnRefused::Cancel).ended;
            in_vain = if ended.is_empty() {
                in_vain.saturating_add(1)
            } else {
                0
            };
            polled::hand_in_each(ended);
            if in_vain > EAGER {
                // Only the time ends it.
                let _ = this.pause.wait_for_sure(|| false, PAUSE);
            } else {
                polled_io::make_way();
            }
        }
    }
}

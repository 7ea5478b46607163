// SPDX-License-Identifier: GPL-2.0

//! Frees a work item whose timer runs.

use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::Jiffies,
    workqueue::{self, DelayedWork, WorkItem}, //
};

module! {
    type: Planted,
    name: "freed_timer",
    authors: ["The io_ring developers"],
    description: "Frees a work item whose timer runs",
    license: "GPL",
}

const LONG: Jiffies = 1_000_000;

#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_this: Arc<Self>) {}
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let item = Arc::pin_init(pin_init!(Item { work <- new_delayed_work!() }), GFP_KERNEL)?;
        let _ = workqueue::system().enqueue_delayed(item.clone(), LONG);
        let item = Arc::into_raw(item);
        // SAFETY: This one has just been given up.
        drop(unsafe { Arc::from_raw(item) });
        // SAFETY: There is none: the queue has this one, and that is what is planted.
        drop(unsafe { Arc::from_raw(item) });
        Ok(Planted)
    }
}

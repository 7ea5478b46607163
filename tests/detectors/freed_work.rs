// SPDX-License-Identifier: GPL-2.0

//! Frees a work item that is queued.

use kernel::{
    impl_has_work,
    new_spinlock,
    new_work,
    prelude::*,
    sync::Arc,
    workqueue::{self, Work, WorkItem}, //
};

module! {
    type: Planted,
    name: "freed_work",
    authors: ["The io_ring developers"],
    description: "Frees a work item that is queued",
    license: "GPL",
}

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_this: Arc<Self>) {}
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let item = Arc::pin_init(pin_init!(Item { work <- new_work!() }), GFP_KERNEL)?;
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        // The worker is of this processor, which is not given away.
        let _guard = lock.lock();
        let _ = workqueue::system().enqueue(item.clone());
        let item = Arc::into_raw(item);
        // SAFETY: This one has just been given up.
        drop(unsafe { Arc::from_raw(item) });
        // SAFETY: There is none: the queue has this one, and that is what is planted.
        drop(unsafe { Arc::from_raw(item) });
        Ok(Planted)
    }
}

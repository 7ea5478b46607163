// SPDX-License-Identifier: GPL-2.0

//! Two threads change a variable, and nothing keeps them apart.

use core::{cell::UnsafeCell, hint::black_box};
use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    time::{Delta, Instant, Monotonic},
    workqueue::{self, Work, WorkItem}, //
};

module! {
    type: Planted,
    name: "data_race",
    authors: ["The io_ring developers"],
    description: "Two threads change a variable, and nothing keeps them apart",
    license: "GPL",
}

const LONG: Delta = Delta::from_secs(5);

#[pin_data]
struct Raced {
    value: UnsafeCell<u64>,
    #[pin]
    work: Work<Raced>,
}

// SAFETY: There is none: this is what is planted.
unsafe impl Sync for Raced {}

impl_has_work! {
    impl HasWork<Self> for Raced { self.work }
}

impl WorkItem for Raced {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.race();
    }
}

impl Raced {
    fn race(&self) {
        let begin = Instant::<Monotonic>::now();
        while begin.elapsed() < LONG {
            for _ in 0..1000 {
                // SAFETY: As above.
                unsafe { *black_box(self.value.get()) += 1 };
            }
        }
    }
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let raced = Arc::pin_init(
            pin_init!(Raced {
                value: UnsafeCell::new(0),
                work <- new_work!(),
            }),
            GFP_KERNEL,
        )?;
        let _ = workqueue::system_unbound().enqueue(raced.clone());
        raced.race();
        Ok(Planted)
    }
}

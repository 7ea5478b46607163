// SPDX-License-Identifier: GPL-2.0

//! Keeps a processor for long.

use kernel::{
    new_spinlock,
    prelude::*,
    time::{Delta, Instant, Monotonic}, //
};

module! {
    type: Planted,
    name: "soft_lockup",
    authors: ["The io_ring developers"],
    description: "Keeps a processor for long",
    license: "GPL",
}

const LONG: Delta = Delta::from_secs(10);

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let begin = Instant::<Monotonic>::now();
        let _guard = lock.lock();
        while begin.elapsed() < LONG {
            core::hint::spin_loop();
        }
        Ok(Planted)
    }
}

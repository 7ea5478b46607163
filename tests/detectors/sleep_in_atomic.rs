// SPDX-License-Identifier: GPL-2.0

//! Takes a lock that sleeps while it holds one that does not.

use kernel::{
    new_mutex,
    new_spinlock,
    prelude::*,
    sync::{Mutex, SpinLock}, //
};

module! {
    type: Planted,
    name: "sleep_in_atomic",
    authors: ["The io_ring developers"],
    description: "Takes a lock that sleeps while it holds one that does not",
    license: "GPL",
}

#[pin_data]
struct Locks {
    #[pin]
    spins: SpinLock<()>,
    #[pin]
    sleeps: Mutex<()>,
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let locks = KBox::pin_init(
            pin_init!(Locks {
                spins <- new_spinlock!(()),
                sleeps <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )?;
        let _spins = locks.spins.lock();
        let _sleeps = locks.sleeps.lock();
        Ok(Planted)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Takes two locks in one order, and then in the other.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

module! {
    type: Planted,
    name: "lock_inversion",
    authors: ["The io_ring developers"],
    description: "Takes two locks in one order, and then in the other",
    license: "GPL",
}

#[pin_data]
struct Locks {
    #[pin]
    one: Mutex<()>,
    #[pin]
    other: Mutex<()>,
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let locks = KBox::pin_init(
            pin_init!(Locks {
                one <- new_mutex!(()),
                other <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )?;
        {
            let _one = locks.one.lock();
            let _other = locks.other.lock();
        }
        let _other = locks.other.lock();
        let _one = locks.one.lock();
        Ok(Planted)
    }
}

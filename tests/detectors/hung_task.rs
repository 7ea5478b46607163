// SPDX-License-Identifier: GPL-2.0

//! Sleeps for long, and no signal wakes it.

use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta}, //
};

module! {
    type: Planted,
    name: "hung_task",
    authors: ["The io_ring developers"],
    description: "Sleeps for long, and no signal wakes it",
    license: "GPL",
}

const LONG: Delta = Delta::from_secs(20);

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        fsleep(LONG);
        Ok(Planted)
    }
}

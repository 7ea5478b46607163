// SPDX-License-Identifier: GPL-2.0

//! Forgets what it has allocated.

use kernel::prelude::*;

module! {
    type: Planted,
    name: "leak",
    authors: ["The io_ring developers"],
    description: "Forgets what it has allocated",
    license: "GPL",
}

/// Some are taken for found: their addresses are left behind somewhere.
const FORGOTTEN: usize = 200;

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        for _ in 0..FORGOTTEN {
            core::mem::forget(KBox::new([1u64; 24], GFP_KERNEL)?);
        }
        Ok(Planted)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Reads memory that it has freed.

use kernel::prelude::*;

module! {
    type: Planted,
    name: "use_after_free",
    authors: ["The io_ring developers"],
    description: "Reads memory that it has freed",
    license: "GPL",
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let freed = KBox::into_raw(KBox::new(1u64, GFP_KERNEL)?);
        // SAFETY: It has just come from a box.
        drop(unsafe { KBox::from_raw(freed) });
        // SAFETY: There is none: this is what is planted.
        let value = unsafe { freed.read_volatile() };
        pr_info!("{value}\n");
        Ok(Planted)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Reads the byte behind a buffer.

use kernel::prelude::*;

module! {
    type: Planted,
    name: "out_of_bounds",
    authors: ["The io_ring developers"],
    description: "Reads the byte behind a buffer",
    license: "GPL",
}

struct Planted;

impl kernel::Module for Planted {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let buffer = KVec::from_elem(0u8, 40, GFP_KERNEL)?;
        // SAFETY: There is none: this is what is planted.
        let byte = unsafe { buffer.as_ptr().add(buffer.len()).read_volatile() };
        pr_info!("{byte}\n");
        Ok(Planted)
    }
}

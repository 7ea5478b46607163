// SPDX-License-Identifier: GPL-2.0-only

//! Registered buffers: two of them.

use crate::abstractions::{pinned::PinnedBuffer, shared::Shared};

pub(crate) struct BufferTable([Shared<PinnedBuffer>; 2]);

impl BufferTable {
    pub(crate) fn new() -> Self {
        let buffer = |address, len| Shared::new(PinnedBuffer { address, len });
        Self([buffer(0x1000, 0x1000), buffer(u64::MAX - 0xff, 0xff)])
    }

    pub(crate) fn at(&self, number: u32) -> Option<&Shared<PinnedBuffer>> {
        self.0.get(number as usize)
    }
}

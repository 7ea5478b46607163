// SPDX-License-Identifier: GPL-2.0-only

//! Where decisions come from: the bytes that the fuzzer has made up. When they are used up, what is
//! decided is 0.

use std::cell::RefCell;

/// A row of bytes that is used up.
#[derive(Default)]
pub(crate) struct Source {
    bytes: Vec<u8>,
    at: usize,
}

impl Source {
    /// All of `bytes`.
    pub(crate) fn new(bytes: impl IntoIterator<Item = u8>) -> Self {
        Self {
            bytes: bytes.into_iter().collect(),
            at: 0,
        }
    }

    /// Whether there are none left.
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next one.
    pub(crate) fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// A number of 32 bits, often one at which something changes.
    pub(crate) fn word(&mut self) -> u32 {
        let kind = self.byte();
        let small = u32::from(kind >> 2);
        match kind & 3 {
            0 => small,
            1 => (1u32 << (small & 31)).wrapping_add(small >> 5),
            2 => small.wrapping_neg(),
            _ => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }

    /// A number of 64 bits.
    pub(crate) fn long(&mut self) -> u64 {
        match self.byte() {
            0 => u64::from(self.word()),
            1 => u64::MAX,
            _ => (u64::from(self.word()) << 32) | u64::from(self.word()),
        }
    }

    /// `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        [0; N].map(|_| self.byte())
    }
}

thread_local! {
    static FATE: RefCell<Source> = RefCell::default();
}

/// What is to become of what the kernel is asked for.
pub(crate) fn set_fate(source: Source) {
    FATE.set(source);
}

/// The next thing that becomes of something, less than `kinds`.
pub(crate) fn fate(kinds: u8) -> u8 {
    FATE.with_borrow_mut(Source::byte) % kinds
}

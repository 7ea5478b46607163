// SPDX-License-Identifier: GPL-2.0

//! The word of flags that the program reads (`IO_RING_SQ_*`). Guarded by the lock of the ring's pool,
//! so that none of those who write it loses what another one has written.

#![forbid(unsafe_code)]

use crate::abstractions::shared_mem::SharedWord;

/// The flags.
pub(crate) struct Flags {
    /// Ours; the copy in shared memory is only ever written.
    bits: u32,
    word: SharedWord,
}

impl Flags {
    /// None, in a word that is 0.
    pub(super) fn new(word: SharedWord) -> Self {
        Self { bits: 0, word }
    }

    /// Sets a flag.
    pub(crate) fn set(&mut self, flag: u32) {
        self.write(self.bits | flag);
    }

    /// Clears one.
    pub(crate) fn clear(&mut self, flag: u32) {
        self.write(self.bits & !flag);
    }

    fn write(&mut self, bits: u32) {
        self.bits = bits;
        self.word.store_release(bits);
    }
}

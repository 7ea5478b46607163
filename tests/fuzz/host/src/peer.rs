// SPDX-License-Identifier: GPL-2.0-only

//! The program at the other end of the rings, which lies.
//!
//! Before each access of the module to shared memory it may write any word of it: the words that it
//! is to write, those that it is not, entries that are just being copied, and completions.

use crate::source::Source;
use std::cell::RefCell;

/// Where a lie is likely to matter, in words from the start of the region.
#[derive(Clone, Copy, Default)]
pub(crate) struct Map {
    /// The submission queue's tail, and what the module has taken.
    pub(crate) sq: (usize, usize),
    /// The completion queue's head, and what the module has added.
    pub(crate) cq: (usize, usize),
    /// The index array, and how long it is.
    pub(crate) array: (usize, usize),
}

#[derive(Default)]
struct Peer {
    source: Source,
    map: Map,
}

thread_local! {
    static PEER: RefCell<Peer> = RefCell::default();
}

/// The program acts by `source` from now on.
pub(crate) fn arm(source: Source, map: Map) {
    PEER.set(Peer { source, map });
}

/// It writes nothing from now on.
pub(crate) fn disarm() {
    PEER.set(Peer::default());
}

/// The module is about to access `words`.
pub(crate) fn interfere(words: &mut [u32]) {
    PEER.with_borrow_mut(|peer| peer.act(words));
}

impl Peer {
    fn act(&mut self, words: &mut [u32]) {
        let kind = self.source.byte();
        if kind == 0 || kind >= 0x60 {
            return;
        }
        let (place, near) = match kind & 3 {
            0 => self.map.sq,
            1 => self.map.cq,
            2 if self.map.array.1 != 0 => {
                let (start, len) = self.map.array;
                (start + usize::from(self.source.byte()) % len, start)
            }
            _ => (self.source.word() as usize % words.len(), 0),
        };
        words[place] = match kind & 4 {
            0 => words[near].wrapping_add(self.source.word()),
            _ => self.source.word(),
        };
    }
}

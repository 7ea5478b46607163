// SPDX-License-Identifier: GPL-2.0

//! The kernel's end of the submission queue. The order of accesses is described in [`crate::ring`].

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        nospec,
        shared_mem::{
            SharedArray,
            SharedMem,
            SharedWord, //
        },
    },
    ring::{
        index::{
            self,
            Capacity,
            OutOfRange,
            Position, //
        },
        layout::Layout, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The submission queue, seen by the one who takes from it.
pub(crate) struct SubmissionQueue {
    capacity: Capacity,
    /// Ours; the copy in shared memory is only ever written.
    head: Position,
    dropped: u64,
    entries: SharedArray<[u64; abi::SQE_WORDS]>,
    array: Option<SharedArray<u32>>,
    head_word: SharedWord,
    tail_word: SharedWord,
    dropped_word: SharedWord,
    dropped_at_word: SharedWord,
}

impl SubmissionQueue {
    /// The queue that `layout` puts into `mem`. Writes the constants that programs read.
    pub(crate) fn new(mem: &Arc<SharedMem>, layout: &Layout) -> Result<Self> {
        let off = &layout.sq_off;
        let capacity = layout.entries;
        mem.word(off.ring_mask)?.store(capacity.mask());
        mem.word(off.ring_entries)?.store(capacity.get());
        let array = if layout.has_index_array() {
            Some(mem.array(off.array, capacity.get())?)
        } else {
            None
        };
        Ok(Self {
            capacity,
            head: Position::default(),
            dropped: 0,
            entries: mem.array(layout.sqes_offset, capacity.get())?,
            array,
            head_word: mem.word(off.head)?,
            tail_word: mem.word(off.tail)?,
            dropped_word: mem.word(off.dropped)?,
            dropped_at_word: mem.word(off.dropped_at)?,
        })
    }

    /// Lets the queue start at another position than 0, to see what happens at the wrap.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn start_at(&mut self, position: Position) {
        self.head = position;
        self.head_word.store(position.get());
        self.tail_word.store(position.get());
    }

    /// Lets the counter start at another number than 0, for the same reason.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn count_from(&mut self, number: u64) {
        self.dropped = number;
    }

    /// How many entries there can be.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity.get()
    }

    /// How many entries the program offers.
    pub(crate) fn available(&self) -> Result<u32, OutOfRange> {
        self.offered_by(Position::new(self.tail_word.load_acquire()))
    }

    /// How many entries it offered when its tail was `tail`, apart from those taken since.
    pub(crate) fn offered_by(&self, tail: Position) -> Result<u32, OutOfRange> {
        index::filled(self.head, tail, self.capacity)
    }

    /// Takes one of the [`available`](Self::available) entries: a copy of it, or `None` if the
    /// index array did not name one, which is then counted as dropped.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<abi::Sqe> {
        let at = self.head;
        self.head = at.advanced(1);
        let position = at.element(self.capacity);
        let number = match &self.array {
            None => position,
            Some(array) => {
                let Some(number) = nospec::checked_index(array.read(position), self.capacity.get())
                else {
                    self.drop_at(at);
                    return None;
                };
                number
            }
        };
        Some(zerocopy::transmute!(self.entries.read(number)))
    }

    #[cold]
    fn drop_at(&mut self, at: Position) {
        self.dropped = self.dropped.wrapping_add(1);
        self.dropped_at_word.store(at.get());
        self.dropped_word
            .store_release(index::lower_half(self.dropped));
    }

    /// Lets the program reuse the entries taken so far.
    pub(crate) fn publish(&self) {
        self.head_word.store_release(self.head.get());
    }

    /// Position of the next entry to take.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// How many index array elements named no entry; the program sees the lower half.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

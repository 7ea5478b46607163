// SPDX-License-Identifier: GPL-2.0

//! A program as the driver sees it: the other end of both rings.
//!
//! It works through a mapping of its own, at another address than the driver's, as a program does.
//! It may lie: every word can be set to anything.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::shared_mem::{
        SharedArray,
        SharedMem,
        SharedWord, //
    },
    ring::{
        index::Capacity,
        layout::Layout, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// Just before the wrap.
pub(super) const NEAR_WRAP: u32 = 0xffff_fff0;

/// Ring memory and its layout.
pub(super) struct Memory {
    pub(super) mem: Arc<SharedMem>,
    pub(super) layout: Layout,
}

impl Memory {
    /// For a ring of that many entries.
    pub(super) fn new(entries: u32, cq_entries: u32, index_array: bool) -> Result<Self> {
        let layout = Layout::new(
            Capacity::new(entries).ok_or(EINVAL)?,
            Capacity::new(cq_entries).ok_or(EINVAL)?,
            index_array,
            u32::try_from(PAGE_SIZE)?,
        )
        .ok_or(EINVAL)?;
        let mem = SharedMem::new(layout.region_size as usize)?;
        Ok(Self { mem, layout })
    }
}

/// The other end.
pub(super) struct FakeUser {
    pub(super) sq_head: SharedWord,
    pub(super) sq_tail: SharedWord,
    pub(super) sq_flags: SharedWord,
    pub(super) sq_dropped: SharedWord,
    pub(super) sq_dropped_at: SharedWord,
    pub(super) array: Option<SharedArray<u32>>,
    pub(super) sqes: SharedArray<[u64; abi::SQE_WORDS]>,
    pub(super) cq_head: SharedWord,
    pub(super) cq_tail: SharedWord,
    pub(super) cq_overflow: SharedWord,
    cqes: SharedArray<[u64; 2]>,
    mask: u32,
}

impl FakeUser {
    /// A program that has mapped `memory`.
    pub(super) fn new(memory: &Memory) -> Result<Self> {
        let mem = memory.mem.alias()?;
        let layout = &memory.layout;
        let (sq, cq) = (&layout.sq_off, &layout.cq_off);
        let entries = layout.entries.get();
        Ok(Self {
            sq_head: mem.word(sq.head)?,
            sq_tail: mem.word(sq.tail)?,
            sq_flags: mem.word(sq.flags)?,
            sq_dropped: mem.word(sq.dropped)?,
            sq_dropped_at: mem.word(sq.dropped_at)?,
            array: if layout.has_index_array() {
                Some(mem.array(sq.array, entries)?)
            } else {
                None
            },
            sqes: mem.array(layout.sqes_offset, entries)?,
            cq_head: mem.word(cq.head)?,
            cq_tail: mem.word(cq.tail)?,
            cq_overflow: mem.word(cq.overflow)?,
            cqes: mem.array(cq.cqes, layout.cq_entries.get())?,
            mask: layout.entries.mask(),
        })
    }

    /// Offers one entry, which carries `user_data`.
    pub(super) fn offer(&self, user_data: u64) {
        let tail = self.sq_tail.load_acquire();
        let sqe = abi::Sqe {
            user_data,
            ..abi::Sqe::default()
        };
        self.sqes.write(tail, zerocopy::transmute!(sqe));
        if let Some(array) = &self.array {
            // Element numbers are modulo the length, which is the number of entries.
            array.write(tail, self.number_of(tail));
        }
        self.sq_tail.store_release(tail.wrapping_add(1));
    }

    /// Which entry the ring uses for a position.
    pub(super) fn number_of(&self, position: u32) -> u32 {
        position & self.mask
    }

    /// Reads one completion, if there is one.
    pub(super) fn reap(&self) -> Option<abi::Cqe> {
        let head = self.cq_head.load_acquire();
        if head == self.cq_tail.load_acquire() {
            return None;
        }
        let cqe = zerocopy::transmute!(self.cqes.read(head));
        self.cq_head.store_release(head.wrapping_add(1));
        Some(cqe)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Where everything is in the ring memory.
//!
//! One region holds it all:
//!
//! ```text
//! 0x000  submission queue, written by the kernel:   head, flags, dropped, dropped_at
//! 0x040  submission queue, written by the program:  tail
//! 0x080  completion queue, written by the kernel:   tail, overflow
//! 0x0c0  completion queue, written by the program:  head, flags
//! 0x100  constants: both ring_mask and ring_entries
//! 0x140  completions, 16 bytes each
//!        index array, 4 bytes each, unless the ring has none
//!        (next page) submission entries, 64 bytes each
//! ```
//!
//! Each of the first four lines is a cache line of its own, so that neither side's writes disturb
//! what the other side writes.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

use crate::{
    abi,
    ring::index::Capacity, //
};

const SQ_KERNEL: u32 = 0x000;
const SQ_PROGRAM: u32 = 0x040;
const CQ_KERNEL: u32 = 0x080;
const CQ_PROGRAM: u32 = 0x0c0;
const CONSTANTS: u32 = 0x100;
const CQES: u32 = 0x140;

const SQE_BYTES: u32 = 64;
const CQE_BYTES: u32 = 16;
const INDEX_BYTES: u32 = 4;

/// A part of the region, in bytes from its start; both are multiples of the page size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    /// Where the part starts.
    pub(crate) start: u32,
    /// How long it is.
    pub(crate) len: u32,
}

/// Sizes and offsets of one ring.
///
/// # Invariants
///
/// Every part lies inside `region_size`, no two overlap, each is aligned to the size of its
/// elements, and `region_size` and `sqes_offset` are multiples of the page size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Submission queue entries.
    pub(crate) entries: Capacity,
    /// Completion queue entries.
    pub(crate) cq_entries: Capacity,
    /// Bytes of the region.
    pub(crate) region_size: u32,
    /// Where the submission entries start.
    pub(crate) sqes_offset: u32,
    /// Bytes of the submission entries, not rounded.
    pub(crate) sqes_size: u32,
    /// The submission queue's parts; `array` is 0 if there is no index array.
    pub(crate) sq_off: abi::SqOffsets,
    /// The completion queue's parts.
    pub(crate) cq_off: abi::CqOffsets,
    page_size: u32,
}

impl Layout {
    /// Lays out a ring; `None` if it would not fit in 32 bits.
    ///
    /// `page_size` is in bytes and a power of two.
    pub(crate) fn new(
        entries: Capacity,
        cq_entries: Capacity,
        index_array: bool,
        page_size: u32,
    ) -> Option<Self> {
        let cqes_end = CQES.checked_add(cq_entries.get().checked_mul(CQE_BYTES)?)?;
        let (array, rings_end) = if index_array {
            let bytes = entries.get().checked_mul(INDEX_BYTES)?;
            (cqes_end, cqes_end.checked_add(bytes)?)
        } else {
            (0, cqes_end)
        };
        let sqes_offset = rings_end.checked_next_multiple_of(page_size)?;
        let sqes_size = entries.get().checked_mul(SQE_BYTES)?;
        let region_size = sqes_offset
            .checked_add(sqes_size)?
            .checked_next_multiple_of(page_size)?;

        // INVARIANT: Each part starts where the one before it ends, or later; headers and
        // completions are multiples of 16 bytes, so the index array is aligned, and the submission
        // entries start on a page.
        Some(Self {
            entries,
            cq_entries,
            region_size,
            sqes_offset,
            sqes_size,
            sq_off: abi::SqOffsets {
                head: SQ_KERNEL,
                flags: SQ_KERNEL + 4,
                dropped: SQ_KERNEL + 8,
                dropped_at: SQ_KERNEL + 12,
                tail: SQ_PROGRAM,
                ring_mask: CONSTANTS,
                ring_entries: CONSTANTS + 4,
                array,
            },
            cq_off: abi::CqOffsets {
                tail: CQ_KERNEL,
                overflow: CQ_KERNEL + 4,
                head: CQ_PROGRAM,
                ring_mask: CONSTANTS + 8,
                ring_entries: CONSTANTS + 12,
                cqes: CQES,
                flags: CQ_PROGRAM + 4,
                resv: 0,
            },
            page_size,
        })
    }

    /// Whether the ring has an index array.
    pub(crate) const fn has_index_array(&self) -> bool {
        self.sq_off.array != 0
    }

    /// What a mapping of `len` bytes at mmap offset `offset` shows; `None` if that is not allowed.
    ///
    /// `offset` and `len` are in bytes and multiples of the page size.
    pub(crate) fn window(&self, offset: u64, len: u64) -> Option<Window> {
        let (base, from, limit) = if offset >= abi::OFF_SQES {
            let size = self.sqes_size.checked_next_multiple_of(self.page_size)?;
            (self.sqes_offset, abi::OFF_SQES, size)
        } else if offset >= abi::OFF_CQ_REGION {
            (0, abi::OFF_CQ_REGION, self.region_size)
        } else {
            (0, abi::OFF_REGION, self.region_size)
        };

        let skip = u32::try_from(offset.checked_sub(from)?).ok()?;
        let len = u32::try_from(len).ok()?;
        if len == 0 || skip.checked_add(len)? > limit {
            return None;
        }
        Some(Window {
            start: base.checked_add(skip)?,
            len,
        })
    }
}

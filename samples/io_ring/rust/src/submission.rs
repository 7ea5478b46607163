// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! The program's end of the submission queue.

use crate::abi;
use crate::region::{LayoutError, Region, Slots, Word};
use crate::sqe::Sqe;
use core::fmt;

/// The submission queue had no room; here is the entry back.
#[derive(Debug)]
pub struct Full(pub Sqe);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the submission queue is full: submit before pushing more")
    }
}

impl core::error::Error for Full {}

/// The submission queue: this side puts entries in, the kernel takes them out.
///
/// ```
/// use io_ring::{abi, Region, Sqe, SubmissionQueue};
/// use std::ptr::NonNull;
///
/// // The kernel hands out such a description; here the entries come right after the indices.
/// let mut setup = abi::Setup { entries: 2, sqes_offset: 64, ..Default::default() };
/// setup.sq_off = abi::SqOffsets { tail: 4, flags: 8, dropped: 12, dropped_at: 16, ..Default::default() };
/// let mut memory = vec![0u64; 24];
/// let base = NonNull::new(memory.as_mut_ptr().cast()).unwrap();
/// // SAFETY: The vector outlives the queue and is not used in any other way.
/// let region = unsafe { Region::new(base, 192) };
///
/// let mut queue = SubmissionQueue::new(region, &setup)?;
/// assert!(queue.push(Sqe::nop()).is_ok());
/// assert!(queue.push(Sqe::nop()).is_ok());
/// assert!(queue.push(Sqe::nop()).is_err());
/// assert_eq!(queue.len(), 2);
/// # Ok::<(), io_ring::LayoutError>(())
/// ```
#[derive(Debug)]
pub struct SubmissionQueue {
    head: Word,
    tail: Word,
    flags: Word,
    dropped: Word,
    dropped_at: Word,
    array: Option<Slots<u32>>,
    entries: Slots<abi::Sqe>,
}

impl SubmissionQueue {
    /// Finds the queue in `region`, as `setup` describes it after a successful
    /// [`SETUP`](abi::SETUP).
    pub fn new(region: Region, setup: &abi::Setup) -> Result<Self, LayoutError> {
        let off = &setup.sq_off;
        let array = match off.array {
            0 => None,
            array => Some(region.slots("sq_off.array", array, setup.entries)?),
        };
        Ok(Self {
            head: region.word("sq_off.head", off.head)?,
            tail: region.word("sq_off.tail", off.tail)?,
            flags: region.word("sq_off.flags", off.flags)?,
            dropped: region.word("sq_off.dropped", off.dropped)?,
            dropped_at: region.word("sq_off.dropped_at", off.dropped_at)?,
            array,
            entries: region.slots("sqes_offset", setup.sqes_offset, setup.entries)?,
        })
    }

    /// Number of entries there is room for in all.
    pub fn capacity(&self) -> u32 {
        self.entries.entries()
    }

    /// Number of entries that the kernel has not taken yet.
    pub fn len(&self) -> u32 {
        // Pairs with the kernel's release of the head: a slot that counts as free has been copied.
        self.tail.load().wrapping_sub(self.head.load_acquire())
    }

    /// Whether the kernel has taken everything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for another entry.
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// Puts an entry in; the kernel takes it at the next submission.
    pub fn push(&mut self, sqe: Sqe) -> Result<(), Full> {
        if self.is_full() {
            return Err(Full(sqe));
        }
        let tail = self.tail.load();
        self.entries.write(tail, *sqe.as_raw());
        if let Some(array) = &mut self.array {
            array.write(tail, self.entries.index(tail));
        }
        // Pairs with the kernel's acquire of the tail: it sees the whole entry.
        self.tail.store_release(tail.wrapping_add(1));
        Ok(())
    }

    /// Whether completions wait in the kernel for room in the completion queue.
    pub fn overflowed(&self) -> bool {
        self.flags.load() & abi::SQ_CQ_OVERFLOW != 0
    }

    /// How many elements of the index array named no entry, and gave no completion.
    pub fn dropped(&self) -> u32 {
        self.dropped.load()
    }

    /// Position of the last element that [`dropped`](Self::dropped) counts.
    pub fn dropped_at(&self) -> u32 {
        self.dropped_at.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kernel::Kernel;
    use std::vec::Vec;

    /// Starts of the positions: a fresh ring, and rings about to wrap.
    const STARTS: [u32; 4] = [0, 1, u32::MAX - 2, u32::MAX];

    fn users(taken: &[abi::Sqe]) -> Vec<u64> {
        taken.iter().map(|sqe| sqe.user_data).collect()
    }

    #[test]
    fn the_kernel_sees_entries_in_order() {
        for start in STARTS {
            for array in [false, true] {
                let kernel = Kernel::new(4, 8, array, start);
                let mut queue = kernel.submission();
                for user_data in 0..3 {
                    queue
                        .push(Sqe::nop().user_data(user_data))
                        .expect("there is room");
                }
                assert_eq!(queue.len(), 3);
                assert_eq!(users(&kernel.take(2)), [0, 1]);
                assert_eq!(queue.len(), 1);
                assert_eq!(users(&kernel.take(9)), [2]);
                assert!(queue.is_empty());
            }
        }
    }

    #[test]
    fn a_full_queue_hands_the_entry_back() {
        for start in STARTS {
            let kernel = Kernel::new(4, 8, true, start);
            let mut queue = kernel.submission();
            for user_data in 0..4 {
                assert!(!queue.is_full());
                queue
                    .push(Sqe::nop().user_data(user_data))
                    .expect("there is room");
            }
            assert!(queue.is_full());
            let Full(back) = queue
                .push(Sqe::nop().user_data(99))
                .expect_err("it is full");
            assert_eq!(back.as_raw().user_data, 99);

            assert_eq!(users(&kernel.take(1)), [0]);
            queue.push(back).expect("one entry has been taken");
            assert_eq!(users(&kernel.take(9)), [1, 2, 3, 99]);
        }
    }

    #[test]
    fn an_impossible_head_leaves_no_room() {
        let kernel = Kernel::new(4, 8, false, 0);
        let mut queue = kernel.submission();
        kernel.write_word(kernel.setup.sq_off.head, 7);
        assert!(queue.is_full());
        assert!(queue.push(Sqe::nop()).is_err());
    }

    #[test]
    fn flags_and_counters_are_the_kernels() {
        let kernel = Kernel::new(4, 8, true, 0);
        let queue = kernel.submission();
        assert!(!queue.overflowed());
        kernel.write_word(kernel.setup.sq_off.flags, abi::SQ_CQ_OVERFLOW);
        kernel.write_word(kernel.setup.sq_off.dropped, 5);
        kernel.write_word(kernel.setup.sq_off.dropped_at, 6);
        assert!(queue.overflowed());
        assert_eq!((queue.dropped(), queue.dropped_at()), (5, 6));
    }

    #[test]
    fn parts_outside_the_region_are_refused() {
        let kernel = Kernel::new(4, 8, true, 0);
        for part in ["sq_off.head", "sq_off.array", "sqes_offset", "ring_entries"] {
            let mut setup = kernel.setup;
            match part {
                "sq_off.head" => setup.sq_off.head = 1 << 30,
                "sq_off.array" => setup.sq_off.array = u32::MAX - 3,
                "sqes_offset" => setup.sqes_offset += 64,
                _ => setup.entries = 3,
            }
            let error = SubmissionQueue::new(kernel.region(), &setup).expect_err("it is outside");
            assert_eq!(error.part, part);
        }
    }
}

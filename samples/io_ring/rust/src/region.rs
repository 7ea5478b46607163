// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Memory shared with the kernel.
//!
//! The other side writes whenever it likes, so nothing here ever makes a reference to plain data:
//! indices go through atomics, entries through volatile copies.

use core::fmt;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use zerocopy::{FromBytes, IntoBytes};

/// The memory of one ring.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    base: NonNull<u8>,
    len: usize,
}

/// The kernel's description of a region does not fit the region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LayoutError {
    /// Member of [`abi::SqOffsets`](crate::abi::SqOffsets), [`abi::CqOffsets`](crate::abi::CqOffsets)
    /// or [`abi::Setup`](crate::abi::Setup) that is wrong.
    pub part: &'static str,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ring's {} is outside its memory or not aligned",
            self.part
        )
    }
}

impl core::error::Error for LayoutError {}

impl Region {
    /// Takes `len` bytes at `base` for a ring.
    ///
    /// # Safety
    ///
    /// * The bytes are valid for reading and writing as long as a queue made from this region is
    ///   used, and `base` is a multiple of 8.
    /// * Nobody makes references to them other than to atomics.
    /// * Whoever else writes to them keeps to the order of accesses of the queues: entries before
    ///   the release store of the index that covers them.
    pub const unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len }
    }

    /// The index or counter at `offset`.
    pub(crate) fn word(self, part: &'static str, offset: u32) -> Result<Word, LayoutError> {
        self.part::<u32>(part, offset, 1).map(Word)
    }

    /// The array of `entries` elements at `offset`; `entries` must be a power of two.
    pub(crate) fn slots<T: FromBytes + IntoBytes>(
        self,
        part: &'static str,
        offset: u32,
        entries: u32,
    ) -> Result<Slots<T>, LayoutError> {
        if !entries.is_power_of_two() {
            return Err(LayoutError {
                part: "ring_entries",
            });
        }
        let first = self.part::<T>(part, offset, entries)?;
        // INVARIANT: `part` checked `entries` elements, and `mask` is one less.
        Ok(Slots {
            first,
            mask: entries - 1,
        })
    }

    /// Checks that `count` elements at `offset` are inside and aligned.
    fn part<T>(
        self,
        part: &'static str,
        offset: u32,
        count: u32,
    ) -> Result<NonNull<T>, LayoutError> {
        let error = LayoutError { part };
        let start = usize::try_from(offset).map_err(|_| error)?;
        let bytes = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size_of::<T>()))
            .ok_or(error)?;
        let end = start.checked_add(bytes).ok_or(error)?;
        if end > self.len {
            return Err(error);
        }
        // SAFETY: `start` is at most `end`, which is inside the region.
        let first = unsafe { self.base.add(start) }.cast::<T>();
        if first.as_ptr().addr() % align_of::<T>() != 0 {
            return Err(error);
        }
        Ok(first)
    }
}

/// One 32-bit index or counter.
///
/// # Invariants
///
/// Points at an aligned `u32` inside a [`Region`].
#[derive(Debug)]
pub(crate) struct Word(NonNull<u32>);

// SAFETY: The word is only accessed atomically and belongs to no thread.
unsafe impl Send for Word {}

impl Word {
    fn atomic(&self) -> &AtomicU32 {
        // SAFETY: By the type invariant the word is valid and aligned; by the contract of
        // `Region::new` it is only accessed atomically.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr()) }
    }

    /// Reads an index that this side writes, or a counter.
    pub(crate) fn load(&self) -> u32 {
        self.atomic().load(Ordering::Relaxed)
    }

    /// Reads the other side's index; pairs with the release store that wrote it.
    pub(crate) fn load_acquire(&self) -> u32 {
        self.atomic().load(Ordering::Acquire)
    }

    /// Writes this side's index, after everything that it covers.
    pub(crate) fn store_release(&self, value: u32) {
        self.atomic().store(value, Ordering::Release);
    }
}

/// An array indexed by positions that run freely and wrap.
///
/// # Invariants
///
/// `first` points at `mask + 1` aligned elements inside a [`Region`]; `mask + 1` is a power of two.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    first: NonNull<T>,
    mask: u32,
}

// SAFETY: The elements are plain data, only copied in and out, and belong to no thread.
unsafe impl<T: Send> Send for Slots<T> {}

impl<T: FromBytes + IntoBytes> Slots<T> {
    /// Number of elements.
    pub(crate) fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// Number of the element for `position`.
    pub(crate) fn index(&self, position: u32) -> u32 {
        position & self.mask
    }

    fn slot(&self, position: u32) -> NonNull<T> {
        // SAFETY: The masked position is less than the number of elements.
        unsafe { self.first.add(self.index(position) as usize) }
    }

    /// Copies the element for `position` out.
    pub(crate) fn read(&self, position: u32) -> T {
        // SAFETY: By the type invariant the element is valid and aligned; any bytes are a `T`.
        unsafe { self.slot(position).read_volatile() }
    }

    /// Copies `value` into the element for `position`.
    pub(crate) fn write(&mut self, position: u32, value: T) {
        // SAFETY: By the type invariant the element is valid and aligned.
        unsafe { self.slot(position).write_volatile(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn with_region(check: impl FnOnce(Region)) {
        let mut memory = vec![0u64; 8];
        let base = NonNull::new(memory.as_mut_ptr().cast::<u8>()).expect("a vector has an address");
        // SAFETY: The memory is aligned to 8, outlives the check, and nobody else uses it.
        check(unsafe { Region::new(base, 64) });
    }

    #[test]
    fn parts_end_inside_the_region() {
        with_region(|region| {
            assert!(region.word("head", 60).is_ok());
            assert_eq!(
                region.word("head", 64).err(),
                Some(LayoutError { part: "head" })
            );
            assert!(region.word("head", u32::MAX - 3).is_err());
            assert!(region.slots::<u64>("cqes", 0, 8).is_ok());
            assert!(region.slots::<u64>("cqes", 8, 8).is_err());
            assert!(region.slots::<u64>("cqes", 0, 16).is_err());
        });
    }

    #[test]
    fn parts_are_aligned() {
        with_region(|region| {
            assert!(region.word("head", 2).is_err());
            assert!(region.slots::<u64>("cqes", 4, 1).is_err());
            assert!(region.slots::<u64>("cqes", 16, 2).is_ok());
        });
    }

    #[test]
    fn entries_are_a_power_of_two() {
        with_region(|region| {
            for entries in [0, 3, 5, 6, 7] {
                let error = region.slots::<u32>("array", 0, entries).err();
                assert_eq!(
                    error,
                    Some(LayoutError {
                        part: "ring_entries"
                    })
                );
            }
        });
    }

    #[test]
    fn positions_wrap_onto_elements() {
        with_region(|region| {
            let mut slots = region
                .slots::<u32>("array", 0, 4)
                .expect("four elements fit");
            slots.write(u32::MAX, 30);
            slots.write(0, 10);
            assert_eq!(slots.read(3), 30);
            assert_eq!(slots.read(4), 10);
        });
    }
}

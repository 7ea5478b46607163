// SPDX-License-Identifier: GPL-2.0

//! Memory shared with user space. Would join `rust/kernel/mm/shared.rs`.
//!
//! The memory is made of single pages, which may be highmem, mapped once and for all into the
//! kernel's vmalloc area: there is no linear address, no `page_address`, no temporary mapping.
//!
//! A program can write any part of it at any moment, so no Rust reference to it exists, ever. It is
//! accessed by value through [`SharedWord`] and [`SharedArray`], which copy with `READ_ONCE` and
//! `WRITE_ONCE` semantics (volatile accesses, see `tools/memory-model`): a copy may be torn between
//! two writes of a hostile program, and is judged after it has been made.
//!
//! # Cache aliases
//!
//! Where the data cache is indexed by virtual address, the program's and the kernel's addresses of
//! a page are two different memories until lines are written back. [`coherence`] makes all accesses.
//! Ring pages have no mapping to find the program's aliases by, so flushing only helps on CPUs that
//! do not alias at all; on others ([`dcache_aliases`]) no ring can be made.

mod coherence;
#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
pub(crate) mod journal;

pub(crate) use self::coherence::dcache_aliases;
use super::vma::NewMapping;
use core::{
    marker::PhantomData,
    mem::size_of,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            atomic_load,
            atomic_store,
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

/// How many there have been.
static LAST_NUMBER: Atomic<u64> = Atomic::new(0);

/// Zeroed pages, mapped into the kernel.
///
/// # Invariants
///
/// `bytes` bytes from `base` on are mapped as long as `_pages` lives; no Rust reference to them is
/// ever made.
pub(crate) struct SharedMem {
    base: NonNull<u8>,
    bytes: usize,
    number: u64,
    _pages: Pages,
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) journal: journal::Journal,
}

/// What keeps the memory mapped; never looked into.
enum Pages {
    /// The pages themselves, and their mapping.
    Owned(#[expect(dead_code, reason = "owns the memory")] VVec<[u64; PAGE_SIZE / 8]>),
    /// Another mapping of the pages of another value.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    Alias(#[expect(dead_code, reason = "owns the mapping")] super::second_mapping::SecondMapping),
}

// SAFETY: The memory is only accessed by value, see the description of this file.
unsafe impl Send for SharedMem {}
// SAFETY: As above.
unsafe impl Sync for SharedMem {}

impl SharedMem {
    /// Allocates `bytes`, rounded up to whole pages.
    ///
    /// Process context; sleeps. Charged to the caller's memory cgroup.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bytes: usize) -> Result<Arc<Self>> {
        let count = bytes.div_ceil(PAGE_SIZE);
        let mut pages =
            VVec::<[u64; PAGE_SIZE / 8]>::zeroed(count, GFP_KERNEL_ACCOUNT | __GFP_NOWARN)?;
        let base = NonNull::new(pages.as_mut_ptr().cast()).ok_or(ENOMEM)?;
        Ok(Arc::new(
            // INVARIANT: `VVec` allocates by vmalloc, and `zeroed` has initialised it all.
            Self {
                base,
                bytes: count.checked_mul(PAGE_SIZE).ok_or(ENOMEM)?,
                number: LAST_NUMBER.fetch_add(1, Relaxed).wrapping_add(1),
                _pages: Pages::Owned(pages),
                #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
                journal: journal::Journal::new(),
            },
            GFP_KERNEL_ACCOUNT,
        )?)
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// A number that no other has, nor had.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Address of `len` elements of `T` at `offset` bytes, if they are inside and aligned.
    fn part<T>(&self, offset: usize, len: usize) -> Result<NonNull<T>> {
        let end = len
            .checked_mul(size_of::<T>())
            .and_then(|size| size.checked_add(offset))
            .ok_or(EINVAL)?;
        if end > self.bytes || offset % align_of::<T>() != 0 {
            return Err(EINVAL);
        }
        // SAFETY: `offset` is inside the allocation, as just checked.
        Ok(unsafe { self.base.add(offset) }.cast())
    }

    /// The 32-bit word at `offset` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not inside or not aligned.
    pub(crate) fn word(self: &Arc<Self>, offset: u32) -> Result<SharedWord> {
        let ptr = self.part(offset as usize, 1)?;
        // INVARIANT: `part` has checked it, and the clone keeps the memory.
        Ok(SharedWord {
            ptr,
            mem: self.clone(),
        })
    }

    /// `len` elements of `T` from `offset` bytes on; `len` is a power of two.
    ///
    /// # Errors
    ///
    /// `EINVAL` if they are not all inside, not aligned, or `len` is not a power of two.
    pub(crate) fn array<T: Element>(
        self: &Arc<Self>,
        offset: u32,
        len: u32,
    ) -> Result<SharedArray<T>> {
        if !len.is_power_of_two() {
            return Err(EINVAL);
        }
        let ptr = self.part(offset as usize, len as usize)?;
        // INVARIANT: `part` has checked it, and the clone keeps the memory.
        Ok(SharedArray {
            ptr,
            mask: len.wrapping_sub(1),
            mem: self.clone(),
            _element: PhantomData,
        })
    }

    /// Maps the part of `mapping.len()` bytes from `start` on; `start` is a multiple of the page
    /// size.
    ///
    /// Each mapped page has a reference of its own, so that a mapping may outlive this memory.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the part is not inside, `ENOMEM` for page tables.
    pub(crate) fn map(&self, mapping: &NewMapping<'_>, start: u32) -> Result {
        let len = usize::try_from(mapping.len())?;
        let part: NonNull<u8> = self.part(start as usize, len)?;
        // Sets `VM_MIXEDMAP` before the first page is inserted.
        let vma = mapping.as_vma().set_mixedmap();
        for offset in (0..len).step_by(PAGE_SIZE) {
            // SAFETY: `offset` is less than `len`, which `part` has checked.
            let ptr = unsafe { part.add(offset) };
            // SAFETY: The address is in a vmalloc allocation.
            let page = unsafe { bindings::vmalloc_to_page(ptr.as_ptr().cast()) };
            let address = mapping.start().wrapping_add(offset);
            // SAFETY: The VMA is in the making, has `VM_MIXEDMAP`, and contains `address`; the page
            // is a single one (vmalloc does not make larger ones for `VVec`).
            let ret = unsafe { bindings::vm_insert_page(vma.as_ptr(), address, page) };
            kernel::error::to_result(ret)?;
        }
        Ok(())
    }

    /// The same memory through a mapping of its own, at another kernel address.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn alias(self: &Arc<Self>) -> Result<Arc<Self>> {
        let mapping = super::second_mapping::SecondMapping::new(self.clone(), self.base)?;
        Ok(Arc::new(
            // INVARIANT: The second mapping has all pages of the first.
            Self {
                base: mapping.base(),
                bytes: self.bytes,
                number: self.number,
                _pages: Pages::Alias(mapping),
                journal: journal::Journal::new(),
            },
            GFP_KERNEL,
        )?)
    }

    /// Address of the first byte.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn address(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// The page that holds the byte at `offset`; `None` if there is no such byte.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(super) fn page(&self, offset: usize) -> Option<NonNull<bindings::page>> {
        let ptr: NonNull<u8> = self.part(offset, 1).ok()?;
        // SAFETY: The address is in a vmalloc allocation.
        NonNull::new(unsafe { bindings::vmalloc_to_page(ptr.as_ptr().cast()) })
    }

    /// A number that only the page has that holds the byte at `offset`.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn page_id(&self, offset: usize) -> Option<usize> {
        self.page(offset).map(|page| page.as_ptr().addr())
    }

    /// Whether the page that holds the byte at `offset` is highmem; `None` if there is no such byte.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(crate) fn is_highmem(&self, offset: usize) -> Option<bool> {
        let page = self.page(offset)?;
        // SAFETY: A page of this memory.
        Some(unsafe { super::helpers::io_ring_page_is_highmem(page.as_ptr()) })
    }

    /// Notes what happens to the `T` at `ptr`, which is inside.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    fn note<T>(&self, step: journal::Step, ptr: *const T) {
        let offset = ptr.addr().wrapping_sub(self.address());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "inside, so less than 32 bits"
        )]
        let range = (offset as u32, size_of::<T>() as u32);
        self.journal.note(step, range);
    }
}

/// A 32-bit word of shared memory.
///
/// # Invariants
///
/// `ptr` is aligned and inside `mem`.
pub(crate) struct SharedWord {
    ptr: NonNull<u32>,
    mem: Arc<SharedMem>,
}

// SAFETY: The word is only accessed atomically, and the memory lives as long as this value.
unsafe impl Send for SharedWord {}
// SAFETY: As above.
unsafe impl Sync for SharedWord {}

impl SharedWord {
    /// Reads; what the program wrote before it wrote this value is seen by reads that follow.
    #[inline]
    pub(crate) fn load_acquire(&self) -> u32 {
        let ptr = self.ptr.as_ptr();
        // SAFETY: `ptr` is valid and aligned by the type invariants; all accesses are atomic.
        coherence::reading(&self.mem, ptr, || unsafe { atomic_load(ptr, Acquire) })
    }

    /// Writes; who reads the value by acquire sees all that was written before.
    #[inline]
    pub(crate) fn store_release(&self, value: u32) {
        let ptr = self.ptr.as_ptr();
        // SAFETY: As for `load_acquire`.
        coherence::writing(&self.mem, ptr, || unsafe {
            atomic_store(ptr, value, Release)
        });
    }

    /// Writes, without order.
    #[inline]
    pub(crate) fn store(&self, value: u32) {
        let ptr = self.ptr.as_ptr();
        // SAFETY: As for `load_acquire`.
        coherence::writing(&self.mem, ptr, || unsafe {
            atomic_store(ptr, value, Relaxed)
        });
    }
}

/// What may be copied from and to shared memory: plain words, of which every bit pattern is valid.
///
/// # Safety
///
/// The type is an array of, or is, an unsigned integer without padding.
pub(crate) unsafe trait Element: Copy {}

// SAFETY: An unsigned integer.
unsafe impl Element for u32 {}
// SAFETY: An array of unsigned integers.
unsafe impl<const N: usize> Element for [u64; N] {}

/// An array in shared memory, whose length is a power of two.
///
/// # Invariants
///
/// `mask + 1` aligned elements start at `ptr`, all inside `mem`.
pub(crate) struct SharedArray<T: Element> {
    ptr: NonNull<T>,
    mask: u32,
    mem: Arc<SharedMem>,
    _element: PhantomData<T>,
}

// SAFETY: Elements are only copied, and the memory lives as long as this value.
unsafe impl<T: Element> Send for SharedArray<T> {}
// SAFETY: As above.
unsafe impl<T: Element> Sync for SharedArray<T> {}

impl<T: Element> SharedArray<T> {
    /// Address of element `index & mask`: always inside.
    #[inline(always)]
    fn element(&self, index: u32) -> *mut T {
        // SAFETY: At most `mask`, so inside by the type invariants.
        unsafe { self.ptr.as_ptr().add((index & self.mask) as usize) }
    }

    /// Copies element `index` (modulo the length) out, word by word, each word read once.
    #[inline]
    pub(crate) fn read(&self, index: u32) -> T {
        let ptr = self.element(index);
        // SAFETY: Valid and aligned by the type invariants. A volatile read: the program may write
        // at the same time, and any mix of old and new words is a value of `T`.
        coherence::reading(&self.mem, ptr, || unsafe { ptr.read_volatile() })
    }

    /// Copies `value` to element `index` (modulo the length).
    #[inline]
    pub(crate) fn write(&self, index: u32, value: T) {
        let ptr = self.element(index);
        // SAFETY: Valid and aligned by the type invariants.
        coherence::writing(&self.mem, ptr, || unsafe { ptr.write_volatile(value) });
    }
}

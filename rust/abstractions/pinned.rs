// SPDX-License-Identifier: GPL-2.0

//! User memory that is pinned for as long as one likes. Would join `rust/kernel/mm/`.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/bvec.h`](srctree/include/linux/bvec.h)
//!
//! A [`PinnedBuffer`] is the pages that an address range had when it was made. What becomes of the
//! range afterwards does not matter: the pages stay, and the program sees them wherever it still has
//! them mapped. It is charged for each page that it has a byte in: to `RLIMIT_MEMLOCK` of the user,
//! as [`io_ring_charge_pinned()`](srctree/rust/helpers_memory.c) says, and to `VmPin` of the process.

#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
mod content;
pub(crate) mod segments;

use super::helpers;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};
use segments::{
    Page,
    Segments,
    MAX_LEN, //
};

/// Pages that are pinned in one go: interrupts may be off meanwhile.
const AT_ONCE: usize = 512;

/// Pages that are pinned now, by all.
static PINNED: Atomic<usize> = Atomic::new(0);

/// Segments that they are in.
static SEGMENTS: Atomic<usize> = Atomic::new(0);

/// How many pages are pinned.
pub(crate) fn pinned_pages() -> usize {
    PINNED.load(Relaxed)
}

/// How many segments the pages are in that are pinned.
pub(crate) fn pinned_segments() -> usize {
    SEGMENTS.load(Relaxed)
}

/// Pages that have been charged for.
///
/// # Invariants
///
/// `pages` have been charged to `mm`, and to `user` if that is not null; both are counted references,
/// to `mm` as by `mmgrab`.
struct Charge {
    mm: NonNull<bindings::mm_struct>,
    user: *mut bindings::user_struct,
    pages: usize,
}

impl Charge {
    /// Charges the current process.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if that is more than it may pin; `EINVAL` if it has no address space.
    fn current(pages: usize) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let mm = NonNull::new(unsafe { helpers::io_ring_current_mm() }).ok_or(EINVAL)?;
        let mut user = null_mut();
        // SAFETY: `user` is valid for writes, and the current task has an address space.
        let ret = unsafe { helpers::io_ring_charge_pinned(pages as c_ulong, &mut user) };
        kernel::error::to_result(ret)?;
        // SAFETY: The current task's address space is alive.
        unsafe { bindings::mmgrab(mm.as_ptr()) };
        PINNED.fetch_add(pages, Relaxed);
        // INVARIANT: Just charged and counted.
        Ok(Self { mm, user, pages })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        PINNED.fetch_sub(self.pages, Relaxed);
        let (mm, pages) = (self.mm.as_ptr(), self.pages as c_ulong);
        // SAFETY: Undoes what was charged, by the type invariants.
        unsafe { helpers::io_ring_uncharge_pinned(mm, pages, self.user) };
        // SAFETY: Gives back the reference of the type invariants.
        unsafe { bindings::mmdrop(mm) };
    }
}

/// Pages, each of which is pinned.
///
/// # Invariants
///
/// Each element is a page that `pin_user_pages_fast` pinned for this.
struct Pages(KVVec<*mut bindings::page>);

impl Pages {
    /// Pins `count` pages of the current process from `address` on. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR`; what `pin_user_pages_fast` says of memory that cannot be pinned.
    fn pin(address: usize, count: usize) -> Result<Self> {
        let pages = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT | __GFP_NOWARN)?;
        // INVARIANT: There is none yet.
        let mut this = Self(pages);
        while this.0.len() < count {
            // SAFETY: FFI call without requirements.
            if unsafe { helpers::io_ring_current_fatal_signal() } {
                return Err(EINTR);
            }
            this.pin_more(address, count)?;
        }
        Ok(this)
    }

    /// Pins some more.
    fn pin_more(&mut self, address: usize, count: usize) -> Result {
        let done = self.0.len();
        let wanted = count.wrapping_sub(done).min(AT_ONCE);
        let start = address.wrapping_add(done << PAGE_SHIFT);
        let flags = bindings::FOLL_WRITE | bindings::FOLL_LONGTERM;
        let room = self.0.spare_capacity_mut();
        if room.len() < wanted {
            return Err(ENOMEM);
        }
        // SAFETY: There is room for that many, as just checked.
        let ret = unsafe {
            bindings::pin_user_pages_fast(
                start as c_ulong,
                c_int::try_from(wanted)?,
                flags,
                room.as_mut_ptr().cast(),
            )
        };
        kernel::error::to_result(ret)?;
        let pinned = usize::try_from(ret)?;
        if pinned == 0 {
            return Err(EFAULT);
        }
        // SAFETY: They have been written to the room that there is.
        // INVARIANT: They are pinned.
        unsafe { self.0.inc_len(pinned) };
        Ok(())
    }

    /// How the buffer of `len` bytes from `offset` of the first page on is cut.
    fn segments(&self, offset: usize, len: usize) -> Option<Segments> {
        let mut last: *mut bindings::page = null_mut();
        let pages = self.0.iter().map(|&page| {
            // SAFETY: The page is pinned, by the type invariants, and so is the last one.
            let joins = !last.is_null() && unsafe { helpers::io_ring_pages_join(last, page) };
            last = page;
            // SAFETY: As above.
            let number = unsafe { helpers::io_ring_page_number(page) } as usize;
            Page { number, joins }
        });
        Segments::new(PAGE_SIZE, offset, len, pages)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: Each is pinned, by the type invariants, and not used after this.
        unsafe { bindings::unpin_user_pages(self.0.as_mut_ptr(), self.0.len() as c_ulong) };
    }
}

/// Why a part of a buffer is none.
#[derive(Debug)]
pub(crate) enum Outside {
    /// It does not start in the buffer.
    Start,
    /// It goes on after the end of it.
    End,
}

/// Where a part of a buffer is.
///
/// # Invariants
///
/// From `first` on there are `count` segments, of which the bytes from `skip` of the first one on are
/// the part, as long as the buffer is there.
pub(super) struct Bytes {
    pub(super) first: *const bindings::bio_vec,
    pub(super) count: usize,
    pub(super) skip: usize,
}

/// A buffer that is pinned.
///
/// # Invariants
///
/// `bvecs` are the segments, in their order; their pages are pinned for this, and they are counted.
pub(crate) struct PinnedBuffer {
    address: u64,
    segments: Segments,
    bvecs: KVVec<bindings::bio_vec>,
    /// Given back last.
    _charge: Charge,
}

// SAFETY: Pages may be used and unpinned from any thread; what is charged is counted.
unsafe impl Send for PinnedBuffer {}
// SAFETY: Nothing in it changes.
unsafe impl Sync for PinnedBuffer {}

impl PinnedBuffer {
    /// Pins `len` bytes at `address` of the current process, to be read and written. Process context;
    /// sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if it would be more than the process may pin; `EINTR`; `EFAULT`, `EOPNOTSUPP`:
    /// that memory cannot be pinned; `EINVAL`: it is empty or larger than [`MAX_LEN`].
    pub(crate) fn new(address: u64, len: u64) -> Result<Self> {
        let start = usize::try_from(address).map_err(|_| EFAULT)?;
        let len = usize::try_from(len).map_err(|_| EFAULT)?;
        if len == 0 || len > MAX_LEN {
            return Err(EINVAL);
        }
        start.checked_add(len).ok_or(EFAULT)?;
        let offset = start % PAGE_SIZE;
        let count = offset.wrapping_add(len).div_ceil(PAGE_SIZE);
        let charge = Charge::current(count)?;
        let mut pages = Pages::pin(start.wrapping_sub(offset), count)?;
        let segments = pages.segments(offset, len).ok_or(EINVAL)?;
        let mut bvecs = KVVec::with_capacity(segments.count(), GFP_KERNEL_ACCOUNT | __GFP_NOWARN)?;
        for index in 0..segments.count() {
            let segment = segments.segment(index);
            let bvec = bindings::bio_vec {
                bv_page: *pages.0.get(segment.page).ok_or(EINVAL)?,
                bv_len: u32::try_from(segment.len)?,
                bv_offset: u32::try_from(segment.offset)?,
            };
            bvecs.push(bvec, GFP_KERNEL_ACCOUNT)?;
        }
        // The segments have them now.
        pages.0.clear();
        SEGMENTS.fetch_add(bvecs.len(), Relaxed);
        // INVARIANT: All pages were pinned, and are in one segment each.
        Ok(Self {
            address,
            segments,
            bvecs,
            _charge: charge,
        })
    }

    /// Where `len` bytes from `address` on are. That is valid as long as the buffer is.
    #[inline]
    pub(super) fn bytes(&self, address: u64, len: u32) -> Result<Bytes, Outside> {
        let offset = self.offset_of(address)?;
        let part = self.segments.part(offset, len as usize);
        let part = part.ok_or(Outside::End)?;
        // INVARIANT: By the type invariants there are that many segments from there on.
        Ok(Bytes {
            first: self.bvecs.as_ptr().wrapping_add(part.first),
            count: part.count,
            skip: part.offset,
        })
    }

    /// Makes `iter` one over `len` bytes from `address` on, which `direction` says the use of. It is
    /// valid as long as the buffer is.
    #[inline]
    pub(super) fn iter(
        &self,
        direction: u32,
        address: u64,
        len: u32,
        iter: &mut bindings::iov_iter,
    ) -> Result<(), Outside> {
        let Bytes { first, count, skip } = self.bytes(address, len)?;
        // SAFETY: There are that many segments, by the type invariants; `iter` is valid for writes.
        unsafe {
            let (count, len) = (count as c_ulong, len as usize);
            helpers::io_ring_iter_bvec(iter, direction, first, count, skip, len)
        };
        Ok(())
    }

    /// Appends the segments of `len` bytes from `address` on to `pieces`.
    ///
    /// # Errors
    ///
    /// `EFAULT` if the buffer has them not all; `ENOMEM`.
    pub(super) fn append_to(
        &self,
        pieces: &mut KVVec<bindings::bio_vec>,
        address: usize,
        len: usize,
    ) -> Result {
        let offset = self.offset_of(address as u64).map_err(|_| EFAULT)?;
        let part = self.segments.part(offset, len).ok_or(EFAULT)?;
        pieces.reserve(part.count, GFP_KERNEL_ACCOUNT | __GFP_NOWARN)?;
        let mut skip = u32::try_from(part.offset)?;
        let mut left = u32::try_from(len)?;
        for bvec in self.bvecs.iter().skip(part.first).take(part.count) {
            let piece = bindings::bio_vec {
                bv_offset: bvec.bv_offset.wrapping_add(skip),
                bv_len: bvec.bv_len.wrapping_sub(skip).min(left),
                ..*bvec
            };
            skip = 0;
            left = left.wrapping_sub(piece.bv_len);
            pieces.push(piece, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// How many bytes of the buffer lie before `address`; not if it is outside.
    #[inline]
    fn offset_of(&self, address: u64) -> Result<usize, Outside> {
        let offset = address.checked_sub(self.address).ok_or(Outside::Start)?;
        match usize::try_from(offset) {
            Ok(offset) if offset <= self.segments.len() => Ok(offset),
            _ => Err(Outside::Start),
        }
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        SEGMENTS.fetch_sub(self.bvecs.len(), Relaxed);
        for bvec in &self.bvecs {
            let bytes = bvec.bv_offset as usize + bvec.bv_len as usize;
            let pages = bytes.div_ceil(PAGE_SIZE) as c_ulong;
            // SAFETY: They are pinned and follow each other in one folio, by the type invariants; they
            // are not used after this. They may have been written.
            unsafe { bindings::unpin_user_page_range_dirty_lock(bvec.bv_page, pages, true) };
        }
    }
}

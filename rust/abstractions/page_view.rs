// SPDX-License-Identifier: GPL-2.0

//! One page of a shared memory through a temporary mapping, for tests.
//!
//! Would join `rust/kernel/page.rs`. C header:
//! [`include/linux/highmem.h`](srctree/include/linux/highmem.h)

use super::{
    helpers,
    shared_mem::SharedMem, //
};
use core::ptr::NonNull;
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            atomic_load,
            atomic_store,
            Relaxed, //
        },
        Arc, //
    },
    types::NotThreadSafe, //
};

/// A mapping made by `kmap_local_page`; views are dropped in the reverse order.
///
/// # Invariants
///
/// `base` is where a page of `_mem` is mapped, for this thread only.
pub(crate) struct PageView {
    base: NonNull<u32>,
    _mem: Arc<SharedMem>,
    _this_thread: NotThreadSafe,
}

impl PageView {
    /// Maps the page that holds the byte at `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such byte.
    pub(crate) fn new(mem: &Arc<SharedMem>, offset: usize) -> Result<Self> {
        let page = mem.page(offset).ok_or(EINVAL)?;
        // SAFETY: The page is one of the memory, which the view keeps.
        let base = unsafe { helpers::io_ring_map_page(page.as_ptr()) };
        // INVARIANT: Just mapped.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(EINVAL)?,
            _mem: mem.clone(),
            _this_thread: NotThreadSafe,
        })
    }

    /// Whether views have addresses of their own: else they show a linear mapping.
    pub(crate) fn is_mapped() -> bool {
        // SAFETY: FFI call without requirements.
        unsafe { helpers::io_ring_maps_pages() }
    }

    /// Where the page is.
    pub(crate) fn address(&self) -> usize {
        self.base.as_ptr().addr()
    }

    fn word(&self, index: usize) -> Result<*mut u32> {
        if index < PAGE_SIZE / 4 {
            Ok(self.base.as_ptr().wrapping_add(index))
        } else {
            Err(EINVAL)
        }
    }

    /// Reads the 32-bit word `index` of the page.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none.
    pub(crate) fn load(&self, index: usize) -> Result<u32> {
        // SAFETY: A word of the page, by the type invariants and as just checked.
        Ok(unsafe { atomic_load(self.word(index)?, Relaxed) })
    }

    /// Writes the 32-bit word `index` of the page.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none.
    pub(crate) fn store(&self, index: usize, value: u32) -> Result {
        // SAFETY: As for `load`.
        unsafe { atomic_store(self.word(index)?, value, Relaxed) };
        Ok(())
    }
}

impl Drop for PageView {
    fn drop(&mut self) {
        // SAFETY: Mapped by the type invariants, by this thread.
        unsafe { helpers::io_ring_unmap_page(self.base.as_ptr().cast()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A second kernel mapping of pages that are mapped already, for tests.
//!
//! Would join `rust/kernel/mm/vmap.rs`. C header:
//! [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h)

use super::{
    helpers,
    shared_mem::SharedMem, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// A mapping made by `vmap`.
///
/// # Invariants
///
/// `base` is what `vmap` returned for the pages of `_mem`.
pub(super) struct SecondMapping {
    base: NonNull<u8>,
    _mem: Arc<SharedMem>,
}

impl SecondMapping {
    /// Maps the pages of `mem`, whose first mapping starts at `first`, once more.
    pub(super) fn new(mem: Arc<SharedMem>, first: NonNull<u8>) -> Result<Self> {
        let mut pages = KVec::<*mut bindings::page>::new();
        for offset in (0..mem.len()).step_by(PAGE_SIZE) {
            // SAFETY: `offset` is inside the memory.
            let ptr = unsafe { first.add(offset) };
            // SAFETY: The address is in a vmalloc allocation.
            let page = unsafe { bindings::vmalloc_to_page(ptr.as_ptr().cast()) };
            pages.push(page, GFP_KERNEL)?;
        }
        let count = c_uint::try_from(pages.len())?;
        // SAFETY: `pages` has `count` valid pages, which `mem` keeps.
        let base = unsafe { helpers::io_ring_vmap(pages.as_mut_ptr(), count) };
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
            _mem: mem,
        })
    }

    /// Where the mapping starts.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl Drop for SecondMapping {
    fn drop(&mut self) {
        // SAFETY: Mapped by `vmap`, by the type invariants.
        unsafe { helpers::io_ring_vunmap(self.base.as_ptr().cast()) };
    }
}

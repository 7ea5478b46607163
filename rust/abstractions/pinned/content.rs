// SPDX-License-Identifier: GPL-2.0

//! What is in a pinned buffer, for tests: as files read and write it.

use super::{
    Outside,
    PinnedBuffer, //
};
use crate::abstractions::helpers;
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// `ITER_DEST` and `ITER_SOURCE` of linux/uio.h.
const DEST: u32 = 0;
const SOURCE: u32 = 1;

impl PinnedBuffer {
    /// Copies `from` to `address` on; answers how many bytes.
    ///
    /// # Errors
    ///
    /// The buffer has them not all.
    pub(crate) fn copy_in(&self, address: u64, from: &[u8; 8]) -> Result<usize, Outside> {
        let mut iter = bindings::iov_iter::default();
        self.iter(DEST, address, 8, &mut iter)?;
        // SAFETY: The iterator is over 8 bytes of the buffer, and so many are at `from`.
        Ok(unsafe { helpers::io_ring_copy_to_iter(from.as_ptr().cast(), 8, &mut iter) })
    }

    /// Copies what is from `address` on to `to`; answers how many bytes.
    ///
    /// # Errors
    ///
    /// The buffer has them not all.
    pub(crate) fn copy_out(&self, address: u64, to: &mut [u8; 8]) -> Result<usize, Outside> {
        let mut iter = bindings::iov_iter::default();
        self.iter(SOURCE, address, 8, &mut iter)?;
        // SAFETY: The iterator is over 8 bytes of the buffer, and there is room for so many at `to`.
        Ok(unsafe { helpers::io_ring_copy_from_iter(to.as_mut_ptr().cast(), 8, &mut iter) })
    }

    /// How many pages it has, and how many of them are highmem.
    pub(crate) fn pages(&self) -> (usize, usize) {
        let (mut all, mut highmem) = (0, 0);
        for bvec in &self.bvecs {
            let pages = (bvec.bv_offset as usize + bvec.bv_len as usize).div_ceil(PAGE_SIZE);
            all += pages;
            // SAFETY: The page is pinned, by the type invariants. All of a segment are in one zone.
            if unsafe { helpers::io_ring_page_is_highmem(bvec.bv_page) } {
                highmem += pages;
            }
        }
        (all, highmem)
    }
}

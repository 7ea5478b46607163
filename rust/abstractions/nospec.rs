// SPDX-License-Identifier: GPL-2.0

//! Indexes that stay in bounds under speculation. Would join `rust/kernel/nospec.rs`.
//!
//! C header: [`include/linux/nospec.h`](srctree/include/linux/nospec.h)

use super::helpers;

/// `index` if it is less than `size`; `None` otherwise.
///
/// A mispredicted branch on the answer cannot use an index out of bounds: under speculation the
/// index is then 0. Any context.
#[inline]
pub(crate) fn checked_index(index: u32, size: u32) -> Option<u32> {
    if index >= size {
        return None;
    }
    // SAFETY: FFI call without requirements.
    Some(unsafe { helpers::io_ring_index_nospec(index, size) })
}

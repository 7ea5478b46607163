// SPDX-License-Identifier: GPL-2.0

//! Indexes that stay in bounds under speculation. Would join `rust/kernel/nospec.rs`.
//!
//! C header: [`include/linux/nospec.h`](srctree/include/linux/nospec.h)

#[cfg(not(target_arch = "x86_64"))]
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
    Some(clamped(index, size))
}

/// As `array_index_nospec()`, without a call.
#[cfg(target_arch = "x86_64")]
#[inline]
fn clamped(index: u32, size: u32) -> u32 {
    let mask: u32;
    // SAFETY: Compares registers, and makes a mask of the carry.
    unsafe {
        core::arch::asm!(
            "cmp {index:e}, {size:e}",
            "sbb {mask:e}, {mask:e}",
            index = in(reg) index,
            size = in(reg) size,
            mask = out(reg) mask,
            options(pure, nomem, nostack),
        );
    }
    index & mask
}

#[cfg(not(target_arch = "x86_64"))]
fn clamped(index: u32, size: u32) -> u32 {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_index_nospec(index, size) }
}

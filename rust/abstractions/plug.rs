// SPDX-License-Identifier: GPL-2.0

//! Block request plugging. Would join `rust/kernel/block/plug.rs`.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use core::mem::MaybeUninit;
use kernel::bindings;

/// Runs `submit`, which starts about `requests` block requests, with a plug held: the block layer
/// collects them and hands them to the device together, when `submit` ends or sleeps.
///
/// Process context.
#[inline]
pub(crate) fn plugged<R>(requests: u16, submit: impl FnOnce() -> R) -> R {
    let mut plug = MaybeUninit::<bindings::blk_plug>::uninit();
    // SAFETY: `plug` is valid for writes, stays where it is, and is finished below, before it goes
    // out of scope (kernel code does not unwind).
    unsafe { bindings::blk_start_plug(plug.as_mut_ptr()) };
    // SAFETY: `blk_start_plug` has initialised the plug. If this task already had one, ours is
    // unused and the write has no effect.
    unsafe { (*plug.as_mut_ptr()).nr_ios = requests };
    let result = submit();
    // SAFETY: Started above by this task.
    unsafe { bindings::blk_finish_plug(plug.as_mut_ptr()) };
    result
}

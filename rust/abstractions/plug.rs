// SPDX-License-Identifier: GPL-2.0

//! Block request plugging. Would join `rust/kernel/block/plug.rs`.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use core::mem::MaybeUninit;
use kernel::bindings;

/// A plug that is held as soon as it is worth it.
pub(crate) struct Plug<'a> {
    raw: &'a mut MaybeUninit<bindings::blk_plug>,
    requests: u16,
    is_held: bool,
}

impl Plug<'_> {
    /// A block request may be started next: holds the plug, if it is not held yet.
    #[inline]
    pub(crate) fn hold(&mut self) {
        if !self.is_held {
            self.is_held = true;
            start(self.raw, self.requests);
        }
    }
}

/// Runs `submit`, which starts about `requests` block requests or none: it is to hold the plug it gets
/// before it starts one. The block layer collects them as for [`plugged`].
///
/// Process context.
#[inline]
pub(crate) fn may_plug<R>(requests: u16, submit: impl FnOnce(&mut Plug<'_>) -> R) -> R {
    let mut raw = MaybeUninit::uninit();
    let mut plug = Plug {
        raw: &mut raw,
        requests,
        is_held: false,
    };
    let result = submit(&mut plug);
    if plug.is_held {
        // SAFETY: Started by this task; it has not moved since.
        unsafe { bindings::blk_finish_plug(raw.as_mut_ptr()) };
    }
    result
}

/// Starts `plug`, which stays where it is until it is finished, before it goes out of scope (kernel
/// code does not unwind).
#[inline]
fn start(plug: &mut MaybeUninit<bindings::blk_plug>, requests: u16) {
    // SAFETY: `plug` is valid for writes.
    unsafe { bindings::blk_start_plug(plug.as_mut_ptr()) };
    // SAFETY: `blk_start_plug` has initialised the plug. If this task already had one, ours is
    // unused and the write has no effect.
    unsafe { (*plug.as_mut_ptr()).nr_ios = requests };
}

/// Runs `submit`, which starts about `requests` block requests, with a plug held: the block layer
/// collects them and hands them to the device together, when `submit` ends or sleeps.
///
/// Process context.
#[inline]
pub(crate) fn plugged<R>(requests: u16, submit: impl FnOnce() -> R) -> R {
    let mut plug = MaybeUninit::<bindings::blk_plug>::uninit();
    start(&mut plug, requests);
    let result = submit();
    // SAFETY: Started above by this task.
    unsafe { bindings::blk_finish_plug(plug.as_mut_ptr()) };
    result
}

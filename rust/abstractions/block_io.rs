// SPDX-License-Identifier: GPL-2.0

//! Transfers that go to block devices as they are. Would join `rust/kernel/block/bio.rs`.
//!
//! C header: [`include/linux/bio.h`](srctree/include/linux/bio.h)
//!
//! # Who finishes
//!
//! The slot goes with its bio: who submits does not look at either any more, and whoever ends the bio, in
//! any context, maybe before it has been submitted wholly, takes the slot up again. The block layer does
//! not use a bio after it has called its end.

use super::{
    async_io::{
        IoDomain,
        IoSlot, //
    },
    device_io,
    pool::Slot,
    transfer::{
        DeviceRound,
        NewBlockTransfer, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// Starts `transfer` in `slot`: [`IoDomain::complete`] will be, or has been, called, or the slot is with
/// [`IoDomain::early_ends`]. Process context; does not wait for devices.
///
/// # Errors
///
/// There is no memory, and nothing has been started.
#[inline]
pub(crate) fn start<D: IoDomain>(
    mut slot: Slot<D>,
    transfer: &NewBlockTransfer<'_>,
    round: &mut DeviceRound,
) -> Result<(), Slot<D>> {
    let Some(device) = device_io::of(&mut slot) else {
        return Err(slot);
    };
    transfer.keep(&mut device.kept, round);
    let bio = device.bio.get();
    let private = slot.into_raw().as_ptr().cast();
    // SAFETY: The bio is in a box of the slot, which is given up until `ended` takes it, as is what the
    // transfer keeps.
    unsafe { transfer.submit(bio, round, ended::<D>, private) };
    Ok(())
}

/// The end of all bios that [`start`] submits.
///
/// # Safety
///
/// Called by the block layer once for each.
unsafe extern "C" fn ended<D: IoDomain>(bio: *mut bindings::bio) {
    // SAFETY: It is valid until it is handed over below.
    let (private, status, priority) =
        unsafe { ((*bio).bi_private, (*bio).bi_status, (*bio).bi_ioprio) };
    // SAFETY: As above; nobody else uses it any more.
    unsafe { bindings::bio_uninit(bio) };
    // SAFETY: `start` put the address of an item there.
    let item = unsafe { NonNull::new_unchecked(private.cast::<IoSlot<D::Request>>()) };
    // SAFETY: `start` gave up the slot by `into_raw`, for this bio.
    let slot = unsafe { Slot::<D>::from_raw(item) };
    if status != 0 {
        // SAFETY: FFI call without requirements.
        let error = unsafe { bindings::blk_status_to_errno(status) };
        return device_io::do_again(slot, error as isize, priority);
    }
    let bytes = slot.device.as_ref().map_or(0, |device| device.kept.len());
    device_io::end(slot, bytes);
}

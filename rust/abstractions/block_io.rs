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
        self,
        IoDomain,
        IoSlot, //
    },
    pool::Slot,
    transfer::{
        BlockRound,
        BlockTransfer,
        NewBlockTransfer, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    types::Opaque, //
};

/// What a slot keeps for such transfers.
pub(super) struct BlockIo {
    bio: Opaque<bindings::bio>,
    transfer: BlockTransfer,
}

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
    round: &mut BlockRound,
) -> Result<(), Slot<D>> {
    if slot.block.is_none() {
        slot.block = new();
    }
    let Some(block) = slot.block.as_mut() else {
        return Err(slot);
    };
    transfer.keep(&mut block.transfer, round);
    let bio = block.bio.get();
    let private = slot.into_raw().as_ptr().cast();
    // SAFETY: The bio is in a box of the slot, which is given up until `ended` takes it, as is what the
    // transfer keeps.
    unsafe { transfer.submit(bio, round, ended::<D>, private) };
    Ok(())
}

/// Memory for the first such transfer of a slot. Process context; sleeps.
#[cold]
fn new() -> Option<KBox<BlockIo>> {
    let new = BlockIo {
        bio: Opaque::uninit(),
        transfer: BlockTransfer::NONE,
    };
    KBox::new(new, GFP_KERNEL_ACCOUNT).ok()
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
        return refused(slot, status, priority);
    }
    // SAFETY: The slot stays out until it is completed, be it by the thread that collects it, which is
    // this one.
    let early_ends = D::early_ends(unsafe { Slot::<D>::shared_of(item) });
    let Err(mut slot) = early_ends.add(slot) else {
        return;
    };
    match slot
        .block
        .as_mut()
        .map_or(Ok(0), |block| block.transfer.let_go())
    {
        Ok(bytes) => D::complete(slot, bytes),
        Err((rest, bytes)) => async_io::end_late(slot, rest, bytes),
    }
}

/// Ends the transfer of a slot that [`IoDomain::early_ends`] had, in the round that has begun it; answers
/// the result. Process context; sleeps.
#[inline]
pub(crate) fn end_early<D: IoDomain>(slot: &mut Slot<D>, round: &mut BlockRound) -> isize {
    (slot.block.as_mut()).map_or(0, |block| block.transfer.end_in(round))
}

/// Ends what a device has not done, or has it done again. Any context.
#[cold]
fn refused<D: IoDomain>(mut slot: Slot<D>, status: u8, priority: u16) {
    // SAFETY: FFI call without requirements.
    let error = unsafe { bindings::blk_status_to_errno(status) } as isize;
    let block = slot.block.as_mut();
    match block.and_then(|block| block.transfer.take(priority)) {
        Some(transfer) => async_io::end_late(slot, transfer, error),
        None => D::complete(slot, error),
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What a slot keeps for transfers that devices have. Would join `rust/kernel/fs/kiocb.rs`.

use super::{
    async_io::{
        self,
        IoDomain, //
    },
    pool::Slot,
    transfer::{
        DeviceRound,
        Kept, //
    },
};
use kernel::{
    bindings,
    prelude::*,
    types::Opaque, //
};

/// Memory for such a transfer.
pub(super) struct DeviceIo {
    /// For those that are bios of ours.
    pub(super) bio: Opaque<bindings::bio>,
    pub(super) kept: Kept,
}

/// That of `slot`, which keeps it; made when it is first needed. Process context; sleeps.
///
/// `None` if there is no memory.
#[inline]
pub(super) fn of<D: IoDomain>(slot: &mut Slot<D>) -> Option<&mut DeviceIo> {
    if slot.device.is_none() {
        slot.device = new();
    }
    slot.device.as_deref_mut()
}

#[cold]
fn new() -> Option<KBox<DeviceIo>> {
    let new = DeviceIo {
        bio: Opaque::uninit(),
        kept: Kept::NONE,
    };
    KBox::new(new, GFP_KERNEL_ACCOUNT).ok()
}

/// Ends the transfer of `slot`, which has `result`. Any context.
#[inline(always)]
pub(super) fn end<D: IoDomain>(mut slot: Slot<D>, result: isize) {
    slot.result = result;
    let item = slot.into_raw();
    // SAFETY: The slot stays out until it is completed, be it by the thread that collects it, which is
    // this one.
    let early_ends = D::early_ends(unsafe { Slot::<D>::shared_of(item) });
    // SAFETY: Just given up.
    let Err(mut slot) = early_ends.add(unsafe { Slot::<D>::from_raw(item) }) else {
        return;
    };
    match slot.device.as_mut().and_then(|device| device.kept.let_go()) {
        None => D::complete(slot, result),
        Some(rest) => async_io::end_late(slot, rest, result),
    }
}

/// Has the transfer of `slot` done again where waiting is allowed, with this priority; its device could
/// not do it, for the reason `error`. Any context.
#[cold]
pub(super) fn do_again<D: IoDomain>(mut slot: Slot<D>, error: isize, priority: u16) {
    let device = slot.device.as_mut();
    match device.and_then(|device| device.kept.take(priority)) {
        Some(transfer) => async_io::end_late(slot, transfer, error),
        None => D::complete(slot, error),
    }
}

/// Ends the transfer of a slot that [`IoDomain::early_ends`] had, in the round that has begun it; answers
/// the result. Process context; sleeps.
#[inline]
pub(crate) fn end_early<D: IoDomain>(slot: &mut Slot<D>, round: &mut DeviceRound) -> isize {
    if let Some(device) = slot.device.as_mut() {
        device.kept.end_in(round);
    }
    slot.result
}

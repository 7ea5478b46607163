// SPDX-License-Identifier: GPL-2.0

//! Transfers with `O_DIRECT` that ask for nothing special. Would join `rust/kernel/fs/kiocb.rs`.
//!
//! Who finishes is as in [`super::async_io`]: who comes second to [`IoSlot::stage`].

use super::{
    async_io::{
        self,
        IoDomain,
        IoSlot,
        COMPLETED,
        ISSUING,
        RETURNED, //
    },
    device_io, helpers,
    pool::Slot,
    transfer::{
        self,
        DeviceRound,
        NewDirectTransfer, //
    },
};
use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Full,
        Relaxed, //
    },
};

/// What became of a transfer.
pub(crate) enum Started<D: IoDomain> {
    /// It has completed, with this result.
    Done(Slot<D>, isize),
    /// As [`Started::Done`], but it was its device that completed it.
    DoneByFile(Slot<D>, isize),
    /// It is under way: [`IoDomain::complete`] will be, or has been, called, or the slot is with
    /// [`IoDomain::early_ends`].
    UnderWay,
    /// It goes the general way; what has been done is done again then.
    General(Slot<D>),
}

/// Starts `transfer` in `slot`. Process context; does not wait for devices.
#[inline]
pub(crate) fn start<D: IoDomain>(
    mut slot: Slot<D>,
    transfer: NewDirectTransfer<'_>,
    round: &mut DeviceRound,
) -> Started<D> {
    let mut iter = MaybeUninit::<bindings::iov_iter>::zeroed();
    // SAFETY: Plain data.
    let iter = unsafe { iter.assume_init_mut() };
    if transfer.iter(iter).is_none() {
        return Started::General(slot);
    }
    let is_write = transfer.is_write();
    slot.is_write = is_write;
    slot.stage.store(ISSUING, Relaxed);
    let kiocb = slot.kiocb.get();
    // SAFETY: It is in the slot.
    unsafe { kiocb.write(transfer.kiocb(round, completed::<D>)) };
    let Some(device) = device_io::of(&mut slot) else {
        return Started::General(slot);
    };
    transfer.keep(&mut device.kept, round);
    let len = device.kept.len();
    let item = slot.into_raw();
    // SAFETY: The file is kept; `kiocb` is in the slot, which nobody else uses until this function or
    // `completed` takes it up again, and whoever does so comes after the file has returned and after
    // the completion.
    let mut result = unsafe { helpers::io_ring_transfer(kiocb, iter, is_write, 0) };
    let is_by_file = result == transfer::QUEUED;
    if is_by_file {
        // SAFETY: The slot is not finished before this exchange.
        let stage = unsafe { &(*item.as_ptr()).stage };
        if stage.xchg(RETURNED, Full) == ISSUING {
            return Started::UnderWay;
        }
        // SAFETY: The completion came first, and has written the result before its exchange.
        result = unsafe { (*item.as_ptr()).result };
    }
    // SAFETY: `into_raw` gave it; the completion, if there was one, left it to us.
    let mut slot = unsafe { Slot::<D>::from_raw(item) };
    if let Some(device) = slot.device.as_mut() {
        device.kept.end_in(round);
    }
    match result {
        transfer::AGAIN | transfer::UNSUPPORTED => Started::General(slot),
        result if is_by_file => Started::DoneByFile(slot, result),
        result if result == len => Started::Done(slot, result),
        // What is only a part goes on, and what a signal has come between is begun again.
        result if result >= 0 || transfer::is_restart(result) => Started::General(slot),
        result => Started::Done(slot, result),
    }
}

/// The `ki_complete` of all transfers that [`start`] starts.
///
/// # Safety
///
/// Called by a file once for a `kiocb` that [`start`] gave it, if it answered `-EIOCBQUEUED`.
unsafe extern "C" fn completed<D: IoDomain>(kiocb: *mut bindings::kiocb, result: c_long) {
    // SAFETY: `start` only passes the `kiocb` of a slot.
    let raw: *mut IoSlot<D::Request> = unsafe { async_io::item_of::<D>(kiocb) };
    // SAFETY: The slot is valid until the exchange below; `start` does not write these fields after the
    // file has been called.
    if unsafe { (*raw).is_write } {
        // SAFETY: `start` has run a write with it, and this is its completion.
        unsafe { transfer::end_write(kiocb) };
    }
    // SAFETY: As above.
    let priority = unsafe { (*kiocb).ki_ioprio };
    // SAFETY: As above; `start` reads it after its exchange only.
    unsafe { (*raw).result = result };
    // SAFETY: As above.
    let stage = unsafe { &(*raw).stage };
    if stage.xchg(COMPLETED, Full) == ISSUING {
        return;
    }
    // SAFETY: `start` gave up the slot by `into_raw`, and has returned without taking it; it is not null.
    let slot = unsafe { Slot::<D>::from_raw(NonNull::new_unchecked(raw)) };
    match result {
        transfer::AGAIN | transfer::UNSUPPORTED => device_io::do_again(slot, result, priority),
        result => device_io::end(slot, result),
    }
}

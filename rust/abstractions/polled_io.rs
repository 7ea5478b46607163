// SPDX-License-Identifier: GPL-2.0

//! Transfers that complete without an interrupt: somebody asks the device. Would join
//! `rust/kernel/fs/kiocb.rs`.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)
//!
//! # Who finishes
//!
//! Whoever asks a device for one of its transfers may be told of others as well: those of another
//! ring or another process. So the completion function runs in any context, at any time from the
//! start of the transfer on. All it does is to note the result in the slot and then, by a release,
//! that it is done. The slot stays with the [`PolledList`] until the owner of that has seen so, by an
//! acquire; before, nobody looks at anything else of it, and it does not go anywhere. So a device is
//! never asked for a `kiocb` that is not there any more.

use super::{
    async_io::{
        self,
        IoDomain,
        IoSlot,
        COMPLETED,
        ISSUING, //
    },
    helpers,
    pool::{
        Chain,
        List,
        Slot, //
    },
    transfer::{
        Attempt,
        May,
        NewTransfer,
        Transfer, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Relaxed,
        Release, //
    },
    types::Opaque, //
};

/// For how many transfers devices are asked at a time, at most.
const AT_ONCE: usize = 32;

/// What became of a transfer that was begun.
pub(crate) enum Begun<D: IoDomain> {
    /// Its file has answered this.
    Done(Slot<D>, isize),
    /// It is in the list.
    UnderWay,
    /// As [`Ended::Refused`].
    Refused(Slot<D>),
    /// As [`Ended::Closing`].
    Closing(Slot<D>),
    /// It would block: it goes on where that is allowed, and nobody has to ask for it.
    WouldBlock(Slot<D>),
}

/// How a transfer has ended that is done.
pub(crate) enum Ended<D: IoDomain> {
    /// With this result.
    Done(Slot<D>, isize),
    /// The device could not take it; it has to be begun again.
    Refused(Slot<D>),
    /// Its file has to be closed first, which may sleep: see [`IoDomain::put_off`].
    Closing(Slot<D>),
}

impl<D: IoDomain> From<Ended<D>> for Begun<D> {
    fn from(ended: Ended<D>) -> Self {
        match ended {
            Ended::Done(slot, result) => Self::Done(slot, result),
            Ended::Refused(slot) => Self::Refused(slot),
            Ended::Closing(slot) => Self::Closing(slot),
        }
    }
}

/// Transfers that devices have.
///
/// # Invariants
///
/// Each of `slots` has a transfer for which its file has answered `-EIOCBQUEUED`, with `stored` as
/// its completion function. As long as that has not said that it is done, nothing of the slot is used
/// but its `kiocb`, by its file, and its `stage`.
pub(crate) struct PolledList<D: IoDomain> {
    slots: List<D>,
}

impl<D: IoDomain> PolledList<D> {
    /// No transfer.
    pub(crate) const fn new() -> Self {
        Self { slots: List::new() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds all of `others`.
    pub(crate) fn append(&mut self, mut others: Self) {
        while let Some(slot) = others.slots.pop() {
            // INVARIANT: It was such a transfer in the other list.
            self.slots.push_back(slot);
        }
    }

    /// Starts `transfer`, which [`NewTransfer::poll`] was called for, in `slot`, without blocking.
    /// Process context.
    pub(crate) fn start(&mut self, mut slot: Slot<D>, transfer: NewTransfer<'_>) -> Begun<D> {
        async_io::take_over(&mut slot, transfer);
        self.begin(slot)
    }

    /// Begins with the transfer in `slot`, without blocking. Process context, in the process that it is
    /// for.
    pub(crate) fn begin(&mut self, mut slot: Slot<D>) -> Begun<D> {
        slot.stage.store(ISSUING, Relaxed);
        let Some(transfer) = slot.transfer.as_mut().map(NonNull::from) else {
            return Begun::Done(slot, 0);
        };
        let item = slot.into_raw();
        // SAFETY: Both are in the slot. It is put into the list or, if that is not asked for, answered
        // for by the file already; nothing else of it is used until it is done.
        let result =
            unsafe { Transfer::run(transfer, kiocb_of(item), Some(stored::<D>), May::NotBlock) };
        // SAFETY: The item is that of a slot, which is still ours.
        let is_done = matches!(result, Attempt::Queued) && unsafe { is_done(item) };
        // SAFETY: `into_raw` gave it.
        let slot = unsafe { Slot::<D>::from_raw(item) };
        match result {
            Attempt::Queued if is_done => ended(slot).into(),
            Attempt::Queued => {
                // INVARIANT: The file has just answered so.
                self.slots.push_back(slot);
                Begun::UnderWay
            }
            Attempt::Done(result) => async_io::finish(slot, result, Begun::Done),
            Attempt::Poll | Attempt::Block => Begun::WouldBlock(no_longer_polled(slot)),
        }
    }

    /// Asks devices once, and takes out what is done by now; [`ended`] tells how that has ended.
    /// Process context; does not sleep.
    pub(crate) fn look(&mut self) -> Chain<D> {
        self.ask();
        let mut done = Chain::new();
        for _ in 0..self.slots.len() {
            match self.next() {
                Some((slot, true)) => done.push_back(slot),
                Some((slot, false)) => self.slots.push_back(slot),
                None => break,
            }
        }
        done
    }

    /// Asks the devices of some transfers, one after the other, until one of them has completed
    /// something. The next time it is the turn of the others.
    fn ask(&mut self) {
        let mut batch: bindings::io_comp_batch = pin_init::zeroed();
        for _ in 0..self.slots.len().min(AT_ONCE) {
            let Some((slot, mut is_over)) = self.next() else {
                break;
            };
            let item = slot.into_raw();
            if !is_over {
                // SAFETY: By the type invariants the `kiocb` is that of a transfer that its file has
                // queued, whose slot holds that file, and which stays in the list for now.
                unsafe { helpers::io_ring_ask_device(kiocb_of(item), &mut batch) };
                // SAFETY: The batch is initialised; the item is that of a slot in the list.
                is_over = unsafe { !helpers::io_ring_batch_is_empty(&batch) || is_done(item) };
            }
            // SAFETY: `into_raw` gave it.
            // INVARIANT: It goes back to where it was taken from.
            self.slots.push_back(unsafe { Slot::from_raw(item) });
            if is_over {
                break;
            }
        }
        // SAFETY: What is in the batch was put there by devices that were asked just now.
        unsafe { helpers::io_ring_complete_batch(&mut batch) };
    }

    /// Takes out the first, and answers whether it is done. If not, nothing of it may be used.
    fn next(&mut self) -> Option<(Slot<D>, bool)> {
        let item = self.slots.pop()?.into_raw();
        // SAFETY: The item is that of a slot.
        let is_done = unsafe { is_done(item) };
        // SAFETY: `into_raw` gave it.
        Some((unsafe { Slot::from_raw(item) }, is_done))
    }
}

impl<D: IoDomain> Drop for PolledList<D> {
    fn drop(&mut self) {
        // What a device has is not free, whoever forgets it: the pool will notice.
        while let Some(slot) = self.slots.pop() {
            slot.into_raw();
        }
    }
}

/// How a transfer has ended that is done. Process context.
pub(crate) fn ended<D: IoDomain>(mut slot: Slot<D>) -> Ended<D> {
    let result = slot.result;
    let is_refused = |transfer: &Transfer| transfer.was_refused(result);
    if slot.transfer.as_ref().is_some_and(is_refused) {
        return Ended::Refused(slot);
    }
    let Some(transfer) = slot.transfer.take() else {
        return Ended::Done(slot, result);
    };
    let total = transfer.total(result);
    match transfer.let_go() {
        Ok(()) => Ended::Done(slot, total),
        Err(transfer) => {
            slot.transfer = Some(transfer);
            slot.result = total;
            Ended::Closing(slot)
        }
    }
}

/// Has the transfer in `slot` complete by an interrupt when it goes on.
pub(crate) fn no_longer_polled<D: IoDomain>(mut slot: Slot<D>) -> Slot<D> {
    if let Some(transfer) = &mut slot.transfer {
        transfer.stop_polling();
    }
    slot
}

/// # Safety
///
/// `item` is that of a slot.
unsafe fn kiocb_of<R>(item: NonNull<IoSlot<R>>) -> *mut bindings::kiocb {
    // SAFETY: By the safety requirements; this is a projection.
    unsafe { Opaque::cast_into(&raw const (*item.as_ptr()).kiocb) }
}

/// Whether a transfer is done: then all of its slot may be used.
///
/// # Safety
///
/// `item` is that of a slot.
unsafe fn is_done<R>(item: NonNull<IoSlot<R>>) -> bool {
    // SAFETY: By the safety requirements; the field is an atomic.
    let stage = unsafe { &(*item.as_ptr()).stage };
    // Pairs with the release in `stored`.
    stage.load(Acquire) == COMPLETED
}

/// The `ki_complete` of transfers that are asked for.
///
/// # Safety
///
/// Called by a file once for a `kiocb` that [`PolledList::begin`] gave it, if it answered
/// `-EIOCBQUEUED`.
unsafe extern "C" fn stored<D: IoDomain>(kiocb: *mut bindings::kiocb, result: c_long) {
    // SAFETY: `begin` only passes the `kiocb` of a slot.
    let raw = unsafe { async_io::item_of::<D>(kiocb) };
    // SAFETY: The slot stays where it is until the store below; this field was written before.
    if unsafe { (*raw).is_write } {
        // SAFETY: `begin` has run a write with it, and this is its completion.
        unsafe { super::transfer::end_write(kiocb) };
    }
    // SAFETY: As above; nobody reads it before the store.
    unsafe { (*raw).result = result };
    // SAFETY: As above.
    let stage = unsafe { &(*raw).stage };
    // Pairs with the acquire in `is_done`.
    stage.store(COMPLETED, Release);
}

/// Lets others run who want to. Process context; sleeps.
pub(crate) fn make_way() {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_cond_resched() };
}

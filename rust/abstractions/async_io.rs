// SPDX-License-Identifier: GPL-2.0

//! Transfers that complete later, from any context. Would join `rust/kernel/fs/kiocb.rs`.
//!
//! A transfer runs in a slot of a [`Pool`](super::pool::Pool), which holds its `struct kiocb`.
//!
//! # Who finishes
//!
//! `ki_complete` may run before the file has returned from `read_iter`, and files look at the
//! `kiocb` and the `struct file` on their way out even then. So both the submitter, when the file
//! has returned, and the completion handler exchange [`IoSlot::stage`], and the slot belongs to the
//! one who comes second. The exchange orders the result, written before, with its reading.

use super::{
    device_io::DeviceIo,
    early_ends::EarlyEnds,
    pool::{
        Domain,
        Slot, //
    },
    timer::Timer,
    transfer::{
        Attempt,
        FileId,
        May,
        NewTransfer,
        OpenFile,
        Transfer, //
    },
    watch::{
        Events,
        Opening,
        Places,
        Watch, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    },
    types::Opaque, //
};

/// The file has not returned yet, and the transfer has not completed.
pub(super) const ISSUING: i32 = 0;
/// The file has returned.
pub(super) const RETURNED: i32 = 1;
/// The transfer has completed.
pub(super) const COMPLETED: i32 = 2;

/// What a slot holds: the kernel's part of a transfer, and the driver's request.
pub(crate) struct IoSlot<R> {
    pub(super) kiocb: Opaque<bindings::kiocb>,
    pub(super) stage: Atomic<i32>,
    pub(super) result: isize,
    pub(super) is_write: bool,
    pub(super) transfer: Option<Transfer>,
    /// Where it waits for readiness; kept once it is there.
    pub(super) places: Option<KBox<Places>>,
    /// What it waits for, if that is a time; kept once it is there.
    pub(super) timer: Option<KBox<Timer>>,
    /// What it keeps while a device has it; kept once it is there.
    pub(super) device: Option<KBox<DeviceIo>>,
    /// How often its file has said that it is ready and was not.
    pub(super) lies: u8,
    /// The driver's part.
    pub(crate) request: R,
}

// SAFETY: The `kiocb` is only used by who owns the slot, and holds nothing that is bound to a
// thread; everything else is `Send` itself.
unsafe impl<R: Send> Send for IoSlot<R> {}

impl<R> IoSlot<R> {
    /// An idle slot.
    pub(crate) fn new(request: R) -> Self {
        Self {
            kiocb: Opaque::zeroed(),
            stage: Atomic::new(ISSUING),
            result: 0,
            is_write: false,
            transfer: None,
            places: None,
            timer: None,
            device: None,
            lies: 0,
            request,
        }
    }
}

impl<R> IoSlot<R> {
    /// The file of the transfer.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        self.transfer.as_ref().map(Transfer::file_id)
    }

    /// Whether the transfer should not run beside others of its kind on the same file, and which
    /// that is.
    pub(crate) fn alone_on(&self) -> Option<FileId> {
        self.transfer.as_ref().and_then(Transfer::alone_on)
    }

    /// Whether its file has said so often in a row that it is ready and was not, that it is not just
    /// somebody else who was faster.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.lies == u8::MAX
    }

    /// How many bytes have been transferred so far.
    #[inline]
    fn done(&self) -> isize {
        self.transfer
            .as_ref()
            .map_or(0, |transfer| transfer.total(0))
    }

    /// Forgets the transfer that would have blocked, and answers how many bytes it has transferred.
    pub(crate) fn abandon(&mut self) -> isize {
        let done = self.done();
        self.transfer = None;
        done
    }
}

/// A [`Domain`] whose slots run transfers.
pub(crate) trait IoDomain: Domain<Item = IoSlot<Self::Request>> {
    /// The driver's part of a slot.
    type Request: Send;

    /// A transfer that [`start`] left under way has completed with `result`.
    ///
    /// Any context, hard interrupts included.
    fn complete(slot: Slot<Self>, result: isize);

    /// A transfer that was left under way has completed, and its file has to be closed: [`close`] it
    /// in a thread of the kernel.
    ///
    /// Any context, hard interrupts included.
    fn put_off(slot: Slot<Self>);

    /// A transfer that was left under way has to be done again, where blocking is allowed; it is
    /// with those that are ready now.
    ///
    /// Any context, hard interrupts included.
    fn come_back(request: &mut Self::Request) -> Opening;

    /// Undoes [`IoDomain::come_back`]: it is not done again. Any context.
    fn stay_away(request: &mut Self::Request);

    /// The file that a request waits for that is not a transfer, and the events.
    fn polled(request: &Self::Request) -> Option<(&OpenFile, Events)>;

    /// Where slots go whose transfers end early.
    fn early_ends(shared: &Self::Shared) -> &EarlyEnds<Self>;

    /// Where slots wait for readiness.
    fn watch(shared: &Self::Shared) -> &Watch<Self>;
}

/// What became of a transfer.
pub(crate) enum Started<D: IoDomain> {
    /// It has completed, with this result.
    Done(Slot<D>, isize),
    /// As [`Started::Done`], but it was its file that completed it, before it returned.
    DoneByFile(Slot<D>, isize),
    /// It is under way: [`IoDomain::complete`] will be, or has been, called.
    Queued,
    /// It can go on when its file is ready: [`Watch`] it, and then [`retry`].
    WouldPoll(Slot<D>),
    /// It would block, or was interrupted: [`resume`] it where blocking is allowed.
    WouldBlock(Slot<D>),
}

/// Starts `transfer` in `slot`, without blocking. Process context.
#[inline(always)]
pub(crate) fn start<D: IoDomain>(mut slot: Slot<D>, mut transfer: NewTransfer<'_>) -> Started<D> {
    if transfer.as_mut().is_lent() {
        return match try_lent(transfer.as_mut()) {
            Attempt::Done(result) => Started::Done(slot, transfer.as_mut().total(result)),
            // What was lent is not kept.
            Attempt::Poll => Started::WouldPoll(holding(slot, transfer)),
            Attempt::Block | Attempt::Queued => Started::WouldBlock(holding(slot, transfer)),
        };
    }
    put(&mut slot, transfer.into_inner());
    attempt(slot, May::NotBlock)
}

/// Makes the first attempt of a transfer that nobody else will complete: it needs no slot.
#[inline]
fn try_lent(transfer: &mut Transfer) -> Attempt {
    let kiocb = Opaque::<bindings::kiocb>::uninit();
    // SAFETY: Both are there until this returns, and the file has answered by then.
    unsafe { Transfer::run(transfer.into(), kiocb.get(), None, May::NotBlock) }
}

/// Has `slot` keep `transfer`, which is to [`begin`] later. Answers how many bytes it is. Process
/// context.
///
/// # Errors
///
/// The result, if it is the same whenever it is begun: nothing is kept, above all not its file, which
/// might be the ring that it would wait in.
pub(crate) fn keep<D: IoDomain>(
    slot: &mut Slot<D>,
    mut transfer: NewTransfer<'_>,
) -> Result<usize, isize> {
    if transfer.as_mut().is_refused() {
        if let Attempt::Done(result) = try_lent(transfer.as_mut()) {
            return Err(result);
        }
    }
    Ok(take_over(slot, transfer))
}

/// Has `slot` keep `transfer`, whatever its file is. Answers how many bytes it is.
pub(super) fn take_over<D: IoDomain>(slot: &mut Slot<D>, transfer: NewTransfer<'_>) -> usize {
    let mut transfer = transfer.into_inner();
    transfer.hold();
    put(slot, transfer).len()
}

/// Has `slot` keep a transfer of its own, which nobody has tried.
#[inline]
fn put<D: IoDomain>(slot: &mut Slot<D>, transfer: Transfer) -> &Transfer {
    slot.is_write = transfer.is_write();
    slot.lies = 0;
    slot.transfer.insert(transfer)
}

/// Begins with the transfer in `slot`, without blocking. Process context, in the process that it is
/// for.
pub(crate) fn begin<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    attempt(slot, May::NotBlock)
}

/// Begins with the transfer in `slot` where blocking is allowed; that is not made use of if its file
/// can be waited for. Process context, in the process that it is for; sleeps where the file does.
pub(crate) fn begin_patiently<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    let can_poll = slot.transfer.as_ref().is_some_and(Transfer::can_poll);
    attempt(slot, if can_poll { May::NotBlock } else { May::Block })
}

/// Has `slot` keep a transfer that goes on later.
#[cold]
fn holding<D: IoDomain>(mut slot: Slot<D>, transfer: NewTransfer<'_>) -> Slot<D> {
    take_over(&mut slot, transfer);
    slot
}

/// Goes on with a transfer whose file is ready, without blocking. Process context, in the process
/// that started it.
pub(crate) fn retry<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    attempt(slot, May::NotBlockReady)
}

/// Goes on with a transfer that would have blocked. Process context, in the process that started
/// it; sleeps where the file does.
pub(crate) fn resume<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    attempt(slot, May::Block)
}

#[inline]
fn attempt<D: IoDomain>(mut slot: Slot<D>, may: May) -> Started<D> {
    slot.stage.store(ISSUING, Relaxed);
    let before = slot.done();
    let Some(transfer) = slot.transfer.as_mut().map(NonNull::from) else {
        return Started::Done(slot, 0);
    };
    let raw = slot.into_raw();
    // SAFETY: The slot's address is valid; this is a projection.
    let kiocb = unsafe { Opaque::cast_into(&raw const (*raw.as_ptr()).kiocb) };
    // SAFETY: Both are in the slot, which nobody else uses until this function or `completed` takes
    // it up again, and whoever does so comes after the file has returned and after the completion.
    let mut result = unsafe { Transfer::run(transfer, kiocb, Some(completed::<D>), may) };
    let is_by_file = matches!(result, Attempt::Queued);

    if is_by_file {
        // SAFETY: The slot is not finished before this exchange.
        let stage = unsafe { &(*raw.as_ptr()).stage };
        if stage.xchg(RETURNED, Full) == ISSUING {
            return Started::Queued;
        }
        // SAFETY: The completion came first, and has written the result before its exchange.
        let late = unsafe { (*raw.as_ptr()).result };
        // SAFETY: The completion has left the slot to us.
        result = unsafe { (*transfer.as_ptr()).judge_late(late) };
    }
    // SAFETY: `into_raw` gave it; the completion, if there was one, left it to us.
    let mut slot = unsafe { Slot::<D>::from_raw(raw) };
    if slot.done() != before {
        // A file that gives or takes something does not lie.
        slot.lies = 0;
    }
    match result {
        Attempt::Done(result) if is_by_file => finish(slot, result, Started::DoneByFile),
        Attempt::Done(result) => finish(slot, result, Started::Done),
        Attempt::Poll => Started::WouldPoll(slot),
        Attempt::Block | Attempt::Queued => Started::WouldBlock(slot),
    }
}

/// Lets go of the transfer in `slot`, and hands the slot on with the result of all attempts.
pub(super) fn finish<D: IoDomain, R>(
    mut slot: Slot<D>,
    result: isize,
    next: impl FnOnce(Slot<D>, isize) -> R,
) -> R {
    let total = slot
        .transfer
        .take()
        .map_or(result, |transfer| transfer.total(result));
    next(slot, total)
}

/// Ends what has completed late, in any context. If that would close the file, it is put off.
fn finish_late<D: IoDomain>(mut slot: Slot<D>, result: isize) {
    let Some(transfer) = slot.transfer.take() else {
        return D::complete(slot, result);
    };
    let total = transfer.total(result);
    match transfer.let_go() {
        Ok(()) => D::complete(slot, total),
        Err(transfer) => {
            slot.transfer = Some(transfer);
            slot.result = total;
            D::put_off(slot);
        }
    }
}

/// Closes the file of a transfer that [`IoDomain::put_off`] got, and completes it.
///
/// Process context, in a thread of the kernel; sleeps.
pub(crate) fn close<D: IoDomain>(mut slot: Slot<D>) {
    slot.transfer = None;
    let result = slot.result;
    D::complete(slot, result);
}

/// What a slot holds, by its `kiocb`.
///
/// # Safety
///
/// `kiocb` is that of a slot.
pub(super) unsafe fn item_of<D: IoDomain>(kiocb: *mut bindings::kiocb) -> *mut IoSlot<D::Request> {
    // SAFETY: By the safety requirements.
    unsafe {
        kernel::container_of!(
            kiocb.cast::<Opaque<bindings::kiocb>>(),
            IoSlot<D::Request>,
            kiocb
        )
    }
}

/// The `ki_complete` of all transfers that nobody has to ask for.
///
/// # Safety
///
/// Called by a file once for a `kiocb` that [`start`] gave it, if it answered `-EIOCBQUEUED`.
unsafe extern "C" fn completed<D: IoDomain>(kiocb: *mut bindings::kiocb, result: c_long) {
    // SAFETY: `start` only passes the `kiocb` of a slot.
    let raw = unsafe { item_of::<D>(kiocb) };
    // SAFETY: The slot is valid until the exchange below; `start` does not write this field before
    // that.
    if unsafe { (*raw).is_write } {
        // Now, not later: who froze the file system may be waiting for this.
        // SAFETY: `start` has run a write with it, and this is its completion.
        unsafe { super::transfer::end_write(kiocb) };
    }
    // SAFETY: As above; `start` reads it after its exchange only.
    unsafe { (*raw).result = result };
    // SAFETY: As above.
    let stage = unsafe { &(*raw).stage };
    if stage.xchg(COMPLETED, Full) == ISSUING {
        return;
    }
    // SAFETY: As above, so not null.
    let item = unsafe { NonNull::new_unchecked(raw) };
    // SAFETY: `start` gave up the slot by `into_raw`, and has returned without taking it.
    answered(unsafe { Slot::<D>::from_raw(item) }, result);
}

/// Ends `transfer`, whose device has answered `result`, in `slot`. Any context.
#[cold]
pub(super) fn end_late<D: IoDomain>(mut slot: Slot<D>, transfer: Transfer, result: isize) {
    put(&mut slot, transfer);
    answered(slot, result);
}

/// Ends what a device has answered, or has it done again where blocking is allowed. Any context.
fn answered<D: IoDomain>(mut slot: Slot<D>, result: isize) {
    let again = slot
        .transfer
        .as_mut()
        .is_some_and(|transfer| matches!(transfer.judge_late(result), Attempt::Block));
    if !again {
        return finish_late(slot, result);
    }
    let opening = D::come_back(&mut slot.request);
    let item = slot.into_raw();
    // SAFETY: While the slot is out its pool is there; the watch makes sure that nothing of it is
    // used after the slot has been handed over.
    let watch = D::watch(unsafe { Slot::<D>::shared_of(item) });
    // SAFETY: Just given up.
    let slot = unsafe { Slot::<D>::from_raw(item) };
    if let Err(mut slot) = watch.come_back(slot, opening) {
        D::stay_away(&mut slot.request);
        finish_late(slot, CANCELED);
    }
}

/// What a transfer answers that would have to be done again and cannot.
const CANCELED: isize = -(bindings::ECANCELED as isize);

// SPDX-License-Identifier: GPL-2.0

//! How a slot gets into the wait queues of its file.

use super::{
    places::{
        enter,
        places,
        Inner,
        Places,
        Stage, //
    },
    rang,
    woken,
    Waiting, //
};
use crate::abstractions::{
    alarm::{
        Clock,
        When, //
    },
    async_io::IoDomain,
    helpers,
    pool::Slot,
    transfer::Transfer, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// How often in a row a file may say that it is ready without being so.
const MOST_LIES: u8 = 8;

/// Events of a file, as `poll(2)` knows them.
#[derive(Clone, Copy)]
pub(crate) struct Events(u32);

impl Events {
    /// `EPOLLET`: not an event.
    pub(crate) const EDGE: u32 = 1 << 31;

    /// Those in `bits`, and the two that are always told of. `None` if there are others.
    pub(crate) fn new(bits: u32) -> Option<Self> {
        const ALWAYS: u32 = helpers::IO_RING_EPOLLERR | helpers::IO_RING_EPOLLHUP;
        (bits & !helpers::IO_RING_EPOLL_EVENTS == 0).then_some(Self(bits | ALWAYS))
    }
}

/// What became of a slot that was to be watched.
pub(crate) enum Prepared<D: IoDomain> {
    /// Its file is ready.
    Ready(Slot<D>),
    /// It is in the wait queues of its file.
    Waiting(Waiting<D>),
    /// It cannot be watched, or its file said too often that it is ready and was not.
    Impossible(Slot<D>),
}

/// What came of asking a file which of some events there are.
pub(crate) enum Polled<D: IoDomain> {
    /// The slot is in the wait queues of the file; there are these events, or none.
    Waiting(Waiting<D>, u32),
    /// The slot cannot wait for the file; there are these events, or none.
    Final(Slot<D>, u32),
    /// There is no memory to wait with.
    NoMemory(Slot<D>),
}

/// What a file has answered whose wait queues were entered.
struct Answer {
    events: u32,
    /// The file has wait queues, and as many as there are places.
    can_wait: bool,
}

/// Enters the wait queues of the file of the transfer in `slot`.
///
/// Process context; sleeps where the file's `poll` does.
pub(crate) fn prepare<D: IoDomain>(mut slot: Slot<D>) -> Prepared<D> {
    if get_places(&mut slot).is_err() {
        return Prepared::Impossible(slot);
    }
    let Some((file, events)) = slot.transfer.as_ref().map(Transfer::readiness) else {
        return Prepared::Impossible(slot);
    };
    // An error that stays, and has nothing to do with this: that of a time stamp that waits, for one.
    let ignored = if slot.lies >= MOST_LIES {
        helpers::IO_RING_EPOLLERR | helpers::IO_RING_EPOLLHUP
    } else {
        0
    };
    // SAFETY: The transfer holds the file.
    let (waiting, answer) = unsafe { enter_queues(slot, file, events) };
    let ready = answer.events & !ignored;
    if ready == 0 && answer.can_wait {
        return Prepared::Waiting(waiting);
    }
    let mut slot = waiting.leave();
    slot.lies = slot.lies.saturating_add(1);
    if ready == 0 || slot.lies > MOST_LIES {
        return Prepared::Impossible(slot);
    }
    Prepared::Ready(slot)
}

/// Enters the wait queues of the file that the request in `slot` waits for, and asks it what there is.
///
/// Process context; sleeps where the file's `poll` does.
pub(crate) fn poll<D: IoDomain>(mut slot: Slot<D>) -> Polled<D> {
    if get_places(&mut slot).is_err() {
        return Polled::NoMemory(slot);
    }
    let Some((file, Events(events))) = D::polled(&slot.request) else {
        return Polled::Final(slot, 0);
    };
    let file = file.as_ptr();
    // SAFETY: The request holds the file, and nobody can change it before it has left the queues:
    // `Waiting` only lends it, and who takes it out later comes after that.
    let (waiting, answer) = unsafe { enter_queues(slot, file, events) };
    if answer.can_wait {
        Polled::Waiting(waiting, answer.events)
    } else {
        Polled::Final(waiting.leave(), answer.events)
    }
}

/// When a slot has waited long enough.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// At this time.
    At(Clock, When),
    /// So many nanoseconds after its last time, or at the smallest multiple of it that has not passed.
    Again(i64),
}

/// Starts a timer for `slot`, which it waits for as others for their file. Gives the slot back if there
/// is no memory to wait with.
///
/// Process context; sleeps. Who asks for [`Time::Again`] has waited for a time before, and for nothing
/// else since.
pub(crate) fn prepare_time<D: IoDomain>(
    mut slot: Slot<D>,
    time: Time,
) -> Result<Waiting<D>, Slot<D>> {
    if get_places(&mut slot).is_err() {
        return Err(slot);
    }
    let item = slot.into_raw();
    // SAFETY: The slot is ours, and its places are there.
    let inner = unsafe { places(item) };
    // SAFETY: As above; nothing of it is in use.
    let timer = unsafe { &raw mut (*inner).timer };
    // SAFETY: As above.
    unsafe { (*inner).stage = Stage::Preparing };
    // SAFETY: As above.
    unsafe { (*inner).item = item.as_ptr().cast() };
    // SAFETY: As above.
    unsafe { (*inner).is_timed = true };
    match time {
        Time::At(clock, when) => {
            let (time, is_absolute) = when.parts();
            // SAFETY: The timer is valid for writes, and stays where it is.
            unsafe {
                helpers::io_ring_timer_setup(timer, Some(rang::<D>), clock.id(), is_absolute)
            };
            // SAFETY: Just initialised.
            unsafe { helpers::io_ring_timer_start(timer, clock.id(), time, is_absolute) };
        }
        // SAFETY: It has been initialised the last time.
        Time::Again(period) => unsafe { helpers::io_ring_timer_start_again(timer, period) },
    }
    // INVARIANT: Just made so.
    Ok(Waiting { item })
}

fn get_places<D: IoDomain>(slot: &mut Slot<D>) -> Result {
    if slot.places.is_none() {
        slot.places = Some(Places::new()?);
    }
    Ok(())
}

/// Enters the wait queues of `file`, and asks it which of `events` there are.
///
/// # Safety
///
/// The slot has places, which are not in use, and holds the file until it has left the queues.
unsafe fn enter_queues<D: IoDomain>(
    slot: Slot<D>,
    file: *mut bindings::file,
    events: u32,
) -> (Waiting<D>, Answer) {
    let item = slot.into_raw();
    // SAFETY: The slot is ours, and its places are there.
    let inner = unsafe { places(item) };
    let enter = Inner {
        table: bindings::poll_table_struct {
            _qproc: Some(enter),
            _key: events,
        },
        used: 0,
        is_crowded: false,
        events,
        stage: Stage::Preparing,
        item: item.as_ptr().cast(),
        callback: Some(woken::<D>),
        // SAFETY: As above; plain data that is not in use.
        place: unsafe { core::ptr::read(&raw const (*inner).place) },
        // SAFETY: As above.
        timer: unsafe { core::ptr::read(&raw const (*inner).timer) },
        is_timed: false,
    };
    // SAFETY: As above.
    unsafe { inner.write(enter) };
    // SAFETY: The file is held, and the table is in the places, which stay where they are.
    let mask = unsafe { helpers::io_ring_vfs_poll(file, &raw mut (*inner).table) };
    // SAFETY: Only `enter` writes these, during the call above.
    let (used, is_crowded) = unsafe { ((*inner).used, (*inner).is_crowded) };
    let answer = Answer {
        events: mask & events,
        can_wait: used != 0 && !is_crowded,
    };
    // INVARIANT: Just made so.
    (Waiting { item }, answer)
}

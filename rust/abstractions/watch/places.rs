// SPDX-License-Identifier: GPL-2.0

//! A slot's places in wait queues.

use crate::abstractions::{
    async_io::{
        IoDomain,
        IoSlot, //
    },
    helpers,
    pool::Slot, //
};
use core::{
    cell::UnsafeCell,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Most wait queues of one file: terminals and pipes open for both directions have two.
const QUEUES: usize = 2;

/// One place in a wait queue.
#[repr(C)]
pub(super) struct Place {
    pub(super) entry: bindings::wait_queue_entry,
    /// The queue, or null if there is none (any more).
    pub(super) queue: *mut bindings::wait_queue_head,
    pub(super) places: *mut Inner,
}

/// Where a slot is between prepare and take. Guarded by the lock of the [`Watch`].
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Stage {
    /// It enters wait queues.
    Preparing,
    /// It is in the set of armed slots.
    Armed,
    /// A wake-up has come, or it was taken.
    Over,
}

pub(super) struct Inner {
    pub(super) table: bindings::poll_table_struct,
    pub(super) used: usize,
    /// The file has more wait queues than there are places.
    pub(super) is_crowded: bool,
    pub(super) events: u32,
    pub(super) stage: Stage,
    /// The slot's item.
    pub(super) item: *mut c_void,
    /// What the queues call.
    pub(super) callback: bindings::wait_queue_func_t,
    pub(super) place: [Place; QUEUES],
    /// What rings instead, if the slot waits for a time.
    pub(super) timer: bindings::hrtimer,
    /// Whether `timer` is initialised, and may run.
    pub(super) is_timed: bool,
}

/// A slot's places in the wait queues of its file, or its timer.
///
/// # Invariants
///
/// While the slot is watched, `Inner::place` up to `Inner::used` are initialised, and only used by
/// callbacks, and otherwise as the description of this file says.
pub(in super::super) struct Places(UnsafeCell<Inner>);

// SAFETY: Who owns the slot, or the lock that is named at each field, uses it.
unsafe impl Send for Places {}

impl Places {
    pub(super) fn new() -> Result<KBox<Self>> {
        const PLACE: Place = Place {
            entry: pin_init::zeroed(),
            queue: null_mut(),
            places: null_mut(),
        };
        let inner = Inner {
            table: pin_init::zeroed(),
            used: 0,
            is_crowded: false,
            events: 0,
            stage: Stage::Over,
            item: null_mut(),
            callback: None,
            place: [PLACE; QUEUES],
            timer: pin_init::zeroed(),
            is_timed: false,
        };
        Ok(KBox::new(Self(UnsafeCell::new(inner)), GFP_KERNEL_ACCOUNT)?)
    }

    /// What is inside; used as its fields say.
    pub(super) fn get(&self) -> *mut Inner {
        self.0.get()
    }
}

/// The places of a slot.
///
/// # Safety
///
/// `item` comes from [`Slot::into_raw`], and is still given up; the slot has places.
pub(super) unsafe fn places<R>(item: NonNull<IoSlot<R>>) -> *mut Inner {
    // SAFETY: By the safety requirements. This field is not written while the slot is given up.
    match unsafe { &(*item.as_ptr()).places } {
        Some(places) => places.get(),
        None => null_mut(),
    }
}

/// Takes a slot out of the wait queues of its file, and stops its timer.
///
/// # Safety
///
/// `item` comes from [`Slot::into_raw`], which this takes back; its places are in use. It is in no
/// list.
pub(super) unsafe fn leave<D: IoDomain>(item: NonNull<D::Item>) -> Slot<D> {
    // SAFETY: By the safety requirements.
    let inner = unsafe { places(item) };
    for i in 0..QUEUES {
        // SAFETY: As above. Who is in no list gets no wake-up that would change `used`.
        if i < unsafe { (*inner).used } {
            // SAFETY: As above; within the array.
            let place = unsafe { (&raw mut (*inner).place).cast::<Place>().add(i) };
            // SAFETY: In use, so initialised by `enter`.
            unsafe {
                helpers::io_ring_poll_leave(&raw mut (*place).entry, &raw mut (*place).queue)
            };
        }
    }
    // SAFETY: As above; no callback uses it any more.
    unsafe { (*inner).used = 0 };
    // SAFETY: As above.
    if unsafe { core::mem::take(&mut (*inner).is_timed) } {
        // SAFETY: As above. Afterwards its callback does not run.
        unsafe { bindings::hrtimer_cancel(&raw mut (*inner).timer) };
    }
    // SAFETY: By the safety requirements. No callback uses it any more.
    unsafe { Slot::from_raw(item) }
}

/// A `_qproc`: enters a wait queue.
///
/// # Safety
///
/// Called by a file's `poll` with the table of an [`Inner`].
pub(super) unsafe extern "C" fn enter(
    _file: *mut bindings::file,
    queue: *mut bindings::wait_queue_head,
    table: *mut bindings::poll_table_struct,
) {
    // SAFETY: By the safety requirements the table is that of the places.
    let inner: *mut Inner = unsafe { kernel::container_of!(table, Inner, table) };
    // SAFETY: As above; nobody else uses these fields yet.
    let used = unsafe { (*inner).used };
    if used >= QUEUES {
        // SAFETY: As above.
        unsafe { (*inner).is_crowded = true };
        return;
    }
    // SAFETY: Within the array.
    let place = unsafe { (&raw mut (*inner).place).cast::<Place>().add(used) };
    // SAFETY: Nobody uses this place yet.
    unsafe { (*place).places = inner };
    // SAFETY: As above.
    unsafe { (*inner).used = used.wrapping_add(1) };
    // SAFETY: The place stays where it is until `leave`.
    unsafe {
        helpers::io_ring_poll_enter(
            &raw mut (*place).entry,
            &raw mut (*place).queue,
            queue,
            (*inner).callback,
        )
    };
}

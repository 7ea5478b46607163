// SPDX-License-Identifier: GPL-2.0

//! Completions that tell that a registered resource is not used any more.
//!
//! Their slots are taken when the resource leaves its table, so that the completion has a place whenever
//! the last user goes.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        pool::{
            Chain,
            Pool,
            Slot, //
        },
        shared::OnLast, //
    },
    request::{
        self,
        Path,
        Requests, //
    },
    resources::Retired,
    ring::completion,
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
};

/// Most slots that are taken with interrupts off.
const TAKE_AT_ONCE: usize = 32;

/// A completion that waits for the end of a resource.
#[pin_data]
struct TagNote {
    #[pin]
    kept: SpinLock<Option<Slot<Requests>>>,
}

impl OnLast for TagNote {
    fn gone(&self) {
        let slot = self.kept.lock().take();
        if let Some(slot) = slot {
            request::complete(slot, 0, Path::Inline);
        }
    }
}

/// Completions that have been prepared.
pub(crate) struct TagNotes {
    notes: KVVec<Arc<TagNote>>,
}

impl TagNotes {
    /// Prepares `count` of them. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are not so many free slots; `ENOMEM`.
    pub(crate) fn reserve(pool: &Pool<Requests>, count: usize) -> Result<Self> {
        let mut notes = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            let note = Arc::pin_init(
                pin_init!(TagNote {
                    kept <- new_spinlock!(None),
                }),
                GFP_KERNEL_ACCOUNT,
            )?;
            notes.push(note, GFP_KERNEL)?;
        }
        let mut slots = take_slots(pool, count)?;
        for note in &notes {
            *note.kept.lock() = slots.pop();
        }
        Ok(Self { notes })
    }

    /// Lets go of a resource; its tag, if it has one, is told when nobody uses it any more.
    pub(crate) fn retire<T>(&mut self, retired: Retired<T>) {
        let note = (retired.tag != 0).then(|| self.notes.pop()).flatten();
        if let Some(note) = &note {
            if let Some(slot) = &mut *note.kept.lock() {
                slot.request.begin_note(retired.tag);
            }
        }
        retired
            .resource
            .retire(note.map(|note| -> Arc<dyn OnLast> { note }));
    }
}

/// Takes `count` slots from the pool.
///
/// # Errors
///
/// `EBUSY` if there are not so many.
fn take_slots(pool: &Pool<Requests>, count: usize) -> Result<Chain<Requests>> {
    let mut slots = Chain::new();
    let mut left = count;
    while left != 0 {
        let mut inside = pool.lock();
        if inside.at_home() < left {
            drop(inside);
            drop(slots);
            // Those that are back counted as under way.
            completion::publish(&pool.shared().completion, &mut pool.lock());
            return Err(EBUSY);
        }
        for _ in 0..left.min(TAKE_AT_ONCE) {
            if let Some(slot) = inside.take() {
                slots.push(slot);
                left = left.wrapping_sub(1);
            }
        }
    }
    Ok(slots)
}

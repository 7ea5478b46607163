// SPDX-License-Identifier: GPL-2.0

//! Transfers of a ring that complete without an interrupt.
//!
//! They belong to the one who submits, or to whoever has the submitter's mutex: that one asks the
//! devices, takes out what is done, and begins anew with what a device could not take. In between
//! nobody does anything about them, and no interrupt comes. When the process of the ring leaves, or
//! the ring is closed, the [`Poller`](crate::poller) of the module gets them, and asks until all are
//! done.
//!
//! # What a device cannot take
//!
//! A device takes so many requests at once, for all rings together. A transfer that it refuses waits
//! here, and is begun again when something has completed. If nothing of this ring is under way, nobody
//! would ask for what is in its way: then a worker does it, where blocking is allowed and an interrupt
//! tells that it is done. A worker also does what a file system cannot do without waiting.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        async_io::IoDomain,
        plug,
        polled_io::{
            self,
            Begun,
            Ended,
            PolledList, //
        },
        pool::{
            Chain,
            Pool,
            Slot, //
        },
    },
    op::{
        Op,
        Rejected, //
    },
    request::{
        Path,
        Requests, //
    },
    ring::completion, //
};
use kernel::prelude::*;

/// Most transfers that are begun again at a time, under one plug.
const PLUGGED: u16 = 32;

/// What to do about transfers that a device has refused.
#[derive(Clone, Copy)]
pub(crate) enum OnRefused {
    /// They are begun again: this is the process of the ring.
    Again,
    /// They wait.
    Keep,
    /// They are cancelled.
    Cancel,
}

/// What came of asking.
pub(crate) struct Found {
    /// What has ended, with its completion.
    pub(crate) ended: Chain<Requests>,
    /// What a worker has to do.
    pub(crate) blocked: Chain<Requests>,
}

/// How a request has begun.
pub(crate) enum Started {
    /// It has ended with this result.
    Done(Slot<Requests>, isize),
    /// It was rejected.
    Rejected(Slot<Requests>, Rejected),
    /// It is under way, or waits for its device to take it.
    Polled,
    /// A worker has to do it.
    WouldBlock(Slot<Requests>),
}

/// Transfers that are under way, and those that wait for their device to take them.
pub(crate) struct Polled {
    under_way: PolledList<Requests>,
    refused: Chain<Requests>,
    refused_count: usize,
}

impl Polled {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            under_way: PolledList::new(),
            refused: Chain::new(),
            refused_count: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.under_way.len().wrapping_add(self.refused_count)
    }

    /// Starts a request of a ring whose transfers are polled, in `slot`. Process context, in the process
    /// of the ring.
    #[inline]
    pub(crate) fn start(
        &mut self,
        slot: Slot<Requests>,
        judged: Result<Op<'_>, Rejected>,
    ) -> Started {
        let transfer = match judged {
            Ok(Op::Transfer(transfer)) => transfer,
            Ok(_) => return Started::Done(slot, 0),
            Err(rejected) => return Started::Rejected(slot, rejected),
        };
        match self.under_way.start(slot, transfer) {
            Begun::Done(slot, result) => Started::Done(slot, result),
            Begun::UnderWay => Started::Polled,
            Begun::Refused(slot) => {
                self.refuse(slot);
                Started::Polled
            }
            Begun::Closing(slot) => {
                close(slot);
                Started::Polled
            }
            Begun::WouldBlock(slot) => Started::WouldBlock(slot),
        }
    }

    /// Asks the devices once. Process context; sleeps.
    pub(crate) fn look(&mut self, on_refused: OnRefused) -> Found {
        let mut found = Found {
            ended: Chain::new(),
            blocked: Chain::new(),
        };
        let mut done = self.under_way.look();
        while let Some(slot) = done.pop() {
            match polled_io::ended(slot) {
                Ended::Done(slot, result) => found.end(slot, result, Path::Device),
                Ended::Refused(slot) => self.refuse(slot),
                Ended::Closing(slot) => close(slot),
            }
        }
        match on_refused {
            OnRefused::Again if self.refused_count != 0 => {
                plug::plugged(PLUGGED, || self.begin_again(&mut found));
            }
            OnRefused::Cancel => self.cancel_refused(&mut found),
            OnRefused::Again | OnRefused::Keep => (),
        }
        found
    }

    fn refuse(&mut self, slot: Slot<Requests>) {
        self.refused.push_back(slot);
        // OVERFLOW: At most the number of slots.
        self.refused_count = self.refused_count.wrapping_add(1);
    }

    fn next_refused(&mut self) -> Option<Slot<Requests>> {
        let slot = self.refused.pop()?;
        // OVERFLOW: There was one.
        self.refused_count = self.refused_count.wrapping_sub(1);
        Some(slot)
    }

    /// Begins with some of those that were refused, until the next is, while there are others to wait
    /// for.
    #[cold]
    fn begin_again(&mut self, found: &mut Found) {
        for _ in 0..PLUGGED {
            let Some(slot) = self.next_refused() else {
                break;
            };
            match self.under_way.begin(slot) {
                Begun::Done(slot, result) => found.end(slot, result, Path::Inline),
                Begun::UnderWay => (),
                Begun::Closing(slot) => close(slot),
                Begun::Refused(slot) if self.under_way.len() != 0 => {
                    self.refused.push(slot);
                    // OVERFLOW: It was one of them just now.
                    self.refused_count = self.refused_count.wrapping_add(1);
                    break;
                }
                Begun::Refused(slot) | Begun::WouldBlock(slot) => {
                    found.blocked.push_back(polled_io::no_longer_polled(slot));
                }
            }
        }
    }

    fn cancel_refused(&mut self, found: &mut Found) {
        while let Some(mut slot) = self.next_refused() {
            let done = slot.abandon();
            let result = if done == 0 {
                ECANCELED.to_errno() as isize
            } else {
                done
            };
            found.end(slot, result, Path::Worker);
        }
    }

    /// Adds all of `others`.
    pub(crate) fn append(&mut self, mut others: Self) {
        while let Some(slot) = others.next_refused() {
            self.refuse(slot);
        }
        let under_way = core::mem::replace(&mut others.under_way, PolledList::new());
        self.under_way.append(under_way);
    }
}

impl Found {
    fn end(&mut self, mut slot: Slot<Requests>, result: isize, path: Path) {
        slot.request.finished(result, path);
        self.ended.push_back(slot);
    }
}

/// Has the file of a transfer closed that has ended, and the transfer completed after that: as those
/// that a device completes by an interrupt.
fn close(slot: Slot<Requests>) {
    slot.shared().away.note_handed(1);
    Requests::put_off(slot);
}

/// Hands in the completions of what has ended, all of it of `pool`.
pub(crate) fn hand_in(pool: &Pool<Requests>, mut ended: Chain<Requests>) {
    if ended.is_empty() {
        return;
    }
    let mut inside = pool.lock();
    while let Some(slot) = ended.pop() {
        completion::post(&mut inside, slot);
    }
    completion::publish(&pool.shared().completion, &mut inside);
}

/// Hands in the completions of what has ended, of any rings.
pub(crate) fn hand_in_each(mut ended: Chain<Requests>) {
    while let Some(slot) = ended.pop() {
        slot.finish(|shared, inside, slot| {
            completion::post(inside, slot);
            completion::publish(&shared.completion, inside);
        });
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! Transfers under way: each step has any outcome there is.

use super::{
    pool::{Domain, Slot},
    transfer::NewTransfer,
};
use crate::source::fate;

pub(crate) trait IoDomain: Domain {}

pub(crate) enum Started<D: IoDomain> {
    Done(Slot<D>, isize),
    DoneByFile(Slot<D>, isize),
    Queued,
    WouldPoll(Slot<D>),
    WouldBlock(Slot<D>),
}

fn any<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    match fate(5) {
        0 => Started::Done(slot, 1),
        1 => Started::DoneByFile(slot, 1),
        2 => Started::Queued,
        3 => Started::WouldPoll(slot),
        _ => Started::WouldBlock(slot),
    }
}

pub(crate) fn start<D: IoDomain>(slot: Slot<D>, _transfer: NewTransfer<'_>) -> Started<D> {
    any(slot)
}

/// Keeps it, and answers how many bytes it is, or what comes of it in any case.
pub(crate) fn keep<D: IoDomain>(
    _slot: &mut Slot<D>,
    _transfer: NewTransfer<'_>,
) -> Result<usize, isize> {
    match fate(4) {
        0 => Ok(usize::MAX),
        1 => Err(-22),
        other => Ok(other.into()),
    }
}

pub(crate) fn begin<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    any(slot)
}

pub(crate) fn begin_patiently<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    any(slot)
}

pub(crate) fn retry<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    any(slot)
}

pub(crate) fn resume<D: IoDomain>(slot: Slot<D>) -> Started<D> {
    any(slot)
}

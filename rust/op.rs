// SPDX-License-Identifier: GPL-2.0

//! What a request does.
//!
//! [`prepare`] judges a copy of a submission entry and turns it into an [`Op`], which owns all that
//! it needs; nothing after it sees the entry. [`Op::issue`] does it.
//!
//! Each family of operations has a file below `op/`. The matches here are exhaustive, so that an
//! operation without one of its parts does not compile.

#![forbid(unsafe_code)]

pub(crate) mod fsync;
pub(crate) mod read_write;
pub(crate) mod rules;

use crate::{
    abi,
    abstractions::{
        async_io::{
            self,
            IoDomain,
            Started, //
        },
        pool::Slot,
        transfer::{
            Direction,
            Transfer, //
        },
    },
};
use fsync::Fsync;
use kernel::prelude::*;
use rules::Field;

/// Why a submission entry is refused: the error, and the field to blame.
#[derive(Clone, Copy)]
pub(crate) struct Rejected {
    /// What the completion's `res` says.
    pub(crate) error: Error,
    /// What the completion's flags say.
    pub(crate) field: Field,
}

impl Rejected {
    /// Blames `field` for an error; made to be passed to `map_err`.
    fn by(field: Field) -> impl Fn(Error) -> Self {
        move |error| Self { error, field }
    }
}

impl From<Field> for Rejected {
    fn from(field: Field) -> Self {
        Self {
            error: EINVAL,
            field,
        }
    }
}

/// A request that is ready to be issued.
pub(crate) enum Op {
    /// Does nothing.
    Nop,
    /// READ, WRITE, READV, WRITEV.
    Transfer(Transfer),
    /// FSYNC.
    Fsync(Fsync),
}

/// Judges a submission entry. Process context, in the process that submits; sleeps.
#[inline]
pub(crate) fn prepare(sqe: &abi::Sqe) -> Result<Op, Rejected> {
    match sqe.opcode {
        abi::OP_NOP => {
            rules::NOP.check(sqe)?;
            Ok(Op::Nop)
        }
        abi::OP_READ => {
            rules::READ.check(sqe)?;
            read_write::prepare_single(sqe, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE => {
            rules::WRITE.check(sqe)?;
            read_write::prepare_single(sqe, Direction::Write).map(Op::Transfer)
        }
        abi::OP_READV => {
            rules::READV.check(sqe)?;
            read_write::prepare_vector(sqe, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITEV => {
            rules::WRITEV.check(sqe)?;
            read_write::prepare_vector(sqe, Direction::Write).map(Op::Transfer)
        }
        abi::OP_FSYNC => {
            rules::FSYNC.check(sqe)?;
            Fsync::prepare(sqe).map(Op::Fsync)
        }
        _ => Err(Field::OPCODE.into()),
    }
}

impl Op {
    /// Does it, in `slot`. Process context; sleeps where the file does.
    #[inline]
    pub(crate) fn issue<D: IoDomain>(self, slot: Slot<D>) -> Started<D> {
        match self {
            Op::Nop => Started::Done(slot, 0),
            Op::Transfer(transfer) => async_io::start(slot, transfer),
            Op::Fsync(fsync) => Started::Done(slot, fsync.run()),
        }
    }
}

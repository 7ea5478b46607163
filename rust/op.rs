// SPDX-License-Identifier: GPL-2.0

//! What a request does.
//!
//! [`prepare`] judges a copy of a submission entry and turns it into an [`Op`], which owns all that
//! it needs; nothing after it sees the entry. [`Op::issue`] does it if that does not block, and
//! answers with a [`Blocking`] for a worker if it would.
//!
//! Each family of operations has a file below `op/`. The matches here are exhaustive, so that an
//! operation without one of its parts does not compile.

#![forbid(unsafe_code)]

pub(crate) mod cancel;
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
            FileId,
            NewTransfer, //
        },
    },
    buffers::BufferTable,
    files::FileTable, //
};
use cancel::Cancel;
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
pub(crate) enum Op<'a> {
    /// Does nothing.
    Nop,
    /// READ, WRITE, READV, WRITEV, and those with registered buffers.
    Transfer(NewTransfer<'a>),
    /// FSYNC; of nothing, if the file cannot be synchronised.
    Fsync(Option<Fsync>),
    /// CANCEL.
    Cancel(Cancel),
}

/// Judges a submission entry. Process context, in the process that submits; sleeps.
#[inline]
pub(crate) fn prepare<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    buffers: &'a BufferTable,
) -> Result<Op<'a>, Rejected> {
    match sqe.opcode {
        abi::OP_NOP => {
            rules::NOP.check(sqe)?;
            Ok(Op::Nop)
        }
        abi::OP_READ => {
            rules::READ.check(sqe)?;
            read_write::prepare_single(sqe, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE => {
            rules::WRITE.check(sqe)?;
            read_write::prepare_single(sqe, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_READV => {
            rules::READV.check(sqe)?;
            read_write::prepare_vector(sqe, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITEV => {
            rules::WRITEV.check(sqe)?;
            read_write::prepare_vector(sqe, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_FSYNC => {
            rules::FSYNC.check(sqe)?;
            Fsync::prepare(sqe, files).map(Op::Fsync)
        }
        abi::OP_CANCEL => {
            rules::CANCEL.check(sqe)?;
            Cancel::prepare(sqe, files).map(Op::Cancel)
        }
        abi::OP_READ_FIXED => {
            rules::READ_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, files, buffers, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE_FIXED => {
            rules::WRITE_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, files, buffers, Direction::Write).map(Op::Transfer)
        }
        abi::OP_READV_FIXED => {
            rules::READV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, files, buffers, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITEV_FIXED => {
            rules::WRITEV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, files, buffers, Direction::Write)
                .map(Op::Transfer)
        }
        _ => Err(Field::OPCODE.into()),
    }
}

/// What is left to do of a request that would block.
pub(crate) enum Blocking {
    /// A transfer, which its slot keeps.
    Transfer,
    /// FSYNC.
    Fsync(Fsync),
}

/// What became of a request that was issued.
pub(crate) enum Issued<D: IoDomain> {
    /// It has finished, with this result.
    Done(Slot<D>, isize),
    /// Its file has finished it, with this result.
    DoneByFile(Slot<D>, isize),
    /// It is under way.
    Queued,
    /// It can go on when its file is ready.
    WouldPoll(Slot<D>),
    /// It would block.
    WouldBlock(Slot<D>, Blocking),
    /// It is about other requests, which the submitter knows.
    Cancel(Slot<D>, Cancel),
}

impl<D: IoDomain> From<Started<D>> for Issued<D> {
    fn from(started: Started<D>) -> Self {
        match started {
            Started::Done(slot, result) => Self::Done(slot, result),
            Started::DoneByFile(slot, result) => Self::DoneByFile(slot, result),
            Started::Queued => Self::Queued,
            Started::WouldPoll(slot) => Self::WouldPoll(slot),
            Started::WouldBlock(slot) => Self::WouldBlock(slot, Blocking::Transfer),
        }
    }
}

impl Op<'_> {
    /// Does it, in `slot`, without blocking. Process context.
    #[inline]
    pub(crate) fn issue<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Op::Nop => Issued::Done(slot, 0),
            Op::Transfer(transfer) => async_io::start(slot, transfer).into(),
            Op::Fsync(Some(fsync)) => Issued::WouldBlock(slot, Blocking::Fsync(fsync)),
            Op::Fsync(None) => Issued::Done(slot, EINVAL.to_errno() as isize),
            Op::Cancel(cancel) => Issued::Cancel(slot, cancel),
        }
    }
}

/// Goes on with a transfer in `slot` whose file is ready, without blocking. Process context, in the
/// process of the ring.
pub(crate) fn retry<D: IoDomain>(slot: Slot<D>) -> Issued<D> {
    async_io::retry(slot).into()
}

impl Blocking {
    /// The file that is held, if `slot` does not.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        match self {
            Blocking::Transfer => None,
            Blocking::Fsync(fsync) => Some(fsync.file_id()),
        }
    }

    /// Does what would have blocked, in `slot`. Process context, in the process of the ring; sleeps.
    pub(crate) fn run<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Blocking::Transfer => async_io::resume(slot).into(),
            Blocking::Fsync(fsync) => match fsync.run() {
                Some(result) => Issued::Done(slot, result),
                None => Issued::WouldBlock(slot, Blocking::Fsync(fsync)),
            },
        }
    }
}

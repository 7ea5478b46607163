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

pub(crate) mod allowed;
pub(crate) mod cancel;
pub(crate) mod file_call;
pub(crate) mod names;
pub(crate) mod read_write;
pub(crate) mod rules;
pub(crate) mod socket;

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
use allowed::OpSet;
use cancel::Cancel;
use file_call::FileCall;
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
    /// READ, WRITE, READV, WRITEV, those with registered buffers, SEND, RECV, SENDMSG, RECVMSG.
    Transfer(NewTransfer<'a>),
    /// FSYNC and others.
    FileCall(FileCall),
    /// CANCEL.
    Cancel(Cancel),
}

/// Judges a submission entry. Process context, in the process that submits; sleeps.
#[inline]
pub(crate) fn prepare<'a>(
    sqe: &abi::Sqe,
    allowed: &OpSet,
    files: &'a FileTable,
    buffers: &'a BufferTable,
) -> Result<Op<'a>, Rejected> {
    if !allowed.contains(sqe.opcode) {
        return Err(refusal(sqe.opcode));
    }
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
        abi::OP_READ_FIXED => {
            rules::READ_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, files, buffers, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE_FIXED => {
            rules::WRITE_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, files, buffers, Direction::Write).map(Op::Transfer)
        }
        _ => prepare_rare(sqe, files, buffers),
    }
}

/// As [`prepare`], for operations beside which that call does not count.
#[cold]
fn prepare_rare<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    buffers: &BufferTable,
) -> Result<Op<'a>, Rejected> {
    match sqe.opcode {
        abi::OP_READV_FIXED => {
            rules::READV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, files, buffers, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITEV_FIXED => {
            rules::WRITEV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, files, buffers, Direction::Write)
                .map(Op::Transfer)
        }
        abi::OP_FSYNC => {
            rules::FSYNC.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_SYNC_FILE_RANGE => {
            rules::SYNC_FILE_RANGE.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_SENDMSG => {
            rules::SENDMSG.check(sqe)?;
            socket::prepare_message(sqe, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_RECVMSG => {
            rules::RECVMSG.check(sqe)?;
            socket::prepare_message(sqe, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_SEND => {
            rules::SEND.check(sqe)?;
            socket::prepare_single(sqe, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_RECV => {
            rules::RECV.check(sqe)?;
            socket::prepare_single(sqe, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_FALLOCATE => {
            rules::FALLOCATE.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_FADVISE => {
            rules::FADVISE.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_FTRUNCATE => {
            rules::FTRUNCATE.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_GETDENTS => {
            rules::GETDENTS.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_COPY_FILE_RANGE => {
            rules::COPY_FILE_RANGE.check(sqe)?;
            FileCall::prepare(sqe, files).map(Op::FileCall)
        }
        abi::OP_CANCEL => {
            rules::CANCEL.check(sqe)?;
            Cancel::prepare(sqe, files).map(Op::Cancel)
        }
        _ => Err(Field::OPCODE.into()),
    }
}

/// Why an operation that is not allowed is refused: it is not, or it does not exist.
#[cold]
fn refusal(opcode: u8) -> Rejected {
    if OpSet::all().contains(opcode) {
        Rejected::by(Field::OPCODE)(EACCES)
    } else {
        Field::OPCODE.into()
    }
}

/// What is left to do of a request that would block, or whose turn has not come.
pub(crate) enum Blocking {
    /// A transfer, which its slot keeps.
    Transfer,
    /// One that has not begun.
    NewTransfer,
    /// FSYNC and others.
    FileCall(FileCall),
    /// CANCEL.
    Cancel(Cancel),
    /// Nothing: this is the result.
    Nothing(isize),
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
            Op::FileCall(call) if call.is_quick() => Blocking::FileCall(call).run(slot),
            Op::FileCall(call) => Issued::WouldBlock(slot, Blocking::FileCall(call)),
            Op::Cancel(cancel) => Issued::Cancel(slot, cancel),
        }
    }
}

impl Op<'_> {
    /// What is to be done when its turn comes, and the least result that will be a success. Process
    /// context.
    #[cold]
    pub(crate) fn keep<D: IoDomain>(self, slot: &mut Slot<D>) -> (Blocking, usize) {
        match self {
            Op::Nop => (Blocking::Nothing(0), 0),
            Op::Transfer(transfer) => (Blocking::NewTransfer, async_io::keep(slot, transfer)),
            Op::FileCall(call) => {
                let least = call.least();
                (Blocking::FileCall(call), least)
            }
            Op::Cancel(cancel) => (Blocking::Cancel(cancel), 0),
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
            Blocking::FileCall(call) => Some(call.file_id()),
            Blocking::Transfer
            | Blocking::NewTransfer
            | Blocking::Cancel(_)
            | Blocking::Nothing(_) => None,
        }
    }

    /// Whether it ends as soon as it is started, and nothing else happens.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Blocking::Nothing(_))
    }

    /// Starts it, in `slot`, without blocking: its turn has come. Process context, in the process of
    /// the ring.
    pub(crate) fn start<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Blocking::Transfer => retry(slot),
            Blocking::NewTransfer => async_io::begin(slot).into(),
            Blocking::FileCall(call) => Op::FileCall(call).issue(slot),
            Blocking::Cancel(cancel) => Issued::Cancel(slot, cancel),
            Blocking::Nothing(result) => Issued::Done(slot, result),
        }
    }

    /// Does what would have blocked, in `slot`. Process context, in the process of the ring; sleeps.
    pub(crate) fn run<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Blocking::Transfer => async_io::resume(slot).into(),
            Blocking::NewTransfer => async_io::begin_patiently(slot).into(),
            Blocking::Cancel(cancel) => Issued::Cancel(slot, cancel),
            Blocking::Nothing(result) => Issued::Done(slot, result),
            Blocking::FileCall(call) => match call.run() {
                Some(result) => Issued::Done(slot, result),
                None => Issued::WouldBlock(slot, Blocking::FileCall(call)),
            },
        }
    }
}

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
pub(crate) mod poll;
pub(crate) mod polled;
pub(crate) mod read_write;
pub(crate) mod rules;
pub(crate) mod socket;
pub(crate) mod timeout;

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
            NewTransfer,
            Place, //
        },
    },
    buffers::BufferTable,
    files::FileTable, //
};
use allowed::OpSet;
use cancel::Cancel;
use file_call::FileCall;
use kernel::prelude::*;
use poll::Poll;
use rules::Field;
use timeout::Timeout;

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
    /// CANCEL, and other operations that cancel.
    Cancel(Cancel),
    /// POLL_ADD.
    Poll(Poll),
    /// TIMEOUT.
    Timeout(Timeout),
    /// LINK_TIMEOUT.
    Limit(Timeout),
    /// POLL_REMOVE and TIMEOUT_REMOVE, if they change something.
    Update(Update),
}

/// What a request changes about another one.
pub(crate) enum Update {
    /// That of a POLL_ADD.
    Poll(poll::Changes),
    /// That of a TIMEOUT.
    Timeout(timeout::NewTime),
}

/// Judges a submission entry; a transfer is put together in `place`. Process context, in the process that submits; sleeps.
#[inline]
pub(crate) fn prepare<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
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
            read_write::prepare_single(sqe, place, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE => {
            rules::WRITE.check(sqe)?;
            read_write::prepare_single(sqe, place, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_READV => {
            rules::READV.check(sqe)?;
            read_write::prepare_vector(sqe, place, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITEV => {
            rules::WRITEV.check(sqe)?;
            read_write::prepare_vector(sqe, place, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_READ_FIXED => {
            rules::READ_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, place, files, buffers, Direction::Read).map(Op::Transfer)
        }
        abi::OP_WRITE_FIXED => {
            rules::WRITE_FIXED.check(sqe)?;
            read_write::prepare_fixed(sqe, place, files, buffers, Direction::Write)
                .map(Op::Transfer)
        }
        _ => prepare_rare(sqe, place, files, buffers),
    }
}

/// As [`prepare`], for operations beside which that call does not count.
#[cold]
fn prepare_rare<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    buffers: &BufferTable,
) -> Result<Op<'a>, Rejected> {
    match sqe.opcode {
        abi::OP_READV_FIXED => {
            rules::READV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, place, files, buffers, Direction::Read)
                .map(Op::Transfer)
        }
        abi::OP_WRITEV_FIXED => {
            rules::WRITEV_FIXED.check(sqe)?;
            read_write::prepare_fixed_vector(sqe, place, files, buffers, Direction::Write)
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
            socket::prepare_message(sqe, place, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_RECVMSG => {
            rules::RECVMSG.check(sqe)?;
            socket::prepare_message(sqe, place, files, Direction::Read).map(Op::Transfer)
        }
        abi::OP_SEND => {
            rules::SEND.check(sqe)?;
            socket::prepare_single(sqe, place, files, Direction::Write).map(Op::Transfer)
        }
        abi::OP_RECV => {
            rules::RECV.check(sqe)?;
            socket::prepare_single(sqe, place, files, Direction::Read).map(Op::Transfer)
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
        abi::OP_POLL_ADD => {
            rules::POLL_ADD.check(sqe)?;
            Poll::prepare(sqe, files).map(Op::Poll)
        }
        abi::OP_POLL_REMOVE => {
            rules::POLL_REMOVE.check(sqe)?;
            Ok(match poll::Remove::prepare(sqe)? {
                poll::Remove::Cancel(cancel) => Op::Cancel(cancel),
                poll::Remove::Update(changes) => Op::Update(Update::Poll(changes)),
            })
        }
        abi::OP_TIMEOUT => {
            rules::TIMEOUT.check(sqe)?;
            Timeout::prepare(sqe).map(Op::Timeout)
        }
        abi::OP_LINK_TIMEOUT => {
            rules::LINK_TIMEOUT.check(sqe)?;
            Timeout::prepare(sqe).map(Op::Limit)
        }
        abi::OP_TIMEOUT_REMOVE => {
            rules::TIMEOUT_REMOVE.check(sqe)?;
            Ok(match timeout::Remove::prepare(sqe)? {
                timeout::Remove::Cancel(cancel) => Op::Cancel(cancel),
                timeout::Remove::Update(time) => Op::Update(Update::Timeout(time)),
            })
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

/// Why a LINK_TIMEOUT without an entry before it is rejected.
#[cold]
pub(crate) fn misplaced() -> Rejected {
    Field::OPCODE.into()
}

/// What is left to do of a request that would block, or whose turn has not come, or what it waits for.
pub(crate) enum Blocking {
    /// A transfer, which its slot keeps.
    Transfer,
    /// One that has not begun.
    NewTransfer,
    /// FSYNC and others.
    FileCall(FileCall),
    /// A POLL_ADD that has not begun.
    NewPoll(Poll),
    /// One that waits.
    Poll(Poll),
    /// A TIMEOUT that has not begun.
    NewTimeout(Timeout),
    /// One that waits.
    Timeout(Timeout),
    /// LINK_TIMEOUT.
    Limit(Timeout),
    /// CANCEL.
    Cancel(Cancel),
    /// POLL_REMOVE and TIMEOUT_REMOVE, if they change something.
    Update(Update),
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
    /// It waits for its file.
    Poll(Slot<D>, Poll),
    /// It waits for its time.
    Timeout(Slot<D>, Timeout),
    /// It changes another request, which the submitter knows.
    Update(Slot<D>, Update),
    /// It is a LINK_TIMEOUT without an entry before it.
    Misplaced(Slot<D>),
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
    #[inline(always)]
    pub(crate) fn issue<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Op::Nop => Issued::Done(slot, 0),
            Op::Transfer(transfer) => async_io::start(slot, transfer).into(),
            Op::FileCall(call) if call.is_quick() => Blocking::FileCall(call).run(slot),
            Op::FileCall(call) => Issued::WouldBlock(slot, Blocking::FileCall(call)),
            Op::Cancel(cancel) => Issued::Cancel(slot, cancel),
            Op::Poll(poll) => Issued::Poll(slot, poll),
            Op::Timeout(timeout) => Issued::Timeout(slot, timeout),
            Op::Limit(_) => Issued::Misplaced(slot),
            Op::Update(update) => Issued::Update(slot, update),
        }
    }
}

impl Op<'_> {
    /// What is to be done when its turn comes, and the least result that will be a success. Process
    /// context.
    #[cold]
    pub(crate) fn keep<D: IoDomain>(self, slot: &mut Slot<D>) -> (Blocking, isize) {
        match self {
            Op::Nop => (Blocking::Nothing(0), 0),
            Op::Transfer(transfer) => match async_io::keep(slot, transfer) {
                Ok(least) => (Blocking::NewTransfer, as_result(least)),
                Err(result) => (Blocking::Nothing(result), 0),
            },
            Op::FileCall(call) => {
                let least = as_result(call.least());
                (call.keep(), least)
            }
            Op::Cancel(cancel) => (Blocking::Cancel(cancel), 0),
            Op::Poll(poll) => (Blocking::NewPoll(poll), 0),
            Op::Timeout(timeout) => {
                let least = timeout.least();
                (Blocking::NewTimeout(timeout), least)
            }
            Op::Limit(timeout) => {
                let least = timeout.least();
                (Blocking::Limit(timeout), least)
            }
            Op::Update(update) => (Blocking::Update(update), 0),
        }
    }
}

/// A number of bytes as a result.
fn as_result(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
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
            Blocking::NewPoll(poll) | Blocking::Poll(poll) => Some(poll.file_id()),
            Blocking::Transfer
            | Blocking::NewTransfer
            | Blocking::NewTimeout(_)
            | Blocking::Timeout(_)
            | Blocking::Limit(_)
            | Blocking::Cancel(_)
            | Blocking::Update(_)
            | Blocking::Nothing(_) => None,
        }
    }

    /// Whether it ends as soon as it is started, and nothing else happens.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Blocking::Nothing(_))
    }

    /// Whether it has waited for its file or its time.
    pub(crate) fn has_waited(&self) -> bool {
        matches!(self, Blocking::Poll(_) | Blocking::Timeout(_))
    }

    /// Whether it limits the one before it.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Blocking::Limit(_))
    }

    /// Whether it is about other requests.
    pub(crate) fn is_about_others(&self) -> bool {
        matches!(self, Blocking::Cancel(_) | Blocking::Update(_))
    }

    /// Starts it, in `slot`, without blocking: its turn has come. Process context, in the process of
    /// the ring.
    pub(crate) fn start<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Blocking::Transfer => retry(slot),
            Blocking::NewTransfer => async_io::begin(slot).into(),
            Blocking::FileCall(call) => Op::FileCall(call).issue(slot),
            other => other.run(slot),
        }
    }

    /// Does what would have blocked, in `slot`. Process context, in the process of the ring; sleeps.
    pub(crate) fn run<D: IoDomain>(self, slot: Slot<D>) -> Issued<D> {
        match self {
            Blocking::Transfer => async_io::resume(slot).into(),
            Blocking::NewTransfer => async_io::begin_patiently(slot).into(),
            Blocking::NewPoll(poll) | Blocking::Poll(poll) => Issued::Poll(slot, poll),
            Blocking::NewTimeout(timeout) | Blocking::Timeout(timeout) => {
                Issued::Timeout(slot, timeout)
            }
            Blocking::Limit(_) => Issued::Misplaced(slot),
            Blocking::Cancel(cancel) => Issued::Cancel(slot, cancel),
            Blocking::Update(update) => Issued::Update(slot, update),
            Blocking::Nothing(result) => Issued::Done(slot, result),
            Blocking::FileCall(call) => match call.run() {
                Some(result) => Issued::Done(slot, result),
                None => Issued::WouldBlock(slot, Blocking::FileCall(call)),
            },
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! READ, WRITE, READV and WRITEV.
//!
//! Buffered files complete before they are left; `O_DIRECT` completes later, from any context. The
//! iovec array is copied here, so that the program may reuse it as soon as ENTER has returned.

#![forbid(unsafe_code)]

use super::{
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::transfer::{
        Direction,
        NewTransfer,
        Priority,
        Unfit,
        UserBuffers, //
    },
    files::FileTable, //
};

/// A transfer of one buffer.
#[inline]
pub(crate) fn prepare_single<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, files, || {
        UserBuffers::single(direction, sqe.addr, sqe.len).map_err(Rejected::by(Field::ADDR))
    })
}

/// A transfer of an array of buffers.
pub(crate) fn prepare_vector<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    const MAX_SEGMENTS: u32 = 1024;
    prepare(sqe, files, || {
        let field = if sqe.len > MAX_SEGMENTS {
            Field::LEN
        } else {
            Field::ADDR
        };
        UserBuffers::vector(direction, sqe.addr, sqe.len).map_err(Rejected::by(field))
    })
}

#[inline]
fn prepare<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    buffers: impl FnOnce() -> Result<UserBuffers, Rejected>,
) -> Result<NewTransfer<'a>, Rejected> {
    let priority = Priority::new(sqe.ioprio).map_err(Rejected::by(Field::IOPRIO))?;
    let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?;
    NewTransfer::new(file, sqe.off, buffers()?, sqe.op_flags, priority).map_err(|unfit| match unfit
    {
        Unfit::File(e) => Rejected::by(Field::FD)(e),
        Unfit::Offset(e) => Rejected::by(Field::OFF)(e),
        Unfit::Flags(e) => Rejected::by(Field::OP_FLAGS)(e),
    })
}

// SPDX-License-Identifier: GPL-2.0

//! SEND, RECV, SENDMSG and RECVMSG.
//!
//! They are transfers, which wait until the socket is ready as READ and WRITE do.

#![forbid(unsafe_code)]

use super::{
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::transfer::{
        Direction,
        Message,
        MessageFlags,
        NewTransfer,
        Place,
        UserBuffers, //
    },
    files::FileTable, //
};
use kernel::prelude::*;

/// A transfer of one buffer.
pub(crate) fn prepare_single<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        let buffers = UserBuffers::single(direction, sqe.addr, sqe.len);
        Ok((None, buffers.map_err(Rejected::by(Field::ADDR))?))
    })
}

/// A transfer of what a `struct msghdr` describes.
pub(crate) fn prepare_message<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        if sqe.len != 1 {
            return Err(Field::LEN.into());
        }
        let (message, buffers) =
            Message::new(direction, sqe.addr).map_err(Rejected::by(Field::ADDR))?;
        Ok((Some(message), buffers))
    })
}

fn prepare<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    describe: impl FnOnce() -> Result<(Option<Message>, UserBuffers), Rejected>,
) -> Result<NewTransfer<'a>, Rejected> {
    let flags = MessageFlags(sqe.op_flags);
    if flags.contradict() {
        return Err(Field::OP_FLAGS.into());
    }
    let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?;
    let (message, buffers) = describe()?;
    NewTransfer::of_socket(place, file, buffers, flags, message).map_err(Rejected::by(Field::FD))
}

// SPDX-License-Identifier: GPL-2.0

//! READ, WRITE, READV and WRITEV, and the same with registered buffers.
//!
//! Buffered files complete before they are left; `O_DIRECT` completes later, from any context. The
//! iovec array is copied here, so that the program may reuse it as soon as ENTER has returned.

#![forbid(unsafe_code)]

use super::{
    rules::{
        self,
        Field, //
    },
    Rejected, //
};
use crate::{
    abi,
    abstractions::{
        pinned::{
            Outside,
            PinnedBuffer, //
        },
        shared::Shared,
        transfer::{
            self,
            Direction,
            NewBlockTransfer,
            NewBuffers,
            NewDirectTransfer,
            NewTransfer,
            Place,
            Priority,
            Unfit,
            UserBuffers, //
        },
    },
    buffers::BufferTable,
    files::FileTable, //
};
use kernel::prelude::*;

/// A READ that asks for nothing special and finds all its data in memory: does it, and answers how many
/// bytes that was. `None` if it is something else, and nothing has happened. Process context.
#[inline]
pub(crate) fn at_once(sqe: &abi::Sqe, files: &FileTable) -> Option<isize> {
    if sqe.ioprio != 0 || sqe.op_flags != 0 {
        return None;
    }
    let is_done = match sqe.flags {
        0 => transfer::read_at_once(sqe.fd, sqe.off, sqe.addr, sqe.len),
        abi::SQE_FIXED_FILE => files
            .at(u32::try_from(sqe.fd).ok()?)?
            .read_at_once(sqe.off, sqe.addr, sqe.len),
        _ => false,
    };
    is_done.then(|| isize::try_from(sqe.len).ok())?
}

/// A transfer between a registered buffer and a registered file that asks for nothing special, if that is
/// a block device that can take it as it is. Process context.
#[inline]
pub(crate) fn for_block_device<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    buffers: &'a BufferTable,
) -> Option<NewBlockTransfer<'a>> {
    let (direction, is_regular) = match sqe.opcode {
        abi::OP_READ_FIXED => (Direction::Read, rules::READ_FIXED.check(sqe).is_ok()),
        abi::OP_WRITE_FIXED => (Direction::Write, rules::WRITE_FIXED.check(sqe).is_ok()),
        _ => return None,
    };
    if is_special(sqe) || !is_regular || sqe.flags == 0 {
        return None;
    }
    let file = files.at(u32::try_from(sqe.fd).ok()?)?;
    let buffer = buffers.at(u32::from(sqe.buf_index))?;
    NewBlockTransfer::new(direction, file, sqe.off, buffer, sqe.addr, sqe.len)
}

/// A transfer of one buffer with `O_DIRECT` that asks for nothing special. Process context.
#[inline]
pub(crate) fn direct<'a>(
    sqe: &abi::Sqe,
    files: &'a FileTable,
    buffers: &'a BufferTable,
) -> Option<NewDirectTransfer<'a>> {
    let (direction, is_pinned, is_regular) = match sqe.opcode {
        abi::OP_READ => (Direction::Read, false, rules::READ.check(sqe).is_ok()),
        abi::OP_WRITE => (Direction::Write, false, rules::WRITE.check(sqe).is_ok()),
        abi::OP_READ_FIXED => (Direction::Read, true, rules::READ_FIXED.check(sqe).is_ok()),
        abi::OP_WRITE_FIXED => (
            Direction::Write,
            true,
            rules::WRITE_FIXED.check(sqe).is_ok(),
        ),
        _ => return None,
    };
    if is_special(sqe) || !is_regular {
        return None;
    }
    let buffer = match is_pinned {
        true => Some(buffers.at(u32::from(sqe.buf_index))?),
        false => None,
    };
    let (fd, offset, address, len) = (sqe.fd, sqe.off, sqe.addr, sqe.len);
    if sqe.flags == 0 {
        return NewDirectTransfer::of_descriptor(direction, fd, offset, buffer, address, len);
    }
    let file = files.at(u32::try_from(fd).ok()?)?;
    NewDirectTransfer::of_registered(direction, file, offset, buffer, address, len)
}

/// Whether an entry asks for more than a file and a buffer.
#[inline]
fn is_special(sqe: &abi::Sqe) -> bool {
    sqe.flags & !abi::SQE_FIXED_FILE != 0 || sqe.ioprio != 0 || sqe.op_flags != 0
}

/// A transfer of one buffer.
#[inline]
pub(crate) fn prepare_single<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        UserBuffers::single(direction, sqe.addr, sqe.len)
            .map(NewBuffers::from)
            .map_err(Rejected::by(Field::ADDR))
    })
}

/// A transfer of an array of buffers.
pub(crate) fn prepare_vector<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        UserBuffers::vector(direction, sqe.addr, sqe.len)
            .map(NewBuffers::from)
            .map_err(Rejected::by(array_field(sqe)))
    })
}

/// The field to blame for an array of buffers.
fn array_field(sqe: &abi::Sqe) -> Field {
    const MAX_SEGMENTS: u32 = 1024;
    if sqe.len > MAX_SEGMENTS {
        Field::LEN
    } else {
        Field::ADDR
    }
}

/// The registered buffer that an entry names.
#[inline]
fn buffer_of<'a>(
    sqe: &abi::Sqe,
    buffers: &'a BufferTable,
) -> Result<&'a Shared<PinnedBuffer>, Rejected> {
    let buffer = buffers.at(u32::from(sqe.buf_index));
    buffer.ok_or_else(|| Rejected::by(Field::BUF_INDEX)(EFAULT))
}

/// A transfer of a part of a registered buffer.
#[inline]
pub(crate) fn prepare_fixed<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    buffers: &'a BufferTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        let buffer = buffer_of(sqe, buffers)?;
        NewBuffers::pinned(direction, buffer, sqe.addr, sqe.len).map_err(|outside| {
            let field = match outside {
                Outside::Start => Field::ADDR,
                Outside::End => Field::LEN,
            };
            Rejected::by(field)(EFAULT)
        })
    })
}

/// A transfer of an array of parts of a registered buffer.
pub(crate) fn prepare_fixed_vector<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    buffers: &BufferTable,
    direction: Direction,
) -> Result<NewTransfer<'a>, Rejected> {
    prepare(sqe, place, files, || {
        let buffer = buffer_of(sqe, buffers)?;
        NewBuffers::pinned_vector(direction, buffer, sqe.addr, sqe.len)
            .map_err(Rejected::by(array_field(sqe)))
    })
}

#[inline(always)]
fn prepare<'a>(
    sqe: &abi::Sqe,
    place: &'a mut Place,
    files: &'a FileTable,
    buffers: impl FnOnce() -> Result<NewBuffers<'a>, Rejected>,
) -> Result<NewTransfer<'a>, Rejected> {
    let priority = Priority::new(sqe.ioprio).map_err(Rejected::by(Field::IOPRIO))?;
    let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?;
    NewTransfer::new(place, file, sqe.off, buffers()?, sqe.op_flags, priority).map_err(|unfit| {
        match unfit {
            Unfit::File(e) => Rejected::by(Field::FD)(e),
            Unfit::Offset(e) => Rejected::by(Field::OFF)(e),
            Unfit::Flags(e) => Rejected::by(Field::OP_FLAGS)(e),
            Unfit::Buffers(e) => Rejected::by(Field::ADDR)(e),
        }
    })
}

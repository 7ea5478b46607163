// SPDX-License-Identifier: GPL-2.0

//! What is one call of the file system: FSYNC, SYNC_FILE_RANGE, FADVISE, FALLOCATE, FTRUNCATE,
//! GETDENTS and COPY_FILE_RANGE. All but some advice may wait for a device.

#![forbid(unsafe_code)]

use super::{
    rules::Field,
    Blocking,
    Rejected, //
};
use crate::{
    abi,
    abstractions::transfer::{
        Advice,
        FileId,
        HeldFile, //
    },
    files::FileTable, //
};
use kernel::prelude::*;

/// A call that is ready to be made.
pub(crate) struct FileCall {
    file: HeldFile,
    what: What,
}

/// What is to be done with the file.
enum What {
    /// Fails: the file cannot be synchronised.
    Nothing,
    Sync {
        data_only: bool,
        first: i64,
        last: i64,
    },
    SyncRange {
        flags: u32,
        first: i64,
        last: i64,
    },
    Advise {
        advice: Advice,
        offset: i64,
        len: i64,
    },
    Allocate {
        mode: u32,
        offset: i64,
        len: i64,
    },
    Truncate {
        len: i64,
    },
    List {
        len: u32,
        address: usize,
    },
    /// In memory of its own: few are under way at a time, and it is large.
    Copy(KBox<Copy>),
}

/// COPY_FILE_RANGE, to the file of the call.
struct Copy {
    from: HeldFile,
    from_offset: i64,
    offset: i64,
    len: usize,
}

/// The last byte of `len` bytes from `first` on, `len` 0 for the rest of the file.
fn last_byte(first: i64, len: u32) -> Result<i64, Field> {
    match i64::from(len).checked_sub(1) {
        Some(more @ 0..) => first.checked_add(more).ok_or(Field::LEN),
        _ => Ok(i64::MAX),
    }
}

fn offset(sqe: &abi::Sqe) -> Result<i64, Field> {
    i64::try_from(sqe.off).map_err(|_| Field::OFF)
}

impl What {
    /// Judges the entry, as far as it is not about the file.
    fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<Self, Rejected> {
        let what = match sqe.opcode {
            abi::OP_FSYNC => Self::Sync {
                data_only: sqe.op_flags & abi::FSYNC_DATASYNC != 0,
                first: offset(sqe)?,
                last: last_byte(offset(sqe)?, sqe.len)?,
            },
            abi::OP_SYNC_FILE_RANGE => Self::SyncRange {
                flags: sqe.op_flags,
                first: offset(sqe)?,
                last: last_byte(offset(sqe)?, sqe.len)?,
            },
            abi::OP_FADVISE => Self::Advise {
                advice: Advice::new(sqe.op_flags).ok_or(Field::OP_FLAGS)?,
                offset: offset(sqe)?,
                len: i64::from(sqe.len),
            },
            abi::OP_FALLOCATE => Self::Allocate {
                mode: sqe.len,
                offset: offset(sqe)?,
                len: i64::try_from(sqe.addr).map_err(|_| Field::ADDR)?,
            },
            abi::OP_FTRUNCATE => Self::Truncate { len: offset(sqe)? },
            abi::OP_GETDENTS => Self::List {
                len: sqe.len,
                address: usize::try_from(sqe.addr)
                    .map_err(|_| Rejected::by(Field::ADDR)(EFAULT))?,
            },
            abi::OP_COPY_FILE_RANGE => Self::Copy(Copy::prepare(sqe, files)?),
            _ => return Err(Field::OPCODE.into()),
        };
        Ok(what)
    }
}

impl Copy {
    fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<KBox<Self>, Rejected> {
        let from_offset = i64::try_from(sqe.addr).map_err(|_| Field::ADDR)?;
        let offset = offset(sqe)?;
        // The bits of a descriptor.
        let fd = i32::from_ne_bytes(sqe.file_index.to_ne_bytes());
        let is_fixed = sqe.op_flags & abi::COPY_FROM_FIXED != 0;
        let from = files.get(fd, is_fixed);
        let from = from.map_err(Rejected::by(Field::FILE_INDEX))?.keep();
        let copy = Self {
            from,
            from_offset,
            offset,
            len: sqe.len as usize,
        };
        KBox::new(copy, GFP_KERNEL_ACCOUNT).map_err(|_| Rejected::by(Field::OPCODE)(ENOMEM))
    }
}

impl FileCall {
    /// Judges the entry.
    pub(crate) fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<Self, Rejected> {
        let what = What::prepare(sqe, files)?;
        let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?.keep();
        let what = match what {
            What::Sync { .. } if !file.can_sync() => What::Nothing,
            what => what,
        };
        Ok(Self { file, what })
    }

    /// Whether it is done at once: it only notes something, or fails. Everything else waits for a
    /// worker.
    pub(crate) fn is_quick(&self) -> bool {
        match &self.what {
            What::Advise { advice, .. } if !advice.waits() => true,
            _ => self.is_in_vain(),
        }
    }

    /// Whether there is nothing to do with such a file: it fails at once, or notes what makes no
    /// difference. Nothing else holds a file which might be the ring.
    fn is_in_vain(&self) -> bool {
        match &self.what {
            What::Nothing => true,
            What::Sync { .. } => false,
            What::Copy(copy) => !self.file.is_stored() || !copy.from.is_stored(),
            _ => !self.file.is_stored(),
        }
    }

    /// What is to be kept until its turn comes: not the file, which might be the ring that it would
    /// wait in, if the result is the same now.
    pub(crate) fn keep(self) -> Blocking {
        match self.is_in_vain().then(|| self.run()).flatten() {
            Some(result) => Blocking::Nothing(result),
            None => Blocking::FileCall(self),
        }
    }

    /// The least result that is a success.
    pub(crate) fn least(&self) -> usize {
        match &self.what {
            What::Copy(copy) => copy.len,
            _ => 0,
        }
    }

    /// The file.
    pub(crate) fn file_id(&self) -> FileId {
        self.file.id()
    }

    /// Does it. Process context; sleeps until the device has answered.
    ///
    /// `None` if a signal came first.
    pub(crate) fn run(&self) -> Option<isize> {
        let file = &self.file;
        match &self.what {
            What::Nothing => Some(EINVAL.to_errno() as isize),
            &What::Sync {
                data_only,
                first,
                last,
            } => file.sync(first, last, data_only),
            &What::SyncRange { flags, first, last } => file.sync_range(first, last, flags),
            &What::Advise {
                advice,
                offset,
                len,
            } => file.advise(offset, len, advice),
            &What::Allocate { mode, offset, len } => file.allocate(mode, offset, len),
            &What::Truncate { len } => file.truncate(len),
            &What::List { len, address } => file.list(address, len),
            What::Copy(copy) => file.copy_from(copy.offset, &copy.from, copy.from_offset, copy.len),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! FSYNC: the whole file, or a range of it, with or without its metadata.

#![forbid(unsafe_code)]

use super::{
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::transfer::{
        FileId,
        HeldFile, //
    },
    files::FileTable, //
};

/// A synchronisation that is ready to run.
pub(crate) struct Fsync {
    file: HeldFile,
    first: i64,
    last: i64,
    data_only: bool,
}

impl Fsync {
    /// Judges the entry: `off` and `len` are a range in bytes, `len` 0 is up to the end.
    ///
    /// `None` if the file cannot be synchronised at all. It is not held then: it might be the ring.
    pub(crate) fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<Option<Self>, Rejected> {
        let first = i64::try_from(sqe.off).map_err(|_| Field::OFF)?;
        let last = match i64::from(sqe.len).checked_sub(1) {
            Some(more @ 0..) => first.checked_add(more).ok_or(Field::LEN)?,
            _ => i64::MAX,
        };
        let file = files.file_of(sqe).map_err(Rejected::by(Field::FD))?.keep();
        Ok(file.can_sync().then_some(Self {
            file,
            first,
            last,
            data_only: sqe.op_flags & abi::FSYNC_DATASYNC != 0,
        }))
    }

    /// The file.
    pub(crate) fn file_id(&self) -> FileId {
        self.file.id()
    }

    /// Does it. Process context; sleeps until the device has answered.
    ///
    /// `None` if a signal came first.
    pub(crate) fn run(&self) -> Option<isize> {
        self.file.sync(self.first, self.last, self.data_only)
    }
}

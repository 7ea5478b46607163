// SPDX-License-Identifier: GPL-2.0-only

//! Descriptors and registered files: which there are is fate.

use crate::{
    abi,
    abstractions::transfer::{FileArgument, OpenFile, SharedFile},
    source::fate,
};
use kernel::prelude::*;

pub(crate) struct FileTable(SharedFile);

impl FileTable {
    pub(crate) fn new() -> Self {
        Self(SharedFile::new(OpenFile::new()))
    }

    pub(crate) fn file_of(&self, sqe: &abi::Sqe) -> Result<FileArgument<'_>> {
        self.get(sqe.fd, sqe.flags & abi::SQE_FIXED_FILE != 0)
    }

    pub(crate) fn get(&self, fd: i32, is_fixed: bool) -> Result<FileArgument<'_>> {
        if fd < 0 || fate(8) == 7 {
            return Err(EBADF);
        }
        Ok(match is_fixed {
            true => FileArgument::Lent(&self.0),
            false => FileArgument::Own(OpenFile::new()),
        })
    }

    pub(crate) fn at(&self, index: u32) -> Option<&SharedFile> {
        (index < 4).then_some(&self.0)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Registered files.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        rlimit,
        shared::Registered,
        transfer::{
            FileArgument,
            OpenFile, //
        },
    },
    resources::{
        Change,
        Resource,
        Table, //
    },
};
use kernel::prelude::*;

/// The table of registered files.
pub(crate) type FileTable = Table<OpenFile>;

impl Resource for OpenFile {
    type Element = i32;
    const NONE: i32 = abi::FILE_NONE;
    const MAX: u32 = abi::MAX_FILES;

    /// `EMFILE` above `RLIMIT_NOFILE`.
    fn check_count(count: u32) -> Result {
        if u64::from(count) > rlimit::open_files() {
            return Err(EMFILE);
        }
        Ok(())
    }

    /// What a descriptor, or one of two special values, asks for.
    ///
    /// # Errors
    ///
    /// `EBADF`; `ELOOP` if the file may hold rings itself.
    fn change(fd: i32, tag: u64) -> Result<Change<Self>> {
        match fd {
            abi::FILE_NONE | abi::FILE_KEEP if tag != 0 => Err(EINVAL),
            abi::FILE_NONE => Ok(Change::Clear),
            abi::FILE_KEEP => Ok(Change::Keep),
            fd => {
                let file = OpenFile::get(fd)?;
                if file.may_hold_rings() {
                    return Err(ELOOP);
                }
                Ok(Change::Set(Registered::new(file)?, tag))
            }
        }
    }
}

impl FileTable {
    /// The file that an entry names.
    ///
    /// # Errors
    ///
    /// `EBADF`.
    #[inline]
    pub(crate) fn file_of(&self, sqe: &abi::Sqe) -> Result<FileArgument<'_>> {
        self.get(sqe.fd, sqe.flags & abi::SQE_FIXED_FILE != 0)
    }

    /// The file of a descriptor or, if `is_fixed`, of a place.
    ///
    /// # Errors
    ///
    /// `EBADF`.
    #[inline]
    pub(crate) fn get(&self, fd: i32, is_fixed: bool) -> Result<FileArgument<'_>> {
        if is_fixed {
            let file = u32::try_from(fd).ok().and_then(|number| self.at(number));
            file.map(FileArgument::Lent).ok_or(EBADF)
        } else {
            OpenFile::get(fd).map(FileArgument::Own)
        }
    }
}

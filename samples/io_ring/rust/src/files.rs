// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Registered files: looked up once, and used by their number.

use crate::abi;
use crate::error::{Call, Error};
use crate::resources::Lists;
use crate::ring::Ring;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What a place in the table of registered files is to become.
#[derive(Clone, Copy, Debug)]
pub enum FileChange<'a> {
    /// It stays as it is.
    Keep,
    /// It becomes empty.
    Clear,
    /// It gets this file.
    Set(BorrowedFd<'a>),
    /// It gets this file; when that has left the table and no request uses it any more, a completion
    /// tells so, with this number, which is not 0, as its user data.
    SetTagged(BorrowedFd<'a>, u64),
}

fn lists(changes: &[FileChange<'_>]) -> Lists<i32> {
    Lists::new(changes.iter().map(|change| match change {
        FileChange::Keep => (abi::FILE_KEEP, 0),
        FileChange::Clear => (abi::FILE_NONE, 0),
        FileChange::Set(file) => (file.as_raw_fd(), 0),
        FileChange::SetTagged(file, tag) => (file.as_raw_fd(), *tag),
    }))
}

impl Ring {
    /// Makes the table of registered files. [`Sqe::fixed_file`](crate::Sqe::fixed_file) names its
    /// files by their number in it.
    ///
    /// The kernel keeps them open until they leave the table and the last request that uses them has
    /// ended; the descriptors may be closed.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a table already; `EINVAL` if there are no files, or more than
    /// [`abi::MAX_FILES`]; `EMFILE` if they are more than the process may have open; `ELOOP` for a
    /// file that could hold the ring itself, such as another ring or an `AF_UNIX` socket.
    pub fn register_files(&mut self, files: &[FileChange<'_>]) -> Result<(), Error> {
        self.change_table(Call::RegisterFiles, abi::REGISTER_FILES, 0, &lists(files))
    }

    /// Changes places of the table from number `first` on: all of them, or on failure none. Requests
    /// that have been submitted keep the files that they have.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table; `EINVAL` if it has not so many places; `EBUSY` if no request slot
    /// is free for a completion that tells of a tag; and those of
    /// [`register_files`](Self::register_files) for a file.
    pub fn update_files(&mut self, first: u32, changes: &[FileChange<'_>]) -> Result<(), Error> {
        let lists = lists(changes);
        self.change_table(Call::RegisterFiles, abi::UPDATE_FILES, first, &lists)
    }

    /// Takes the table away.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none; `EBUSY` as with [`update_files`](Self::update_files).
    pub fn unregister_files(&mut self) -> Result<(), Error> {
        self.drop_table(Call::RegisterFiles, abi::UNREGISTER_FILES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn changes_become_descriptors_and_tags() {
        let file = std::fs::File::open("/dev/null").expect("it is always there");
        let number = file.as_raw_fd();
        let lists = lists(&[
            FileChange::Set(file.as_fd()),
            FileChange::Clear,
            FileChange::SetTagged(file.as_fd(), 1 << 40),
            FileChange::Keep,
        ]);
        assert_eq!(lists.elements, [number, -1, number, -2]);
        assert_eq!(lists.tags, [0, 0, 1 << 40, 0]);
    }
}

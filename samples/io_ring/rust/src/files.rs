// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Registered files: looked up once, and used by their number.

use crate::abi;
use crate::device;
use crate::error::{Call, Error};
use crate::ring::Ring;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::vec::Vec;

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

/// Two arrays as the kernel takes them.
#[derive(Debug, Default, PartialEq)]
struct Lists {
    fds: Vec<i32>,
    tags: Vec<u64>,
}

impl Lists {
    fn new(changes: &[FileChange<'_>]) -> Self {
        let both = changes.iter().map(|change| match change {
            FileChange::Keep => (abi::FILE_KEEP, 0),
            FileChange::Clear => (abi::FILE_NONE, 0),
            FileChange::Set(file) => (file.as_raw_fd(), 0),
            FileChange::SetTagged(file, tag) => (file.as_raw_fd(), *tag),
        });
        let (fds, tags) = both.unzip();
        Self { fds, tags }
    }

    /// The argument that describes them, for places from `first` on. Valid as long as `self`.
    fn resources(&self, first: u32) -> abi::Resources {
        abi::Resources {
            first,
            data: self.fds.as_ptr().expose_provenance() as u64,
            tags: self.tags.as_ptr().expose_provenance() as u64,
            ..abi::Resources::default()
        }
    }
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
        self.change_files(abi::REGISTER_FILES, 0, files)
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
        self.change_files(abi::UPDATE_FILES, first, changes)
    }

    /// Takes the table away.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none; `EBUSY` as with [`update_files`](Self::update_files).
    pub fn unregister_files(&mut self) -> Result<(), Error> {
        // SAFETY: The opcode takes no address.
        unsafe { self.call_register(abi::UNREGISTER_FILES, 0, 0) }
    }

    fn change_files(
        &mut self,
        opcode: u32,
        first: u32,
        changes: &[FileChange<'_>],
    ) -> Result<(), Error> {
        let lists = Lists::new(changes);
        let resources = lists.resources(first);
        let address = (&raw const resources).expose_provenance() as u64;
        // What is cut off is more than the kernel takes.
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        // SAFETY: The structure and the arrays live until the call has returned.
        unsafe { self.call_register(opcode, address, count) }
    }

    /// # Safety
    ///
    /// `addr` is valid for what `opcode` does with it.
    unsafe fn call_register(&self, opcode: u32, addr: u64, nr: u32) -> Result<(), Error> {
        let mut register = abi::Register {
            size: size_of::<abi::Register>() as u32,
            opcode,
            addr,
            nr,
            ..abi::Register::default()
        };
        // SAFETY: By the safety requirements.
        match unsafe { device::call(self, &mut register) } {
            Ok(_) => Ok(()),
            Err(errno) => Err(Error::blaming::<abi::Register>(
                Call::RegisterFiles,
                errno,
                register.error_field,
            )),
        }
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
        let lists = Lists::new(&[
            FileChange::Set(file.as_fd()),
            FileChange::Clear,
            FileChange::SetTagged(file.as_fd(), 1 << 40),
            FileChange::Keep,
        ]);
        assert_eq!(lists.fds, [number, -1, number, -2]);
        assert_eq!(lists.tags, [0, 0, 1 << 40, 0]);
    }

    #[test]
    fn the_argument_points_to_both_arrays() {
        let lists = Lists::new(&[FileChange::Clear, FileChange::Clear]);
        let resources = lists.resources(7);
        assert_eq!((resources.first, resources.resv), (7, 0));
        assert_eq!(resources.data, lists.fds.as_ptr().addr() as u64);
        assert_eq!(resources.tags, lists.tags.as_ptr().addr() as u64);
    }

    #[test]
    fn no_changes_are_empty_arrays() {
        assert_eq!(Lists::new(&[]), Lists::default());
    }
}

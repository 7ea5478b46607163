// SPDX-License-Identifier: GPL-2.0

//! Registered files: looked up once, and used by their number.
//!
//! The table belongs to the submitter, whose mutex guards it. A request that ends before ENTER goes on
//! borrows its file from the table; one that lasts longer counts itself among those who use the file,
//! and keeps it however the table changes.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        nospec,
        shared_file::RegisteredFile,
        transfer::{
            FileArgument,
            OpenFile, //
        },
    },
};
use kernel::prelude::*;

/// A place in the table.
#[derive(Default)]
struct Place {
    file: Option<RegisteredFile>,
    tag: u64,
}

/// A file that has left the table, and what its users are told of when it has no users any more.
pub(crate) struct Retired {
    /// The file.
    pub(crate) file: RegisteredFile,
    /// Its tag, 0 for none.
    pub(crate) tag: u64,
}

/// What a place is to become.
pub(crate) enum Change {
    /// It stays as it is.
    Keep,
    /// It becomes empty.
    Clear,
    /// It gets a file, and a tag, 0 for none.
    Set(RegisteredFile, u64),
}

impl Change {
    /// What `fd` asks for: a descriptor, or one of two special values.
    ///
    /// Process context, in an ioctl of the ring's process; sleeps.
    ///
    /// # Errors
    ///
    /// `EBADF`; `ELOOP` if the file may hold rings itself; `ENOMEM`; `EINVAL` if there is a tag for no
    /// file.
    pub(crate) fn new(fd: i32, tag: u64) -> Result<Self> {
        match fd {
            abi::FILE_NONE | abi::FILE_KEEP if tag != 0 => Err(EINVAL),
            abi::FILE_NONE => Ok(Self::Clear),
            abi::FILE_KEEP => Ok(Self::Keep),
            fd => {
                let file = OpenFile::get(fd)?;
                if file.may_hold_rings() {
                    return Err(ELOOP);
                }
                Ok(Self::Set(RegisteredFile::new(file)?, tag))
            }
        }
    }
}

/// The table. If it is dropped nobody is told of tags.
pub(crate) struct FileTable {
    places: KVVec<Place>,
}

impl FileTable {
    /// A table without places.
    pub(crate) const fn new() -> Self {
        Self {
            places: KVVec::new(),
        }
    }

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
            self.registered(fd).ok_or(EBADF)
        } else {
            OpenFile::get(fd).map(FileArgument::Own)
        }
    }

    #[inline]
    fn registered(&self, number: i32) -> Option<FileArgument<'_>> {
        let number = u32::try_from(number).ok()?;
        let size = u32::try_from(self.places.len()).ok()?;
        let number = nospec::checked_index(number, size)?;
        let place = self.places.get(number as usize)?;
        Some(FileArgument::Lent(place.file.as_ref()?.shared()))
    }

    /// Makes a table of `changes` of places that were empty.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one already; `ENOMEM`.
    pub(crate) fn fill(&mut self, changes: KVVec<Change>) -> Result {
        if !self.places.is_empty() {
            return Err(EBUSY);
        }
        let mut places = KVVec::with_capacity(changes.len(), GFP_KERNEL_ACCOUNT)?;
        for change in changes {
            let place = match change {
                Change::Set(file, tag) => Place {
                    file: Some(file),
                    tag,
                },
                Change::Clear | Change::Keep => Place::default(),
            };
            places.push(place, GFP_KERNEL_ACCOUNT)?;
        }
        self.places = places;
        Ok(())
    }

    /// How many tags would be told of by changes from place `first` on.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table; `EINVAL` if there are not so many places.
    pub(crate) fn tags_of(&self, first: usize, changes: &[Change]) -> Result<usize> {
        if self.places.is_empty() {
            return Err(ENXIO);
        }
        let end = first.checked_add(changes.len()).ok_or(EINVAL)?;
        let places = self.places.get(first..end).ok_or(EINVAL)?;
        let tags = (places.iter().zip(changes))
            .filter(|(place, change)| place.tag != 0 && !matches!(change, Change::Keep))
            .count();
        Ok(tags)
    }

    /// Changes places from `first` on; hands those that leave to `retire`.
    pub(crate) fn update(
        &mut self,
        first: usize,
        changes: KVVec<Change>,
        mut retire: impl FnMut(Retired),
    ) {
        let places = self.places.iter_mut().skip(first);
        for (place, change) in places.zip(changes) {
            let next = match change {
                Change::Keep => continue,
                Change::Clear => Place::default(),
                Change::Set(file, tag) => Place {
                    file: Some(file),
                    tag,
                },
            };
            let last = core::mem::replace(place, next);
            if let Some(file) = last.file {
                retire(Retired {
                    file,
                    tag: last.tag,
                });
            }
        }
    }

    /// How many tags would be told of by [`FileTable::clear`].
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table.
    pub(crate) fn tags(&self) -> Result<usize> {
        if self.places.is_empty() {
            return Err(ENXIO);
        }
        Ok(self.places.iter().filter(|place| place.tag != 0).count())
    }

    /// Takes the table away; hands what was in it to `retire`.
    pub(crate) fn clear(&mut self, mut retire: impl FnMut(Retired)) {
        for place in core::mem::take(&mut self.places) {
            if let Some(file) = place.file {
                retire(Retired {
                    file,
                    tag: place.tag,
                });
            }
        }
    }
}

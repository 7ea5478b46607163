// SPDX-License-Identifier: GPL-2.0-only

//! Files and transfers, which do and refuse what fate will have.

use super::{
    pinned::{Outside, PinnedBuffer},
    shared::Shared,
};
use crate::source::fate;
use kernel::prelude::*;
use std::marker::PhantomData;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileId(u8);

pub(crate) fn read_at_once(fd: i32, _offset: u64, _address: u64, _len: u32) -> bool {
    fd >= 0 && fate(2) == 1
}

pub(crate) struct OpenFile(u8);

impl OpenFile {
    pub(crate) fn new() -> Self {
        Self(fate(4))
    }

    pub(crate) fn id(&self) -> FileId {
        FileId(self.0)
    }

    pub(crate) fn is_ring(&self) -> bool {
        self.0 == 3
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.0 == 0
    }

    pub(crate) fn read_at_once(&self, _offset: u64, _address: u64, _len: u32) -> bool {
        fate(2) == 1
    }

    pub(crate) fn can_sync(&self) -> bool {
        self.0 <= 1
    }

    pub(crate) fn sync(&self, first: i64, last: i64, _data_only: bool) -> Option<isize> {
        assert!(0 <= first && first <= last, "{first} to {last}");
        outcome()
    }

    pub(crate) fn sync_range(&self, first: i64, last: i64, _flags: u32) -> Option<isize> {
        assert!(0 <= first && first <= last, "{first} to {last}");
        outcome()
    }

    pub(crate) fn advise(&self, offset: i64, len: i64, _advice: Advice) -> Option<isize> {
        assert!(offset >= 0 && len >= 0);
        outcome()
    }

    pub(crate) fn allocate(&self, _mode: u32, offset: i64, len: i64) -> Option<isize> {
        assert!(offset >= 0 && len >= 0);
        outcome()
    }

    pub(crate) fn truncate(&self, len: i64) -> Option<isize> {
        assert!(len >= 0);
        outcome()
    }

    pub(crate) fn list(&self, _address: usize, _len: u32) -> Option<isize> {
        outcome()
    }

    pub(crate) fn copy_from(
        &self,
        offset: i64,
        _from: &OpenFile,
        from_offset: i64,
        _len: usize,
    ) -> Option<isize> {
        assert!(offset >= 0 && from_offset >= 0);
        outcome()
    }
}

fn outcome() -> Option<isize> {
    match fate(4) {
        0 => None,
        other => Some(other.into()),
    }
}

/// An error of these, or none.
fn error(errors: &[Error]) -> Result {
    let kinds = u8::try_from(4 * (errors.len() + 1)).expect("few");
    match errors.get(usize::from(fate(kinds))) {
        None => Ok(()),
        Some(&error) => Err(error),
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Advice(u32);

impl Advice {
    pub(crate) fn new(number: u32) -> Option<Self> {
        (number < 6).then_some(Self(number))
    }

    pub(crate) fn waits(self) -> bool {
        self.0 == 3 || self.0 == 4
    }
}

pub(crate) type SharedFile = Shared<OpenFile>;

pub(crate) enum FileArgument<'a> {
    Own(OpenFile),
    Lent(&'a SharedFile),
}

impl FileArgument<'_> {
    pub(crate) fn keep(self) -> HeldFile {
        match self {
            Self::Own(file) => HeldFile(Shared::new(file)),
            Self::Lent(file) => HeldFile(file.clone()),
        }
    }
}

pub(crate) struct HeldFile(SharedFile);

impl std::ops::Deref for HeldFile {
    type Target = OpenFile;

    fn deref(&self) -> &OpenFile {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Read,
    Write,
}

#[derive(Clone, Copy)]
pub(crate) struct Priority;

impl Priority {
    pub(crate) fn new(ioprio: u16) -> Result<Self> {
        match ioprio {
            0 => Ok(Self),
            _ => error(&[EINVAL]).map(|()| Self),
        }
    }
}

pub(crate) enum Unfit {
    File(Error),
    Offset(Error),
    Flags(Error),
    Buffers(Error),
}

pub(crate) struct UserBuffers(Direction);

impl UserBuffers {
    pub(crate) fn single(direction: Direction, _address: u64, _len: u32) -> Result<Self> {
        error(&[EFAULT])?;
        Ok(Self(direction))
    }

    pub(crate) fn vector(direction: Direction, _address: u64, count: u32) -> Result<Self> {
        if count > 1024 {
            return Err(EINVAL);
        }
        error(&[EFAULT, EINVAL, ENOMEM])?;
        Ok(Self(direction))
    }
}

pub(crate) struct NewBuffers<'a>(Direction, PhantomData<&'a PinnedBuffer>);

impl From<UserBuffers> for NewBuffers<'_> {
    fn from(buffers: UserBuffers) -> Self {
        Self(buffers.0, PhantomData)
    }
}

impl<'a> NewBuffers<'a> {
    pub(crate) fn pinned(
        direction: Direction,
        buffer: &'a Shared<PinnedBuffer>,
        address: u64,
        len: u32,
    ) -> Result<Self, Outside> {
        buffer.part(address, len)?;
        Ok(Self(direction, PhantomData))
    }

    pub(crate) fn pinned_vector(
        direction: Direction,
        _buffer: &Shared<PinnedBuffer>,
        address: u64,
        count: u32,
    ) -> Result<Self> {
        UserBuffers::vector(direction, address, count).map(Self::from)
    }
}

pub(crate) struct NewBlockTransfer<'a> {
    pub(crate) direction: Direction,
    _lent: PhantomData<&'a PinnedBuffer>,
}

impl<'a> NewBlockTransfer<'a> {
    pub(crate) fn new(
        direction: Direction,
        _file: &'a SharedFile,
        offset: u64,
        buffer: &'a Shared<PinnedBuffer>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        buffer.part(address, len).ok()?;
        let is_refused = len == 0 || offset > i64::MAX as u64 || fate(2) == 0;
        (!is_refused).then_some(Self {
            direction,
            _lent: PhantomData,
        })
    }
}

pub(crate) struct NewDirectTransfer<'a> {
    pub(crate) direction: Direction,
    pub(crate) is_pinned: bool,
    _lent: PhantomData<&'a PinnedBuffer>,
}

impl<'a> NewDirectTransfer<'a> {
    pub(crate) fn of_descriptor(
        direction: Direction,
        fd: i32,
        offset: u64,
        buffer: Option<&'a Shared<PinnedBuffer>>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        if fd < 0 {
            return None;
        }
        Self::new(direction, offset, buffer, address, len)
    }

    pub(crate) fn of_registered(
        direction: Direction,
        _file: &'a SharedFile,
        offset: u64,
        buffer: Option<&'a Shared<PinnedBuffer>>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        Self::new(direction, offset, buffer, address, len)
    }

    fn new(
        direction: Direction,
        offset: u64,
        buffer: Option<&Shared<PinnedBuffer>>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        if let Some(buffer) = buffer {
            buffer.part(address, len).ok()?;
        }
        let is_refused = len == 0 || offset > i64::MAX as u64 || fate(2) == 0;
        (!is_refused).then_some(Self {
            direction,
            is_pinned: buffer.is_some(),
            _lent: PhantomData,
        })
    }
}

pub(crate) struct Message;

impl Message {
    pub(crate) fn new(direction: Direction, address: u64) -> Result<(Self, UserBuffers)> {
        error(&[EFAULT, EINVAL, EMSGSIZE, EOPNOTSUPP, ENOMEM])?;
        Ok((Self, UserBuffers::vector(direction, address, 1)?))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct MessageFlags(pub(crate) u32);

impl MessageFlags {
    pub(crate) fn contradict(self) -> bool {
        self.0 & 0x102 == 0x102
    }
}

pub(crate) struct Place;

pub(crate) struct NewTransfer<'a> {
    pub(crate) direction: Direction,
    _place: PhantomData<&'a mut Place>,
}

impl<'a> NewTransfer<'a> {
    fn of(_place: &'a mut Place, direction: Direction) -> Self {
        Self {
            direction,
            _place: PhantomData,
        }
    }

    pub(crate) fn new(
        place: &'a mut Place,
        _file: FileArgument<'a>,
        _offset: u64,
        buffers: NewBuffers<'a>,
        _flags: u32,
        _priority: Priority,
    ) -> Result<Self, Unfit> {
        match fate(16) {
            0 => Err(Unfit::File(EBADF)),
            1 => Err(Unfit::Offset(EINVAL)),
            2 => Err(Unfit::Flags(EOPNOTSUPP)),
            3 => Err(Unfit::Buffers(EINVAL)),
            _ => Ok(Self::of(place, buffers.0)),
        }
    }

    pub(crate) fn of_socket(
        place: &'a mut Place,
        _file: FileArgument<'a>,
        buffers: UserBuffers,
        _flags: MessageFlags,
        _message: Option<Message>,
    ) -> Result<Self> {
        error(&[ENOTSOCK])?;
        Ok(Self::of(place, buffers.0))
    }

    pub(crate) fn poll(&mut self) -> Result {
        error(&[EOPNOTSUPP])
    }
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Registered buffers: pinned once, and used by their number.

use crate::abi;
use crate::errno::Errno;
use crate::error::{Call, Error};
use crate::resources::Lists;
use crate::ring::Ring;
use core::ffi::c_void;
use core::ops::Range;
use core::ptr::{self, NonNull};
use core::slice;
use rustix::mm::{mmap_anonymous, munmap, MapFlags, ProtFlags};

/// Memory of its own that can be registered with rings: whole pages, which nothing else uses.
///
/// Once it is registered it may be dropped at any time. The kernel keeps the pages as long as they
/// are registered or requests use them, and no other memory of the program comes to lie there.
#[derive(Debug)]
pub struct Buffer {
    base: NonNull<c_void>,
    len: usize,
}

// SAFETY: Memory belongs to the process, not to a thread.
unsafe impl Send for Buffer {}
// SAFETY: What is in it is only reached through functions whose callers vouch that nobody changes it.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` bytes, all 0.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `len` is 0; `ENOMEM`.
    pub fn new(len: usize) -> Result<Self, Error> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel chooses an address where nothing is.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) };
        let failed = |errno| Error::call(Call::MapBuffer, Errno::from(errno));
        let base = NonNull::new(base.map_err(failed)?);
        let base = base.ok_or_else(|| failed(rustix::io::Errno::NOMEM))?;
        Ok(Self { base, len })
    }

    /// How many bytes it has: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A part of it, for [`Sqe::read_fixed`](crate::Sqe::read_fixed) and
    /// [`Sqe::write_fixed`](crate::Sqe::write_fixed); not if it has not all of that.
    pub fn part(&self, range: Range<usize>) -> Option<*mut [u8]> {
        if range.end > self.len {
            return None;
        }
        let len = range.end.checked_sub(range.start)?;
        let first = self.base.cast::<u8>().as_ptr().wrapping_add(range.start);
        Some(ptr::slice_from_raw_parts_mut(first, len))
    }

    /// What is in it.
    ///
    /// # Safety
    ///
    /// As long as the result is used no request reads into the buffer.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: There are so many bytes; by the contract nobody writes them.
        unsafe { slice::from_raw_parts(self.base.cast().as_ptr(), self.len) }
    }

    /// What is in it, to be changed.
    ///
    /// # Safety
    ///
    /// As long as the result is used no request uses the buffer.
    pub unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: There are so many bytes; by the contract nobody else uses them.
        unsafe { slice::from_raw_parts_mut(self.base.cast().as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: Mapped by `new`, and no reference to it is left. Unmapping what was mapped as a
        // whole cannot fail.
        let _ = unsafe { munmap(self.base.as_ptr(), self.len) };
    }
}

/// What a place in the table of registered buffers is to become.
#[derive(Clone, Copy, Debug)]
pub enum BufferChange<'a> {
    /// It stays as it is.
    Keep,
    /// It becomes empty.
    Clear,
    /// It gets this buffer.
    Set(&'a Buffer),
    /// It gets this buffer; when that has left the table and no request uses it any more, a completion
    /// tells so, with this number, which is not 0, as its user data.
    SetTagged(&'a Buffer, u64),
}

fn element(buffer: &Buffer) -> abi::Buffer {
    abi::Buffer {
        addr: buffer.base.as_ptr().expose_provenance() as u64,
        len: buffer.len as u64,
    }
}

fn lists(changes: &[BufferChange<'_>]) -> Lists<abi::Buffer> {
    let keep = abi::Buffer {
        addr: abi::BUFFER_KEEP,
        len: 0,
    };
    Lists::new(changes.iter().map(|change| match change {
        BufferChange::Keep => (keep, 0),
        BufferChange::Clear => (abi::Buffer::default(), 0),
        BufferChange::Set(buffer) => (element(buffer), 0),
        BufferChange::SetTagged(buffer, tag) => (element(buffer), *tag),
    }))
}

impl Ring {
    /// Makes the table of registered buffers. [`Sqe::read_fixed`](crate::Sqe::read_fixed) and others
    /// name its buffers by their number in it.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a table already; `EINVAL` if there are no buffers, or more than
    /// [`abi::MAX_BUFFERS`]; `ENOMEM` if they are more than the user may lock in memory; `E2BIG` for
    /// one of more than [`abi::MAX_BUFFER_LEN`] bytes.
    pub fn register_buffers(&mut self, buffers: &[BufferChange<'_>]) -> Result<(), Error> {
        let lists = lists(buffers);
        self.change_table(Call::RegisterBuffers, abi::REGISTER_BUFFERS, 0, &lists)
    }

    /// Changes places of the table from number `first` on: all of them, or on failure none. Requests
    /// that have been submitted keep the buffers that they have.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table; `EINVAL` if it has not so many places; `EBUSY` if no request slot
    /// is free for a completion that tells of a tag; and those of
    /// [`register_buffers`](Self::register_buffers) for a buffer.
    pub fn update_buffers(
        &mut self,
        first: u32,
        changes: &[BufferChange<'_>],
    ) -> Result<(), Error> {
        let lists = lists(changes);
        self.change_table(Call::RegisterBuffers, abi::UPDATE_BUFFERS, first, &lists)
    }

    /// Takes the table away.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is none; `EBUSY` as with [`update_buffers`](Self::update_buffers).
    pub fn unregister_buffers(&mut self) -> Result<(), Error> {
        self.drop_table(Call::RegisterBuffers, abi::UNREGISTER_BUFFERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn buffers_are_whole_pages_of_zeros() {
        let mut buffer = Buffer::new(5000).expect("there is memory");
        assert_eq!(buffer.len(), 5000);
        assert_eq!(buffer.base.as_ptr().addr() % 4096, 0);
        // SAFETY: There are no requests.
        assert_eq!(unsafe { buffer.bytes() }, [0; 5000]);
        // SAFETY: As above.
        let bytes = unsafe { buffer.bytes_mut() };
        bytes.fill(7);
        // SAFETY: As above.
        assert_eq!(unsafe { buffer.bytes() }, [7; 5000]);
    }

    #[test]
    fn no_bytes_are_no_buffer() {
        let error = Buffer::new(0).expect_err("it has no bytes");
        let text = error.to_string();
        assert!(text.starts_with("mapping memory for a buffer: "), "{text}");
        assert!(Buffer::new(usize::MAX).is_err());
    }

    #[test]
    fn parts_are_inside() {
        let buffer = Buffer::new(100).expect("there is memory");
        let start = buffer.base.as_ptr().addr();
        let part = |range| {
            let part = buffer.part(range)?;
            Some((part.cast::<u8>().addr() - start, part.len()))
        };
        assert_eq!(part(0..100), Some((0, 100)));
        assert_eq!(part(7..9), Some((7, 2)));
        assert_eq!(part(100..100), Some((100, 0)));
        for (start, end) in [(0, 101), (100, 101), (9, 7), (101, 101), (0, usize::MAX)] {
            assert_eq!(part(start..end), None, "{start}..{end}");
        }
    }

    #[test]
    fn changes_become_addresses_and_tags() {
        let (small, large) = (Buffer::new(1), Buffer::new(1 << 20));
        let small = small.expect("there is memory");
        let large = large.expect("there is memory");
        let lists = lists(&[
            BufferChange::Set(&small),
            BufferChange::Clear,
            BufferChange::SetTagged(&large, 1 << 40),
            BufferChange::Keep,
        ]);
        let elements = lists.elements.iter().map(|e| (e.addr, e.len));
        let addr = |buffer: &Buffer| buffer.base.as_ptr().addr() as u64;
        assert!(elements.eq([
            (addr(&small), 1),
            (0, 0),
            (addr(&large), 1 << 20),
            (u64::MAX, 0)
        ]));
        assert_eq!(lists.tags, [0, 0, 1 << 40, 0]);
    }
}

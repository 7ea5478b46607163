// SPDX-License-Identifier: GPL-2.0

//! User memory that data is read into or written from.

use super::memory::{
    Memory,
    OwnedIovec, //
};
use crate::abstractions::helpers;
use kernel::{
    bindings,
    prelude::*, //
};

/// Which way the data goes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Direction {
    /// From the file to memory.
    Read,
    /// From memory to the file.
    Write,
}

impl Direction {
    pub(super) fn iter_type(self) -> c_int {
        match self {
            // `ITER_DEST` and `ITER_SOURCE` of linux/uio.h.
            Direction::Read => 0,
            Direction::Write => 1,
        }
    }
}

/// User memory to transfer to or from.
pub(crate) struct UserBuffers {
    pub(super) direction: Direction,
    pub(super) is_vector: bool,
    pub(super) iter: bindings::iov_iter,
    /// What the iterator points to.
    pub(super) memory: Memory,
}

// SAFETY: The iterator is plain data: addresses of user memory, which are only meaningful in the
// process they come from, or of what `memory` has.
unsafe impl Send for UserBuffers {}

impl UserBuffers {
    /// One buffer of `len` bytes, cut to what `read(2)` transfers at most.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it is not in the part of the address space that user memory can have.
    #[inline]
    pub(crate) fn single(direction: Direction, address: u64, len: u32) -> Result<Self> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        let mut iter = bindings::iov_iter::default();
        let buffer = core::ptr::without_provenance_mut(address);
        // SAFETY: `iter` is valid for writes; the address is checked by the function.
        let ret = unsafe {
            bindings::import_ubuf(direction.iter_type(), buffer, len as usize, &mut iter)
        };
        kernel::error::to_result(ret)?;
        Ok(Self {
            direction,
            is_vector: false,
            iter,
            memory: Memory::User,
        })
    }

    /// The buffers of an array of `count` `struct iovec`, which is copied. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EFAULT`, `EINVAL` (more than 1024, or a negative length), `ENOMEM`.
    pub(crate) fn vector(direction: Direction, address: u64, count: u32) -> Result<Self> {
        if count == 0 {
            // The iterator over no element at all would point to the array that is not there.
            let mut nothing = Self::single(direction, 0, 0)?;
            nothing.is_vector = true;
            return Ok(nothing);
        }
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        let mut iter = bindings::iov_iter::default();
        let mut one = bindings::iovec::default();
        let mut array = &raw mut one;
        let user = core::ptr::without_provenance(address);
        // SAFETY: `iter` and `array` are valid for writes, and `array` points to room for one
        // element. A single element becomes an iterator over its buffer, more are copied to memory
        // that the function allocates, so `one` is not used after the call; `array` is null then,
        // or that memory, also if the function fails.
        let ret = unsafe {
            bindings::import_iovec(direction.iter_type(), user, count, 1, &mut array, &mut iter)
        };
        let memory = Memory::Iovec {
            _array: OwnedIovec(array),
        };
        if ret < 0 {
            return Err(Error::from_errno(c_int::try_from(ret)?));
        }
        Ok(Self {
            direction,
            is_vector: true,
            iter,
            memory,
        })
    }
}

impl UserBuffers {
    /// How many bytes there are to transfer.
    pub(super) fn len(&self) -> usize {
        // SAFETY: The iterator is initialised.
        unsafe { helpers::io_ring_iter_count(&self.iter) }
    }

    /// Whether it is pinned, and files get no addresses of the program.
    pub(super) fn is_pinned(&self) -> bool {
        !matches!(self.memory, Memory::User | Memory::Iovec { .. })
    }

    /// Makes what was lent its own.
    pub(super) fn hold(&mut self) {
        self.memory.hold();
    }
}

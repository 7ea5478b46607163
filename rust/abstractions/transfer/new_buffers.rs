// SPDX-License-Identifier: GPL-2.0

//! Memory for transfers that have not been started: of the program, or pinned.

use super::{
    memory::Memory,
    user_buffers::UserBuffers,
    Direction, //
};
use crate::abstractions::{
    helpers,
    pinned::{
        Outside,
        PinnedBuffer, //
    },
    shared::Shared, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*, //
};

/// User memory for a transfer that has not been started; may be lent for `'a`.
pub(crate) struct NewBuffers<'a> {
    pub(super) buffers: UserBuffers,
    /// The bits that are set in one of the addresses and lengths that devices see.
    pub(super) alignment: u64,
    _lent: PhantomData<&'a Shared<PinnedBuffer>>,
}

impl From<UserBuffers> for NewBuffers<'static> {
    #[inline]
    fn from(buffers: UserBuffers) -> Self {
        Self {
            buffers,
            alignment: 0,
            _lent: PhantomData,
        }
    }
}

impl<'a> NewBuffers<'a> {
    /// `len` bytes from `address` on of a pinned buffer.
    ///
    /// # Errors
    ///
    /// It has them not all.
    #[inline]
    pub(crate) fn pinned(
        direction: Direction,
        buffer: &'a Shared<PinnedBuffer>,
        address: u64,
        len: u32,
    ) -> Result<Self, Outside> {
        let mut iter = bindings::iov_iter::default();
        // CAST: 0 or 1.
        buffer.iter(direction.iter_type() as u32, address, len, &mut iter)?;
        // SAFETY: As long as the buffer is borrowed; `UserBuffers::hold` is called if that is not long
        // enough.
        let memory = Memory::Lent(unsafe { buffer.lend() });
        Ok(Self {
            buffers: UserBuffers {
                direction,
                is_vector: false,
                iter,
                memory,
            },
            // The segments after the first one start with a page.
            alignment: address,
            _lent: PhantomData,
        })
    }
}

impl NewBuffers<'static> {
    /// The buffers of an array of `count` `struct iovec`, all in one pinned buffer. Process context;
    /// sleeps.
    ///
    /// # Errors
    ///
    /// As [`UserBuffers::vector`]; `EFAULT` also if they are not in the buffer.
    pub(crate) fn pinned_vector(
        direction: Direction,
        buffer: &Shared<PinnedBuffer>,
        address: u64,
        count: u32,
    ) -> Result<Self> {
        let user = UserBuffers::vector(direction, address, count)?;
        if count == 0 {
            return Ok(user.into());
        }
        let mut pieces = KVVec::new();
        let mut alignment = 0;
        // SAFETY: The iterator is initialised.
        let segments = unsafe { helpers::io_ring_iter_nr(&user.iter) };
        let mut left = user.len();
        for index in 0..segments {
            // SAFETY: It is over user memory, and there are that many segments.
            let iovec = unsafe { helpers::io_ring_iter_iovec(&user.iter, index) };
            let (address, len) = (iovec.iov_base.addr(), iovec.iov_len);
            buffer.append_to(&mut pieces, address, len)?;
            alignment |= address as u64;
            left = left.wrapping_sub(len);
            if left != 0 {
                alignment |= len as u64;
            }
        }
        let mut iter = bindings::iov_iter::default();
        // SAFETY: The pieces are as many as are named; `iter` is valid for writes.
        unsafe {
            helpers::io_ring_iter_bvec(
                &mut iter,
                direction.iter_type() as u32,
                pieces.as_ptr(),
                pieces.len() as c_ulong,
                0,
                user.len(),
            )
        };
        let memory = Memory::pieces(pieces, buffer.clone())?;
        Ok(Self {
            buffers: UserBuffers {
                direction,
                is_vector: true,
                iter,
                memory,
            },
            alignment,
            _lent: PhantomData,
        })
    }
}

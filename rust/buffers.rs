// SPDX-License-Identifier: GPL-2.0

//! Registered buffers.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        pinned::{
            segments,
            PinnedBuffer, //
        },
        shared::Registered, //
    },
    resources::{
        Change,
        Resource,
        Table, //
    },
};
use kernel::prelude::*;

const _: () = assert!(abi::MAX_BUFFER_LEN == segments::MAX_LEN as u64);

/// The table of registered buffers.
pub(crate) type BufferTable = Table<PinnedBuffer>;

impl Resource for PinnedBuffer {
    type Element = abi::Buffer;
    const NONE: abi::Buffer = abi::Buffer { addr: 0, len: 0 };
    const MAX: u32 = abi::MAX_BUFFERS;

    /// Pages are counted instead.
    fn check_count(_count: u32) -> Result {
        Ok(())
    }

    /// What an address range, or one of two special values, asks for.
    ///
    /// # Errors
    ///
    /// `EFAULT`, `EOPNOTSUPP`: that memory cannot be pinned; `ENOMEM`: it would be more than the
    /// process may pin; `E2BIG`; `EINTR`; `EINVAL` if there is an address for nothing.
    fn change(buffer: abi::Buffer, tag: u64) -> Result<Change<Self>> {
        match (buffer.addr, buffer.len) {
            (0, 0) if tag == 0 => Ok(Change::Clear),
            (abi::BUFFER_KEEP, 0) if tag == 0 => Ok(Change::Keep),
            (_, 0) => Err(EINVAL),
            (_, len) if len > abi::MAX_BUFFER_LEN => Err(E2BIG),
            (addr, len) => {
                let buffer = PinnedBuffer::new(addr, len)?;
                Ok(Change::Set(Registered::new(buffer)?, tag))
            }
        }
    }
}

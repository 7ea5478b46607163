// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! What the kernel's rings can do.

use crate::abi;
use crate::device;
use crate::error::{Call, Error};
use core::mem::size_of;
use std::os::fd::AsFd;
use std::path::Path;
use std::vec;
use std::vec::Vec;

/// What the kernel's rings can do: the answer of `IO_RING_QUERY`.
///
/// ```no_run
/// use io_ring::{abi, Capabilities};
///
/// # fn main() -> Result<(), io_ring::Error> {
/// let capabilities = Capabilities::query()?;
/// if capabilities.operation(abi::OP_FSYNC).is_none() {
///     println!("no fsync on rings here");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// ABI version of the kernel.
    pub abi_version: u32,
    /// `abi::FEAT_*` bits.
    pub features: u64,
    /// `abi::SETUP_*` bits that are known.
    pub setup_flags: u32,
    /// Bits that [`abi::Enter::flags`] may have.
    pub enter_flags: u32,
    /// Largest number of submission entries.
    pub max_entries: u32,
    /// Largest number of completion entries.
    pub max_cq_entries: u32,
    /// Largest number of requests under way.
    pub max_requests: u32,
    /// Largest number of worker threads of a ring.
    pub max_workers: u32,
    /// Whether the administrator switched rings off for this caller.
    pub disabled: bool,
    /// One element for each opcode from 0 on, also for those that do not exist.
    pub operations: Vec<abi::OpInfo>,
}

impl Capabilities {
    /// Asks the device `/dev/io_ring`.
    pub fn query() -> Result<Self, Error> {
        Self::query_path(device::PATH)
    }

    /// Asks another device node.
    pub fn query_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::query_fd(device::open(path.as_ref())?)
    }

    /// What the kernel accepts for `opcode`; `None` if it does not know the operation.
    pub fn operation(&self, opcode: u8) -> Option<&abi::OpInfo> {
        let supported = |info: &&abi::OpInfo| info.flags & abi::OP_SUPPORTED != 0;
        self.operations.get(usize::from(opcode)).filter(supported)
    }

    pub(crate) fn query_fd(fd: impl AsFd) -> Result<Self, Error> {
        // Opcodes are 8 bits wide: this is enough for any kernel.
        let mut operations = vec![abi::OpInfo::default(); 256];
        let mut query = abi::Query {
            size: size_of::<abi::Query>() as u32,
            ops: operations.as_mut_ptr().expose_provenance() as u64,
            ops_len: operations.len() as u32,
            ..abi::Query::default()
        };
        // SAFETY: `ops` is valid for writing `ops_len` elements.
        unsafe { device::call(fd, &mut query) }
            .map_err(|errno| Error::blaming::<abi::Query>(Call::Query, errno, query.error_field))?;
        operations.truncate(query.ops_len as usize);
        Ok(Self {
            abi_version: query.abi_version,
            features: query.features,
            setup_flags: query.setup_flags,
            enter_flags: query.enter_flags,
            max_entries: query.max_entries,
            max_cq_entries: query.max_cq_entries,
            max_requests: query.max_requests,
            max_workers: query.max_workers,
            disabled: query.disabled != 0,
            operations,
        })
    }
}

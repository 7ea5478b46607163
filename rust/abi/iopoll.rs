// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about transfers that complete without an interrupt.

/// Setup flag: transfers complete when their device is asked.
pub const SETUP_IOPOLL: u32 = 1 << 0;
/// [`OpInfo::flags`](super::OpInfo::flags): the operation exists where [`SETUP_IOPOLL`] was given.
pub const OP_IOPOLL: u8 = 1 << 1;

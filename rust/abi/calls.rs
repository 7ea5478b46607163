// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about calls of file systems and sockets.

/// Operation: `sync_file_range(2)`.
pub const OP_SYNC_FILE_RANGE: u8 = 8;
/// Operation: `sendmsg(2)`.
pub const OP_SENDMSG: u8 = 9;
/// Operation: `recvmsg(2)`.
pub const OP_RECVMSG: u8 = 10;
/// Operation: `fallocate(2)`.
pub const OP_FALLOCATE: u8 = 17;
/// Operation: `posix_fadvise(2)`.
pub const OP_FADVISE: u8 = 24;
/// Operation: `send(2)`.
pub const OP_SEND: u8 = 26;
/// Operation: `recv(2)`.
pub const OP_RECV: u8 = 27;
/// Operation: `ftruncate(2)`.
pub const OP_FTRUNCATE: u8 = 55;
/// Operation: `getdents64(2)`.
pub const OP_GETDENTS: u8 = 128;
/// Operation: `copy_file_range(2)`.
pub const OP_COPY_FILE_RANGE: u8 = 129;

/// `op_flags` of [`OP_COPY_FILE_RANGE`]: `file_index` is the number of a registered
/// file.
pub const COPY_FROM_FIXED: u32 = 1 << 31;

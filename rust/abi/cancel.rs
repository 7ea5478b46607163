// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about cancelling.

/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): all that match.
pub const CANCEL_ALL: u32 = 1 << 0;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): those on the file of [`Sqe::fd`](super::Sqe::fd).
pub const CANCEL_FD: u32 = 1 << 1;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): everything.
pub const CANCEL_ANY: u32 = 1 << 2;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): [`Sqe::fd`](super::Sqe::fd) is the number of a registered file.
pub const CANCEL_FD_FIXED: u32 = 1 << 3;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): those whose user data is [`Sqe::addr`](super::Sqe::addr).
pub const CANCEL_USERDATA: u32 = 1 << 4;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_CANCEL`](super::OP_CANCEL): those whose opcode is [`Sqe::len`](super::Sqe::len).
pub const CANCEL_OP: u32 = 1 << 5;
/// All flags of [`OP_CANCEL`](super::OP_CANCEL) that there are.
pub const CANCEL_FLAGS: u32 =
    CANCEL_ALL | CANCEL_FD | CANCEL_ANY | CANCEL_FD_FIXED | CANCEL_USERDATA | CANCEL_OP;

// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about waiting for readiness and for time.

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Operation: completes when a file is ready.
pub const OP_POLL_ADD: u8 = 6;
/// Operation: ends or changes an [`OP_POLL_ADD`].
pub const OP_POLL_REMOVE: u8 = 7;
/// Operation: completes at a time.
pub const OP_TIMEOUT: u8 = 11;
/// Operation: ends or changes an [`OP_TIMEOUT`].
pub const OP_TIMEOUT_REMOVE: u8 = 12;
/// Operation: ends the entry before it at a time.
pub const OP_LINK_TIMEOUT: u8 = 15;

/// [`Sqe::len`](super::Sqe::len) of [`OP_POLL_ADD`]: a completion each time the file becomes ready.
pub const POLL_ADD_MULTI: u32 = 1 << 0;
/// [`Sqe::len`](super::Sqe::len) of [`OP_POLL_REMOVE`]: other events from now on.
pub const POLL_UPDATE_EVENTS: u32 = 1 << 1;
/// [`Sqe::len`](super::Sqe::len) of [`OP_POLL_REMOVE`]: another user data from now on.
pub const POLL_UPDATE_USER_DATA: u32 = 1 << 2;

/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT`]: the time is a point in time.
pub const TIMEOUT_ABS: u32 = 1 << 0;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT_REMOVE`]: another time.
pub const TIMEOUT_UPDATE: u32 = 1 << 1;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT`]: by `CLOCK_BOOTTIME`.
pub const TIMEOUT_BOOTTIME: u32 = 1 << 2;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT`]: by `CLOCK_REALTIME`.
pub const TIMEOUT_REALTIME: u32 = 1 << 3;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT`]: that the time is over is no failure.
pub const TIMEOUT_ETIME_SUCCESS: u32 = 1 << 5;
/// [`Sqe::op_flags`](super::Sqe::op_flags) of [`OP_TIMEOUT`]: again and again.
pub const TIMEOUT_MULTISHOT: u32 = 1 << 6;
/// All flags of [`OP_TIMEOUT`] that there are.
pub const TIMEOUT_FLAGS: u32 =
    TIMEOUT_ABS | TIMEOUT_BOOTTIME | TIMEOUT_REALTIME | TIMEOUT_ETIME_SUCCESS | TIMEOUT_MULTISHOT;

/// [`Cqe::flags`](super::Cqe::flags): the request goes on, more completions come.
pub const CQE_F_MORE: u32 = 1 << 1;

/// A time, or a span of time.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub sec: u64,
    /// Nanoseconds, less than a second.
    pub nsec: u64,
}

const _: () = assert!(core::mem::size_of::<Timespec>() == 16);

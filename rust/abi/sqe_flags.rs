// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about flags that entries of several operations have.

/// [`Sqe::flags`](super::Sqe::flags): [`Sqe::fd`](super::Sqe::fd) is the number of a registered file.
pub const SQE_FIXED_FILE: u8 = 1 << 0;
/// [`Sqe::flags`](super::Sqe::flags): it waits for all before it, and all behind it wait for it.
pub const SQE_DRAIN: u8 = 1 << 1;
/// [`Sqe::flags`](super::Sqe::flags): the next entry waits for this one, and is cancelled if it fails.
pub const SQE_LINK: u8 = 1 << 2;
/// [`Sqe::flags`](super::Sqe::flags): the next entry waits for this one.
pub const SQE_HARDLINK: u8 = 1 << 3;
/// [`Sqe::flags`](super::Sqe::flags): a worker does it.
pub const SQE_FORCE_ASYNC: u8 = 1 << 4;
/// [`Sqe::flags`](super::Sqe::flags): there is no completion if it succeeds.
pub const SQE_CQE_SKIP_SUCCESS: u8 = 1 << 6;
/// Those flags that say when a request starts and what its end means; all operations accept them.
pub const SQE_IN_TURN: u8 =
    SQE_DRAIN | SQE_LINK | SQE_HARDLINK | SQE_FORCE_ASYNC | SQE_CQE_SKIP_SUCCESS;

// SPDX-License-Identifier: GPL-2.0-only

//! Models of the module's abstractions: what they promise, in safe code, for one thread.

pub(crate) mod alarm;
pub(crate) mod async_io;
pub(crate) mod eventfd;
pub(crate) mod nospec;
pub(crate) mod pinned;
pub(crate) mod pool;
pub(crate) mod shared;
pub(crate) mod shared_mem;
pub(crate) mod trace;
pub(crate) mod transfer;
pub(crate) mod user_struct;
pub(crate) mod wait_queue;
pub(crate) mod watch;

// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers of the C interface: the only code of this module that may be `unsafe`.
//!
//! Each file wraps one thing of the kernel in types that could join the `kernel` crate, and its
//! first lines say where. Nothing here knows the driver; the driver knows nothing of
//! `kernel::bindings`.

pub(crate) mod alarm;
pub(crate) mod anon_fd;
pub(crate) mod async_io;
pub(crate) mod audit;
pub(crate) mod block_io;
pub(crate) mod char_dev;
pub(crate) mod deferred;
pub(crate) mod device_io;
pub(crate) mod direct_io;
pub(crate) mod early_ends;
pub(crate) mod eventfd;
pub(crate) mod file_ops;
pub(crate) mod mutex;
pub(crate) mod nospec;
pub(crate) mod owner;
#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
pub(crate) mod page_view;
pub(crate) mod params;
pub(crate) mod pinned;
pub(crate) mod plug;
pub(crate) mod polled_io;
pub(crate) mod pool;
pub(crate) mod rlimit;
#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
mod second_mapping;
pub(crate) mod seq_number;
pub(crate) mod shared;
pub(crate) mod shared_mem;
pub(crate) mod signal_mask;
pub(crate) mod stand_in;
pub(crate) mod timer;
pub(crate) mod trace;
pub(crate) mod transfer;
#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
pub(crate) mod user_mapping;
pub(crate) mod user_struct;
pub(crate) mod vma;
pub(crate) mod wait_queue;
pub(crate) mod watch;
pub(crate) mod worker_thread;

/// Declarations of `rust/helpers.h`, made by bindgen.
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_upper_case_globals,
    unreachable_pub,
    unused_imports,
    reason = "generated code; what it triggers depends on the kernel's configuration"
)]
mod helpers {
    include!(concat!(env!("IO_RING_OBJ"), "/helpers_generated.rs"));
}

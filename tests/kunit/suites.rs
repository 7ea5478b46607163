// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, compiled into the module with `CONFIG_IO_RING_KUNIT_TEST`.

#![forbid(unsafe_code)]

mod completer;
mod completion;
mod context;
mod counters;
mod exported;
mod fake_user;
mod highmem;
mod index;
mod layout;
mod memory;
mod pinned;
mod pool;
mod prepare;
mod segments;
mod submission;
mod tally;

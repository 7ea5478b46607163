// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The part of the ABI that is about the submission thread.

/// Setup flag: a thread of the kernel takes the entries.
pub const SETUP_SQPOLL: u32 = 1 << 1;
/// Setup flag: it runs on the CPU `sq_thread_cpu`.
pub const SETUP_SQ_AFF: u32 = 1 << 2;

/// SQ flag: the submission thread sleeps, and has to be called.
pub const SQ_NEED_WAKEUP: u32 = 1 << 0;

/// Enter flag: call the submission thread.
pub const ENTER_SQ_WAKEUP: u32 = 1 << 1;
/// Enter flag: likewise, and wait until the submission queue has room.
pub const ENTER_SQ_WAIT: u32 = 1 << 2;

/// What 0 stands for as [`Setup::sq_thread_idle_ms`](super::Setup::sq_thread_idle_ms).
pub const SQ_IDLE_DEFAULT: u32 = 1000;
/// [`Setup::sq_thread_idle_ms`](super::Setup::sq_thread_idle_ms): the thread never sleeps.
pub const SQ_IDLE_NEVER: u32 = !0;

// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! The user-space ABI as Rust values.
//!
//! The same numbers as [`include/uapi/linux/io_ring.h`](srctree/include/uapi/linux/io_ring.h), which
//! holds the description of every field. Sizes and offsets are asserted at the end; the tests
//! compare both files.
//!
//! This file needs nothing of the kernel: the user-space crate and the host tests compile it too.

#![forbid(unsafe_code)]

// Named in full, since other crates compile this file under another path.
#[path = "abi/resources.rs"]
mod resources;

pub use resources::*;
#[path = "abi/calls.rs"]
mod calls;
#[path = "abi/cancel.rs"]
mod cancel;
#[path = "abi/events.rs"]
mod events;
#[path = "abi/iopoll.rs"]
mod iopoll;
#[path = "abi/sq_thread.rs"]
mod sq_thread;
#[path = "abi/sqe_flags.rs"]
mod sqe_flags;

pub use calls::*;
pub use cancel::*;
pub use events::*;
pub use iopoll::*;
pub use sq_thread::*;
pub use sqe_flags::*;

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Version of the ABI that this file describes.
pub const ABI_VERSION: u32 = 1;

/// Type byte of the ioctl numbers.
pub const IOC_MAGIC: u32 = 0xBB;

const fn ioc(nr: u32) -> u32 {
    (IOC_MAGIC << 8) | nr
}

/// ioctl: ask for versions, limits and operations; see [`Query`].
pub const QUERY: u32 = ioc(0);
/// ioctl: make a ring; see [`Setup`].
pub const SETUP: u32 = ioc(1);
/// ioctl: take submissions and wait for completions; see [`Enter`].
pub const ENTER: u32 = ioc(2);
/// ioctl: register resources; see [`Register`].
pub const REGISTER: u32 = ioc(3);

/// Largest number of submission queue entries.
pub const MAX_ENTRIES: u32 = 32768;
/// Largest number of completion queue entries.
pub const MAX_CQ_ENTRIES: u32 = 65536;
/// Largest number of request slots.
pub const MAX_REQUESTS: u32 = 65536;
/// Largest number of worker threads.
pub const MAX_WORKERS: u32 = 256;

/// Submission queue entry: one request.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Sqe {
    /// What to do: one of the `OP_*` numbers.
    pub opcode: u8,
    /// `SQE_*` bits.
    pub flags: u8,
    /// I/O priority, 0 for that of the thread.
    pub ioprio: u16,
    /// File descriptor.
    pub fd: i32,
    /// File offset in bytes, `!0` for the file position.
    pub off: u64,
    /// User address of the buffer or of the iovec array.
    pub addr: u64,
    /// Bytes, or elements of the iovec array.
    pub len: u32,
    /// Flags of the operation.
    pub op_flags: u32,
    /// Handed back in the completion.
    pub user_data: u64,
    /// Number of a registered buffer.
    pub buf_index: u16,
    /// Must be 0.
    pub personality: u16,
    /// Must be 0.
    pub file_index: u32,
    /// Must be 0.
    pub addr3: u64,
    /// Must be 0.
    pub resv: u64,
}

/// Number of 64-bit words in a submission queue entry.
pub const SQE_WORDS: usize = 8;

/// Operation: completes with 0.
pub const OP_NOP: u8 = 0;
/// Operation: `preadv2(2)`.
pub const OP_READV: u8 = 1;
/// Operation: `pwritev2(2)`.
pub const OP_WRITEV: u8 = 2;
/// Operation: `fsync(2)`.
pub const OP_FSYNC: u8 = 3;
/// Operation: [`OP_READ`] into a registered buffer.
pub const OP_READ_FIXED: u8 = 4;
/// Operation: [`OP_WRITE`] from a registered buffer.
pub const OP_WRITE_FIXED: u8 = 5;
/// Operation: [`OP_READV`] into parts of a registered buffer.
pub const OP_READV_FIXED: u8 = 58;
/// Operation: [`OP_WRITEV`] from parts of a registered buffer.
pub const OP_WRITEV_FIXED: u8 = 59;
/// Operation: cancels requests that wait.
pub const OP_CANCEL: u8 = 14;
/// Operation: `pread(2)`.
pub const OP_READ: u8 = 22;
/// Operation: `pwrite(2)`.
pub const OP_WRITE: u8 = 23;

/// [`Sqe::op_flags`] of [`OP_FSYNC`]: as `fdatasync(2)`.
pub const FSYNC_DATASYNC: u32 = 1 << 0;

/// Completion queue entry: the result of one request.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct Cqe {
    /// That of the submission queue entry.
    pub user_data: u64,
    /// What the system call of the same name returns, or a negative errno.
    pub res: i32,
    /// `CQE_F_*` bits.
    pub flags: u32,
}

/// [`Cqe::flags`]: refused before anything was done; the field to blame follows.
pub const CQE_F_REJECTED: u32 = 1 << 8;
/// [`Cqe::flags`]: where the byte offset of the field to blame starts.
pub const CQE_FIELD_SHIFT: u32 = 16;
/// [`Cqe::flags`]: mask of that offset, after shifting.
pub const CQE_FIELD_MASK: u32 = 0x3f;

/// [`Cqe::flags`]: where the way of the request starts, one of the `PATH_*`.
pub const CQE_PATH_SHIFT: u32 = 9;
/// [`Cqe::flags`]: mask of the way, after shifting.
pub const CQE_PATH_MASK: u32 = 3;
/// Way of a request: the thread that submitted it did it.
pub const PATH_INLINE: u32 = 0;
/// Way of a request: its file became ready.
pub const PATH_POLLED: u32 = 1;
/// Way of a request: a worker did it.
pub const PATH_WORKER: u32 = 2;
/// Way of a request: its file finished it later.
pub const PATH_DEVICE: u32 = 3;

/// Where the parts of the submission queue are, in bytes from the start of the region.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct SqOffsets {
    /// Position of the next entry the kernel takes; written by the kernel.
    pub head: u32,
    /// Position after the last entry offered; written by the program.
    pub tail: u32,
    /// Number of entries minus one.
    pub ring_mask: u32,
    /// Number of entries.
    pub ring_entries: u32,
    /// `SQ_*` bits; written by the kernel.
    pub flags: u32,
    /// Count of array elements that named no entry; written by the kernel.
    pub dropped: u32,
    /// The index array, or 0 if there is none.
    pub array: u32,
    /// Position of the last element counted in `dropped`; written by the kernel.
    pub dropped_at: u32,
}

/// SQ flag: completions wait in the kernel for room.
pub const SQ_CQ_OVERFLOW: u32 = 1 << 1;
/// Completion queue flag, set by the program: no eventfd is signalled.
pub const CQ_EVENTFD_DISABLED: u32 = 1 << 0;

/// Where the parts of the completion queue are, in bytes from the start of the region.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct CqOffsets {
    /// Position of the next completion the program reads; written by the program.
    pub head: u32,
    /// Position after the last completion; written by the kernel.
    pub tail: u32,
    /// Number of entries minus one.
    pub ring_mask: u32,
    /// Number of entries.
    pub ring_entries: u32,
    /// Count of completions that had to wait for room; written by the kernel.
    pub overflow: u32,
    /// The completions.
    pub cqes: u32,
    /// 0.
    pub flags: u32,
    /// 0.
    pub resv: u32,
}

/// Setup flag: `cq_entries` is given.
pub const SETUP_CQSIZE: u32 = 1 << 3;
/// Setup flag: cut sizes to the limits.
pub const SETUP_CLAMP: u32 = 1 << 4;
/// Setup flag: a rejected entry does not end a batch (the default).
pub const SETUP_SUBMIT_ALL: u32 = 1 << 7;
/// Setup flag: no index array.
pub const SETUP_NO_SQARRAY: u32 = 1 << 16;
/// Setup flag: the first process that submits becomes that of the ring.
pub const SETUP_REBIND: u32 = 1 << 29;
/// Setup flag: child processes inherit mappings of the ring.
pub const SETUP_FORK_SHARED: u32 = 1 << 30;
/// Setup flag: a rejected entry ends a batch.
pub const SETUP_STOP_ON_REJECT: u32 = 1 << 31;
/// All setup flags that there are.
pub const SETUP_FLAGS: u32 = SETUP_IOPOLL
    | SETUP_CQSIZE
    | SETUP_CLAMP
    | SETUP_SUBMIT_ALL
    | SETUP_NO_SQARRAY
    | SETUP_REBIND
    | SETUP_FORK_SHARED
    | SETUP_STOP_ON_REJECT
    | SETUP_SQPOLL
    | SETUP_SQ_AFF;

/// Feature: one mapping holds both queues.
pub const FEAT_SINGLE_MMAP: u64 = 1 << 0;
/// Feature: completions are never lost.
pub const FEAT_NODROP: u64 = 1 << 1;
/// Feature: entries and iovecs may be reused after ENTER.
pub const FEAT_SUBMIT_STABLE: u64 = 1 << 2;
/// Feature: offset `!0` means the file position.
pub const FEAT_RW_CUR_POS: u64 = 1 << 3;
/// All features that there are.
pub const FEATURES: u64 = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_SUBMIT_STABLE | FEAT_RW_CUR_POS;

/// `error_field`: no field is to blame.
pub const NO_FIELD: u32 = !0;

/// `error_limit`: the call did not fail because of a limit.
pub const LIMIT_NONE: u32 = 0;
/// `error_limit`: too many submission entries.
pub const LIMIT_ENTRIES: u32 = 1;
/// `error_limit`: too many completion entries.
pub const LIMIT_CQ_ENTRIES: u32 = 2;
/// `error_limit`: too many request slots.
pub const LIMIT_REQUESTS: u32 = 3;
/// `error_limit`: too little memory.
pub const LIMIT_MEMORY: u32 = 4;
/// `error_limit`: switched off by the administrator.
pub const LIMIT_DISABLED: u32 = 5;
/// `error_limit`: too many worker threads.
pub const LIMIT_WORKERS: u32 = 6;
/// `error_limit`: more files to register than the process may have open.
pub const LIMIT_FILES: u32 = 7;

/// Argument of [`SETUP`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Setup {
    /// Size of this structure as the program knows it, in bytes.
    pub size: u32,
    /// `SETUP_*` bits.
    pub flags: u32,
    /// Submission entries, wanted and made.
    pub entries: u32,
    /// Completion entries, wanted and made.
    pub cq_entries: u32,
    /// Request slots, wanted and made.
    pub requests: u32,
    /// Out: byte offset of the field to blame.
    pub error_field: u32,
    /// Out: `LIMIT_*`.
    pub error_limit: u32,
    /// Worker threads, wanted and allowed.
    pub max_workers: u32,
    /// Out: what was asked for.
    pub limit_need: u64,
    /// Out: what is allowed.
    pub limit_have: u64,
    /// Out: `FEAT_*` bits.
    pub features: u64,
    /// Out: bytes of the region.
    pub region_size: u64,
    /// Out: where the entries are in the region, in bytes.
    pub sqes_offset: u32,
    /// Out: bytes of that part.
    pub sqes_size: u32,
    /// Out: the submission queue's parts.
    pub sq_off: SqOffsets,
    /// Out: the completion queue's parts.
    pub cq_off: CqOffsets,
    /// User address of an array of `i32`, descriptors to register, or 0.
    pub files: u64,
    /// Elements of that array.
    pub nr_files: u32,
    /// Elements of the array at `ops`.
    pub nr_ops: u32,
    /// User address of an array of `u8`, the operations the ring is to be allowed, or 0.
    pub ops: u64,
    /// With [`SETUP_SQ_AFF`], the CPU of the submission thread.
    pub sq_thread_cpu: u32,
    /// With [`SETUP_SQPOLL`], milliseconds until the submission thread sleeps that has nothing to do.
    pub sq_thread_idle_ms: u32,
}

/// mmap offset of the region.
pub const OFF_REGION: u64 = 0;
/// mmap offset of the region, once more.
pub const OFF_CQ_REGION: u64 = 0x800_0000;
/// mmap offset of the submission entries.
pub const OFF_SQES: u64 = 0x1000_0000;

/// Enter flag: `timeout` is a point in time.
pub const ENTER_ABS_TIMER: u32 = 1 << 5;
/// Enter flag: fail instead of sleeping for more completions than requests are under way.
pub const ENTER_NO_STALL: u32 = 1 << 16;
/// All enter flags that there are.
pub const ENTER_FLAGS: u32 = ENTER_ABS_TIMER | ENTER_NO_STALL | ENTER_SQ_WAKEUP | ENTER_SQ_WAIT;

/// Argument of [`ENTER`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Enter {
    /// Entries to take, at most.
    pub to_submit: u32,
    /// Completions to wait for.
    pub min_complete: u32,
    /// `ENTER_*` bits.
    pub flags: u32,
    /// Out, if the wait failed: a negative errno.
    pub wait_error: i32,
    /// Out, on `EINVAL`: byte offset of the field to blame.
    pub error_field: u32,
    /// Clock of `timeout`, a `clockid_t`.
    pub clock: u32,
    /// Nanoseconds until the wait ends, 0 for no limit.
    pub timeout: u64,
    /// Nanoseconds after which one completion is enough, 0 for never.
    pub min_wait: u64,
    /// User address of the signal mask during the wait, 0 for that of the thread.
    pub sigmask: u64,
}

/// Argument of [`REGISTER`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Register {
    /// Size of this structure as the program knows it, in bytes.
    pub size: u32,
    /// What to register: one of the `REGISTER_*`.
    pub opcode: u32,
    /// Must be 0.
    pub flags: u32,
    /// Out, on `EINVAL`: byte offset of the field to blame.
    pub error_field: u32,
    /// User address of the opcode's argument.
    pub addr: u64,
    /// Number of elements there.
    pub nr: u32,
    /// Out, on failure: which of them is to blame.
    pub error_index: u32,
}

/// Register opcode: no eventfd is told of completions any more.
pub const UNREGISTER_EVENTFD: u32 = 5;
/// Register opcode: an eventfd, an `i32`, is told of completions.
pub const REGISTER_EVENTFD: u32 = 4;
/// Register opcode: likewise, of those that the call which submitted them did not hand in.
pub const REGISTER_EVENTFD_ASYNC: u32 = 7;

/// Register opcode: cancel all and wait; see [`Quiesce`].
pub const REGISTER_QUIESCE: u32 = 128;

/// Argument of [`REGISTER_QUIESCE`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Quiesce {
    /// Nanoseconds to wait, 0 for no limit.
    pub timeout: u64,
    /// Out: requests still under way.
    pub left: u32,
    /// Must be 0.
    pub resv: u32,
}

/// What one operation accepts.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct OpInfo {
    /// Operation number.
    pub opcode: u8,
    /// [`OP_SUPPORTED`], [`OP_IOPOLL`], or 0.
    pub flags: u8,
    /// Bits that [`Sqe::flags`] may have.
    pub sqe_flags: u8,
    /// 0.
    pub resv: u8,
    /// Bits that [`Sqe::op_flags`] may have.
    pub op_flags: u32,
    /// Bit n: byte n of [`Sqe`] may be other than 0.
    pub fields: u64,
}

/// [`OpInfo::flags`]: the operation exists.
pub const OP_SUPPORTED: u8 = 1 << 0;

/// Argument of [`QUERY`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Query {
    /// Size of this structure as the program knows it, in bytes.
    pub size: u32,
    /// Out: [`ABI_VERSION`].
    pub abi_version: u32,
    /// User address of an array of [`OpInfo`], or 0.
    pub ops: u64,
    /// Elements of that array; out: elements written.
    pub ops_len: u32,
    /// Out: highest opcode known plus one.
    pub ops_max: u32,
    /// Out: `FEAT_*` bits.
    pub features: u64,
    /// Out: `SETUP_*` bits known.
    pub setup_flags: u32,
    /// Out: bits that [`Enter::flags`] may have.
    pub enter_flags: u32,
    /// Out: largest [`Setup::entries`].
    pub max_entries: u32,
    /// Out: largest [`Setup::cq_entries`].
    pub max_cq_entries: u32,
    /// Out: largest [`Setup::requests`].
    pub max_requests: u32,
    /// Out: 1 if the caller may not set up rings.
    pub disabled: u32,
    /// Out, on `EINVAL`: byte offset of the field to blame.
    pub error_field: u32,
    /// Out: largest [`Setup::max_workers`].
    pub max_workers: u32,
}

const _: () = {
    use core::mem::{offset_of, size_of};

    assert!(size_of::<Sqe>() == 64 && size_of::<Sqe>() == SQE_WORDS * size_of::<u64>());
    assert!(offset_of!(Sqe, fd) == 4 && offset_of!(Sqe, off) == 8);
    assert!(offset_of!(Sqe, addr) == 16 && offset_of!(Sqe, len) == 24);
    assert!(offset_of!(Sqe, op_flags) == 28 && offset_of!(Sqe, user_data) == 32);
    assert!(offset_of!(Sqe, buf_index) == 40 && offset_of!(Sqe, personality) == 42);
    assert!(offset_of!(Sqe, file_index) == 44 && offset_of!(Sqe, addr3) == 48);
    assert!(size_of::<Cqe>() == 16 && offset_of!(Cqe, res) == 8);
    assert!(size_of::<SqOffsets>() == 32 && size_of::<CqOffsets>() == 32);
    assert!(size_of::<Setup>() == 168 && offset_of!(Setup, limit_need) == 32);
    assert!(offset_of!(Setup, sq_thread_cpu) == 160);
    assert!(offset_of!(Setup, sq_off) == 72 && offset_of!(Setup, cq_off) == 104);
    assert!(size_of::<Enter>() == 48 && size_of::<Register>() == 32);
    assert!(offset_of!(Enter, clock) == 20 && offset_of!(Enter, timeout) == 24);
    assert!(offset_of!(Enter, min_wait) == 32 && offset_of!(Enter, sigmask) == 40);
    assert!(size_of::<Quiesce>() == 16);
    assert!(size_of::<OpInfo>() == 16 && size_of::<Query>() == 64);
};

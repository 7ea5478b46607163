// SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT

//! What REGISTER needs to know of files and buffers.

#![forbid(unsafe_code)]

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Largest number of registered files.
pub const MAX_FILES: u32 = 65536;
/// Instead of a descriptor: no file.
pub const FILE_NONE: i32 = -1;
/// Instead of a descriptor: what is there stays.
pub const FILE_KEEP: i32 = -2;

/// Largest number of registered buffers.
pub const MAX_BUFFERS: u32 = 16384;
/// Most bytes of a registered buffer.
pub const MAX_BUFFER_LEN: u64 = 1 << 30;
/// [`Buffer::addr`] with [`Buffer::len`] 0: what is there stays.
pub const BUFFER_KEEP: u64 = !0;

/// Register opcode: buffers to be used by number; see [`Resources`].
pub const REGISTER_BUFFERS: u32 = 0;
/// Register opcode: forget all buffers.
pub const UNREGISTER_BUFFERS: u32 = 1;
/// Register opcode: other buffers for some numbers; see [`Resources`].
pub const UPDATE_BUFFERS: u32 = 16;

/// A buffer to register.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Buffer {
    /// Its user address.
    pub addr: u64,
    /// Its bytes, 0 for no buffer.
    pub len: u64,
}

/// Register opcode: forget all files.
pub const UNREGISTER_FILES: u32 = 3;
/// Register opcode: files to be used by number; see [`Resources`].
pub const REGISTER_FILES: u32 = 13;
/// Register opcode: other files for some numbers; see [`Resources`].
pub const UPDATE_FILES: u32 = 14;

/// Argument of [`REGISTER_FILES`] and [`UPDATE_FILES`], and of [`REGISTER_BUFFERS`] and
/// [`UPDATE_BUFFERS`].
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Resources {
    /// First number.
    pub first: u32,
    /// Must be 0.
    pub resv: u32,
    /// User address of an array of `i32`, or of [`Buffer`]; or 0 for nothing but empty places.
    pub data: u64,
    /// User address of an array of `u64`, or 0 for no tags.
    pub tags: u64,
}

const _: () = {
    use core::mem::size_of;

    assert!(size_of::<Resources>() == 24 && size_of::<Buffer>() == 16);
};

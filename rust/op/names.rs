// SPDX-License-Identifier: GPL-2.0

//! What administrators call the operations.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

/// All names; a number that is no operation has no meaning by itself.
const NAMES: [(&[u8], u8); 26] = [
    (b"nop", 0),
    (b"readv", 1),
    (b"writev", 2),
    (b"fsync", 3),
    (b"read_fixed", 4),
    (b"write_fixed", 5),
    (b"poll_add", 6),
    (b"poll_remove", 7),
    (b"sync_file_range", 8),
    (b"sendmsg", 9),
    (b"recvmsg", 10),
    (b"timeout", 11),
    (b"timeout_remove", 12),
    (b"cancel", 14),
    (b"link_timeout", 15),
    (b"fallocate", 17),
    (b"read", 22),
    (b"write", 23),
    (b"fadvise", 24),
    (b"send", 26),
    (b"recv", 27),
    (b"ftruncate", 55),
    (b"readv_fixed", 58),
    (b"writev_fixed", 59),
    (b"getdents", 128),
    (b"copy_file_range", 129),
];

/// The opcode of `name`.
pub(crate) fn opcode(name: &[u8]) -> Option<u8> {
    NAMES
        .iter()
        .find_map(|&(known, opcode)| (known == name).then_some(opcode))
}

/// The name of `opcode`; `?` if it is no operation.
pub(crate) fn name(opcode: u8) -> &'static [u8] {
    NAMES
        .iter()
        .find_map(|&(name, known)| (known == opcode).then_some(name))
        .unwrap_or(b"?")
}

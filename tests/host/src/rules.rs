// SPDX-License-Identifier: GPL-2.0-only

//! What each operation accepts, against the text of the header.

use crate::abi;
use crate::op::rules::{self, Field, Rule};
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

/// Start and end of each field of the submission entry, in bytes.
const FIELDS: [(&str, usize, usize); 14] = [
    ("opcode", 0, 1),
    ("flags", 1, 2),
    ("ioprio", 2, 4),
    ("fd", 4, 8),
    ("off", 8, 16),
    ("addr", 16, 24),
    ("len", 24, 28),
    ("op_flags", 28, 32),
    ("user_data", 32, 40),
    ("buf_index", 40, 42),
    ("personality", 42, 44),
    ("file_index", 44, 48),
    ("addr3", 48, 56),
    ("resv", 56, 64),
];

const TRANSFER: &[&str] = &["ioprio", "fd", "off", "addr", "len", "op_flags"];
const FIXED: &[&str] = &[
    "ioprio",
    "fd",
    "off",
    "addr",
    "len",
    "op_flags",
    "buf_index",
];

/// What the header says of an operation.
struct Operation {
    opcode: u8,
    rule: &'static Rule,
    fields: &'static [&'static str],
    sqe_flags: u8,
    op_flags: u32,
}

/// `RWF_DSYNC` to `RWF_NOSIGNAL`, without `RWF_HIPRI`.
const RWF: u32 = 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100;

const FIXED_FILE: u8 = 1;

/// `POLLIN` to `POLLMSG`, `POLLRDHUP` and `EPOLLET`.
const POLL: u32 = 0x7ff | 0x2000 | 0x8000_0000;
/// What every operation accepts: DRAIN, LINK, HARDLINK, FORCE_ASYNC, CQE_SKIP_SUCCESS.
const IN_TURN: u8 = 0x5e;

/// NOP, and the transfers of files.
const POLLED: [u8; 9] = [0, 1, 2, 4, 5, 22, 23, 58, 59];

/// `MSG_OOB`, `DONTROUTE`, `DONTWAIT`, `EOR`, `CONFIRM`, `NOSIGNAL`, `MORE`.
const SEND: u32 = 0xc8c5;
/// `MSG_OOB`, `PEEK`, `TRUNC`, `DONTWAIT`, `WAITALL`, `ERRQUEUE`.
const RECEIVE: u32 = 0x2163;

const OPERATIONS: [Operation; 26] = [
    Operation {
        opcode: 0,
        rule: &rules::NOP,
        fields: &[],
        sqe_flags: 0,
        op_flags: 0,
    },
    Operation {
        opcode: 1,
        rule: &rules::READV,
        fields: TRANSFER,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 2,
        rule: &rules::WRITEV,
        fields: TRANSFER,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 3,
        rule: &rules::FSYNC,
        fields: &["fd", "off", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: 1,
    },
    Operation {
        opcode: 4,
        rule: &rules::READ_FIXED,
        fields: FIXED,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 5,
        rule: &rules::WRITE_FIXED,
        fields: FIXED,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 6,
        rule: &rules::POLL_ADD,
        fields: &["fd", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: POLL,
    },
    Operation {
        opcode: 7,
        rule: &rules::POLL_REMOVE,
        fields: &["off", "addr", "len", "op_flags"],
        sqe_flags: 0,
        op_flags: POLL,
    },
    Operation {
        opcode: 11,
        rule: &rules::TIMEOUT,
        fields: &["off", "addr", "len", "op_flags"],
        sqe_flags: 0,
        op_flags: 0x6d,
    },
    Operation {
        opcode: 12,
        rule: &rules::TIMEOUT_REMOVE,
        fields: &["off", "addr", "op_flags"],
        sqe_flags: 0,
        op_flags: 0x3,
    },
    Operation {
        opcode: 14,
        rule: &rules::CANCEL,
        fields: &["fd", "addr", "len", "op_flags"],
        sqe_flags: 0,
        op_flags: 0x3f,
    },
    Operation {
        opcode: 15,
        rule: &rules::LINK_TIMEOUT,
        fields: &["addr", "len", "op_flags"],
        sqe_flags: 0,
        op_flags: 0x2d,
    },
    Operation {
        opcode: 22,
        rule: &rules::READ,
        fields: TRANSFER,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 23,
        rule: &rules::WRITE,
        fields: TRANSFER,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 58,
        rule: &rules::READV_FIXED,
        fields: FIXED,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 59,
        rule: &rules::WRITEV_FIXED,
        fields: FIXED,
        sqe_flags: FIXED_FILE,
        op_flags: RWF,
    },
    Operation {
        opcode: 8,
        rule: &rules::SYNC_FILE_RANGE,
        fields: &["fd", "off", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: 7,
    },
    Operation {
        opcode: 17,
        rule: &rules::FALLOCATE,
        fields: &["fd", "off", "addr", "len"],
        sqe_flags: FIXED_FILE,
        op_flags: 0,
    },
    Operation {
        opcode: 24,
        rule: &rules::FADVISE,
        fields: &["fd", "off", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: 7,
    },
    Operation {
        opcode: 55,
        rule: &rules::FTRUNCATE,
        fields: &["fd", "off"],
        sqe_flags: FIXED_FILE,
        op_flags: 0,
    },
    Operation {
        opcode: 128,
        rule: &rules::GETDENTS,
        fields: &["fd", "addr", "len"],
        sqe_flags: FIXED_FILE,
        op_flags: 0,
    },
    Operation {
        opcode: 129,
        rule: &rules::COPY_FILE_RANGE,
        fields: &["fd", "off", "addr", "len", "op_flags", "file_index"],
        sqe_flags: FIXED_FILE,
        op_flags: 1 << 31,
    },
    Operation {
        opcode: 9,
        rule: &rules::SENDMSG,
        fields: &["fd", "addr", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: SEND,
    },
    Operation {
        opcode: 10,
        rule: &rules::RECVMSG,
        fields: &["fd", "addr", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: RECEIVE,
    },
    Operation {
        opcode: 26,
        rule: &rules::SEND,
        fields: &["fd", "addr", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: SEND,
    },
    Operation {
        opcode: 27,
        rule: &rules::RECV,
        fields: &["fd", "addr", "len", "op_flags"],
        sqe_flags: FIXED_FILE,
        op_flags: RECEIVE,
    },
];

impl Operation {
    fn uses(&self, field: &str) -> bool {
        match field {
            "opcode" | "user_data" | "flags" => true,
            field => self.fields.contains(&field),
        }
    }

    /// The first field to blame in `bytes`, by looking at one field after the other.
    fn culprit(&self, bytes: &[u8; 64]) -> Option<usize> {
        let broken = |&&(name, start, end): &&(&str, usize, usize)| {
            let stray = bytes[start..end].iter().any(|&byte| byte != 0);
            let flags = u32::from_ne_bytes(bytes[28..32].try_into().expect("four bytes"));
            match name {
                "flags" => bytes[start] & !(self.sqe_flags | IN_TURN) != 0,
                "op_flags" => flags & !self.op_flags != 0,
                name => stray && !self.uses(name),
            }
        };
        FIELDS.iter().find(broken).map(|&(_, start, _)| start)
    }

    fn check(&self, bytes: &[u8; 64]) {
        let sqe = abi::Sqe::read_from_bytes(bytes).expect("64 bytes are an entry");
        let blamed = self.rule.check(&sqe).err().map(Field::offset);
        let expected = self.culprit(bytes).map(|start| start as u32);
        assert_eq!(blamed, expected, "operation {} of {sqe:?}", self.opcode);
    }
}

#[test]
fn each_byte_alone_is_accepted_or_blamed() {
    for operation in &OPERATIONS {
        for byte in 1..64 {
            for bit in 0..8 {
                let mut bytes = [0; 64];
                bytes[0] = operation.opcode;
                bytes[byte] = 1 << bit;
                operation.check(&bytes);
            }
        }
    }
}

#[test]
fn the_first_of_two_bad_fields_is_blamed() {
    for operation in &OPERATIONS {
        for (_, first, _) in &FIELDS[1..] {
            for (_, second, _) in &FIELDS[1..] {
                let mut bytes = [0; 64];
                bytes[0] = operation.opcode;
                bytes[*first] = 0xff;
                bytes[*second] = 0xff;
                operation.check(&bytes);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_entry_is_judged_field_by_field(
        index in 0..OPERATIONS.len(), mut bytes: [u8; 32], rest: [u8; 32], keep: u64,
    ) {
        // Mostly zeros, so that late fields get their turn.
        let mut entry = [0; 64];
        for (byte, value) in bytes.iter_mut().chain(&mut rest.clone()).enumerate() {
            if keep & keep.rotate_left(17) & keep.rotate_left(41) & (1 << byte) != 0 {
                entry[byte] = *value;
            }
        }
        entry[0] = OPERATIONS[index].opcode;
        OPERATIONS[index].check(&entry);
    }
}

#[test]
fn only_an_entry_of_zeros_is_a_bare_nop() {
    for bit in 0..512 {
        let mut bytes = [0; 64];
        bytes[bit / 8] = 1 << (bit % 8);
        let sqe = abi::Sqe::read_from_bytes(&bytes).expect("64 bytes are an entry");
        let in_user_data = (32..40).contains(&(bit / 8));
        assert_eq!(rules::is_bare_nop(&sqe), in_user_data, "bit {bit}");
    }
    assert!(rules::is_bare_nop(&abi::Sqe::default()));
}

#[test]
fn query_tells_what_check_accepts() {
    for opcode in 0..=u8::MAX {
        let info = rules::info(opcode);
        assert_eq!(info.opcode, opcode);
        assert_eq!(info.resv, 0);
        let Some(operation) = OPERATIONS.iter().find(|known| known.opcode == opcode) else {
            assert_eq!(
                info.as_bytes()[1..],
                [0; 15],
                "opcode {opcode} does not exist"
            );
            continue;
        };
        let iopoll = if POLLED.contains(&opcode) {
            abi::OP_IOPOLL
        } else {
            0
        };
        assert_eq!(info.flags, abi::OP_SUPPORTED | iopoll);
        assert_eq!(rules::is_polled(opcode), iopoll != 0);
        assert_eq!(info.sqe_flags, operation.sqe_flags | IN_TURN);
        assert_eq!(info.op_flags, operation.op_flags);
        for (name, start, end) in FIELDS {
            for byte in start..end {
                let accepted = (info.fields >> byte) & 1 != 0;
                assert_eq!(accepted, operation.uses(name), "{name} of opcode {opcode}");
            }
        }
    }
}

#[test]
fn the_highest_opcode_is_the_last_that_exists() {
    let highest = OPERATIONS.iter().map(|known| known.opcode).max();
    assert_eq!(Some(rules::OPS_MAX), highest.map(|opcode| opcode + 1));
}

// SPDX-License-Identifier: GPL-2.0

//! What each operation accepts: the one table that both validates requests and answers QUERY.
//!
//! A rule says which bytes of a submission entry an operation reads and which of its flags exist.
//! Everything else must be 0, so that it can get a meaning later. The first byte that breaks the
//! rule names the field to blame.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

use crate::abi;
use core::mem::offset_of;

/// A field of the submission entry: its offset in bytes, which is how it is named to programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Field(u8);

macro_rules! field {
    ($name:ident, $member:ident) => {
        #[doc = concat!("`", stringify!($member), "`.")]
        pub(crate) const $name: Self = Self::at(offset_of!(abi::Sqe, $member));
    };
}

impl Field {
    field!(OPCODE, opcode);
    field!(FLAGS, flags);
    field!(IOPRIO, ioprio);
    field!(FD, fd);
    field!(OFF, off);
    field!(ADDR, addr);
    field!(LEN, len);
    field!(OP_FLAGS, op_flags);
    field!(USER_DATA, user_data);
    field!(BUF_INDEX, buf_index);
    field!(PERSONALITY, personality);
    field!(FILE_INDEX, file_index);
    field!(ADDR3, addr3);
    field!(RESV, resv);

    const ALL: [Self; 14] = [
        Self::OPCODE,
        Self::FLAGS,
        Self::IOPRIO,
        Self::FD,
        Self::OFF,
        Self::ADDR,
        Self::LEN,
        Self::OP_FLAGS,
        Self::USER_DATA,
        Self::BUF_INDEX,
        Self::PERSONALITY,
        Self::FILE_INDEX,
        Self::ADDR3,
        Self::RESV,
    ];

    #[expect(clippy::cast_possible_truncation, reason = "checked, at compile time")]
    const fn at(offset: usize) -> Self {
        assert!(offset < 64);
        // CAST: Less than 64, as just checked (at compile time: all callers are constants).
        Self(offset as u8)
    }

    /// Byte offset in the submission entry.
    pub(crate) const fn offset(self) -> u32 {
        // CAST: Widening.
        self.0 as u32
    }

    /// The bytes this field covers, one bit each.
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn bytes(self) -> u64 {
        let mut end = 64;
        let mut i = Self::ALL.len();
        while i > 0 {
            i -= 1;
            if Self::ALL[i].0 > self.0 {
                end = Self::ALL[i].0;
            }
        }
        let mut bits = 0;
        let mut byte = self.0;
        while byte < end {
            bits |= 1 << byte;
            byte += 1;
        }
        bits
    }

    /// The field that covers `byte`, which is less than 64.
    fn covering(byte: u32) -> Self {
        let mut found = Self::OPCODE;
        for field in Self::ALL {
            if field.offset() <= byte {
                found = field;
            }
        }
        found
    }
}

/// What one operation accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    info: abi::OpInfo,
    is_floor: bool,
    /// For each word of the entry, the bytes that must be 0.
    unused: [u64; abi::SQE_WORDS],
}

impl Rule {
    /// The rule of `opcode`, which reads `fields` besides the opcode, the user data and the flags that
    /// all operations have, and knows the flags `op_flags` (if it reads that field).
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new(opcode: u8, fields: &[Field], op_flags: u32) -> Self {
        let mut bits = Field::OPCODE.bytes() | Field::USER_DATA.bytes() | Field::FLAGS.bytes();
        let mut i = 0;
        while i < fields.len() {
            bits |= fields[i].bytes();
            i += 1;
        }

        let mut unused = [0; abi::SQE_WORDS];
        let mut word = 0;
        while word < abi::SQE_WORDS {
            let mut bytes = [0; 8];
            let mut byte = 0;
            while byte < 8 {
                if bits & (1 << (word * 8 + byte)) == 0 {
                    bytes[byte] = 0xff;
                }
                byte += 1;
            }
            unused[word] = u64::from_ne_bytes(bytes);
            word += 1;
        }

        let rule = Self {
            info: abi::OpInfo {
                opcode,
                flags: abi::OP_SUPPORTED,
                sqe_flags: 0,
                resv: 0,
                op_flags,
                fields: bits,
            },
            is_floor: true,
            unused,
        };
        rule.with_flags(abi::SQE_IN_TURN)
    }

    /// The same rule for entries that may have `flags` as well.
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn with_flags(mut self, flags: u8) -> Self {
        self.info.sqe_flags |= flags;
        let mut bytes = self.unused[0].to_ne_bytes();
        bytes[Field::FLAGS.offset() as usize] = !self.info.sqe_flags;
        self.unused[0] = u64::from_ne_bytes(bytes);
        self
    }

    /// The same rule for another operation.
    const fn of(mut self, opcode: u8) -> Self {
        self.info.opcode = opcode;
        self
    }

    /// The same rule for an operation that the administrator has to allow.
    const fn beyond_floor(mut self) -> Self {
        self.is_floor = false;
        self
    }

    /// The same rule for an operation of rings whose transfers complete without an interrupt, too.
    const fn polled(mut self) -> Self {
        self.info.flags |= abi::OP_IOPOLL;
        self
    }

    /// Whether the operation is one of rings whose transfers complete without an interrupt, too.
    pub(crate) fn is_polled(&self) -> bool {
        self.info.flags & abi::OP_IOPOLL != 0
    }

    /// Whether the operation is allowed unless the administrator says otherwise.
    pub(crate) fn is_floor(&self) -> bool {
        self.is_floor
    }

    /// The operation.
    pub(crate) fn opcode(&self) -> u8 {
        self.info.opcode
    }

    /// Judges a submission entry by everything but the values of its fields.
    #[inline(always)]
    pub(crate) fn check(&self, sqe: &abi::Sqe) -> Result<(), Field> {
        let words: [u64; abi::SQE_WORDS] = zerocopy::transmute!(*sqe);
        let stray = words
            .iter()
            .zip(&self.unused)
            .fold(0, |all, (word, unused)| all | (word & unused));
        if stray != 0 || sqe.op_flags & !self.info.op_flags != 0 {
            return Err(self.culprit(sqe, &words));
        }
        Ok(())
    }

    /// The first field that breaks the rule, in the order of the entry.
    #[cold]
    fn culprit(&self, sqe: &abi::Sqe, words: &[u64; abi::SQE_WORDS]) -> Field {
        let mut byte = 0;
        for (word, unused) in words.iter().zip(&self.unused) {
            for stray in (word & unused).to_ne_bytes() {
                let field = Field::covering(byte);
                if stray != 0
                    || (field == Field::OP_FLAGS && sqe.op_flags & !self.info.op_flags != 0)
                {
                    return field;
                }
                byte = byte.wrapping_add(1);
            }
        }
        Field::OP_FLAGS
    }
}

/// The `RWF_*` flags of `include/uapi/linux/fs.h` that make sense here: all but `RWF_HIPRI`, since
/// it is the ring that says whether its transfers are polled for. Which of them a file supports is the file's business.
const RW_FLAGS: u32 = 0x1fe;

/// The events of `include/uapi/asm-generic/poll.h`, and `EPOLLET`.
const POLL_EVENTS: u32 = 0x27ff | (1 << 31);

/// The `SYNC_FILE_RANGE_*` flags of `include/uapi/linux/fs.h`.
const SYNC_FILE_RANGE_FLAGS: u32 = 7;

/// The bits of the `POSIX_FADV_*` of `include/uapi/linux/fadvise.h`, on any machine.
const FADVISE_BITS: u32 = 7;

const READ_WRITE: [Field; 6] = [
    Field::IOPRIO,
    Field::FD,
    Field::OFF,
    Field::ADDR,
    Field::LEN,
    Field::OP_FLAGS,
];

/// The rule of NOP.
pub(crate) const NOP: Rule = Rule::new(abi::OP_NOP, &[], 0).polled();
/// The rule of READV.
pub(crate) const READV: Rule = Rule::new(abi::OP_READV, &READ_WRITE, RW_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .polled();
/// The rule of WRITEV.
pub(crate) const WRITEV: Rule = Rule::new(abi::OP_WRITEV, &READ_WRITE, RW_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .polled();
/// The rule of FSYNC.
pub(crate) const FSYNC: Rule = Rule::new(
    abi::OP_FSYNC,
    &[Field::FD, Field::OFF, Field::LEN, Field::OP_FLAGS],
    abi::FSYNC_DATASYNC,
)
.with_flags(abi::SQE_FIXED_FILE);
/// The rule of POLL_ADD.
pub(crate) const POLL_ADD: Rule = Rule::new(
    abi::OP_POLL_ADD,
    &[Field::FD, Field::LEN, Field::OP_FLAGS],
    POLL_EVENTS,
)
.with_flags(abi::SQE_FIXED_FILE);
/// The rule of POLL_REMOVE.
pub(crate) const POLL_REMOVE: Rule = Rule::new(
    abi::OP_POLL_REMOVE,
    &[Field::OFF, Field::ADDR, Field::LEN, Field::OP_FLAGS],
    POLL_EVENTS,
);
/// The rule of TIMEOUT.
pub(crate) const TIMEOUT: Rule = Rule::new(
    abi::OP_TIMEOUT,
    &[Field::OFF, Field::ADDR, Field::LEN, Field::OP_FLAGS],
    abi::TIMEOUT_FLAGS,
);
/// The rule of TIMEOUT_REMOVE.
pub(crate) const TIMEOUT_REMOVE: Rule = Rule::new(
    abi::OP_TIMEOUT_REMOVE,
    &[Field::OFF, Field::ADDR, Field::OP_FLAGS],
    abi::TIMEOUT_UPDATE | abi::TIMEOUT_ABS,
);
/// The rule of LINK_TIMEOUT.
pub(crate) const LINK_TIMEOUT: Rule = Rule::new(
    abi::OP_LINK_TIMEOUT,
    &[Field::ADDR, Field::LEN, Field::OP_FLAGS],
    abi::TIMEOUT_FLAGS & !abi::TIMEOUT_MULTISHOT,
);
/// The rule of CANCEL.
pub(crate) const CANCEL: Rule = Rule::new(
    abi::OP_CANCEL,
    &[Field::FD, Field::ADDR, Field::LEN, Field::OP_FLAGS],
    abi::CANCEL_FLAGS,
);
/// The rule of READ.
pub(crate) const READ: Rule = Rule::new(abi::OP_READ, &READ_WRITE, RW_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .polled();
/// The rule of WRITE.
pub(crate) const WRITE: Rule = Rule::new(abi::OP_WRITE, &READ_WRITE, RW_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .polled();

/// The rule of SYNC_FILE_RANGE.
pub(crate) const SYNC_FILE_RANGE: Rule = Rule::new(
    abi::OP_SYNC_FILE_RANGE,
    &[Field::FD, Field::OFF, Field::LEN, Field::OP_FLAGS],
    SYNC_FILE_RANGE_FLAGS,
)
.with_flags(abi::SQE_FIXED_FILE);
/// `MSG_*` flags that make sense for what is sent: OOB, DONTROUTE, DONTWAIT, EOR, CONFIRM, NOSIGNAL
/// and MORE.
const SEND_FLAGS: u32 = 0x1 | 0x4 | 0x40 | 0x80 | 0x800 | 0x4000 | 0x8000;

/// `MSG_*` flags that make sense for what is received: OOB, PEEK, TRUNC, DONTWAIT, WAITALL and
/// ERRQUEUE.
const RECV_FLAGS: u32 = 0x1 | 0x2 | 0x20 | 0x40 | 0x100 | 0x2000;

const SOCKET: [Field; 4] = [Field::FD, Field::ADDR, Field::LEN, Field::OP_FLAGS];

/// The rule of SENDMSG.
pub(crate) const SENDMSG: Rule = Rule::new(abi::OP_SENDMSG, &SOCKET, SEND_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .beyond_floor();
/// The rule of RECVMSG.
pub(crate) const RECVMSG: Rule = Rule::new(abi::OP_RECVMSG, &SOCKET, RECV_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .beyond_floor();
/// The rule of SEND.
pub(crate) const SEND: Rule = Rule::new(abi::OP_SEND, &SOCKET, SEND_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .beyond_floor();
/// The rule of RECV.
pub(crate) const RECV: Rule = Rule::new(abi::OP_RECV, &SOCKET, RECV_FLAGS)
    .with_flags(abi::SQE_FIXED_FILE)
    .beyond_floor();
/// The rule of FALLOCATE.
pub(crate) const FALLOCATE: Rule = Rule::new(
    abi::OP_FALLOCATE,
    &[Field::FD, Field::OFF, Field::ADDR, Field::LEN],
    0,
)
.with_flags(abi::SQE_FIXED_FILE)
.beyond_floor();
/// The rule of FADVISE.
pub(crate) const FADVISE: Rule = Rule::new(
    abi::OP_FADVISE,
    &[Field::FD, Field::OFF, Field::LEN, Field::OP_FLAGS],
    FADVISE_BITS,
)
.with_flags(abi::SQE_FIXED_FILE);
/// The rule of FTRUNCATE.
pub(crate) const FTRUNCATE: Rule = Rule::new(abi::OP_FTRUNCATE, &[Field::FD, Field::OFF], 0)
    .with_flags(abi::SQE_FIXED_FILE)
    .beyond_floor();
/// The rule of GETDENTS.
pub(crate) const GETDENTS: Rule =
    Rule::new(abi::OP_GETDENTS, &[Field::FD, Field::ADDR, Field::LEN], 0)
        .with_flags(abi::SQE_FIXED_FILE)
        .beyond_floor();
/// The rule of COPY_FILE_RANGE.
pub(crate) const COPY_FILE_RANGE: Rule = Rule::new(
    abi::OP_COPY_FILE_RANGE,
    &[
        Field::FD,
        Field::OFF,
        Field::ADDR,
        Field::LEN,
        Field::OP_FLAGS,
        Field::FILE_INDEX,
    ],
    abi::COPY_FROM_FIXED,
)
.with_flags(abi::SQE_FIXED_FILE)
.beyond_floor();

/// What operations with registered buffers have in common.
const FIXED: Rule = Rule::new(
    abi::OP_READ_FIXED,
    &[
        Field::IOPRIO,
        Field::FD,
        Field::OFF,
        Field::ADDR,
        Field::LEN,
        Field::OP_FLAGS,
        Field::BUF_INDEX,
    ],
    RW_FLAGS,
)
.with_flags(abi::SQE_FIXED_FILE)
.polled();
/// The rule of READ_FIXED.
pub(crate) const READ_FIXED: Rule = FIXED.of(abi::OP_READ_FIXED);
/// The rule of WRITE_FIXED.
pub(crate) const WRITE_FIXED: Rule = FIXED.of(abi::OP_WRITE_FIXED);
/// The rule of READV_FIXED.
pub(crate) const READV_FIXED: Rule = FIXED.of(abi::OP_READV_FIXED);
/// The rule of WRITEV_FIXED.
pub(crate) const WRITEV_FIXED: Rule = FIXED.of(abi::OP_WRITEV_FIXED);

/// Whether an entry is a NOP and nothing more: all of it is 0 but the user data.
#[inline]
pub(crate) fn is_bare_nop(sqe: &abi::Sqe) -> bool {
    let words: [u64; abi::SQE_WORDS] = zerocopy::transmute!(*sqe);
    let [head, off, addr, len_and_flags, _user_data, buffer, addr3, resv] = words;
    head | off | addr | len_and_flags | buffer | addr3 | resv == 0
}

/// All of them, in the order of their opcodes.
#[rustfmt::skip]
const RULES: [&Rule; 26] = [
    &NOP,
    &READV,
    &WRITEV,
    &FSYNC,
    &READ_FIXED,
    &WRITE_FIXED,
    &POLL_ADD,
    &POLL_REMOVE,
    &SYNC_FILE_RANGE,
    &SENDMSG,
    &RECVMSG,
    &TIMEOUT,
    &TIMEOUT_REMOVE,
    &CANCEL,
    &LINK_TIMEOUT,
    &FALLOCATE,
    &READ,
    &WRITE,
    &FADVISE,
    &SEND,
    &RECV,
    &FTRUNCATE,
    &READV_FIXED,
    &WRITEV_FIXED,
    &GETDENTS,
    &COPY_FILE_RANGE,
];

/// The rules of all operations.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.into_iter()
}

/// One more than the highest opcode.
pub(crate) const OPS_MAX: u8 = {
    let [.., last] = RULES;
    last.info.opcode + 1
};

/// What QUERY says of `opcode` where entries have no other flags than `sqe_flags`.
pub(crate) fn info_with_flags(opcode: u8, sqe_flags: u8) -> abi::OpInfo {
    let mut info = info(opcode);
    info.sqe_flags &= sqe_flags;
    if info.sqe_flags == 0 {
        info.fields &= !Field::FLAGS.bytes();
    }
    info
}

/// Whether `opcode` is one of rings whose transfers complete without an interrupt, too.
pub(crate) fn is_polled(opcode: u8) -> bool {
    info(opcode).flags & abi::OP_IOPOLL != 0
}

/// What QUERY says of `opcode`.
pub(crate) fn info(opcode: u8) -> abi::OpInfo {
    RULES
        .iter()
        .map(|rule| rule.info)
        .find(|info| info.opcode == opcode)
        .unwrap_or(abi::OpInfo {
            opcode,
            ..abi::OpInfo::default()
        })
}

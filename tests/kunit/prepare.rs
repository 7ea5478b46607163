// SPDX-License-Identifier: GPL-2.0

//! Judging submission entries: every operation with every field that it does not use.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_prepare)]
mod tests {
    use crate::{
        abi,
        abstractions::transfer::Place,
        buffers::BufferTable,
        files::FileTable,
        op::{
            self,
            allowed::OpSet,
            rules::{
                self,
                Field, //
            },
        },
    };
    use kernel::prelude::*;

    const OPS: [u8; 26] = [
        abi::OP_NOP,
        abi::OP_READV,
        abi::OP_WRITEV,
        abi::OP_FSYNC,
        abi::OP_CANCEL,
        abi::OP_READ,
        abi::OP_WRITE,
        abi::OP_READ_FIXED,
        abi::OP_WRITE_FIXED,
        abi::OP_READV_FIXED,
        abi::OP_WRITEV_FIXED,
        abi::OP_SYNC_FILE_RANGE,
        abi::OP_FALLOCATE,
        abi::OP_FADVISE,
        abi::OP_FTRUNCATE,
        abi::OP_GETDENTS,
        abi::OP_COPY_FILE_RANGE,
        abi::OP_SENDMSG,
        abi::OP_RECVMSG,
        abi::OP_SEND,
        abi::OP_RECV,
        abi::OP_POLL_ADD,
        abi::OP_POLL_REMOVE,
        abi::OP_TIMEOUT,
        abi::OP_TIMEOUT_REMOVE,
        abi::OP_LINK_TIMEOUT,
    ];

    /// Those that are not about a file.
    const WITHOUT_FILE: [u8; 6] = [
        abi::OP_NOP,
        abi::OP_CANCEL,
        abi::OP_POLL_REMOVE,
        abi::OP_TIMEOUT,
        abi::OP_TIMEOUT_REMOVE,
        abi::OP_LINK_TIMEOUT,
    ];

    /// An entry with nothing but the opcode, and a descriptor that is not open.
    fn entry(opcode: u8) -> abi::Sqe {
        abi::Sqe {
            opcode,
            fd: if WITHOUT_FILE.contains(&opcode) {
                0
            } else {
                -1
            },
            user_data: !0,
            ..abi::Sqe::default()
        }
    }

    fn with_bit(sqe: abi::Sqe, bit: usize) -> abi::Sqe {
        let mut words: [u64; abi::SQE_WORDS] = zerocopy::transmute!(sqe);
        if let Some(word) = words.get_mut(bit / 64) {
            let mut bytes = word.to_ne_bytes();
            if let Some(byte) = bytes.get_mut(bit % 64 / 8) {
                *byte ^= 1 << (bit % 8);
            }
            *word = u64::from_ne_bytes(bytes);
        }
        zerocopy::transmute!(words)
    }

    /// What is said of an entry: the field to blame and the errno; `None` if it is accepted.
    fn verdict(sqe: &abi::Sqe) -> Option<(Field, i32)> {
        let mut place = Place::new();
        let (files, buffers) = (FileTable::new(), BufferTable::new());
        op::prepare(sqe, &mut place, &OpSet::all(), &files, &buffers)
            .err()
            .map(|rejected| (rejected.field, rejected.error.to_errno()))
    }

    #[test]
    fn unused_fields_are_refused_bit_by_bit() {
        let einval = EINVAL.to_errno();
        let mut refused = 0;
        for opcode in OPS {
            let info = rules::info(opcode);
            for bit in 8..512 {
                let byte = bit / 8;
                if info.fields & (1 << byte) != 0 {
                    continue;
                }
                let said = verdict(&with_bit(entry(opcode), bit));
                assert!(said.is_some());
                if let Some((field, errno)) = said {
                    assert_eq!(errno, einval);
                    assert!(field.offset() as usize <= byte);
                    refused += 1;
                }
            }
        }
        // NOP reads 10 of 64 bytes, FSYNC and CANCEL 30, READ and its like 40.
        let old = (64 - 10) + 2 * (64 - 30) + 4 * (64 - 40);
        // SYNC_FILE_RANGE and FADVISE 30, FALLOCATE 34, FTRUNCATE 22, GETDENTS 26, COPY_FILE_RANGE 42.
        let file_calls = 2 * (64 - 30) + (64 - 34) + (64 - 22) + (64 - 26) + (64 - 42);
        // POLL_ADD 22, POLL_REMOVE and TIMEOUT 34, TIMEOUT_REMOVE 30, LINK_TIMEOUT 26.
        let events = (64 - 22) + 2 * (64 - 34) + (64 - 30) + (64 - 26);
        // SEND and its like 30.
        // READ_FIXED and its like 42.
        let fixed = 4 * (64 - 42);
        assert_eq!(
            refused,
            8 * (old + file_calls + events + 4 * (64 - 30) + fixed)
        );
    }

    #[test]
    fn unknown_flags_are_refused() {
        for opcode in OPS {
            let info = rules::info(opcode);
            if info.fields & (1 << Field::OP_FLAGS.offset()) == 0 {
                continue;
            }
            for bit in 0..32 {
                let mut sqe = abi::Sqe {
                    op_flags: 1 << bit,
                    ..entry(opcode)
                };
                // Some say more of others.
                match (opcode, sqe.op_flags) {
                    (abi::OP_CANCEL, abi::CANCEL_FD_FIXED) => sqe.op_flags |= abi::CANCEL_FD,
                    (abi::OP_TIMEOUT_REMOVE, _) => sqe.op_flags |= abi::TIMEOUT_UPDATE,
                    (abi::OP_POLL_ADD, _) => sqe.len = abi::POLL_ADD_MULTI,
                    (abi::OP_POLL_REMOVE, _) => {
                        sqe.len = abi::POLL_ADD_MULTI | abi::POLL_UPDATE_EVENTS;
                    }
                    _ => (),
                }
                let by_flags = verdict(&sqe) == Some((Field::OP_FLAGS, EINVAL.to_errno()));
                let unknown = info.op_flags & (1 << bit) == 0;
                assert_eq!(by_flags, unknown);
            }
        }
    }

    #[test]
    fn unknown_opcodes_are_refused() {
        for opcode in 0..=u8::MAX {
            let known = OPS.contains(&opcode);
            let info = rules::info(opcode);
            assert_eq!(info.opcode, opcode);
            let supported = info.flags & abi::OP_SUPPORTED != 0;
            assert_eq!(supported, known);
            let by_opcode = verdict(&entry(opcode)) == Some((Field::OPCODE, EINVAL.to_errno()));
            assert_eq!(by_opcode, !known);
            assert!(!known || opcode < rules::OPS_MAX);
        }
    }

    #[test]
    fn first_bad_field_is_named() {
        let sqe = abi::Sqe {
            resv: 1,
            personality: 1,
            ..entry(abi::OP_READ)
        };
        assert_eq!(verdict(&sqe), Some((Field::PERSONALITY, EINVAL.to_errno())));
        let sqe = abi::Sqe { flags: 0x80, ..sqe };
        assert_eq!(verdict(&sqe), Some((Field::FLAGS, EINVAL.to_errno())));
    }

    #[test]
    fn values_are_judged() {
        assert_eq!(verdict(&entry(abi::OP_NOP)), None);
        let ebadf = Some((Field::FD, EBADF.to_errno()));
        for opcode in [abi::OP_READ, abi::OP_WRITE, abi::OP_READV, abi::OP_FSYNC] {
            assert_eq!(verdict(&entry(opcode)), ebadf);
        }
        assert_eq!(verdict(&entry(abi::OP_POLL_ADD)), ebadf);
        let sqe = abi::Sqe {
            len: 1,
            ..entry(abi::OP_TIMEOUT)
        };
        assert_eq!(verdict(&sqe), Some((Field::ADDR, EFAULT.to_errno())));
        let sqe = abi::Sqe {
            off: 1 << 32,
            ..sqe
        };
        assert_eq!(verdict(&sqe), Some((Field::OFF, EINVAL.to_errno())));
        let sqe = abi::Sqe {
            ioprio: 0xffff,
            ..entry(abi::OP_READ)
        };
        assert_eq!(verdict(&sqe), Some((Field::IOPRIO, EINVAL.to_errno())));
        let sqe = abi::Sqe {
            off: 1 << 63,
            ..entry(abi::OP_FSYNC)
        };
        assert_eq!(verdict(&sqe), Some((Field::OFF, EINVAL.to_errno())));
        let sqe = abi::Sqe {
            off: (1 << 63) - 2,
            len: 8,
            ..entry(abi::OP_FSYNC)
        };
        assert_eq!(verdict(&sqe), Some((Field::LEN, EINVAL.to_errno())));
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! Any 64 bytes: an operation that is allowed and of which no byte is ignored, or an error and the
//! field to blame. What has been prepared is then done in every way there is.

use crate::{
    abi,
    abstractions::{
        alarm::When,
        async_io::IoDomain,
        pool::{Domain, Slot},
        transfer::{Direction, Place},
    },
    buffers::BufferTable,
    files::FileTable,
    op::{
        self,
        allowed::OpSet,
        cancel::{Cancel, Tag},
        poll::Poll,
        polled,
        rules::Field,
        timeout::Timeout,
        Blocking, Issued, Op, Rejected, Update,
    },
    source::{fate, set_fate, Source},
};
use kernel::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

struct Requests;

impl Domain for Requests {
    type Item = ();
    type Shared = ();
    type Locked = ();
}

impl IoDomain for Requests {}

/// Offset and end of each field, as the header has them.
const FIELDS: [(u32, u32); 14] = [
    (0, 1),
    (1, 2),
    (2, 4),
    (4, 8),
    (8, 16),
    (16, 24),
    (24, 28),
    (28, 32),
    (32, 40),
    (40, 42),
    (42, 44),
    (44, 48),
    (48, 56),
    (56, 64),
];

/// The first field that QUERY does not tell of, or of which it does not tell the flags.
fn stray(sqe: &abi::Sqe, info: &abi::OpInfo) -> Option<u32> {
    let bytes = sqe.as_bytes();
    let breaks = |&&(start, end): &&(u32, u32)| {
        let is_stray =
            (start..end).any(|byte| bytes[byte as usize] != 0 && (info.fields >> byte) & 1 == 0);
        is_stray
            || start == 1 && sqe.flags & !info.sqe_flags != 0
            || start == 28 && sqe.op_flags & !info.op_flags != 0
    };
    FIELDS.iter().find(breaks).map(|&(start, _)| start)
}

fn check_rejected(sqe: &abi::Sqe, allowed: &OpSet, is_polled: bool, rejected: &Rejected) {
    let (field, error) = (rejected.field.offset(), rejected.error);
    assert!(FIELDS.iter().any(|&(start, _)| start == field));
    let info = OpSet::all().info(sqe.opcode);
    if !allowed.contains(sqe.opcode) {
        let does_exist = info.flags & abi::OP_SUPPORTED != 0;
        let expected = if does_exist && !is_polled {
            EACCES
        } else {
            EINVAL
        };
        assert!(field == 0 && (error == expected || is_polled));
    } else if let Some(stray) = stray(sqe, &info) {
        assert_eq!((field, error), (stray, EINVAL), "{sqe:?}");
    } else {
        let has_field = (info.fields >> field) & 1 != 0;
        assert!(has_field, "{sqe:?}: {field} of an operation without it");
    }
}

/// What an operation has been prepared as.
fn check_kind(sqe: &abi::Sqe, op: &Op<'_>) {
    let is_right = match op {
        Op::Nop => sqe.opcode == 0,
        Op::Transfer(transfer) => {
            let opcodes: &[u8] = match transfer.direction {
                Direction::Read => &[1, 4, 10, 22, 27, 58],
                Direction::Write => &[2, 5, 9, 23, 26, 59],
            };
            opcodes.contains(&sqe.opcode)
        }
        Op::FileCall(_) => [3, 8, 17, 24, 55, 128, 129].contains(&sqe.opcode),
        Op::Cancel(_) => [7, 12, 14].contains(&sqe.opcode),
        Op::Poll(_) => sqe.opcode == 6,
        Op::Timeout(_) => sqe.opcode == 11,
        Op::Limit(_) => sqe.opcode == 15,
        Op::Update(Update::Poll(_)) => sqe.opcode == 7,
        Op::Update(Update::Timeout(_)) => sqe.opcode == 12,
    };
    assert!(is_right, "{sqe:?} has become something else");
}

fn check_cancel(cancel: &Cancel) {
    let file = crate::abstractions::transfer::OpenFile::new();
    let tag = Tag {
        limit: fate(4).into(),
        user_data: fate(4).into(),
        opcode: fate(16),
        file: (fate(2) == 1).then(|| file.id()),
    };
    assert!(Cancel::ANY.matches(&tag));
    std::hint::black_box(cancel.matches(&tag));
    for (cancelled, interrupted) in [(0, 0), (1, 0), (0, 1), (2, 3)] {
        let result = cancel.result(cancelled, interrupted);
        assert!(result >= 0 || [-2, -114].contains(&result));
        assert!(result <= 5);
    }
    assert_eq!(Cancel::limited(7).result(1, 0), -62);
    assert!(Cancel::limited(tag.limit).matches(&tag));
}

fn check_timeout(mut timeout: Timeout) {
    let (_, When::After(time) | When::At(time)) = timeout.time();
    assert!(time >= 0);
    assert!([0, -62].contains(&timeout.least()));
    let period = timeout.period();
    assert!(period.is_none_or(|period| period > 0));
    if timeout.count().is_some() {
        timeout.count_to(9);
        assert_eq!(timeout.count(), Some(9));
    }
    let mut rounds = 0;
    while rounds < 3 && !timeout.is_last() {
        assert!(period.is_some(), "what does not recur has one round");
        rounds += 1;
    }
}

fn check_update(update: Update, timeout: Option<Timeout>, poll: Option<Poll>) {
    match update {
        Update::Poll(changes) => {
            assert!(!changes.meant().all);
            std::hint::black_box(changes.new_user_data());
            if let Some(mut poll) = poll {
                changes.make(&mut poll);
                assert_ne!(poll.readiness().1 .0, 0);
            }
        }
        Update::Timeout(time) => {
            assert!(!time.meant().all);
            if let Some(mut timeout) = timeout.filter(|timeout| time.suits(timeout)) {
                time.set(&mut timeout);
                assert_eq!(timeout.count(), None);
                check_timeout(timeout);
            }
        }
    }
}

/// Goes on until it has ended, or waits for what never comes.
fn run(mut blocking: Blocking) {
    for _ in 0..4 {
        std::hint::black_box((
            blocking.file_id(),
            blocking.is_nothing(),
            blocking.has_waited(),
            blocking.is_limit(),
            blocking.is_about_others(),
        ));
        let slot = Slot::<Requests>::new(());
        let issued = if fate(2) == 0 {
            blocking.start(slot)
        } else {
            blocking.run(slot)
        };
        blocking = match after(issued) {
            Some(blocking) => blocking,
            None => return,
        };
    }
}

/// What is left to do of what was issued.
fn after(issued: Issued<Requests>) -> Option<Blocking> {
    match issued {
        Issued::Done(_, result) | Issued::DoneByFile(_, result) => {
            assert!(result >= -4095);
            (fate(4) == 0).then_some(Blocking::Nothing(result))
        }
        Issued::Queued | Issued::Misplaced(_) => None,
        Issued::WouldPoll(slot) => after(op::retry(slot)),
        Issued::WouldBlock(_, blocking) => Some(blocking),
        Issued::Cancel(_, cancel) => {
            check_cancel(&cancel);
            (fate(2) == 0).then_some(Blocking::Cancel(cancel))
        }
        Issued::Poll(_, poll) => {
            let _ = (poll.is_multi(), poll.readiness());
            Some(if fate(2) == 0 {
                Blocking::NewPoll(poll)
            } else {
                Blocking::Poll(poll)
            })
        }
        Issued::Timeout(_, timeout) => Some(match fate(3) {
            0 => Blocking::NewTimeout(timeout),
            1 => Blocking::Timeout(timeout),
            _ => {
                check_timeout(timeout);
                return None;
            }
        }),
        Issued::Update(_, update) => {
            check_update(update, example_timeout(), example_poll());
            None
        }
    }
}

/// A timeout that something may change.
fn example_timeout() -> Option<Timeout> {
    let sqe = abi::Sqe {
        opcode: abi::OP_TIMEOUT,
        addr: 8,
        len: 1,
        off: fate(3).into(),
        op_flags: u32::from(fate(2)) * abi::TIMEOUT_MULTISHOT,
        ..abi::Sqe::default()
    };
    Timeout::prepare(&sqe).ok()
}

/// A wait for a file that something may change.
fn example_poll() -> Option<Poll> {
    let sqe = abi::Sqe {
        opcode: abi::OP_POLL_ADD,
        op_flags: 1,
        ..abi::Sqe::default()
    };
    Poll::prepare(&sqe, &FileTable::new()).ok()
}

fn dispatch(sqe: &abi::Sqe, op: Op<'_>) {
    check_kind(sqe, &op);
    let mut slot = Slot::<Requests>::new(());
    if fate(2) == 0 {
        let (blocking, least) = op.keep(&mut slot);
        assert!(least >= -62);
        run(blocking);
    } else if let Some(blocking) = after(op.issue(slot)) {
        run(blocking);
    }
}

/// What is done without being prepared is what would have been prepared.
fn check_quick(sqe: &abi::Sqe, files: &FileTable, buffers: &BufferTable) {
    if sqe.opcode == abi::OP_READ && op::rules::READ.check(sqe).is_ok() {
        if let Some(bytes) = op::read_write::at_once(sqe, files) {
            assert_eq!(bytes, sqe.len as isize);
            check_plain(sqe);
        }
    }
    if let Some(transfer) = op::read_write::direct(sqe, files, buffers) {
        let is_write = usize::from(transfer.direction == Direction::Write);
        let expected = match transfer.is_pinned {
            true => [abi::OP_READ_FIXED, abi::OP_WRITE_FIXED],
            false => [abi::OP_READ, abi::OP_WRITE],
        };
        assert_eq!(sqe.opcode, expected[is_write]);
        check_plain(sqe);
    }
    if let Some(transfer) = op::read_write::for_block_device(sqe, files, buffers) {
        let is_write = transfer.direction == Direction::Write;
        let expected = [abi::OP_READ_FIXED, abi::OP_WRITE_FIXED][usize::from(is_write)];
        assert_eq!((sqe.opcode, sqe.flags), (expected, abi::SQE_FIXED_FILE));
        check_plain(sqe);
    }
}

/// It asks for nothing special.
fn check_plain(sqe: &abi::Sqe) {
    assert_eq!(stray(sqe, &OpSet::all().info(sqe.opcode)), None, "{sqe:?}");
    assert_eq!((sqe.flags & !abi::SQE_FIXED_FILE, sqe.ioprio), (0, 0));
    assert_eq!(sqe.op_flags, 0);
}

/// An entry, which operations are allowed, and what becomes of it.
pub fn prepare(data: &[u8]) {
    let mut source = Source::new(data.iter().copied());
    let mut sqe = abi::Sqe::read_from_bytes(&source.array::<64>()).expect("64 bytes");
    let kind = source.byte();
    if kind & 8 != 0 {
        // Nearly right more often than not.
        sqe.flags &= abi::SQE_FIXED_FILE;
        (sqe.personality, sqe.addr3, sqe.resv) = (0, 0, 0);
    }
    let is_polled = kind & 4 != 0;
    let mut allowed = match kind & 3 {
        0 => OpSet::floor(),
        1 => OpSet::NONE,
        _ => OpSet::all(),
    };
    if is_polled {
        allowed = allowed.polled();
    }
    assert_eq!(op::rules::is_bare_nop(&sqe), {
        let rest = abi::Sqe {
            user_data: 0,
            ..sqe
        };
        rest.as_bytes() == [0; 64]
    });
    set_fate(source);
    let (files, buffers, mut place) = (FileTable::new(), BufferTable::new(), Place);
    check_quick(&sqe, &files, &buffers);
    let mut prepared = op::prepare(&sqe, &mut place, &allowed, &files, &buffers);
    if is_polled {
        prepared = polled::judge(&sqe, &allowed, prepared);
    }
    match prepared {
        Ok(op) => {
            assert!(allowed.contains(sqe.opcode), "{sqe:?} is not allowed");
            assert_eq!(stray(&sqe, &allowed.info(sqe.opcode)), None, "{sqe:?}");
            dispatch(&sqe, op);
        }
        Err(rejected) => check_rejected(&sqe, &allowed, is_polled, &rejected),
    }
    let misplaced = op::misplaced();
    assert_eq!((misplaced.field, misplaced.error), (Field::OPCODE, EINVAL));
}

// SPDX-License-Identifier: GPL-2.0-only

//! Sets of operations, and the description of device nodes.

use crate::abi;
use crate::nodes::{self, Invalid, Node};
use crate::op::allowed::{OpSet, Unknown};
use crate::op::{names, rules};
use proptest::prelude::*;

/// Operations that an administrator has to allow.
const BEYOND: [&str; 8] = [
    "fallocate",
    "ftruncate",
    "getdents",
    "copy_file_range",
    "send",
    "recv",
    "sendmsg",
    "recvmsg",
];

fn members(set: &OpSet) -> Vec<u8> {
    (0..=u8::MAX)
        .filter(|&opcode| set.contains(opcode))
        .collect()
}

fn existing() -> Vec<u8> {
    rules::all().map(|rule| rule.opcode()).collect()
}

fn set_of(opcodes: &[u8]) -> OpSet {
    let mut set = OpSet::NONE;
    for &opcode in opcodes {
        set.add(opcode).expect("it exists");
    }
    set
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let names = include_str!("../../../rust/op/names.rs");
    for opcode in existing() {
        let known = names
            .split("b\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|name| names::opcode(name.as_bytes()) == Some(opcode));
        assert_eq!(known.count(), 1, "opcode {opcode}");
    }
}

#[test]
fn every_name_is_found_by_its_opcode() {
    for opcode in 0..=u8::MAX {
        let name = names::name(opcode);
        if existing().contains(&opcode) {
            assert_eq!(names::opcode(name), Some(opcode));
        } else {
            assert_eq!(name, b"?");
        }
    }
}

#[test]
fn names_of_a_set_are_those_of_its_members() {
    assert_eq!(OpSet::NONE.names().count(), 0);
    let listed: Vec<_> = OpSet::all().names().collect();
    assert_eq!(OpSet::parse(&listed.join(&b',')), Ok(OpSet::all()));
    let names: Vec<_> = set_of(&[128, 0, 22]).names().collect();
    assert_eq!(names, [&b"nop"[..], b"read", b"getdents"]);
}

#[test]
fn sets_hold_what_was_added() {
    assert_eq!(members(&OpSet::NONE), []);
    assert_eq!(members(&OpSet::all()), existing());
    for opcode in 0..=u8::MAX {
        let mut set = OpSet::NONE;
        if existing().contains(&opcode) {
            assert_eq!(set.add(opcode), Ok(()));
            assert_eq!(members(&set), [opcode]);
        } else {
            assert_eq!(set.add(opcode), Err(Unknown));
            assert_eq!(members(&set), []);
        }
    }
}

#[test]
fn the_floor_set_is_all_but_what_has_to_be_allowed() {
    let beyond = BEYOND.map(|name| names::opcode(name.as_bytes()).expect("a name"));
    let mut floor = existing();
    floor.retain(|opcode| !beyond.contains(opcode));
    assert_eq!(members(&OpSet::floor()), floor);
}

#[test]
fn query_tells_of_what_is_allowed_only() {
    let set = set_of(&[0, 22]);
    for opcode in 0..=u8::MAX {
        let info = set.info(opcode);
        assert_eq!(info.opcode, opcode);
        if [0, 22].contains(&opcode) {
            assert_eq!(info, rules::info(opcode));
        } else {
            assert_eq!((info.flags, info.fields, info.op_flags), (0, 0, 0));
        }
    }
}

#[test]
fn rings_that_poll_do_less_of_what_is_allowed() {
    const FIXED_FILE: u8 = 1;
    let polled = |opcode| rules::info(opcode).flags & abi::OP_IOPOLL != 0;
    let mut left = existing();
    left.retain(|&opcode| polled(opcode));
    assert_eq!(members(&OpSet::all().polled()), left);
    let set = set_of(&[0, 3, 22]).polled();
    assert_eq!(members(&set), [0, 22]);
    assert_eq!(set.sqe_flags(), FIXED_FILE);
    assert_eq!(OpSet::all().sqe_flags(), !0);
    let (nop, read) = (set.info(0), set.info(22));
    assert_eq!((nop.sqe_flags, nop.fields), (0, rules::info(0).fields & !2));
    assert_eq!(read.sqe_flags, FIXED_FILE);
    assert_eq!(read.fields, rules::info(22).fields);
    assert_eq!(set.info(3).flags, 0);
}

#[test]
fn names_make_sets() {
    let parse = |text: &str| OpSet::parse(text.as_bytes());
    assert_eq!(parse("read"), Ok(set_of(&[22])));
    assert_eq!(parse("read,nop,read"), Ok(set_of(&[0, 22])));
    assert_eq!(parse("all"), Ok(OpSet::all()));
    assert_eq!(parse("nop,floor"), Ok(OpSet::floor()));
    for bad in ["", ",", "read,", " read", "READ", "13", "read;nop"] {
        assert_eq!(parse(bad), Err(Unknown), "{bad}");
    }
}

fn parse(text: &str) -> Result<Vec<Node<'_>>, Invalid> {
    nodes::parse(text.as_bytes()).collect()
}

#[test]
fn nodes_have_names_sets_and_modes() {
    let node = |name: &'static str, ops, mode| Node {
        name: name.as_bytes(),
        ops,
        mode,
    };
    assert_eq!(parse(""), Ok(vec![]));
    assert_eq!(parse("a"), Ok(vec![node("a", OpSet::floor(), 0o600)]));
    assert_eq!(
        parse("a-b_c.1:ops=nop,read:mode=0666;b:mode=640;c:mode=0:ops=all"),
        Ok(vec![
            node("a-b_c.1", set_of(&[0, 22]), 0o666),
            node("b", OpSet::floor(), 0o640),
            node("c", OpSet::all(), 0),
        ])
    );
}

#[test]
fn nodes_that_make_no_sense_are_refused() {
    let long = "x".repeat(256);
    for bad in [
        ";",
        "a;",
        ";a",
        ":",
        ":ops=nop",
        "a:",
        "a:ops=",
        "a:ops=x",
        "a:ops=nop:ops=nop",
        "a b",
        "a/b",
        "..",
        ".a",
        "a:mode=",
        "a:mode=8",
        "a:mode=0700",
        "a:mode=00600",
        "a:mode=0600:mode=1",
        "a:group=1",
        "a:ops",
        &long,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(parse(&long[..255]).is_ok());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "[a-z:;=,0-7.]{0,40}") {
        if let Ok(nodes) = parse(&text) {
            for node in nodes {
                prop_assert!(!node.name.is_empty() && node.mode & !0o666 == 0);
                prop_assert!(members(&node.ops).iter().all(|op| existing().contains(op)));
            }
        }
    }
}

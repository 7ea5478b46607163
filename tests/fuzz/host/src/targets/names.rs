// SPDX-License-Identifier: GPL-2.0-only

//! The administrator's texts: module parameters `ops` and `nodes`.

use crate::{
    abi,
    nodes::{self, Node},
    op::{allowed::OpSet, names as operations, rules},
};

/// What is true of every set of operations.
fn check_set(set: &OpSet) {
    let mut names = set.names();
    for opcode in 0..=u8::MAX {
        let info = set.info(opcode);
        assert_eq!(info.opcode, opcode);
        assert_eq!(info.flags & abi::OP_SUPPORTED != 0, set.contains(opcode));
        if set.contains(opcode) {
            let name = names.next().expect("each operation has a name");
            assert_eq!(operations::opcode(name), Some(opcode));
            assert!(opcode < rules::OPS_MAX);
            assert_eq!(info.sqe_flags & !set.sqe_flags(), 0);
        }
    }
    assert!(names.next().is_none(), "a name of nothing");
    assert!(set.polled().names().all(|name| name != b"?"));
}

fn check_node(node: &Node<'_>) {
    assert!((1..=255).contains(&node.name.len()));
    assert!(!node.name.contains(&b'/') && !node.name.contains(&0));
    assert!(node.name != b"." && node.name != b"..");
    assert_eq!(node.mode & !0o666, 0);
    check_set(&node.ops);
}

/// A text of an administrator.
pub fn names(data: &[u8]) {
    for node in nodes::parse(data) {
        match node {
            Ok(node) => check_node(&node),
            Err(invalid) => assert!(!invalid.0.is_empty()),
        }
    }
    if let Ok(set) = OpSet::parse(data) {
        check_set(&set);
        let texts: Vec<_> = set.names().collect();
        let again = OpSet::parse(&texts.join(&b','));
        assert_eq!(again.ok(), (!texts.is_empty()).then_some(set));
    }
    for &opcode in data {
        let mut set = OpSet::NONE;
        assert_eq!(set.add(opcode).is_ok(), OpSet::all().contains(opcode));
        assert_eq!(set.contains(opcode), OpSet::all().contains(opcode));
        assert!(!operations::name(opcode).is_empty());
    }
}

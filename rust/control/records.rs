// SPDX-License-Identifier: GPL-2.0

//! What the audit log is told of SETUP: who got a ring from which node, and who was refused one that the
//! administrator does not allow.

#![forbid(unsafe_code)]

use crate::{
    abstractions::audit::Record,
    context::Context,
    op::names, //
};
use kernel::prelude::*;

fn begin(node: &CStr) -> Option<Record> {
    Record::begin("io_ring_setup").map(|record| record.word("node", node.to_bytes()))
}

/// A ring has been made.
pub(super) fn made(node: &CStr, context: &Context) {
    if let Some(record) = begin(node) {
        let record = record.number("ring", context.number());
        record.list("operations", context.ops().names()).allowed();
    }
}

/// The caller may not set up rings.
pub(super) fn refused(node: &CStr) {
    if let Some(record) = begin(node) {
        record.word("cause", b"disabled").refused();
    }
}

/// Rings of the node may not do what one was to do.
#[cold]
pub(super) fn refused_operation(node: &CStr, opcode: u8) {
    if let Some(record) = begin(node) {
        record.word("operation", names::name(opcode)).refused();
    }
}

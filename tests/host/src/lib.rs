// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the module's files that need nothing of the kernel.
//!
//! The files are compiled here as they are, under the names they have in the module, and tested
//! against models that share no code with them. There is nothing in this crate but tests.

#![cfg(test)]

#[path = "../../../rust/abi.rs"]
mod abi;
#[path = "../../../rust/nodes.rs"]
mod nodes;
mod op;
mod ring;

mod header;
mod index;
mod layout;
mod line;
mod policy;
mod producers;
mod protocol;
mod queue;
mod rules;
mod segments;
mod sizes;
mod sq_wake_up;
mod wake_up;

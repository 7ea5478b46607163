// SPDX-License-Identifier: GPL-2.0-only

//! Fuzzing of the module's parts that need no kernel.
//!
//! The module's files are compiled here as they are, under the names they have there; what they call
//! of the kernel is modelled: memory that a program writes while the module works (see `peer`), slots,
//! files, user memory. A target is a function of bytes, which decide all that happens; what it
//! asserts comes from the description of the ABI.

#[allow(
    dead_code,
    unused_imports,
    rustdoc::broken_intra_doc_links,
    reason = "the module uses what is not fuzzed here"
)]
#[path = "../../../../rust"]
mod driver {
    pub(crate) mod abi;
    pub(crate) mod nodes;
    pub(crate) mod op;
    pub(crate) mod ring;
}

mod abstractions;
mod buffers;
mod files;
mod peer;
mod source;
mod targets;

use driver::{abi, nodes, op, ring};

pub use targets::{names::names, prepare::prepare, queues::queues, sizes::sizes};

// SPDX-License-Identifier: GPL-2.0

//! io_ring: shared submission and completion rings for asynchronous I/O.
//!
//! # The way of one read
//!
//! 1. The program writes a submission entry, store-releases the queue's tail and calls ENTER.
//! 2. [`ring_fd`] copies the arguments in, rejects what is not 0 and should be, and calls
//!    [`context::Context::enter`].
//! 3. [`submit`] takes the entry: tail, distance check, one copy; the head goes out once per batch.
//! 4. [`op::prepare`] turns the copy into a typed operation, or into an error that names a field.
//!    The file is looked up here and never again.
//! 5. [`op::Op::issue`] answers that it is done, that it is under way, or that it would block: then
//!    a [`worker`] does it.
//! 6. Either way the result ends up in [`ring::completion`], which writes the completion,
//!    store-releases the tail and wakes whom it concerns.
//! 7. ENTER sees its count reached ([`wait`]) and returns; the program reads the completion.
//!
//! # Layers
//!
//! Calls go down only: what is in a row is used by the rows above it. `scripts/check layering` reads
//! this.
//!
//! ```text
//! control, ring_fd        the front doors: /dev/io_ring and ring descriptors
//! register                REGISTER: what a ring is told apart from requests
//! context                 one ring: owns everything below
//! binding, submit         whom it belongs to; taking entries
//! sq_thread               calling who takes entries, so that nobody else has to
//! worker                  doing what blocks or has to wait
//! driver, tags, wait      what all rings share; telling what is unused; waiting for completions
//! poller                  asking devices for transfers that nobody else asks for
//! polled                  transfers that devices have to be asked for
//! nodes, query, request   the device nodes; QUERY; what is in flight between the queues
//! op                      what a request does; one file per family
//! buffers, files          what is registered
//! resources, closer       tables of that; closing files where that is allowed
//! ring, turns, users      the two queues; which requests wait for which; whom threads count for
//! abi, gauge, tally       the numbers that programs see; counters
//! abstractions            the C interface: the only unsafe code
//! ```

// Unsafe code has one door; see CONTRIBUTING.md. scripts/check makes sure that nothing reopens it.
#![deny(unsafe_code)]
#![deny(
    clippy::allow_attributes_without_reason,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod abi;
#[expect(unsafe_code, reason = "wraps the C interface; everything else is safe")]
pub(crate) mod abstractions;
pub(crate) mod binding;
pub(crate) mod buffers;
pub(crate) mod closer;
mod context;
pub(crate) mod control;
pub(crate) mod driver;
pub(crate) mod files;
pub(crate) mod gauge;
#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
#[path = "../tests/kunit/suites.rs"]
mod kunit;
pub(crate) mod nodes;
pub(crate) mod op;
pub(crate) mod polled;
pub(crate) mod poller;
pub(crate) mod query;
pub(crate) mod register;
pub(crate) mod request;
pub(crate) mod resources;
pub(crate) mod ring;
pub(crate) mod ring_fd;
pub(crate) mod sq_thread;
pub(crate) mod submit;
pub(crate) mod tags;
pub(crate) mod tally;
pub(crate) mod turns;
pub(crate) mod users;
pub(crate) mod wait;
pub(crate) mod worker;

use crate::{
    abstractions::{
        char_dev::Registration,
        params, //
    },
    control::Control,
    driver::Driver,
    nodes::{
        Invalid,
        Node, //
    },
    op::allowed::OpSet, //
};
use kernel::{
    debugfs::Scope,
    prelude::*,
    str::{
        BStr,
        CString, //
    },
    sync::Arc, //
};

module! {
    type: IoRing,
    name: "io_ring",
    authors: ["The io_ring developers"],
    description: "Shared submission and completion rings for asynchronous I/O",
    license: "GPL",
}

/// A device node, which exists as long as this does.
type DeviceNode = Pin<KBox<Registration<Control>>>;

/// Makes `/dev/io_ring`, and the further nodes that the administrator asks for.
///
/// # Errors
///
/// `EINVAL` for what cannot be understood, which the kernel's log says; `EEXIST`, `EBUSY`, `ENOMEM`.
fn make_nodes(driver: &Arc<Driver>) -> Result<KVec<DeviceNode>> {
    let complain = |parameter, what| {
        pr_err!("{parameter}: {what}\n");
        EINVAL
    };
    let own = Node {
        name: b"io_ring",
        ops: OpSet::parse(params::node_ops().to_bytes())
            .map_err(|_| complain("ops", "there is no such operation"))?,
        mode: params::node_mode(),
    };
    let further = nodes::parse(params::further_nodes().to_bytes());
    let (mut made, mut names) = (KVec::new(), KVec::new());
    for node in Iterator::chain(core::iter::once(Ok(own)), further) {
        let node = node.map_err(|Invalid(what)| complain("nodes", what))?;
        if names.contains(&node.name) {
            return Err(complain("nodes", "two have the same name"));
        }
        names.push(node.name, GFP_KERNEL)?;
        let name = CString::try_from_fmt(fmt!("{}", BStr::from_bytes(node.name)))?;
        let control = Control::new(driver.clone(), node.ops);
        let node = KBox::pin_init(Registration::new(name, node.mode, control), GFP_KERNEL)?;
        made.push(node, GFP_KERNEL)?;
    }
    Ok(made)
}

/// The loaded module.
///
/// Fields are dropped in this order: the nodes go first, so that no ring is made any more; every
/// ring holds a reference on the module, so none exists by then.
struct IoRing {
    _nodes: KVec<DeviceNode>,
    _counters: Pin<KBox<Scope<Arc<Driver>>>>,
    _driver: Arc<Driver>,
}

impl kernel::Module for IoRing {
    fn init(_module: &'static kernel::ThisModule) -> Result<Self> {
        let driver = Driver::new()?;
        let counters = KBox::pin_init(
            Scope::dir(driver.clone(), c"io_ring", Driver::show),
            GFP_KERNEL,
        )?;
        let nodes = make_nodes(&driver)?;
        Ok(Self {
            _nodes: nodes,
            _counters: counters,
            _driver: driver,
        })
    }
}

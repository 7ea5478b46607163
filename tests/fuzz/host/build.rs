// SPDX-License-Identifier: GPL-2.0-only

//! Compiles what the module has for its own tests: queues that begin at any position.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=CONFIG_IO_RING_KUNIT_TEST");
}

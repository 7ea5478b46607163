// SPDX-License-Identifier: GPL-2.0

//! Numbers of 64 bits in seq files. Would join `rust/kernel/seq_file.rs`.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)
//!
//! Rust's own formatting divides them, which panics in the kernels of 32-bit machines: they have no
//! such division. scripts/check knows.

use core::ptr::from_ref;
use kernel::{
    bindings,
    prelude::*,
    seq_file::SeqFile, //
};

/// Prints `before`, `number` and the end of the line.
pub(crate) fn put_line(out: &SeqFile, before: &CStr, number: u64) {
    let raw = from_ref(out).cast_mut().cast::<bindings::seq_file>();
    // SAFETY: A `SeqFile` is a `struct seq_file`, which only this thread uses; the string is
    // terminated.
    unsafe { bindings::seq_put_decimal_ull(raw, before.as_char_ptr(), number) };
    // SAFETY: As above.
    unsafe { bindings::seq_putc(raw, b'\n') };
}

// SPDX-License-Identifier: GPL-2.0

//! What a data cache that aliases asks of every access to shared memory.
//!
//! Each access is made by [`reading`] or [`writing`], which `consume` what the program wrote before
//! it is read and `publish` what the kernel wrote after it was written. An index is an access of its
//! own, made after those to the entries that it hands over, or before them if it is the program's. So
//! a range is published once, before the index that hands it over, and consumed once, after it.
//!
//! Both hooks are empty unless the architecture can have such caches; `Documentation/coherency.rst`
//! tells which can.

#[cfg(CONFIG_IO_RING_KUNIT_TEST)]
use super::journal::Step;
use super::SharedMem;
use crate::abstractions::helpers;
use core::mem::size_of;
use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

/// Whether this CPU's data cache makes shared memory incoherent.
pub(crate) fn dcache_aliases() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_dcache_aliases() }
}

/// Makes an access that reads the `T` at `ptr`, which is inside `mem`.
#[inline(always)]
pub(super) fn reading<T, R>(mem: &SharedMem, ptr: *const T, read: impl FnOnce() -> R) -> R {
    consume(mem, ptr);
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    mem.note(Step::Read, ptr);
    read()
}

/// Makes an access that writes the `T` at `ptr`, which is inside `mem`.
#[inline(always)]
pub(super) fn writing<T>(mem: &SharedMem, ptr: *const T, write: impl FnOnce()) {
    write();
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    mem.note(Step::Write, ptr);
    publish(mem, ptr);
}

/// What the kernel wrote becomes visible to the program.
#[inline(always)]
fn publish<T>(mem: &SharedMem, ptr: *const T) {
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    mem.note(Step::Publish, ptr);
    if cfg!(CONFIG_ARCH_HAS_CPU_CACHE_ALIASING) {
        flush(mem, ptr.cast(), size_of::<T>());
    }
}

/// What the program wrote becomes visible to the kernel.
#[inline(always)]
fn consume<T>(mem: &SharedMem, ptr: *const T) {
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    mem.note(Step::Consume, ptr);
    if cfg!(CONFIG_ARCH_HAS_CPU_CACHE_ALIASING) {
        flush(mem, ptr.cast(), size_of::<T>());
    }
}

/// Flushes the page, or the two pages, of `bytes` bytes from `ptr` on, which are at most a page.
fn flush(mem: &SharedMem, ptr: *const u8, bytes: usize) {
    let last = ptr.wrapping_add(bytes.saturating_sub(1));
    flush_page(mem, ptr);
    if ptr.addr() / PAGE_SIZE != last.addr() / PAGE_SIZE {
        flush_page(mem, last);
    }
}

fn flush_page(_mem: &SharedMem, ptr: *const u8) {
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    _mem.journal.note_flush();
    // SAFETY: Only called with addresses inside a `SharedMem`, which are mapped.
    let page = unsafe { bindings::vmalloc_to_page(ptr.cast()) };
    // SAFETY: The address is mapped, so there is a page.
    unsafe { helpers::io_ring_flush_page(page) };
}

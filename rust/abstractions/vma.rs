// SPDX-License-Identifier: GPL-2.0

//! A mapping that user space asks for. Would join `rust/kernel/mm/virt.rs`.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use kernel::{
    mm::virt::{
        flags,
        VmaNew, //
    },
    page::PAGE_SHIFT,
    prelude::*, //
};

/// A mapping in the making, in an `mmap` file operation.
pub(crate) struct NewMapping<'a>(&'a VmaNew);

impl<'a> NewMapping<'a> {
    pub(super) fn new(vma: &'a VmaNew) -> Self {
        Self(vma)
    }

    /// Where in the file the mapping starts, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        // SAFETY: A mapping in the making is valid and nobody changes it meanwhile.
        let pages = unsafe { (*self.0.as_ptr()).vm_pgoff };
        // A page offset that does not fit comes from a byte offset that cannot be in any file.
        (pages as u64)
            .checked_mul(1 << PAGE_SHIFT)
            .unwrap_or(u64::MAX)
    }

    /// How long the mapping is, in bytes: a multiple of the page size.
    pub(crate) fn len(&self) -> u64 {
        self.0.end().wrapping_sub(self.0.start()) as u64
    }

    /// Whether writes go to the file (`MAP_SHARED`).
    pub(crate) fn is_shared(&self) -> bool {
        self.0.flags() & flags::SHARED != 0
    }

    /// Forbids execution, now and by `mprotect`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the mapping asks for it.
    pub(crate) fn deny_exec(&self) -> Result {
        self.0.try_clear_mayexec()
    }

    /// Forbids growth by `mremap`, and inclusion in core dumps.
    pub(crate) fn fix_size(&self) {
        self.0.set_dontexpand();
        self.0.set_dontdump();
    }

    /// Keeps the mapping from child processes.
    pub(crate) fn hide_from_children(&self) {
        self.0.set_dontcopy();
    }

    /// Where the mapping starts in the address space.
    pub(super) fn start(&self) -> usize {
        self.0.start()
    }

    pub(super) fn as_vma(&self) -> &VmaNew {
        self.0
    }
}

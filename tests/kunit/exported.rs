// SPDX-License-Identifier: GPL-2.0

//! Shared memory behind a file that can be mapped, and nothing else.

#![forbid(unsafe_code)]

use crate::abstractions::{
    anon_fd::NewFd,
    file_ops::{
        FileObject,
        Readiness, //
    },
    owner::{
        AddressSpace,
        DescriptorTable, //
    },
    shared_mem::SharedMem,
    vma::NewMapping,
    wait_queue::WaitQueue, //
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    static_lock_class,
    sync::{
        Arc,
        ArcBorrow,
        Completion, //
    },
};

/// The memory, seen through its file.
#[pin_data]
pub(super) struct Exported {
    mem: Arc<SharedMem>,
    #[pin]
    waiters: WaitQueue,
    /// The file is gone.
    #[pin]
    pub(super) released: Completion,
}

impl Exported {
    /// Makes `mem` a file, which nobody else can open.
    pub(super) fn new(mem: &Arc<SharedMem>) -> Result<(Arc<Self>, NewFd<Self>)> {
        let this = Arc::pin_init(
            try_pin_init!(Self {
                mem: mem.clone(),
                waiters <- WaitQueue::new(c"io_ring_exported", static_lock_class!()),
                released <- Completion::new(),
            }? Error),
            GFP_KERNEL,
        )?;
        let fd = NewFd::new(c"[io_ring_kunit]", this.clone())?;
        Ok((this, fd))
    }
}

impl FileObject for Exported {
    fn ioctl(_this: ArcBorrow<'_, Self>, _command: u32, _argument: usize) -> Result<isize> {
        Err(ENOTTY)
    }

    fn mmap(&self, mapping: &NewMapping<'_>) -> Result {
        self.mem.map(mapping, 0)
    }

    fn wait_queue(&self) -> &WaitQueue {
        &self.waiters
    }

    fn readiness(&self) -> Readiness {
        Readiness {
            readable: false,
            writable: false,
            hung_up: false,
        }
    }

    fn flush(&self, _table: DescriptorTable) {}

    fn address_space_ends(&self, _space: AddressSpace) {}

    fn release(this: Arc<Self>) {
        this.released.complete_all();
    }

    fn show_fdinfo(&self, _out: &SeqFile) {}
}

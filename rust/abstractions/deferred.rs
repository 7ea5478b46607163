// SPDX-License-Identifier: GPL-2.0

//! Work that outlives the call that starts it, and keeps the module loaded.
//!
//! Would join `rust/kernel/workqueue.rs`. C header:
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::LocalModule;
use core::ptr::NonNull;
use kernel::{
    bindings,
    module::this_module,
    prelude::*,
    sync::Arc,
    workqueue::{
        Queue,
        RawWorkItem, //
    },
};

/// A reference to this module: it cannot be unloaded while one exists.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// Takes a reference. For code that runs while the module cannot be unloaded anyway: in a file
    /// operation, for example. During unload it would come too late.
    pub(crate) fn get() -> Self {
        // SAFETY: The module is loaded, since this is its code.
        unsafe { bindings::__module_get(this_module::<LocalModule>().as_ptr()) };
        Self(())
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: Taken in `get`.
        unsafe { bindings::module_put(this_module::<LocalModule>().as_ptr()) };
    }
}

/// A work queue of this module, for work that interrupt handlers leave behind.
///
/// Dropping it waits for all work, so that a function which has given its [`ModuleRef`] back still
/// returns before the module's code goes away.
///
/// # Invariants
///
/// `raw` is a work queue that this value owns.
pub(crate) struct DeferredQueue {
    raw: NonNull<bindings::workqueue_struct>,
}

// SAFETY: Work queues may be used from any thread.
unsafe impl Send for DeferredQueue {}
// SAFETY: As above.
unsafe impl Sync for DeferredQueue {}

impl DeferredQueue {
    /// Makes a queue.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The format takes one string, which is given.
        let raw = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                // The default number of items at once.
                0,
                name.as_char_ptr(),
            )
        };
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
        })
    }

    /// Runs `work` in a thread of the kernel. Any context.
    pub(crate) fn enqueue<W, const ID: u64>(&self, work: Arc<W>)
    where
        Arc<W>: RawWorkItem<ID, EnqueueOutput = Result<(), Arc<W>>> + Send + 'static,
    {
        // SAFETY: The queue is valid as long as `self`.
        let queue = unsafe { Queue::from_raw(self.raw.as_ptr()) };
        // An item that is queued already needs no second run.
        let _ = queue.enqueue(work);
    }
}

impl DeferredQueue {
    /// Waits for all work that has been enqueued. Process context; sleeps.
    pub(crate) fn flush(&self) {
        // SAFETY: Owned by the type invariants.
        unsafe { bindings::__flush_workqueue(self.raw.as_ptr()) };
    }
}

impl Drop for DeferredQueue {
    fn drop(&mut self) {
        // SAFETY: Owned by the type invariants.
        unsafe { bindings::destroy_workqueue(self.raw.as_ptr()) };
    }
}

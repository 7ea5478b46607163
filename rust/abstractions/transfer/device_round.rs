// SPDX-License-Identifier: GPL-2.0

//! What transfers that are submitted together have in common: it is looked up once.

use super::{
    held::SharedFile,
    Direction,
    FileId,
    OpenFile, //
};
use crate::abstractions::{
    helpers,
    shared::Stock, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    types::Opaque, //
};

/// What is known in one round. Used by who submits, in process context.
pub(crate) struct DeviceRound {
    /// The file that was the last to tell when it was used, and how.
    used: Option<FileId>,
    /// References to it.
    files: Stock<OpenFile>,
    /// Whom transfers are charged to.
    model: Option<Model>,
    /// The priority of the current thread.
    priority: Option<u16>,
    /// How many more requests there may be after the first one.
    more: u16,
}

impl DeviceRound {
    /// Nothing is known.
    pub(crate) const fn new() -> Self {
        Self {
            used: None,
            files: Stock::new(),
            model: None,
            priority: None,
            more: 0,
        }
    }

    /// Begins a round of at most `size` requests.
    #[inline]
    pub(crate) fn begin(&mut self, size: u16) {
        self.used = None;
        self.priority = None;
        self.more = size.saturating_sub(1);
    }

    /// Whether there may be more than one: otherwise it is no use to keep anything.
    #[inline]
    pub(crate) fn has_many(&self) -> bool {
        self.more != 0
    }

    /// Ends it. May sleep.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.files.clear();
        self.model = None;
    }

    /// Has `file` tell when it was used, unless it was the last to do so; answers whether it could. May
    /// sleep.
    #[inline]
    pub(super) fn note_use(&mut self, file: &SharedFile, direction: Direction) -> bool {
        let usage = Some(file.id().with(direction));
        if self.used == usage {
            return true;
        }
        // SAFETY: The file is alive.
        let could =
            unsafe { helpers::io_ring_note_use(file.as_ptr(), direction == Direction::Write) };
        if could {
            self.used = usage;
        }
        could
    }

    /// The I/O priority of the current thread.
    #[inline]
    pub(super) fn priority(&mut self) -> u16 {
        // SAFETY: FFI call without requirements.
        *(self.priority).get_or_insert_with(|| unsafe { helpers::io_ring_ioprio_current() })
    }

    /// A reference to `file`.
    #[inline]
    pub(super) fn hold(&mut self, file: &SharedFile) -> SharedFile {
        self.files.take(file, self.more)
    }

    /// Takes back a reference. May sleep.
    #[inline]
    pub(super) fn let_go(&mut self, file: SharedFile) {
        self.files.put(file);
    }

    /// A bio that is charged to whom those of the current task are; null if it would be the only one that
    /// asks. `device` is that of an open file.
    #[inline]
    pub(super) fn model(&mut self, device: NonNull<bindings::block_device>) -> *mut bindings::bio {
        if !self.has_many() {
            return null_mut();
        }
        (self.model.get_or_insert_with(|| Model::new(device)))
            .0
            .get()
    }
}

/// A bio that is never submitted.
///
/// # Invariants
///
/// It is initialised.
struct Model(Opaque<bindings::bio>);

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Model {}

impl Model {
    /// One of the current task, for `device`, which is that of an open file.
    #[cold]
    fn new(device: NonNull<bindings::block_device>) -> Self {
        let bio = Opaque::<bindings::bio>::uninit();
        let operation = helpers::IO_RING_BIO_READ;
        // SAFETY: It is valid for writes, and the device is alive as long as its file is. There is room for
        // no segment.
        unsafe { bindings::bio_init(bio.get(), device.as_ptr(), null_mut(), 0, operation) };
        // INVARIANT: Just initialised.
        Self(bio)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and it is not used any more.
        unsafe { bindings::bio_uninit(self.0.get()) };
    }
}

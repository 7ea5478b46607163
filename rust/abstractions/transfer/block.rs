// SPDX-License-Identifier: GPL-2.0

//! Transfers between a registered buffer and a block device, which go there as they are.
//!
//! Such a transfer needs nothing of what files do for others: no pages to look up, nothing of the page
//! cache, no memory but what its slot has. What [`NewBlockTransfer::new`] does not take (because a rule
//! of `block/fops.c` would refuse it, cut it short or do more) goes the general way, which also says
//! why, if it is refused.

use super::{
    device_round::DeviceRound,
    held::SharedFile,
    kept::{
        Kept,
        Task, //
    },
    Direction, //
};
use crate::abstractions::{
    helpers,
    pinned::{
        Bytes,
        PinnedBuffer, //
    },
    shared::Shared, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// What the file has to be like for either direction: a block device that can be told not to wait.
const DEVICE: c_int = helpers::IO_RING_FILE_BLOCK | helpers::IO_RING_FILE_NOWAIT;
/// And for reads, and for writes.
const READS: c_int = DEVICE
    | helpers::IO_RING_FILE_READ
    | helpers::IO_RING_FILE_CAN_READ
    | helpers::IO_RING_FILE_READ_ITER
    | helpers::IO_RING_FILE_PREAD;
const WRITES: c_int = DEVICE
    | helpers::IO_RING_FILE_WRITE
    | helpers::IO_RING_FILE_CAN_WRITE
    | helpers::IO_RING_FILE_WRITE_ITER
    | helpers::IO_RING_FILE_PWRITE;
/// What it must not be like.
const NOT: c_int = helpers::IO_RING_FILE_STREAM | helpers::IO_RING_FILE_GUARDED;

/// A transfer that its device takes as it is, which has not been started.
///
/// # Invariants
///
/// `device` is that of `file`; what `task` says of `buffer` starts `skip` bytes after the beginning of the
/// segment `first`.
pub(crate) struct NewBlockTransfer<'a> {
    file: &'a SharedFile,
    buffer: &'a Shared<PinnedBuffer>,
    device: NonNull<bindings::block_device>,
    first: *const bindings::bio_vec,
    skip: u32,
    task: Task,
}

impl<'a> NewBlockTransfer<'a> {
    /// A transfer of `len` bytes between `offset` of `file` and `address` in `buffer`; `None` if it goes
    /// the general way. Process context.
    #[inline]
    pub(crate) fn new(
        direction: Direction,
        file: &'a SharedFile,
        offset: u64,
        buffer: &'a Shared<PinnedBuffer>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        let is_write = direction == Direction::Write;
        let needed = if is_write { WRITES } else { READS };
        if file.modes() & (needed | NOT) != needed {
            return None;
        }
        let offset = i64::try_from(offset).ok()?;
        let Bytes { first, skip, .. } = buffer.bytes(address, len).ok()?;
        // The segments after the first one start with a page: the address says how all of them lie.
        let at = usize::try_from(address).ok()?;
        // SAFETY: The file is alive, and one of a block device.
        let device =
            unsafe { helpers::io_ring_bio_target(file.as_ptr(), offset, len, at, is_write) };
        // INVARIANT: As just asked for.
        Some(Self {
            file,
            buffer,
            device: NonNull::new(device)?,
            first,
            skip: u32::try_from(skip).ok()?,
            task: Task {
                direction,
                offset,
                address,
                len,
            },
        })
    }

    /// Has the file tell when it was used, unless it has in this round; answers whether it could. Process
    /// context; may sleep.
    #[inline]
    pub(crate) fn note_use(&self, round: &mut DeviceRound) -> bool {
        round.note_use(self.file, self.task.direction)
    }

    /// Submits `bio`, which calls `end`, in any context, when it is done; `private` is in it then.
    ///
    /// # Safety
    ///
    /// `bio` is valid for writes and not in use. It stays where it is, used by nobody, and what
    /// [`NewBlockTransfer::keep`] says is kept, until `end` is called.
    #[inline]
    pub(in crate::abstractions) unsafe fn submit(
        &self,
        bio: *mut bindings::bio,
        round: &mut DeviceRound,
        end: unsafe extern "C" fn(*mut bindings::bio),
        private: *mut c_void,
    ) {
        let Task { offset, len, .. } = self.task;
        let operation = match self.task.direction {
            Direction::Read => helpers::IO_RING_BIO_READ,
            Direction::Write => helpers::IO_RING_BIO_WRITE,
        };
        let (device, first) = (self.device.as_ptr(), self.first.cast_mut());
        let model = round.model(self.device);
        // SAFETY: `bio` is valid for writes, the model is one or null, and the device is alive as long as
        // its file is. There is room for no more segments.
        unsafe { helpers::io_ring_bio_init(bio, device, first, operation, model) };
        // SAFETY: Just initialised, and nobody else has it yet.
        let this = unsafe { &mut *bio };
        // Its segments are not its own.
        this.bi_flags |= 1 << bindings::BIO_CLONED;
        this.bi_iter.bi_sector = offset.unsigned_abs() >> bindings::SECTOR_SHIFT;
        this.bi_iter.bi_size = len;
        this.bi_iter.bi_offset = self.skip;
        this.bi_end_io = Some(end);
        this.bi_private = private;
        // SAFETY: It is a whole one, whose segments and device are kept by the safety requirements; the
        // file is lent for the time of this call.
        unsafe { helpers::io_ring_bio_submit(bio, self.file.as_ptr()) };
    }

    /// Has `to` keep what is needed until it is done.
    #[inline]
    pub(in crate::abstractions) fn keep(&self, to: &mut Kept, round: &mut DeviceRound) {
        to.put_shared(self.task, round.hold(self.file), Some(self.buffer.clone()));
    }
}

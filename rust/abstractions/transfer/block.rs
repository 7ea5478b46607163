// SPDX-License-Identifier: GPL-2.0

//! Transfers between a registered buffer and a block device, which go there as they are.
//!
//! Such a transfer needs nothing of what files do for others: no pages to look up, nothing of the page
//! cache, no memory but what its slot has. What [`NewBlockTransfer::new`] does not take (because a rule
//! of `block/fops.c` would refuse it, cut it short or do more) goes the general way, which also says
//! why, if it is refused.

use super::{
    held::{
        HeldFile,
        SharedFile,
        TransferFile, //
    },
    memory::Memory,
    terms::{
        Nonblocking,
        Start, //
    },
    Direction,
    FileId,
    OpenFile,
    Priority,
    Transfer,
    UserBuffers,
    Via, //
};
use crate::abstractions::{
    helpers,
    pinned::{
        Bytes,
        PinnedBuffer, //
    },
    shared::{
        Shared,
        Stock, //
    },
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    types::Opaque, //
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

/// What a transfer does.
#[derive(Clone, Copy)]
struct Task {
    direction: Direction,
    offset: i64,
    address: u64,
    len: u32,
}

/// What many transfers of one round have in common.
pub(crate) struct BlockRound {
    /// The file that has told last when it was used, and how.
    used: Option<FileId>,
    files: Stock<OpenFile>,
    /// How many more there may be.
    more: u16,
    /// Whom they are charged to.
    model: Option<Model>,
}

/// A bio that is not submitted: it says whom those of the current task are charged to.
struct Model(Opaque<bindings::bio>);

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Model {}

impl Model {
    #[cold]
    fn new(device: NonNull<bindings::block_device>) -> Self {
        let bio = Opaque::<bindings::bio>::uninit();
        // SAFETY: It is valid for writes, and the device is alive by the safety...
        unsafe {
            bindings::bio_init(
                bio.get(),
                device.as_ptr(),
                null_mut(),
                0,
                helpers::IO_RING_BIO_READ,
            )
        };
        Self(bio)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: Initialised in `new`, and never submitted.
        unsafe { bindings::bio_uninit(self.0.get()) };
    }
}

impl BlockRound {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            used: None,
            files: Stock::new(),
            more: 0,
            model: None,
        }
    }

    /// Begins a round of `size` requests.
    #[inline]
    pub(crate) fn begin(&mut self, size: u16) {
        self.used = None;
        self.more = size.saturating_sub(1);
    }

    /// Whether it is one of more than one request.
    #[inline]
    pub(crate) fn has_many(&self) -> bool {
        self.more != 0
    }

    /// Whom its transfers are charged to; not if that is only asked once.
    #[inline]
    fn model(&mut self, device: NonNull<bindings::block_device>) -> Option<&Model> {
        if !self.has_many() {
            return None;
        }
        Some(self.model.get_or_insert_with(|| Model::new(device)))
    }

    /// Ends it. Process context; sleeps.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.files.clear();
        self.model = None;
    }
}

/// A transfer that its device takes as it is, which has not been started.
///
/// # Invariants
///
/// `device` is that of `file`, and `bytes` are those of `buffer` that `task` says.
pub(crate) struct NewBlockTransfer<'a> {
    file: &'a SharedFile,
    buffer: &'a Shared<PinnedBuffer>,
    device: NonNull<bindings::block_device>,
    bytes: Bytes,
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
        let bytes = buffer.bytes(address, len).ok()?;
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
            bytes,
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
    pub(crate) fn note_use(&self, round: &mut BlockRound) -> bool {
        let usage = Some(self.file.id().with(self.task.direction));
        if round.used != usage {
            let is_write = self.task.direction == Direction::Write;
            // SAFETY: The file is alive.
            if unsafe { !helpers::io_ring_note_use(self.file.as_ptr(), is_write) } {
                return false;
            }
            round.used = usage;
        }
        true
    }

    /// Submits `bio`, which calls `end`, in any context, when it is done; `private` is in it then.
    ///
    /// # Safety
    ///
    /// `bio` is valid for writes and not in use. It stays where it is, used by nobody, and what
    /// [`NewBlockTransfer::keep`] answers is kept, until `end` is called.
    #[inline]
    pub(in crate::abstractions) unsafe fn submit(
        &self,
        bio: *mut bindings::bio,
        round: &mut BlockRound,
        end: unsafe extern "C" fn(*mut bindings::bio),
        private: *mut c_void,
    ) {
        let Task { offset, len, .. } = self.task;
        let operation = match self.task.direction {
            Direction::Read => helpers::IO_RING_BIO_READ,
            Direction::Write => helpers::IO_RING_BIO_WRITE,
        };
        let (device, first) = (self.device.as_ptr(), self.bytes.first.cast_mut());
        let model = round
            .model(self.device)
            .map_or(null_mut(), |model| model.0.get());
        // SAFETY: `bio` is valid for writes, the model is initialised, and the device is alive as long as
        // its file is. There is room for no more segments.
        unsafe { helpers::io_ring_bio_init(bio, device, first, operation, model) };
        // SAFETY: Just initialised, and nobody else has it yet.
        let this = unsafe { &mut *bio };
        // Its segments are not its own.
        this.bi_flags |= 1 << bindings::BIO_CLONED;
        this.bi_iter.bi_sector = offset.unsigned_abs() >> bindings::SECTOR_SHIFT;
        this.bi_iter.bi_size = len;
        // CAST: Less than the length of the segment, which is a `u32` itself.
        this.bi_iter.bi_offset = self.bytes.skip as u32;
        this.bi_end_io = Some(end);
        this.bi_private = private;
        // SAFETY: It is a whole one, whose segments and device are kept by the safety requirements; the
        // file is lent for the time of this call.
        unsafe { helpers::io_ring_bio_submit(bio, self.file.as_ptr()) };
    }

    /// Has `to` keep what is needed until it is done.
    #[inline]
    pub(in crate::abstractions) fn keep(&self, to: &mut BlockTransfer, round: &mut BlockRound) {
        to.task = self.task;
        let file = round.files.take(self.file, round.more);
        to.held = Some((file, self.buffer.clone()));
    }
}

/// A transfer that its device has, or room for one.
pub(in crate::abstractions) struct BlockTransfer {
    task: Task,
    held: Option<(SharedFile, Shared<PinnedBuffer>)>,
}

impl BlockTransfer {
    /// None.
    pub(in crate::abstractions) const NONE: Self = Self {
        task: Task {
            direction: Direction::Read,
            offset: 0,
            address: 0,
            len: 0,
        },
        held: None,
    };

    /// Ends it in the round that has begun it, and answers how many bytes it was. Process context; sleeps.
    #[inline]
    pub(in crate::abstractions) fn end_in(&mut self, round: &mut BlockRound) -> isize {
        if let Some((file, _buffer)) = self.held.take() {
            round.files.put(file);
        }
        // CAST: A part of a buffer, which are smaller than that.
        self.task.len as isize
    }

    /// Ends it, in any context, and answers how many bytes it was.
    ///
    /// # Errors
    ///
    /// That would close the file or unpin the buffer, which may sleep: what is left, with all of the
    /// bytes to answer.
    #[inline]
    pub(in crate::abstractions) fn let_go(&mut self) -> Result<isize, (Transfer, isize)> {
        let task = &self.task;
        let Some((file, buffer)) = self.held.take() else {
            return Ok(0);
        };
        // CAST: A part of a buffer, which are smaller than that.
        let len = task.len as isize;
        if let Err(buffer) = buffer.put_unless_last() {
            return Err((task.of(file, Memory::Held(buffer)), len));
        }
        match file.put_unless_last() {
            Ok(()) => Ok(len),
            Err(file) => Err((task.of(file, Memory::User), len)),
        }
    }

    /// The same in the general form, to be done again with this priority.
    #[cold]
    pub(in crate::abstractions) fn take(&mut self, priority: u16) -> Option<Transfer> {
        let task = &self.task;
        let (file, buffer) = self.held.take()?;
        let mut iter = bindings::iov_iter::default();
        // It was a part of the buffer when this began, and buffers do not change.
        let _ = buffer.iter(
            task.direction.iter_type() as u32,
            task.address,
            task.len,
            &mut iter,
        );
        let mut transfer = task.of(file, Memory::Held(buffer));
        transfer.priority = Priority(priority);
        transfer.buffers.iter = iter;
        Some(transfer)
    }
}

impl Task {
    /// A transfer that does this, but for the memory.
    #[cold]
    fn of(&self, file: SharedFile, memory: Memory) -> Transfer {
        let modes = file.modes();
        Transfer {
            file: TransferFile::Held(HeldFile::Shared(file)),
            modes,
            via: Via::File,
            start: Start::At(self.offset),
            flags: helpers::IO_RING_IOCB_DIRECT,
            rwf: 0,
            nonblocking: Nonblocking::Told,
            tried_only: true,
            done: 0,
            priority: Priority::DEFAULT,
            is_lent: false,
            buffers: UserBuffers {
                direction: self.direction,
                is_vector: false,
                iter: bindings::iov_iter::default(),
                memory,
            },
        }
    }
}

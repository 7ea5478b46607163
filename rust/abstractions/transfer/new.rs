// SPDX-License-Identifier: GPL-2.0

//! What is judged before a transfer is started.

use super::{
    held::{
        SharedFile,
        TransferFile, //
    },
    shared_table::SharedTable,
    terms::{
        Nonblocking,
        Start, //
    },
    Direction,
    FileArgument,
    NewBuffers,
    Priority,
    Transfer,
    Unfit,
    Via, //
};
use crate::abstractions::helpers;
use core::{
    marker::PhantomData,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    }, //
};
use kernel::prelude::*;

/// Bytes that all devices can begin and end with.
const SECTOR: u64 = 512;

/// Where a transfer is put together: it is not moved about.
pub(crate) struct Place(MaybeUninit<Transfer>);

impl Place {
    /// Nothing is there.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Puts a transfer there, whose file and memory are lent for `'a` at least.
    #[inline(always)]
    pub(super) fn put<'a>(&'a mut self, transfer: Transfer) -> NewTransfer<'a> {
        self.0.write(transfer);
        // INVARIANT: Just written.
        NewTransfer(&mut self.0, PhantomData)
    }
}

/// A transfer that has not been started, of a file that may be lent for `'a`.
///
/// # Invariants
///
/// It is initialised.
pub(crate) struct NewTransfer<'a>(&'a mut MaybeUninit<Transfer>, PhantomData<&'a SharedFile>);

impl Drop for NewTransfer<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Initialised by the type invariants, and not used after this.
        unsafe { self.0.assume_init_drop() };
    }
}

impl<'a> NewTransfer<'a> {
    /// A transfer at `offset` bytes; `u64::MAX` means the file position.
    ///
    /// Files without a position, and files that cannot be read or written at an offset, ignore it.
    /// `rwf` are `RWF_*` flags.
    #[inline(always)]
    pub(crate) fn new(
        place: &'a mut Place,
        argument: FileArgument<'a>,
        offset: u64,
        buffers: NewBuffers<'a>,
        rwf: u32,
        priority: Priority,
    ) -> Result<Self, Unfit> {
        let file = TransferFile::new(argument);
        let NewBuffers {
            buffers, alignment, ..
        } = buffers;
        let direction = buffers.direction;
        let modes = file.modes();
        let is = |bits| modes & bits == bits;
        let (open_for, positioned, able, tells) = match direction {
            Direction::Read => (
                helpers::IO_RING_FILE_READ,
                helpers::IO_RING_FILE_PREAD,
                helpers::IO_RING_FILE_CAN_READ,
                helpers::IO_RING_FILE_READ_ITER,
            ),
            Direction::Write => (
                helpers::IO_RING_FILE_WRITE,
                helpers::IO_RING_FILE_PWRITE,
                helpers::IO_RING_FILE_CAN_WRITE,
                helpers::IO_RING_FILE_WRITE_ITER,
            ),
        };
        if !is(open_for) {
            return Err(Unfit::File(EBADF));
        }

        let start = if is(helpers::IO_RING_FILE_STREAM) {
            Start::None
        } else if offset == u64::MAX || !is(positioned) {
            Start::Current
        } else {
            Start::At(i64::try_from(offset).map_err(|_| Unfit::Offset(EINVAL))?)
        };

        let mut flags = 0;
        // SAFETY: The file is alive and `flags` valid for writes.
        let ret = unsafe {
            helpers::io_ring_kiocb_flags(
                file.as_ptr(),
                rwf,
                direction == Direction::Write,
                &mut flags,
            )
        };
        kernel::error::to_result(ret).map_err(Unfit::Flags)?;

        let is_told = (flags & helpers::IO_RING_IOCB_NOWAIT) != 0;
        let is_whole = start.is_whole(flags);
        let can_be_told = if is(helpers::IO_RING_FILE_GUARDED) {
            // Somebody is asked for permission first.
            false
        } else if flags & helpers::IO_RING_IOCB_DIRECT != 0 {
            // Whoever has the file position waits for the device.
            !is_whole && is(helpers::IO_RING_FILE_NOWAIT)
        } else if direction == Direction::Write && is(helpers::IO_RING_FILE_STORAGE) {
            // Few file systems can be told not to wait in a buffered write.
            !is_whole && is(helpers::IO_RING_FILE_NOWAIT_WRITE)
        } else {
            is(helpers::IO_RING_FILE_NOWAIT | tells)
        };
        let refuses = !is(able);
        let is_quick = is(helpers::IO_RING_FILE_IN_MEMORY) && !is(helpers::IO_RING_FILE_GUARDED);
        let nonblocking = if is_told || refuses || is_quick {
            Nonblocking::Anyway
        } else if can_be_told {
            Nonblocking::Told
        } else {
            Nonblocking::Never
        };

        if !is(tells) && is(able) && buffers.is_pinned() {
            // Old interfaces only take addresses.
            return Err(Unfit::File(EOPNOTSUPP));
        }
        let is_direct = flags & helpers::IO_RING_IOCB_DIRECT != 0;
        if is_direct && alignment % SECTOR != 0 {
            // Who gets pages relies on that they can be used as they are.
            // SAFETY: The file is alive.
            let mask = unsafe { helpers::io_ring_dma_alignment(file.as_ptr()) };
            if alignment & u64::from(mask) != 0 {
                return Err(Unfit::Buffers(EINVAL));
            }
        }

        // Old interfaces may look at descriptors, which worker threads have none of.
        let is_lent = file.is_lent() || buffers.memory.is_lent();
        let via = if !is(tells) && nonblocking == Nonblocking::Never {
            Via::WithTable(SharedTable::current())
        } else {
            Via::File
        };

        let mut new = place.put(Transfer {
            file,
            modes,
            via,
            start,
            flags,
            rwf,
            nonblocking,
            tried_only: false,
            done: 0,
            priority,
            is_lent,
            buffers,
        });
        if is_direct {
            // It outlasts the call; and only devices look at the priority.
            let transfer = new.as_mut();
            transfer.hold();
            transfer.priority = priority.resolved();
        }
        Ok(new)
    }

    /// The transfer, whose file may only be lent.
    #[inline]
    pub(in crate::abstractions) fn as_mut(&mut self) -> &mut Transfer {
        // SAFETY: Initialised by the type invariants.
        unsafe { self.0.assume_init_mut() }
    }

    /// As [`NewTransfer::as_mut`], somewhere else.
    #[inline]
    pub(in crate::abstractions) fn into_inner(self) -> Transfer {
        let this = ManuallyDrop::new(self);
        // SAFETY: As above, and it is not used there any more.
        unsafe { this.0.assume_init_read() }
    }
}

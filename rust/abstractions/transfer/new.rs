// SPDX-License-Identifier: GPL-2.0

//! What is judged before a transfer is started.

use super::{
    held::TransferFile,
    shared_table::SharedTable,
    terms::{
        Nonblocking,
        Start, //
    },
    Direction,
    FileArgument,
    Priority,
    Transfer,
    Unfit,
    UserBuffers,
    Via, //
};
use crate::abstractions::{
    helpers,
    shared_file::SharedFile, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A transfer that has not been started, of a file that may be lent for `'a`.
pub(crate) struct NewTransfer<'a>(Transfer, PhantomData<&'a SharedFile>);

impl<'a> NewTransfer<'a> {
    /// A transfer at `offset` bytes; `u64::MAX` means the file position.
    ///
    /// Files without a position, and files that cannot be read or written at an offset, ignore it.
    /// `rwf` are `RWF_*` flags.
    #[inline]
    pub(crate) fn new(
        argument: FileArgument<'a>,
        offset: u64,
        buffers: UserBuffers,
        rwf: u32,
        priority: Priority,
    ) -> Result<Self, Unfit> {
        let mut file = TransferFile::new(argument);
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

        if flags & helpers::IO_RING_IOCB_DIRECT != 0 {
            // It outlasts the call.
            file.hold();
        }

        // Old interfaces may look at descriptors, which worker threads have none of.
        let via = if !is(tells) && nonblocking == Nonblocking::Never {
            Via::WithTable(SharedTable::current())
        } else {
            Via::File
        };

        let transfer = Transfer {
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
            buffers,
        };
        Ok(Self(transfer, PhantomData))
    }

    /// A transfer whose file is lent for `'a` at least.
    pub(super) fn from_inner(transfer: Transfer) -> Self {
        Self(transfer, PhantomData)
    }

    /// The transfer, whose file may only be lent.
    pub(in crate::abstractions) fn into_inner(self) -> Transfer {
        self.0
    }
}

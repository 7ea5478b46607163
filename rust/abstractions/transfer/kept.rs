// SPDX-License-Identifier: GPL-2.0

//! Transfers at an offset, of one buffer, that ask for nothing special: what is kept of one while a device
//! has it.

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
    DeviceRound,
    Direction,
    OpenFile,
    Priority,
    Transfer,
    UserBuffers,
    Via, //
};
use crate::abstractions::{
    helpers,
    pinned::PinnedBuffer,
    shared::Shared, //
};
use core::ptr::without_provenance_mut;
use kernel::bindings;

/// What a transfer does.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) direction: Direction,
    pub(super) offset: i64,
    pub(super) address: u64,
    pub(super) len: u32,
}

/// A transfer that a device has, or room for one.
pub(in crate::abstractions) struct Kept {
    task: Task,
    /// Its file is one of these.
    shared: Option<SharedFile>,
    own: Option<OpenFile>,
    /// Without one the address is that of memory of the program.
    buffer: Option<Shared<PinnedBuffer>>,
}

impl Kept {
    /// None.
    pub(in crate::abstractions) const NONE: Self = Self {
        task: Task {
            direction: Direction::Read,
            offset: 0,
            address: 0,
            len: 0,
        },
        shared: None,
        own: None,
        buffer: None,
    };

    /// Keeps a transfer of a registered file.
    #[inline]
    pub(super) fn put_shared(
        &mut self,
        task: Task,
        file: SharedFile,
        buffer: Option<Shared<PinnedBuffer>>,
    ) {
        self.task = task;
        // There is none before: nothing is dropped.
        core::mem::forget(core::mem::replace(&mut self.shared, Some(file)));
        core::mem::forget(core::mem::replace(&mut self.buffer, buffer));
    }

    /// Keeps a transfer of a file that was looked up for it.
    #[inline]
    pub(super) fn put_own(
        &mut self,
        task: Task,
        file: OpenFile,
        buffer: Option<Shared<PinnedBuffer>>,
    ) {
        self.task = task;
        // As above.
        core::mem::forget(core::mem::replace(&mut self.own, Some(file)));
        core::mem::forget(core::mem::replace(&mut self.buffer, buffer));
    }

    /// How many bytes it is.
    #[inline]
    pub(in crate::abstractions) fn len(&self) -> isize {
        // CAST: A part of a buffer, or what `read(2)` transfers at most.
        self.task.len as isize
    }

    /// Ends it in the round that has begun it. Process context; sleeps.
    #[inline]
    pub(in crate::abstractions) fn end_in(&mut self, round: &mut DeviceRound) {
        self.buffer = None;
        match self.shared.take() {
            Some(file) => round.let_go(file),
            None => self.own = None,
        }
    }

    /// Ends it, in any context. If that would close the file or unpin the buffer, which may sleep, answers
    /// what is left.
    #[inline]
    pub(in crate::abstractions) fn let_go(&mut self) -> Option<Transfer> {
        if let Some(Err(buffer)) = self.buffer.take().map(Shared::put_unless_last) {
            self.buffer = Some(buffer);
            return self.rest();
        }
        if let Some(Err(file)) = self.shared.take().map(SharedFile::put_unless_last) {
            self.shared = Some(file);
            return self.rest();
        }
        if let Some(Err(file)) = self.own.take().map(OpenFile::put_unless_last) {
            self.own = Some(file);
            return self.rest();
        }
        None
    }

    /// The same in the general form, to be done again with this priority.
    #[cold]
    pub(in crate::abstractions) fn take(&mut self, priority: u16) -> Option<Transfer> {
        let mut transfer = self.rest()?;
        let task = &self.task;
        let mut iter = bindings::iov_iter::default();
        let iter_type = task.direction.iter_type();
        match &transfer.buffers.memory {
            Memory::Held(buffer) => {
                // It was a part of the buffer when this began, and buffers do not change.
                // CAST: 0 or 1.
                let _ = buffer.iter(iter_type as u32, task.address, task.len, &mut iter);
            }
            _ => {
                // It was an address when this began.
                let address = usize::try_from(task.address).unwrap_or(usize::MAX);
                let user = without_provenance_mut(address);
                // SAFETY: `iter` is valid for writes; the address has been checked.
                unsafe { helpers::io_ring_iter_ubuf(&mut iter, iter_type, user, task.len) };
            }
        }
        transfer.priority = Priority(priority);
        transfer.buffers.iter = iter;
        Some(transfer)
    }

    /// What is left of it, as a transfer that is not run.
    #[cold]
    fn rest(&mut self) -> Option<Transfer> {
        let shared = self.shared.take().map(HeldFile::Shared);
        let file = shared.or_else(|| self.own.take().map(HeldFile::Own))?;
        let memory = self.buffer.take().map_or(Memory::User, Memory::Held);
        Some(self.task.of(file, memory))
    }
}

impl Task {
    /// A transfer that does this, but for the memory.
    #[cold]
    fn of(&self, file: HeldFile, memory: Memory) -> Transfer {
        let modes = file.modes();
        Transfer {
            file: TransferFile::Held(file),
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

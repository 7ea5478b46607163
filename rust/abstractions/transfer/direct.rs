// SPDX-License-Identifier: GPL-2.0

//! Transfers with `O_DIRECT`, at an offset, of one buffer, that ask for nothing special.
//!
//! They are what most programs with `O_DIRECT` do all the time. What [`NewDirectTransfer`] does not take
//! goes the general way, and so does what its file cannot do without waiting, or does only in part.

use super::{
    at_once::LightFile,
    device_round::DeviceRound,
    held::{
        FileArgument,
        SharedFile, //
    },
    kept::{
        Kept,
        Task, //
    },
    Direction,
    OpenFile, //
};
use crate::abstractions::{
    helpers,
    pinned::PinnedBuffer,
    shared::Shared, //
};
use core::ptr::without_provenance_mut;
use kernel::{
    bindings,
    prelude::*, //
};

/// Most bytes that are transferred at once (`MAX_RW_COUNT` on machines with pages of 4 KiB).
const MOST: u32 = 0x7fff_f000;

/// Such a transfer, which has not been started.
pub(crate) struct NewDirectTransfer<'a> {
    file: FileArgument<'a>,
    buffer: Option<&'a Shared<PinnedBuffer>>,
    task: Task,
}

impl<'a> NewDirectTransfer<'a> {
    /// A transfer of `len` bytes between `offset` of the file that `fd` stands for and `address`, in memory
    /// of the calling process or in `buffer`; `None` if it goes the general way. Process context, in an
    /// ioctl.
    #[inline]
    pub(crate) fn of_descriptor(
        direction: Direction,
        fd: i32,
        offset: u64,
        buffer: Option<&'a Shared<PinnedBuffer>>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        let task = Task::new(direction, offset, address, len)?;
        let light = LightFile::get(fd)?;
        // SAFETY: The file is alive.
        if unsafe { !fits(light.as_ptr(), &task, buffer.is_some()) } {
            return None;
        }
        // SAFETY: As above.
        let file = FileArgument::Own(unsafe { OpenFile::of_light(light.as_ptr()) });
        Some(Self { file, buffer, task })
    }

    /// As [`NewDirectTransfer::of_descriptor`], of `file`.
    #[inline]
    pub(crate) fn of_registered(
        direction: Direction,
        file: &'a SharedFile,
        offset: u64,
        buffer: Option<&'a Shared<PinnedBuffer>>,
        address: u64,
        len: u32,
    ) -> Option<Self> {
        let task = Task::new(direction, offset, address, len)?;
        // SAFETY: The file is alive.
        if unsafe { !fits(file.as_ptr(), &task, buffer.is_some()) } {
            return None;
        }
        let file = FileArgument::Lent(file);
        Some(Self { file, buffer, task })
    }

    /// Which way the data goes.
    pub(in crate::abstractions) fn is_write(&self) -> bool {
        self.task.direction == Direction::Write
    }

    /// Makes `iter` one over the memory. Not if the program does not have that.
    #[inline]
    pub(in crate::abstractions) fn iter(&self, iter: &mut bindings::iov_iter) -> Option<()> {
        let Task { address, len, .. } = self.task;
        let iter_type = self.task.direction.iter_type();
        if let Some(buffer) = self.buffer {
            // CAST: 0 or 1.
            return buffer.iter(iter_type as u32, address, len, iter).ok();
        }
        let user = without_provenance_mut(usize::try_from(address).ok()?);
        // SAFETY: `iter` is valid for writes; the function checks the address.
        let ret = unsafe { bindings::import_ubuf(iter_type, user, len as usize, iter) };
        (ret == 0).then_some(())
    }

    /// What the file is called with; it tells `complete` when it is done.
    #[inline]
    pub(in crate::abstractions) fn kiocb(
        &self,
        round: &mut DeviceRound,
        complete: unsafe extern "C" fn(*mut bindings::kiocb, c_long),
    ) -> bindings::kiocb {
        let file: &OpenFile = match &self.file {
            FileArgument::Own(file) => file,
            FileArgument::Lent(file) => file,
        };
        bindings::kiocb {
            ki_filp: file.as_ptr(),
            ki_pos: self.task.offset,
            ki_flags: helpers::IO_RING_IOCB_DIRECT | helpers::IO_RING_IOCB_NOWAIT,
            ki_ioprio: round.priority(),
            ki_complete: Some(complete),
            ..pin_init::zeroed()
        }
    }

    /// Has `to` keep what is needed until it is done.
    #[inline]
    pub(in crate::abstractions) fn keep(self, to: &mut Kept, round: &mut DeviceRound) {
        let buffer = self.buffer.cloned();
        match self.file {
            FileArgument::Own(file) => to.put_own(self.task, file, buffer),
            FileArgument::Lent(file) => to.put_shared(self.task, round.hold(file), buffer),
        }
    }
}

impl Task {
    /// `None` if the general way has to say what becomes of it.
    #[inline]
    fn new(direction: Direction, offset: u64, address: u64, len: u32) -> Option<Self> {
        // None at all is not transferred.
        if len.wrapping_sub(1) >= MOST {
            return None;
        }
        Some(Self {
            direction,
            offset: i64::try_from(offset).ok()?,
            address,
            len,
        })
    }
}

/// Whether `file` can do `task` so.
///
/// # Safety
///
/// The file is alive.
#[inline]
unsafe fn fits(file: *mut bindings::file, task: &Task, is_pinned: bool) -> bool {
    let is_write = task.direction == Direction::Write;
    // SAFETY: By the safety requirements.
    if unsafe { !helpers::io_ring_file_is_direct(file, is_write) } {
        return false;
    }
    if !is_pinned {
        return true;
    }
    // Who gets pages relies on that they can be used as they are.
    // SAFETY: By the safety requirements.
    let mask = unsafe { helpers::io_ring_dma_alignment(file) };
    task.address & u64::from(mask) == 0
}

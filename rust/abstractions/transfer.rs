// SPDX-License-Identifier: GPL-2.0

//! Transfers between an open file and user memory. Would join `rust/kernel/fs/kiocb.rs`.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)
//!
//! A [`Transfer`] owns all it needs (the file, a copy of the iovec array) and can be kept as long
//! as one likes. [`Transfer::run`] issues it, on behalf of [`super::async_io`].

mod at_once;
mod block;
mod device_round;
mod direct;
mod file_calls;
mod held;
mod kept;
mod memory;
mod new;
mod new_buffers;
mod open_file;
mod polled;
mod shared_table;
mod socket;
mod terms;
mod user_buffers;

pub(crate) use at_once::read_at_once;
pub(crate) use block::NewBlockTransfer;
pub(crate) use device_round::DeviceRound;
pub(crate) use direct::NewDirectTransfer;
pub(crate) use file_calls::Advice;
pub(crate) use held::{
    FileArgument,
    HeldFile, //
};
pub(super) use kept::Kept;
pub(crate) use new::{
    NewTransfer,
    Place, //
};
pub(crate) use new_buffers::NewBuffers;
pub(crate) use open_file::{
    FileId,
    OpenFile, //
};
pub(crate) use socket::{
    Message,
    MessageFlags, //
};
pub(super) use terms::Attempt;
pub(crate) use terms::{
    May,
    Priority,
    Unfit, //
};
pub(crate) use user_buffers::{
    Direction,
    UserBuffers, //
};

use super::helpers;
use core::ptr::{
    null_mut,
    NonNull, //
};
use held::TransferFile;
use kernel::{
    bindings,
    prelude::*, //
};
use memory::Memory;
use shared_table::SharedTable;
use terms::{
    Nonblocking,
    Start, //
};

/// How the file is called.
enum Via {
    /// By its `read_iter` or `write_iter`.
    File,
    /// As above, or by its `read` or `write`, which may look at the descriptor table.
    WithTable(SharedTable),
    /// As a socket, with `MSG_*` flags.
    Socket {
        flags: u32,
        /// It goes on until all has been received.
        wants_all: bool,
        message: Option<Message>,
    },
}

/// A transfer that has everything it needs.
pub(crate) struct Transfer {
    file: TransferFile,
    /// What the file is like: `IO_RING_FILE_*`.
    modes: c_int,
    via: Via,
    start: Start,
    flags: c_int,
    rwf: u32,
    nonblocking: Nonblocking,
    /// The last attempt was told not to block.
    tried_only: bool,
    /// Bytes transferred by attempts before this one.
    done: usize,
    priority: Priority,
    /// The file or the memory is only lent.
    is_lent: bool,
    buffers: UserBuffers,
}

impl Transfer {
    /// Makes the file and the memory its own, if they were only lent.
    pub(super) fn hold(&mut self) {
        if core::mem::take(&mut self.is_lent) {
            self.file.hold();
            self.buffers.hold();
        }
    }

    /// How many bytes there are to transfer.
    pub(super) fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Whether the file or the memory is only lent: then the file answers before it returns.
    pub(super) fn is_lent(&self) -> bool {
        self.is_lent
    }

    fn is(&self, bits: c_int) -> bool {
        self.modes & bits == bits
    }

    /// Whether the file can be waited for. Many devices only say when they can be read.
    pub(super) fn can_poll(&self) -> bool {
        self.is(helpers::IO_RING_FILE_POLLABLE)
            && (!self.is_write() || self.is(helpers::IO_RING_FILE_FLOWS))
    }

    /// Whether the transfer is a write, whose completion [`end_write`] is due for.
    pub(super) fn is_write(&self) -> bool {
        self.buffers.direction == Direction::Write
    }

    /// Whether the file cannot do such a thing at all, as rings cannot.
    pub(super) fn is_refused(&self) -> bool {
        !self.is(if self.is_write() {
            helpers::IO_RING_FILE_CAN_WRITE
        } else {
            helpers::IO_RING_FILE_CAN_READ
        })
    }

    /// Ends the transfer, in any context, unless that would close the file or unpin the memory, which
    /// may sleep.
    pub(super) fn let_go(mut self) -> Result<(), Self> {
        if let Err(memory) = self.buffers.memory.put_unless_last() {
            self.buffers.memory = memory;
            return Err(self);
        }
        self.buffers.memory = Memory::User;
        match self.file.put_unless_last() {
            Ok(()) => Ok(()),
            Err(file) => {
                self.file = file;
                Err(self)
            }
        }
    }

    /// The file.
    pub(super) fn file_id(&self) -> FileId {
        self.file.id()
    }

    /// The inode, if transfers like this one should be done one after the other: they would only wait
    /// for each other, or for more than is there, or take the same position.
    pub(super) fn alone_on(&self) -> Option<FileId> {
        if self.is(helpers::IO_RING_FILE_STORAGE) {
            // Writes hold the lock of the inode while they copy to memory or allocate blocks.
            let waits_for_device = self.flags & helpers::IO_RING_IOCB_SYNC != 0;
            let holds_lock = self.is_write() && !waits_for_device;
            let moves_position = matches!(self.start, Start::Current);
            return (holds_lock || moves_position).then(|| self.file.inode_id());
        }
        let waits_for_more = self.nonblocking == Nonblocking::Never && self.can_poll();
        // What flows is the same for all who have it open; devices may be another for each.
        let id = if self.is(helpers::IO_RING_FILE_FLOWS) {
            self.file.inode_id()
        } else {
            self.file.id()
        };
        waits_for_more.then(|| id.with(self.buffers.direction))
    }

    /// The file, and the events that say that this transfer can go on.
    pub(super) fn readiness(&self) -> (*mut bindings::file, u32) {
        let events = match self.buffers.direction {
            Direction::Read => helpers::IO_RING_EPOLLIN,
            Direction::Write => helpers::IO_RING_EPOLLOUT,
        };
        let always = helpers::IO_RING_EPOLLERR | helpers::IO_RING_EPOLLHUP;
        (self.file.as_ptr(), events | always)
    }

    /// The result of the whole transfer, if its last attempt answered `result`.
    pub(super) fn total(&self, result: isize) -> isize {
        match (self.done, result) {
            (0, result) => result,
            // As `read(2)`: an error after some data is only told by the next call.
            (done, ..0) => done as isize,
            (done, result) => (done as isize).wrapping_add(result),
        }
    }

    /// Issues the transfer, or what is left of it, with `kiocb`, which it initialises.
    ///
    /// After [`Attempt::Queued`] `complete` is, or has already been, called with `kiocb` once. Without
    /// `complete` the file answers before it returns; so it has to be where something is only lent.
    ///
    /// # Safety
    ///
    /// `transfer` and `kiocb` are valid, and stay so until this function has returned and, if it
    /// answered [`Attempt::Queued`], `complete` has been called. Nothing else uses them meanwhile.
    pub(super) unsafe fn run(
        mut transfer: NonNull<Self>,
        kiocb: *mut bindings::kiocb,
        complete: Option<unsafe extern "C" fn(*mut bindings::kiocb, c_long)>,
        may: May,
    ) -> Attempt {
        // SAFETY: Valid by the safety requirements; used by nobody else before it is issued.
        let this = unsafe { transfer.as_mut() };
        if this.nonblocking == Nonblocking::Never {
            if let Some(instead) = this.instead_of_blocking(may) {
                return instead;
            }
        }
        this.tried_only = may != May::Block && this.nonblocking == Nonblocking::Told;
        let mut request = bindings::kiocb {
            ki_filp: this.file.as_ptr(),
            ki_flags: this.flags,
            ki_ioprio: this.priority.0,
            ki_complete: complete,
            ..pin_init::zeroed()
        };
        if this.tried_only {
            request.ki_flags |= helpers::IO_RING_IOCB_NOWAIT;
        }
        let result = match this.start {
            Start::None | Start::At(_) => {
                request.ki_pos = match this.start {
                    Start::At(offset) => offset.wrapping_add(this.done as i64),
                    _ => 0,
                };
                // SAFETY: `kiocb` is valid for writes by the safety requirements.
                unsafe { kiocb.write(request) };
                // SAFETY: By the safety requirements.
                unsafe { Self::issue(transfer, kiocb) }
            }
            Start::Current => {
                // Without a completion function files finish before they return.
                request.ki_complete = None;
                // SAFETY: `kiocb` is valid for writes by the safety requirements.
                unsafe { kiocb.write(request) };
                // SAFETY: By the safety requirements.
                unsafe { Self::issue_at_position(transfer, kiocb, may) }
            }
        };
        if result == QUEUED {
            return Attempt::Queued;
        }
        // SAFETY: The file has answered, so nobody else uses either.
        unsafe { transfer.as_mut().judge(result, may, (*kiocb).ki_pos) }
    }

    /// What to do with a file that cannot be told not to block; `None` if it is to be asked.
    ///
    /// One that can be polled is asked for its readiness right before, and those who do so stand in a
    /// lane, see [`Transfer::alone_on`]: of many that a single byte has woken, one gets it and the
    /// others wait again.
    fn instead_of_blocking(&self, may: May) -> Option<Attempt> {
        let can_poll = self.can_poll();
        match may {
            May::NotBlock if can_poll => Some(Attempt::Poll),
            May::Block if can_poll && !self.is_ready() => Some(Attempt::Poll),
            May::Block => None,
            _ => Some(Attempt::Block),
        }
    }

    /// Whether the file says that it is ready. Process context; sleeps where its `poll` does.
    fn is_ready(&self) -> bool {
        let (file, events) = self.readiness();
        // SAFETY: The file is alive; without a table nothing is entered anywhere.
        unsafe { helpers::io_ring_vfs_poll(file, null_mut()) & events != 0 }
    }

    /// What follows from the answer of the file, which is at `position` now.
    fn judge(&mut self, result: isize, may: May, position: i64) -> Attempt {
        let may_wait = self.flags & helpers::IO_RING_IOCB_NOWAIT == 0;
        match result {
            AGAIN if may_wait && self.can_poll() => Attempt::Poll,
            AGAIN | UNSUPPORTED if self.tried_only => Attempt::Block,
            result if is_restart(result) => Attempt::Block,
            1.. if may_wait && self.goes_on(result.unsigned_abs(), position) => {
                let bytes = result.unsigned_abs();
                // SAFETY: The iterator is ours, and has more than that left.
                unsafe { helpers::io_ring_iter_advance(&mut self.buffers.iter, bytes) };
                self.done = self.done.wrapping_add(bytes);
                let ask = may != May::Block && self.can_poll();
                if ask {
                    Attempt::Poll
                } else {
                    Attempt::Block
                }
            }
            result => Attempt::Done(result),
        }
    }

    /// As [`Transfer::judge`], for an answer that came later.
    pub(super) fn judge_late(&mut self, result: isize) -> Attempt {
        match result {
            AGAIN | UNSUPPORTED if self.tried_only => {
                // Asking again would lead to the same.
                self.nonblocking = Nonblocking::Never;
                Attempt::Block
            }
            result => Attempt::Done(result),
        }
    }

    /// Whether a transfer that got so many bytes, and is at `position` now, is short of some that
    /// the system call would have waited for.
    fn goes_on(&self, bytes: usize, position: i64) -> bool {
        if bytes >= self.buffers.len()
            || (self.start.is_whole(self.flags) && self.is(helpers::IO_RING_FILE_STORAGE))
        {
            return false;
        }
        if matches!(
            self.via,
            Via::Socket {
                wants_all: true,
                ..
            }
        ) {
            return true;
        }
        if self.is_write() {
            // Their writes are only short because of an error, or because they would have to wait.
            return self.is(helpers::IO_RING_FILE_STORAGE) || self.is(helpers::IO_RING_FILE_FLOWS);
        }
        // SAFETY: The file is alive.
        let is_at_end = unsafe { helpers::io_ring_is_at_end(self.file.as_ptr(), position) };
        self.is(helpers::IO_RING_FILE_STORAGE) && !is_at_end
    }

    /// Whether an attempt at the file position that must not block got only a piece of what
    /// is there.
    fn is_piece(&self, bytes: usize, position: i64) -> bool {
        // SAFETY: The file is alive.
        let is_at_end = unsafe { helpers::io_ring_is_at_end(self.file.as_ptr(), position) };
        self.tried_only
            && self.is(helpers::IO_RING_FILE_STORAGE)
            && bytes < self.buffers.len()
            && !is_at_end
    }

    /// Issues at the file position, and moves that on. If that must not block and another thread
    /// has the position, answers `-ERESTARTSYS`.
    ///
    /// # Safety
    ///
    /// As for [`Transfer::run`]; `kiocb` is initialised, without a completion function.
    unsafe fn issue_at_position(
        transfer: NonNull<Self>,
        kiocb: *mut bindings::kiocb,
        may: May,
    ) -> isize {
        // SAFETY: Valid by the safety requirements.
        let file = unsafe { &transfer.as_ref().file };
        // SAFETY: As above.
        let locked = unsafe { transfer.as_ref() }.is(helpers::IO_RING_FILE_ATOMIC_POS);
        let raw = file.as_ptr();
        if locked {
            // SAFETY: The file is alive, and so its mutex.
            let ret = unsafe { helpers::io_ring_lock_file_pos(raw, may == May::Block) };
            if ret != 0 {
                return ret as isize;
            }
        }
        // SAFETY: Guarded by the mutex; of a file that has its position not guarded at all it is one
        // word that read(2) and write(2) change at any time, so it is accessed once and as a whole.
        unsafe { (*kiocb).ki_pos = (&raw const (*raw).f_pos).read_volatile() };
        // SAFETY: By the safety requirements.
        let mut ret = unsafe { Self::issue(transfer, kiocb) };
        // SAFETY: The attempt is over.
        let position = unsafe { (*kiocb).ki_pos };
        // SAFETY: As above; only read here.
        if ret > 0 && unsafe { transfer.as_ref() }.is_piece(ret.unsigned_abs(), position) {
            // What there is will be read again along with the rest: nothing may come between.
            ret = AGAIN;
        }
        if ret >= 0 {
            // SAFETY: As for reading it.
            unsafe { (&raw mut (*raw).f_pos).write_volatile(position) };
        }
        if locked {
            // SAFETY: Locked above.
            unsafe { helpers::io_ring_unlock_file_pos(raw) };
        }
        ret
    }

    /// Calls the file, with a copy of the iterator: what is left is counted from the answer.
    ///
    /// # Safety
    ///
    /// As for [`Transfer::run`]; `kiocb` is initialised.
    #[inline]
    unsafe fn issue(transfer: NonNull<Self>, kiocb: *mut bindings::kiocb) -> isize {
        let this = transfer.as_ptr();
        // SAFETY: Valid by the safety requirements, and only read here.
        let buffers = unsafe { &(*this).buffers };
        // SAFETY: As above.
        let via = unsafe { &(*this).via };
        if let Via::Socket { flags, message, .. } = via {
            // SAFETY: As above.
            return unsafe { &*this }.call_socket(*flags, message.as_ref());
        }
        if buffers.is_vector && buffers.len() == 0 {
            // As `readv(2)`: the file is not asked.
            return 0;
        }
        let write = buffers.direction == Direction::Write;
        // SAFETY: As above.
        let rwf = unsafe { (*this).rwf };
        // SAFETY: Plain data, which owns nothing: files do not use it after they have returned.
        let mut iter = unsafe { core::ptr::read(&buffers.iter) };
        let _lent = match via {
            Via::WithTable(table) => Some(table.lend()),
            _ => None,
        };
        // SAFETY: Both are valid by the safety requirements.
        unsafe { helpers::io_ring_transfer(kiocb, &mut iter, write, rwf) }
    }
}

/// Ends what a write that completes later has begun: holding off freezing of the file system.
///
/// Any context.
///
/// # Safety
///
/// `kiocb` is that of a write that [`Transfer::run`] answered `-EIOCBQUEUED` for; called once.
pub(super) unsafe fn end_write(kiocb: *mut bindings::kiocb) {
    // SAFETY: By the safety requirements.
    unsafe { helpers::io_ring_transfer_end_write(kiocb) };
}

pub(super) const QUEUED: isize = -(bindings::EIOCBQUEUED as isize);
pub(super) const AGAIN: isize = -(bindings::EAGAIN as isize);
pub(super) const UNSUPPORTED: isize = -(bindings::EOPNOTSUPP as isize);

/// Whether a signal has interrupted an operation that would be restarted if it were a system call.
#[inline]
pub(super) fn is_restart(result: isize) -> bool {
    const CODES: [u32; 4] = [
        bindings::ERESTARTSYS,
        bindings::ERESTARTNOINTR,
        bindings::ERESTARTNOHAND,
        bindings::ERESTART_RESTARTBLOCK,
    ];
    result < 0 && CODES.iter().any(|&code| result == -(code as isize))
}

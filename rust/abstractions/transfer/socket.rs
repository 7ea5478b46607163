// SPDX-License-Identifier: GPL-2.0

//! Transfers of sockets: messages with flags, and with the names of those who send and get them.

use super::{
    held::TransferFile,
    terms::{
        Nonblocking,
        Start, //
    },
    Direction,
    FileArgument,
    NewTransfer,
    Place,
    Priority,
    Transfer,
    UserBuffers,
    Via, //
};
use crate::abstractions::helpers;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*, //
};

/// A message, without its buffers: whom it is for, or where it is told who has sent it.
///
/// # Invariants
///
/// What `io_ring_message_new` has made, and nobody else has it.
pub(crate) struct Message(NonNull<c_void>);

// SAFETY: Plain data, which has addresses of user memory; they are only used in the process they come
// from.
unsafe impl Send for Message {}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: Not freed yet by the type invariants.
        unsafe { bindings::kfree(self.0.as_ptr()) };
    }
}

impl Message {
    /// The message that the `struct msghdr` at `address` describes, and its buffers. Copies it and all
    /// that it points to but what is sent. Process context, in an ioctl; sleeps.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `EINVAL` (the length of the name, or of a buffer); `EMSGSIZE` (more than 1024
    /// buffers); `EOPNOTSUPP` (ancillary data); `ENOMEM`.
    pub(crate) fn new(direction: Direction, address: u64) -> Result<(Self, UserBuffers)> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        let user = core::ptr::without_provenance_mut(address);
        let (mut array, mut count) = (0, 0);
        let is_received = direction == Direction::Read;
        // SAFETY: `array` and `count` are valid for writes; the address is checked by the function.
        let raw =
            unsafe { helpers::io_ring_message_new(user, is_received, &mut array, &mut count) };
        // INVARIANT: Just made.
        let message = Self(NonNull::new(from_err_ptr(raw)?).ok_or(ENOMEM)?);
        let buffers = UserBuffers::vector(direction, array, count)?;
        Ok((message, buffers))
    }
}

/// Flags of messages that make a difference here; the numbers are the same on all machines.
#[derive(Clone, Copy)]
pub(crate) struct MessageFlags(pub(crate) u32);

impl MessageFlags {
    const OOB: u32 = 0x1;
    const PEEK: u32 = 0x2;
    const DONTWAIT: u32 = 0x40;
    const WAITALL: u32 = 0x100;
    const ERRQUEUE: u32 = 0x2000;

    /// Whether they contradict each other: what is only looked at does not get more by waiting.
    pub(crate) fn contradict(self) -> bool {
        let both = Self::PEEK | Self::WAITALL;
        self.0 & both == both
    }

    /// Whether it is done at once or not at all. Readiness says nothing of what is out of band, or of
    /// errors.
    fn do_not_wait(self, direction: Direction) -> bool {
        let aside = match direction {
            Direction::Read => Self::OOB | Self::ERRQUEUE,
            Direction::Write => 0,
        };
        self.0 & (Self::DONTWAIT | aside) != 0
    }
}

impl<'a> NewTransfer<'a> {
    /// A transfer of a message.
    ///
    /// # Errors
    ///
    /// `ENOTSOCK`.
    pub(crate) fn of_socket(
        place: &'a mut Place,
        argument: FileArgument<'a>,
        buffers: UserBuffers,
        flags: MessageFlags,
        message: Option<Message>,
    ) -> Result<Self> {
        let file = TransferFile::new(argument);
        // SAFETY: The file is alive.
        let is_stream = unsafe { helpers::io_ring_socket_is_stream(file.as_ptr()) };
        kernel::error::to_result(is_stream.min(0))?;
        let wants_all = is_stream != 0 && flags.0 & MessageFlags::WAITALL != 0;
        let is_told = flags.do_not_wait(buffers.direction);
        let transfer = Transfer {
            modes: file.modes(),
            is_lent: file.is_lent(),
            file,
            start: Start::None,
            flags: if is_told {
                helpers::IO_RING_IOCB_NOWAIT
            } else {
                0
            },
            rwf: 0,
            nonblocking: if is_told {
                Nonblocking::Anyway
            } else {
                Nonblocking::Told
            },
            tried_only: false,
            done: 0,
            priority: Priority::DEFAULT,
            buffers,
            via: Via::Socket {
                flags: flags.0,
                wants_all,
                message,
            },
        };
        Ok(place.put(transfer))
    }
}

impl Transfer {
    /// Sends or receives, with a copy of the iterator. Process context; sleeps unless it was told not
    /// to.
    #[cold]
    pub(super) fn call_socket(&self, flags: u32, message: Option<&Message>) -> isize {
        let is_told = self.tried_only || self.flags & helpers::IO_RING_IOCB_NOWAIT != 0;
        let flags = if is_told {
            flags | MessageFlags::DONTWAIT
        } else {
            flags
        };
        let message = message.map_or(null_mut(), |message| message.0.as_ptr());
        let (file, iter) = (self.file.as_ptr(), &self.buffers.iter);
        // SAFETY: The file is alive and a socket, as it was judged; the iterator is initialised, and
        // the message one of those that are made for this or null.
        let ret = unsafe {
            helpers::io_ring_socket_transfer(file, iter, self.is_write(), flags, message)
        };
        ret as isize
    }
}

// SPDX-License-Identifier: GPL-2.0

//! CANCEL: which requests, and how many of them. Who has them does it.

#![forbid(unsafe_code)]

use super::{
    rules::Field,
    Rejected, //
};
use crate::{
    abi,
    abstractions::transfer::{
        FileId,
        HeldFile, //
    },
    files::FileTable, //
};

/// What a request that waits is known by.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tag {
    /// The number that it shares with its LINK_TIMEOUT.
    pub(crate) limit: u32,
    /// That of its entry.
    pub(crate) user_data: u64,
    /// That of its entry.
    pub(crate) opcode: u8,
    /// The file it holds.
    pub(crate) file: Option<FileId>,
}

/// The file of what is to be cancelled.
enum Wanted {
    /// Held, so that no other file gets its place in memory.
    File(HeldFile),
    /// A ring: that is the file of no request. Not held, since it might be the one that the CANCEL
    /// waits in.
    Ring,
}

impl Wanted {
    fn is(&self, file: Option<FileId>) -> bool {
        match self {
            Self::File(held) => file == Some(held.id()),
            Self::Ring => false,
        }
    }
}

/// What is to be cancelled.
pub(crate) struct Cancel {
    user_data: Option<u64>,
    opcode: Option<u8>,
    file: Option<Wanted>,
    /// The LINK_TIMEOUT whose time has come.
    limit: Option<u32>,
    /// All that match, or one.
    pub(crate) all: bool,
}

impl Cancel {
    /// Everything.
    pub(crate) const ANY: Self = Self {
        user_data: None,
        opcode: None,
        file: None,
        limit: None,
        all: true,
    };

    /// The one that shares this number with a LINK_TIMEOUT whose time has come.
    pub(crate) const fn limited(number: u32) -> Self {
        Self {
            limit: Some(number),
            all: false,
            ..Self::ANY
        }
    }

    /// The one with this opcode and this user data, or one of them.
    pub(crate) const fn one(opcode: u8, user_data: u64) -> Self {
        Self {
            user_data: Some(user_data),
            opcode: Some(opcode),
            file: None,
            limit: None,
            all: false,
        }
    }

    /// Judges the entry.
    pub(crate) fn prepare(sqe: &abi::Sqe, files: &FileTable) -> Result<Self, Rejected> {
        const CRITERIA: u32 = abi::CANCEL_FD | abi::CANCEL_USERDATA | abi::CANCEL_OP;
        let any = sqe.op_flags & abi::CANCEL_ANY != 0;
        let criteria = match sqe.op_flags & CRITERIA {
            0 if !any => abi::CANCEL_USERDATA,
            criteria => criteria,
        };
        if any && criteria != 0 {
            return Err(Field::OP_FLAGS.into());
        }
        let asks_for = |flag| criteria & flag != 0;
        if sqe.op_flags & abi::CANCEL_FD_FIXED != 0 && !asks_for(abi::CANCEL_FD) {
            return Err(Field::OP_FLAGS.into());
        }
        let file = if asks_for(abi::CANCEL_FD) {
            let file = files.get(sqe.fd, sqe.op_flags & abi::CANCEL_FD_FIXED != 0);
            let file = file.map_err(Rejected::by(Field::FD))?.keep();
            Some(if file.is_ring() {
                Wanted::Ring
            } else {
                Wanted::File(file)
            })
        } else if sqe.fd != 0 {
            return Err(Field::FD.into());
        } else {
            None
        };
        if !asks_for(abi::CANCEL_USERDATA) && sqe.addr != 0 {
            return Err(Field::ADDR.into());
        }
        let opcode = if asks_for(abi::CANCEL_OP) {
            Some(u8::try_from(sqe.len).map_err(|_| Field::LEN)?)
        } else if sqe.len != 0 {
            return Err(Field::LEN.into());
        } else {
            None
        };
        Ok(Self {
            user_data: asks_for(abi::CANCEL_USERDATA).then_some(sqe.addr),
            opcode,
            file,
            limit: None,
            all: any || sqe.op_flags & abi::CANCEL_ALL != 0,
        })
    }

    /// Whether a request is meant. Any context.
    pub(crate) fn matches(&self, tag: &Tag) -> bool {
        self.user_data
            .is_none_or(|user_data| user_data == tag.user_data)
            && self.opcode.is_none_or(|opcode| opcode == tag.opcode)
            && self.limit.is_none_or(|number| number == tag.limit)
            && (self.file.as_ref()).is_none_or(|file| file.is(tag.file))
    }

    /// The result, when so many were cancelled and so many interrupted.
    pub(crate) fn result(&self, cancelled: usize, interrupted: usize) -> isize {
        if self.limit.is_some() {
            return kernel::error::code::ETIME.to_errno() as isize;
        }
        let matched = cancelled.wrapping_add(interrupted);
        if self.all {
            // Not more than there are slots.
            isize::try_from(matched).unwrap_or(isize::MAX)
        } else if cancelled != 0 {
            0
        } else if interrupted != 0 {
            kernel::error::code::EALREADY.to_errno() as isize
        } else {
            kernel::error::code::ENOENT.to_errno() as isize
        }
    }
}

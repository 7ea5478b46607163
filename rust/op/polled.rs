// SPDX-License-Identifier: GPL-2.0

//! What a ring may do whose transfers complete without an interrupt: transfers of devices that can be
//! asked, and nothing that waits for something else.

#![forbid(unsafe_code)]

use super::{
    allowed::OpSet,
    rules::{
        self,
        Field, //
    },
    Op,
    Rejected, //
};
use crate::abi;
use kernel::prelude::*;

/// Judges further what [`prepare`](super::prepare) has answered for `sqe` on such a ring.
pub(crate) fn judge<'a>(
    sqe: &abi::Sqe,
    allowed: &OpSet,
    prepared: Result<Op<'a>, Rejected>,
) -> Result<Op<'a>, Rejected> {
    if !rules::is_polled(sqe.opcode) {
        return Err(Field::OPCODE.into());
    }
    let op = prepared?;
    if sqe.flags & !allowed.sqe_flags() != 0 {
        return Err(Field::FLAGS.into());
    }
    match op {
        Op::Transfer(mut transfer) => {
            transfer.poll().map_err(Rejected::by(Field::FD))?;
            Ok(Op::Transfer(transfer))
        }
        other => Ok(other),
    }
}

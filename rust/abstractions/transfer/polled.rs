// SPDX-License-Identifier: GPL-2.0

//! Transfers whose device has to be asked whether it has completed them.

use super::{
    NewTransfer,
    Transfer,
    AGAIN, //
};
use crate::abstractions::helpers;
use kernel::prelude::*;

impl NewTransfer<'_> {
    /// Has the transfer complete without an interrupt.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the file is not open with `O_DIRECT`, or its device cannot be asked.
    pub(crate) fn poll(&mut self) -> Result {
        let transfer = self.as_mut();
        let is_direct = transfer.flags & helpers::IO_RING_IOCB_DIRECT != 0;
        // SAFETY: The file is alive.
        if !is_direct || unsafe { !helpers::io_ring_file_has_iopoll(transfer.file.as_ptr()) } {
            return Err(EOPNOTSUPP);
        }
        transfer.flags |= helpers::IO_RING_IOCB_HIPRI;
        Ok(())
    }
}

impl Transfer {
    /// From now on it completes by an interrupt.
    pub(in crate::abstractions) fn stop_polling(&mut self) {
        self.flags &= !helpers::IO_RING_IOCB_HIPRI;
    }

    /// Whether `result` only says that the device could not take it without waiting, which it was not
    /// the program that asked for.
    pub(in crate::abstractions) fn was_refused(&self, result: isize) -> bool {
        result == AGAIN && self.tried_only
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Entries that block devices take as they are.

#![forbid(unsafe_code)]

use super::Submitter;
use crate::{
    abi,
    abstractions::{
        block_io,
        early_ends::Collecting,
        pool::{
            Chain,
            Pool, //
        },
    },
    op,
    request::{
        Path,
        Requests, //
    },
    worker::Workers, //
};

impl Submitter {
    /// Starts a request that a block device takes as it is, and that may be done. Answers whether it was
    /// one.
    #[inline]
    pub(super) fn hand_to_device<'a>(
        &mut self,
        pool: &'a Pool<Requests>,
        workers: &Workers,
        sqe: &abi::Sqe,
        early: &mut Option<Collecting<'a, Requests>>,
    ) -> bool {
        let Some(transfer) = op::read_write::for_device(sqe, &self.files, &self.buffers) else {
            return false;
        };
        if !transfer.note_use(&mut self.block_round) {
            return false;
        }
        if self.block_round.has_many() && early.is_none() {
            *early = pool.shared().early_ends.collect();
        }
        let Some(mut slot) = self.spare.take() else {
            return false;
        };
        slot.request
            .begin(sqe.user_data, sqe.opcode, workers.opening());
        match block_io::start(slot, &transfer, &mut self.block_round) {
            Ok(()) => {
                self.devices = self.devices.wrapping_add(1);
                true
            }
            Err(slot) => {
                self.spare.put(slot);
                false
            }
        }
    }

    /// Finishes requests of this round that devices have completed in this thread.
    pub(super) fn end_early(&mut self, mut slots: Chain<Requests>) {
        while let Some(mut slot) = slots.pop() {
            let result = block_io::end_early(&mut slot, &mut self.block_round);
            self.devices = self.devices.wrapping_sub(1);
            self.finish(slot, result, Path::Device);
        }
    }
}

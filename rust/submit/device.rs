// SPDX-License-Identifier: GPL-2.0

//! Entries that devices get without much ado.

#![forbid(unsafe_code)]

use super::Submitter;
use crate::{
    abi,
    abstractions::{
        block_io, device_io,
        direct_io::{
            self,
            Started, //
        },
        early_ends::Collecting,
        pool::{
            Chain,
            Pool,
            Slot, //
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
    /// Starts a request that a device can get so, and that may be done. Answers whether it was one.
    #[inline]
    pub(super) fn hand_to_device<'a>(
        &mut self,
        pool: &'a Pool<Requests>,
        workers: &Workers,
        sqe: &abi::Sqe,
        early: &mut Option<Collecting<'a, Requests>>,
    ) -> bool {
        let Some(transfer) = op::read_write::for_block_device(sqe, &self.files, &self.buffers)
        else {
            return self.start_direct(pool, workers, sqe, early);
        };
        let round = &mut self.device_round;
        if !transfer.note_use(round) {
            return false;
        }
        if round.has_many() && early.is_none() {
            *early = pool.shared().early_ends.collect();
        }
        let Some(mut slot) = self.spare.take() else {
            return false;
        };
        slot.request
            .begin(sqe.user_data, sqe.opcode, workers.opening());
        match block_io::start(slot, &transfer, round) {
            Ok(()) => self.devices = self.devices.wrapping_add(1),
            Err(slot) => return self.give_up(slot),
        }
        true
    }

    /// Starts a request that is direct. Kept apart from those that cost less.
    #[inline(never)]
    fn start_direct<'a>(
        &mut self,
        pool: &'a Pool<Requests>,
        workers: &Workers,
        sqe: &abi::Sqe,
        early: &mut Option<Collecting<'a, Requests>>,
    ) -> bool {
        let Some(transfer) = op::read_write::direct(sqe, &self.files, &self.buffers) else {
            return false;
        };
        let round = &mut self.device_round;
        if round.has_many() && early.is_none() {
            *early = pool.shared().early_ends.collect();
        }
        let Some(mut slot) = self.spare.take() else {
            return false;
        };
        slot.request
            .begin(sqe.user_data, sqe.opcode, workers.opening());
        match direct_io::start(slot, transfer, round) {
            Started::UnderWay => self.devices = self.devices.wrapping_add(1),
            Started::Done(slot, result) => self.finish(slot, result, Path::Inline),
            Started::DoneByFile(slot, result) => self.finish(slot, result, Path::Device),
            Started::General(slot) => return self.give_up(slot),
        }
        true
    }

    /// Gives up a slot that was not used, for the general way.
    #[cold]
    fn give_up(&mut self, slot: Slot<Requests>) -> bool {
        self.spare.put(slot);
        false
    }

    /// Finishes requests of this round that devices have completed in this thread.
    pub(super) fn end_early(&mut self, mut slots: Chain<Requests>) {
        while let Some(mut slot) = slots.pop() {
            let result = device_io::end_early(&mut slot, &mut self.device_round);
            self.devices = self.devices.wrapping_sub(1);
            self.finish(slot, result, Path::Device);
        }
    }
}

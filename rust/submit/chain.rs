// SPDX-License-Identifier: GPL-2.0

//! Entries that are more than themselves: members of chains, and those with other flags that say when
//! a request starts or what its end means. One that is alone is a chain of one.
//!
//! A chain is put together before any of it starts: if an entry of it is rejected, nothing of it
//! happens. What can be done at once is done right here, one member after the other.

#![forbid(unsafe_code)]

use super::Submitter;
use crate::{
    abi,
    abstractions::pool::{
        Chain,
        Pool,
        Slot, //
    },
    op::{
        Blocking,
        Rejected, //
    },
    request::{
        self,
        Path,
        Requests, //
    },
    turns::Turn,
    worker::Workers, //
};
use kernel::{
    current,
    prelude::*, //
};

/// The bit of an entry's flags that stands for "its chain has begun".
const IN_CHAIN: u8 = abi::SQE_LINK;

/// A chain that is being put together.
pub(super) struct NewChain {
    members: Chain<Requests>,
    count: usize,
    /// Why its first bad member was rejected.
    rejected: Option<Rejected>,
}

impl NewChain {
    /// No member.
    pub(super) const fn new() -> Self {
        Self {
            members: Chain::new(),
            count: 0,
            rejected: None,
        }
    }
}

impl Submitter {
    /// Takes an entry with `flags`, or the next of a chain: `kept` is what to do in `slot`, and the
    /// least result that is a success. Starts the chain if it is complete.
    #[cold]
    pub(super) fn take_in_turn(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        mut slot: Slot<Requests>,
        flags: u8,
        kept: Result<(Blocking, usize), Rejected>,
    ) -> Result<(), Rejected> {
        let turn = Turn::new(flags);
        slot.request.turn = turn;
        match kept {
            Ok((blocking, least)) => {
                slot.request.blocking = Some(blocking);
                slot.request.cqe.res = i32::try_from(least).unwrap_or(i32::MAX);
            }
            Err(rejected) => {
                slot.request.refused(&rejected);
                self.chain.rejected.get_or_insert(rejected);
            }
        }
        self.chain.members.push_back(slot);
        self.chain.count = self.chain.count.wrapping_add(1);
        if turn.is_linked() {
            self.always |= IN_CHAIN;
            return Ok(());
        }
        self.end_chain(pool, workers)
    }

    /// Starts what has been put together, if there is anything.
    pub(super) fn end_chain(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
    ) -> Result<(), Rejected> {
        self.always &= !IN_CHAIN;
        let mut chain = core::mem::replace(&mut self.chain, NewChain::new());
        if let Some(rejected) = chain.rejected {
            self.drop_all(chain.members);
            return Err(rejected);
        }
        let Some(mut first) = chain.members.pop() else {
            return Ok(());
        };
        if !chain.members.is_empty() {
            let followers = chain.count.wrapping_sub(1);
            let turns = workers.turns();
            if let Err(members) = turns.line_up(&mut first, chain.members, followers) {
                first.request.turn.doom();
                self.drop_all(members);
            }
        }
        self.run(pool, workers, first);
        Ok(())
    }

    /// Ends members of a chain that does not start.
    fn drop_all(&mut self, mut members: Chain<Requests>) {
        while let Some(mut slot) = members.pop() {
            if !slot.request.is_refused() {
                request::give_up(&mut slot, Path::Inline);
            }
            self.finished.push_back(slot);
        }
    }

    /// Starts the first of a chain, and goes on with the next ones as long as that is possible here.
    fn run(&mut self, pool: &Pool<Requests>, workers: &Workers, mut slot: Slot<Requests>) {
        loop {
            let ended = if slot.request.turn.is_doomed() {
                Some((slot, ECANCELED.to_errno() as isize))
            } else {
                self.start_in_turn(pool, workers, slot)
            };
            let Some((ended, result)) = ended else {
                return;
            };
            match self.finish_in_turn(workers, ended, result) {
                Some(next) if current!().signal_pending() => {
                    self.has_held = true;
                    return request::go_on(next);
                }
                Some(next) => slot = next,
                None => return,
            }
        }
    }

    /// Starts a request whose turn it is. Answers its result if it ends at once.
    fn start_in_turn(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        mut slot: Slot<Requests>,
    ) -> Option<(Slot<Requests>, isize)> {
        let blocking = slot.request.blocking.take()?;
        if !blocking.is_nothing() {
            // It may complete in an interrupt handler, and not before the one that it waited for.
            self.post_finished(pool);
        }
        if slot.request.turn.is_forced() {
            self.has_held = true;
            workers.wait_for_worker(slot, blocking);
            return None;
        }
        self.hold(workers, blocking.start(slot))
    }

    /// Ends a request, and answers the one whose turn it is now.
    fn finish_in_turn(
        &mut self,
        workers: &Workers,
        mut slot: Slot<Requests>,
        result: isize,
    ) -> Option<Slot<Requests>> {
        let turn = slot.request.turn;
        let is_success = if turn.is_doomed() {
            request::give_up(&mut slot, Path::Inline);
            false
        } else {
            slot.request.finished(result, Path::Inline)
        };
        if turn.skips(is_success) {
            self.skipped.push_back(slot);
        } else {
            self.finished.push_back(slot);
        }
        workers.turns().next(turn, is_success)
    }
}

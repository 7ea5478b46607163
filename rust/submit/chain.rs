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
    ring::completion,
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
                slot.request.reject(&rejected);
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
            self.drop_all(pool, chain.members);
            return Err(rejected);
        }
        let Some(mut first) = chain.members.pop() else {
            return Ok(());
        };
        if chain.members.is_empty() {
            self.run(pool, workers, first);
            return Ok(());
        }
        let followers = chain.count.wrapping_sub(1);
        match (workers.turns()).line_up(&mut first, chain.members, followers) {
            Ok(()) => self.run(pool, workers, first),
            Err(mut members) => {
                members.push(first);
                self.drop_all(pool, members);
            }
        }
        // There may be more of them than entries have been taken in this round.
        self.post_finished(pool);
        // A thread may have kept out of what blocks because of this chain.
        self.has_held |= workers.is_behind();
        Ok(())
    }

    /// Ends members of a chain that does not start.
    fn drop_all(&mut self, pool: &Pool<Requests>, mut members: Chain<Requests>) {
        while let Some(mut slot) = members.pop() {
            if !slot.request.is_rejected() {
                request::give_up(&mut slot, Path::Inline);
            }
            self.finish_slot(pool, slot);
        }
        self.post_finished(pool);
    }

    /// Ends a request whose completion its slot has.
    fn finish_slot(&mut self, pool: &Pool<Requests>, slot: Slot<Requests>) {
        if self.finished.is_full() {
            self.post_finished(pool);
        }
        self.finished.push(slot.request.cqe);
        self.spare.put(slot);
    }

    /// Hands in the completions of what has finished, if there are any.
    fn post_finished(&mut self, pool: &Pool<Requests>) {
        if self.finished.count == 0 {
            return;
        }
        let mut inside = pool.lock();
        completion::post_all(&mut inside, self.finished.as_slice(), &mut self.spare);
        self.finished.count = 0;
        completion::publish_at_once(&pool.shared().completion, &mut inside);
    }

    /// Starts the first of a chain, and goes on with the next ones as long as that is possible here.
    fn run(&mut self, pool: &Pool<Requests>, workers: &Workers, mut slot: Slot<Requests>) {
        loop {
            let ended = if slot.request.turn.is_doomed() {
                Some((slot, 0, Path::Inline))
            } else {
                self.start_in_turn(pool, workers, slot)
            };
            let Some(ended) = ended else {
                return;
            };
            match self.finish_in_turn(pool, workers, ended) {
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
    ) -> Option<(Slot<Requests>, isize, Path)> {
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
        pool: &Pool<Requests>,
        workers: &Workers,
        (mut slot, result, path): (Slot<Requests>, isize, Path),
    ) -> Option<Slot<Requests>> {
        let turn = slot.request.turn;
        let is_success = if turn.is_doomed() {
            request::give_up(&mut slot, Path::Inline);
            false
        } else {
            slot.request.finished(result, path)
        };
        if turn.skips(is_success) {
            self.skipped = self.skipped.wrapping_add(1);
            self.spare.put(slot);
        } else {
            self.finish_slot(pool, slot);
        }
        workers.turns().next(turn, is_success)
    }
}

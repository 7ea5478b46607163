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
    abstractions::{
        pool::{
            Chain,
            Pool,
            Slot, //
        },
        trace,
    },
    op::{
        self,
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
/// That which stands for "it may have to wait at the gate".
const AT_GATE: u8 = abi::SQE_DRAIN;

/// A chain that is being put together.
pub(super) struct NewChain {
    /// All but the last, and the last.
    members: Chain<Requests>,
    last: Option<Slot<Requests>>,
    count: usize,
    /// Whether it waits for all before it, and all behind it wait for it.
    drains: bool,
    /// Why its first bad member was rejected.
    rejected: Option<Rejected>,
}

impl NewChain {
    /// No member.
    pub(super) const fn new() -> Self {
        Self {
            members: Chain::new(),
            last: None,
            count: 0,
            drains: false,
            rejected: None,
        }
    }

    /// Adds a member.
    fn add(&mut self, slot: Slot<Requests>) {
        if let Some(before) = self.last.replace(slot) {
            self.members.push_back(before);
        }
        self.count = self.count.wrapping_add(1);
    }

    /// All members.
    fn take_members(&mut self) -> Chain<Requests> {
        let mut members = core::mem::replace(&mut self.members, Chain::new());
        if let Some(last) = self.last.take() {
            members.push_back(last);
        }
        members
    }

    /// Has `slot` limit the time of the last member, which get `number` in common.
    fn limit_last(&mut self, slot: &mut Slot<Requests>, number: u32) -> Result<(), Rejected> {
        let last = (self.last.as_mut())
            .filter(|last| !last.request.turn.is_limit())
            .ok_or_else(op::misplaced)?;
        if !last.request.turn.is_rejected() {
            last.request.set_limit_number(number);
        }
        slot.request.set_limit_number(number);
        slot.request.turn.limit();
        Ok(())
    }
}

impl Submitter {
    /// Whether the next entry belongs to a chain that has begun.
    pub(super) fn is_in_chain(&self) -> bool {
        self.always & IN_CHAIN != 0
    }

    /// Takes an entry with `flags`, or the next of a chain: `kept` is what to do in `slot`, and the
    /// least result that is a success. Starts the chain if it is complete.
    #[cold]
    pub(super) fn take_in_turn(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        mut slot: Slot<Requests>,
        flags: u8,
        kept: Result<(Blocking, isize), Rejected>,
    ) -> Result<(), Rejected> {
        let turn = Turn::new(flags);
        slot.request.turn = turn;
        let fitting = kept.and_then(|(blocking, least)| {
            if blocking.is_limit() {
                let number = self.next_limit_number();
                self.chain.limit_last(&mut slot, number)?;
            }
            Ok((blocking, least))
        });
        match fitting {
            Ok((blocking, least)) => {
                slot.request.blocking = Some(blocking);
                slot.request.succeeds_from(least);
            }
            Err(rejected) => {
                let entry = request::traced(&slot);
                self.refusals.tell(entry, rejected, &self.ops);
                slot.request.reject(&rejected);
                self.chain.rejected.get_or_insert(rejected);
            }
        }
        self.chain.add(slot);
        self.chain.drains |= flags & abi::SQE_DRAIN != 0;
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
        chain.members = chain.take_members();
        if let Some(rejected) = chain.rejected {
            self.drop_all(pool, chain.members);
            return Err(rejected);
        }
        if chain.drains || self.always & AT_GATE != 0 {
            chain = match self.wait_at_gate(pool, workers, chain) {
                Some(chain) => chain,
                None => return Ok(()),
            };
        }
        let Some(mut first) = chain.members.pop() else {
            return Ok(());
        };
        if chain.members.is_empty() {
            self.run(pool, workers, first);
            return Ok(());
        }
        trace::link(|| traced(pool, first.request.cqe.user_data, chain.count));
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

    /// Has a chain wait at the gate. Gives it back if it may start now.
    #[cold]
    fn wait_at_gate(
        &mut self,
        pool: &Pool<Requests>,
        workers: &Workers,
        mut chain: NewChain,
    ) -> Option<NewChain> {
        let first = chain.members.pop()?;
        let user_data = first.request.cqe.user_data;
        let is_about_others = first
            .request
            .blocking
            .as_ref()
            .is_some_and(Blocking::is_about_others);
        chain.members.push(first);
        if is_about_others && chain.count == 1 && !chain.drains {
            // Or else nobody could cancel what the others wait for.
            return Some(chain);
        }
        let waits_for_all = chain.drains || self.is_behind_drain;
        self.is_behind_drain = chain.drains;
        self.post_finished(pool);
        let members = core::mem::replace(&mut chain.members, Chain::new());
        let shared = pool.shared();
        let mut inside = pool.lock();
        let out = completion::out(&shared.completion, &inside);
        let in_hand = self.spare.len().wrapping_add(chain.count);
        match (workers.turns()).enter_gate(members, chain.count, waits_for_all, (out, in_hand)) {
            Ok(()) => {
                completion::watch_out(&mut inside, shared.away.clone());
                trace::drain(|| traced(pool, user_data, chain.count));
                self.always |= AT_GATE;
                self.has_held = true;
                None
            }
            Err(members) => {
                self.always &= !AT_GATE;
                if chain.drains {
                    self.always |= AT_GATE;
                }
                chain.members = members;
                Some(chain)
            }
        }
    }

    /// Ends members of a chain that does not start.
    fn drop_all(&mut self, pool: &Pool<Requests>, mut members: Chain<Requests>) {
        while let Some(mut slot) = members.pop() {
            if !slot.request.turn.is_rejected() {
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
    pub(super) fn post_finished(&mut self, pool: &Pool<Requests>) {
        if self.finished.count == 0 {
            return;
        }
        let mut inside = pool.lock();
        self.post(&mut inside);
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
        let limited = slot.request.limited();
        let ended = if slot.request.turn.is_forced() {
            self.has_held = true;
            workers.wait_for_worker(slot, blocking);
            None
        } else {
            // What does not fit has been rejected before.
            self.hold(pool, workers, blocking.start(slot))
                .unwrap_or(None)
        };
        if let (None, Some((line, number))) = (&ended, limited) {
            self.has_held = true;
            workers.limit(line, number);
        }
        ended
    }

    /// A number that no LINK_TIMEOUT has that there still is.
    fn next_limit_number(&mut self) -> u32 {
        self.limit_number = self.limit_number.wrapping_add(1).max(1);
        self.limit_number
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
        if request::is_silent(&slot, is_success) {
            self.skipped = self.skipped.wrapping_add(1);
            self.spare.put(slot);
        } else {
            self.finish_slot(pool, slot);
        }
        let after = workers.turns().next(turn, is_success);
        match after.limit.map(request::end_limit) {
            Some(Ok(slot)) => self.finish_slot(pool, slot),
            Some(Err(slot)) => {
                self.skipped = self.skipped.wrapping_add(1);
                self.spare.put(slot);
            }
            None => (),
        }
        after.next
    }
}

/// What listeners are told of a chain whose first member has this `user_data`.
fn traced(pool: &Pool<Requests>, user_data: u64, members: usize) -> trace::Chain {
    trace::Chain {
        ring: pool.shared().completion.ring(),
        user_data,
        // There are not more than slots.
        members: u32::try_from(members).unwrap_or(u32::MAX),
    }
}

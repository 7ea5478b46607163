// SPDX-License-Identifier: GPL-2.0

//! Requests that wait for others, whose turn has not come.
//!
//! A member of a chain (LINK, HARDLINK) waits for the one before it. The members that wait stand in a
//! line; the one before them knows its number and, when it ends, takes the first of them out, which
//! knows it then. So a chain is driven by its own members, and nothing is allocated for it. If a member
//! fails, the rest of the chain is doomed: each gets its turn only to end with `ECANCELED`.
//!
//! # Who goes on
//!
//! A request that ends in the thread that submitted it goes on with the next one itself. Any other may
//! end in an interrupt handler, or in a task of another process: then the next is handed to those that
//! are ready, and a worker goes on with it. That is done with the lock held, so that who cancels, and
//! looks here first and there afterwards, does not miss it.
//!
//! # The gate
//!
//! An entry with DRAIN starts when all before it have ended, and those behind it when it has. They stand
//! at the [gate], and chains there are lines without a request before them. Whoever completes something
//! tells how many slots are out; if that lets somebody pass, a worker sees to it. Only rings on which
//! something stands at the gate pay for that.
//!
//! # Cancelling
//!
//! Who looks through a line takes it away as a whole, and looks without the lock. If the member before
//! it ends meanwhile, it leaves a note, and the one who looks goes on instead.
//!
//! # Locks
//!
//! The lock may be taken with that of the ring's pool held, and that of the watch inside it.

#![forbid(unsafe_code)]

mod gate;
mod limit;
mod line;

use self::line::Lines;
use crate::{
    abi,
    abstractions::{
        pool::{
            Chain,
            Slot, //
        },
        timer::BellDomain, //
    },
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        SpinLockIrq, //
    },
};

/// What a request waits for, and what waits for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Turn {
    /// The line of those that wait for it, 0 for none.
    line: u32,
    /// `SQE_*` bits, and others.
    bits: u8,
}

// Beside the bits of an entry that are kept.
/// It limits the time of the one before it.
const LIMIT: u8 = 1 << 0;
/// Its entry was rejected.
const REJECTED: u8 = 1 << 5;
/// It does not run: a member of its chain has failed.
const DOOMED: u8 = 1 << 7;
const _: () = assert!((LIMIT | REJECTED | DOOMED) & abi::SQE_IN_TURN == 0);

impl Turn {
    /// That of an entry with these flags.
    pub(crate) fn new(flags: u8) -> Self {
        Self {
            line: 0,
            bits: flags & abi::SQE_IN_TURN & !abi::SQE_DRAIN,
        }
    }

    /// Whether its end is just its end.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.line == 0 && self.bits == 0
    }

    fn has(self, bits: u8) -> bool {
        self.bits & bits != 0
    }

    /// Whether the next entry belongs to its chain.
    pub(crate) fn is_linked(self) -> bool {
        self.has(abi::SQE_LINK | abi::SQE_HARDLINK)
    }

    /// Whether a worker does it in any case.
    pub(crate) fn is_forced(self) -> bool {
        self.has(abi::SQE_FORCE_ASYNC)
    }

    /// Whether it does not run, when its turn comes.
    pub(crate) fn is_doomed(self) -> bool {
        self.has(DOOMED)
    }

    /// It does not run.
    pub(crate) fn doom(&mut self) {
        self.bits |= DOOMED;
    }

    /// Its entry was rejected.
    pub(crate) fn reject(&mut self) {
        self.bits |= REJECTED;
    }

    /// Whether its entry was rejected.
    pub(crate) fn is_rejected(self) -> bool {
        self.has(REJECTED)
    }

    /// It limits the time of the one before it.
    pub(crate) fn limit(&mut self) {
        self.bits |= LIMIT;
    }

    /// Whether it limits the time of the one before it.
    pub(crate) fn is_limit(self) -> bool {
        self.has(LIMIT)
    }

    /// The line behind it.
    pub(crate) fn line(self) -> u32 {
        self.line
    }

    /// Whether there is no completion for such an end.
    pub(crate) fn skips(self, is_success: bool) -> bool {
        is_success && self.has(abi::SQE_CQE_SKIP_SUCCESS)
    }

    /// Whether such an end dooms the rest of the chain.
    fn breaks_chain(self, is_success: bool) -> bool {
        self.is_doomed() || !(is_success || self.has(abi::SQE_HARDLINK) || self.is_limit())
    }
}

/// A [`Domain`](crate::abstractions::pool::Domain) whose requests may wait for others.
pub(crate) trait InTurn: BellDomain {
    /// That of a request.
    fn turn(request: &mut Self::Request) -> &mut Turn;

    /// The number that it shares with the LINK_TIMEOUT behind it, or with the one before it if it is
    /// one. 0 for none.
    fn limit_number(request: &Self::Request) -> u32;
}

/// What comes after a request that has ended.
pub(crate) struct After<D: InTurn> {
    /// The LINK_TIMEOUT that limits it no more; it has to end.
    pub(crate) limit: Option<Slot<D>>,
    /// The one whose turn it is now.
    pub(crate) next: Option<Slot<D>>,
    /// How many of these have waited.
    waited: usize,
    /// Whether the limit was armed.
    was_armed: bool,
}

impl<D: InTurn> After<D> {
    /// Nobody.
    pub(crate) const NONE: Self = Self {
        limit: None,
        next: None,
        waited: 0,
        was_armed: false,
    };
}

/// Slots that were taken from those that wait.
pub(crate) struct Taken<D: InTurn> {
    /// They have to end, in this order.
    pub(crate) slots: Chain<D>,
    /// How many of them were looked for; the others are the rests of their chains.
    pub(crate) matched: usize,
    /// LINK_TIMEOUTs that limit nothing any more: what they limited has ended meanwhile.
    pub(crate) lifted: Chain<D>,
}

/// Those that wait for others.
#[pin_data]
pub(crate) struct Turns<D: InTurn> {
    #[pin]
    lines: SpinLockIrq<Lines<D>>,
    /// How many wait: a copy for those who sleep.
    waiting: Atomic<usize>,
    /// How many LINK_TIMEOUTs are armed: a copy as well.
    limits: Atomic<usize>,
    /// Whether somebody may pass the gate: a copy as well.
    may_pass: Atomic<bool>,
}

/// Most lines that pass the gate with interrupts off.
const PASS_AT_ONCE: usize = 32;

impl<D: InTurn> Turns<D> {
    /// Nothing waits. There may be `requests` in all.
    pub(crate) fn new(requests: usize) -> Result<impl PinInit<Self>> {
        let lines = Lines::new(requests)?;
        Ok(pin_init!(Self {
            lines <- new_spinlock_irq!(lines, "io_ring_turns"),
            waiting: Atomic::new(0),
            limits: Atomic::new(0),
            may_pass: Atomic::new(false),
        }))
    }

    /// How many requests wait for others.
    ///
    /// Pairs with the release in `note_gone`: whoever finds that one does not wait any more also
    /// finds it where it has gone to.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Acquire)
    }

    /// How many wait for others, and how many limits are armed, as long as nobody goes on.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let _lines = self.lines.lock();
        (self.waiting(), self.limits())
    }

    /// Counts `n` fewer; they have got to where they go.
    fn note_gone(&self, n: usize) {
        self.waiting.fetch_sub(n, Release);
    }

    /// Lets `followers` wait for `first`, one after the other. Gives them back if there is no place for
    /// them, which does not happen.
    pub(crate) fn line_up(
        &self,
        first: &mut Slot<D>,
        followers: Chain<D>,
        count: usize,
    ) -> Result<(), Chain<D>> {
        let mut lines = self.lines.lock();
        let number = lines.open(followers)?;
        D::turn(&mut first.request).line = number;
        // A full barrier: the last thread says first that it leaves, and then looks at this.
        self.waiting.fetch_add(count, Full);
        Ok(())
    }

    /// A request with this turn has ended. Answers who comes after it. Any context.
    pub(crate) fn next(&self, ended: Turn, is_success: bool) -> After<D> {
        let mut after = After::NONE;
        self.pass_on(ended, is_success, |slots| after = slots);
        after
    }

    /// A request with this turn has ended: hands those who come after it to `go_on`, with the lock held.
    /// Any context.
    pub(crate) fn pass_on(&self, ended: Turn, is_success: bool, go_on: impl FnOnce(After<D>)) {
        if ended.line == 0 {
            return;
        }
        let mut lines = self.lines.lock();
        let after = lines.advance(ended.line, ended.breaks_chain(is_success));
        let (waited, was_armed) = (after.waited, after.was_armed);
        go_on(after);
        self.note_gone(waited);
        self.note_lifted(usize::from(was_armed));
    }

    /// Takes those that `matches`: all, or at most one, along with what depends on them. Those whose
    /// turn comes meanwhile are handed to `go_on`, with the lock held. LINK_TIMEOUTs that are armed may
    /// be among them. Process context.
    pub(crate) fn take_matching(
        &self,
        all: bool,
        matches: &dyn Fn(&D::Item) -> bool,
        go_on: impl Fn(Slot<D>),
    ) -> Taken<D> {
        let mut taken = Taken {
            slots: Chain::new(),
            matched: 0,
            lifted: Chain::new(),
        };
        let mut number = 1;
        while (all || taken.matched == 0) && self.waiting() != 0 {
            let look = self.lines.lock().look(number);
            match look {
                line::Look::At(found, mut line) => {
                    let count = line.sift(all, matches, &mut taken);
                    let mut lines = self.lines.lock();
                    let after = lines.look_is_over(found, line);
                    if let Some(limit) = after.limit {
                        taken.lifted.push_back(limit);
                    }
                    if let Some(next) = after.next {
                        go_on(next);
                    }
                    self.note_gone(count.wrapping_add(after.waited));
                    self.note_lifted(usize::from(after.was_armed));
                    self.judge_gate(&mut lines);
                    number = found.wrapping_add(1);
                }
                line::Look::Further(next) => number = next,
                line::Look::Over => break,
            }
        }
        self.take_limits(all, matches, &mut taken);
        taken
    }

    /// Has `members` wait at the gate, and tells that `out` slots are out. Gives them back if they may
    /// start now: nobody stands there and, if they wait for all, nothing waits and only `in_hand` of
    /// those slots are out, which are theirs or have no request.
    pub(crate) fn enter_gate(
        &self,
        members: Chain<D>,
        count: usize,
        waits_for_all: bool,
        (out, in_hand): (usize, usize),
    ) -> Result<(), Chain<D>> {
        let mut lines = self.lines.lock();
        if lines.gate.is_empty() && (!waits_for_all || out == in_hand) {
            return Err(members);
        }
        lines.enter_gate(members, waits_for_all)?;
        lines.gate.note_out(out);
        // As in `line_up`.
        self.waiting.fetch_add(count, Full);
        self.judge_gate(&mut lines);
        Ok(())
    }

    /// Notes that `out` slots are out. Answers whether somebody stands at the gate, for whom that counts.
    /// Any context, with the lock of the pool held.
    pub(crate) fn note_out(&self, out: usize) -> bool {
        let mut lines = self.lines.lock();
        lines.gate.note_out(out);
        self.judge_gate(&mut lines);
        !lines.gate.is_empty()
    }

    fn judge_gate(&self, lines: &mut Lines<D>) {
        self.may_pass.store(lines.may_pass(self.waiting()), Relaxed);
    }

    /// Whether somebody may pass the gate. Any context.
    #[inline]
    pub(crate) fn may_pass(&self) -> bool {
        self.may_pass.load(Relaxed)
    }

    /// Hands those who may pass the gate to `go_on`, with the lock held. Process context.
    pub(crate) fn pass_gate(&self, go_on: impl Fn(Slot<D>)) {
        while self.may_pass() {
            let mut lines = self.lines.lock();
            for _ in 0..PASS_AT_ONCE {
                let Some(slot) = lines.pass(self.waiting()) else {
                    break;
                };
                go_on(slot);
                self.note_gone(1);
            }
            self.judge_gate(&mut lines);
        }
    }
}

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
//! # Cancelling
//!
//! Who looks through a line takes it away as a whole, and looks without the lock. If the member before
//! it ends meanwhile, it leaves a note, and the one who looks goes on instead.
//!
//! # Locks
//!
//! The lock may be taken with that of the ring's pool held, and that of the watch inside it.

#![forbid(unsafe_code)]

mod line;

use self::line::Lines;
use crate::{
    abi,
    abstractions::{
        async_io::IoDomain,
        pool::{
            Chain,
            Slot, //
        },
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
    /// `SQE_*` bits, and `DOOMED`.
    bits: u8,
}

/// It does not run: a member of its chain has failed. Beside the bits of an entry that are kept.
const DOOMED: u8 = 1 << 7;

impl Turn {
    /// That of an entry with these flags.
    pub(crate) fn new(flags: u8) -> Self {
        Self {
            line: 0,
            bits: flags & abi::SQE_IN_TURN,
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

    /// Whether there is no completion for such an end.
    pub(crate) fn skips(self, is_success: bool) -> bool {
        is_success && self.has(abi::SQE_CQE_SKIP_SUCCESS)
    }

    /// Whether such an end dooms the rest of the chain.
    fn breaks_chain(self, is_success: bool) -> bool {
        self.is_doomed() || !(is_success || self.has(abi::SQE_HARDLINK))
    }
}

/// An [`IoDomain`] whose requests may wait for others.
pub(crate) trait InTurn: IoDomain {
    /// That of a request.
    fn turn(request: &mut Self::Request) -> &mut Turn;
}

/// Slots that were taken from those that wait.
pub(crate) struct Taken<D: InTurn> {
    /// They have to end, in this order.
    pub(crate) slots: Chain<D>,
    /// How many of them were looked for; the others are the rests of their chains.
    pub(crate) matched: usize,
}

/// Those that wait for others.
#[pin_data]
pub(crate) struct Turns<D: InTurn> {
    #[pin]
    lines: SpinLockIrq<Lines<D>>,
    /// How many wait: a copy for those who sleep.
    waiting: Atomic<usize>,
}

impl<D: InTurn> Turns<D> {
    /// Nothing waits. There may be `requests` in all.
    pub(crate) fn new(requests: usize) -> Result<impl PinInit<Self>> {
        let lines = Lines::new(requests)?;
        Ok(pin_init!(Self {
            lines <- new_spinlock_irq!(lines, "io_ring_turns"),
            waiting: Atomic::new(0),
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

    /// A request with this turn has ended. Answers the one whose turn it is now. Any context.
    pub(crate) fn next(&self, ended: Turn, is_success: bool) -> Option<Slot<D>> {
        let mut next = None;
        self.pass_on(ended, is_success, |slot| next = Some(slot));
        next
    }

    /// A request with this turn has ended: hands the one whose turn it is now to `go_on`, with the lock
    /// held. Any context.
    pub(crate) fn pass_on(&self, ended: Turn, is_success: bool, go_on: impl FnOnce(Slot<D>)) {
        if ended.line == 0 {
            return;
        }
        let mut lines = self.lines.lock();
        let next = lines.advance(ended.line, ended.breaks_chain(is_success));
        if let Some(next) = next {
            go_on(next);
            self.note_gone(1);
        }
    }

    /// Takes those that `matches`: all, or at most one, along with what depends on them. Those whose
    /// turn comes meanwhile are handed to `go_on`, with the lock held. Process context.
    pub(crate) fn take_matching(
        &self,
        all: bool,
        matches: &dyn Fn(&D::Item) -> bool,
        go_on: impl Fn(Slot<D>),
    ) -> Taken<D> {
        let mut taken = Taken {
            slots: Chain::new(),
            matched: 0,
        };
        let mut number = 1;
        while (all || taken.matched == 0) && self.waiting() != 0 {
            let look = self.lines.lock().look(number);
            match look {
                line::Look::At(found, mut line) => {
                    let count = line.sift(all, matches, &mut taken);
                    let mut lines = self.lines.lock();
                    let next = lines.look_is_over(found, line);
                    let gone = count.wrapping_add(usize::from(next.is_some()));
                    if let Some(next) = next {
                        go_on(next);
                    }
                    self.note_gone(gone);
                    number = found.wrapping_add(1);
                }
                line::Look::Further(next) => number = next,
                line::Look::Over => break,
            }
        }
        taken
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! No entry is overlooked by a submission thread that falls asleep, under every interleaving that loom
//! can make.
//!
//! `rust/sq_thread.rs` describes the protocol: the thread says that it has to be called, passes a full
//! barrier and looks at the tail once more; the program moves the tail, passes a full barrier and looks
//! whether it has to call. Who calls says so, and the thread takes that back before it looks again.

use loom::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

/// What is left out of the protocol.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Missing {
    Nothing,
    BarrierOfThread,
    BarrierOfProgram,
    SecondLook,
    /// The call is taken back after the tail has been looked at.
    OrderOfTakingBack,
}

/// What both sides share.
#[derive(Default)]
struct Ring {
    tail: AtomicU32,
    needs_call: AtomicBool,
    is_called: AtomicBool,
}

/// The program offers an entry, and calls if it has to.
fn offer(ring: &Ring, tail: u32, missing: Missing) {
    ring.tail.store(tail, Ordering::Release);
    if missing != Missing::BarrierOfProgram {
        fence(Ordering::SeqCst);
    }
    if ring.needs_call.load(Ordering::Relaxed) {
        ring.is_called.swap(true, Ordering::SeqCst);
    }
}

/// The thread falls asleep, having taken `head` entries; answers what it takes before it sleeps.
fn fall_asleep(ring: &Ring, head: u32, missing: Missing) -> u32 {
    ring.needs_call.store(true, Ordering::Release);
    if missing != Missing::BarrierOfThread {
        fence(Ordering::SeqCst);
    }
    if missing == Missing::SecondLook {
        return head;
    }
    ring.tail.load(Ordering::Acquire)
}

fn one_entry(missing: Missing) {
    loom::model(move || {
        let ring = Arc::new(Ring::default());
        let program = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || offer(&ring, 1, missing))
        };
        let taken = fall_asleep(&ring, 0, missing);
        program.join().expect("the program has finished");
        let is_called = ring.is_called.load(Ordering::Relaxed);
        assert!(taken == 1 || is_called, "the entry is overlooked");
    });
}

/// The thread sleeps and has been called, and wakes up while the program, or another thread of it, offers
/// one more entry and calls as well.
fn one_more_entry(missing: Missing) {
    loom::model(move || {
        let ring = Arc::new(Ring::default());
        ring.needs_call.store(true, Ordering::Relaxed);
        ring.is_called.store(true, Ordering::Relaxed);
        let program = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || offer(&ring, 1, missing))
        };
        let mut taken = 0;
        if missing == Missing::OrderOfTakingBack {
            taken = ring.tail.load(Ordering::Acquire);
        }
        ring.is_called.swap(false, Ordering::SeqCst);
        ring.needs_call.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
        if missing != Missing::OrderOfTakingBack {
            taken = ring.tail.load(Ordering::Acquire);
        }
        if taken == 0 {
            taken = match missing {
                // It sleeps for what it has seen.
                Missing::OrderOfTakingBack => 0,
                _ => fall_asleep(&ring, 0, missing),
            };
        }
        program.join().expect("the program has finished");
        let is_called = ring.is_called.load(Ordering::Relaxed);
        assert!(taken == 1 || is_called, "the entry is overlooked");
    });
}

#[test]
fn an_entry_is_seen_or_the_thread_is_called() {
    one_entry(Missing::Nothing);
}

#[test]
fn a_call_is_for_what_is_there() {
    one_more_entry(Missing::Nothing);
}

#[test]
#[should_panic(expected = "the entry is overlooked")]
fn a_missing_barrier_of_the_thread_is_noticed() {
    one_entry(Missing::BarrierOfThread);
}

#[test]
#[should_panic(expected = "the entry is overlooked")]
fn a_missing_barrier_of_the_program_is_noticed() {
    one_entry(Missing::BarrierOfProgram);
}

#[test]
#[should_panic(expected = "the entry is overlooked")]
fn a_missing_second_look_is_noticed() {
    one_entry(Missing::SecondLook);
}

#[test]
#[should_panic(expected = "the entry is overlooked")]
fn a_call_that_is_taken_back_too_late_is_noticed() {
    one_more_entry(Missing::OrderOfTakingBack);
}

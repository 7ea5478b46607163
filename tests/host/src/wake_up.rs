// SPDX-License-Identifier: GPL-2.0-only

//! No wake-up is lost, under every interleaving that loom can make.
//!
//! `rust/wait.rs` describes the protocol: a waiter enters the wait queue, passes a full barrier and
//! looks for completions; a completer publishes one, passes a full barrier and looks at the wait
//! queue. Without either barrier both may look too early; the model must notice.

use loom::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

/// Whether a side passes its full barrier.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Barrier {
    Full,
    Missing,
}

impl Barrier {
    fn pass(self) {
        if self == Self::Full {
            fence(Ordering::SeqCst);
        }
    }
}

fn model(waiter: Barrier, completer: Barrier) {
    loom::model(move || {
        let tail = Arc::new(AtomicU32::new(0));
        let waiting = Arc::new(AtomicBool::new(false));
        let completing = {
            let (tail, waiting) = (Arc::clone(&tail), Arc::clone(&waiting));
            thread::spawn(move || {
                tail.store(1, Ordering::Release);
                completer.pass();
                waiting.load(Ordering::Relaxed)
            })
        };
        waiting.store(true, Ordering::Relaxed);
        waiter.pass();
        let sleeps = tail.load(Ordering::Acquire) == 0;
        let woken = completing.join().expect("the completer has finished");
        assert!(woken || !sleeps, "the waiter sleeps for ever");
    });
}

#[test]
fn a_waiter_sees_the_completion_or_is_woken() {
    model(Barrier::Full, Barrier::Full);
}

#[test]
#[should_panic(expected = "the waiter sleeps for ever")]
fn a_missing_barrier_of_the_waiter_is_noticed() {
    model(Barrier::Missing, Barrier::Full);
}

#[test]
#[should_panic(expected = "the waiter sleeps for ever")]
fn a_missing_barrier_of_the_completer_is_noticed() {
    model(Barrier::Full, Barrier::Missing);
}

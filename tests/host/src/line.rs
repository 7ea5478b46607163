// SPDX-License-Identifier: GPL-2.0-only

//! Who waits in line for completions is not forgotten, under interleavings that loom makes.
//!
//! `rust/wait.rs` describes the protocol: as many waiters are woken as completions have come, and who
//! was woken and does not read passes the wake-up on. The wait queue is modelled with a lock that is
//! always taken: that it can be looked at without it is another model's business (`wake_up.rs`).
//!
//! That nobody can go on is what loom calls a deadlock.

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
// Loom's own cannot be dropped while a deadlock is reported.
use std::sync::Arc;

/// Most often that a thread is interrupted by another.
const PREEMPTIONS: usize = 3;

/// What is done wrong, to see that the model notices.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Flaw {
    None,
    /// Completions that come together wake one waiter.
    OneForAll,
    /// Who cannot use a wake-up keeps it.
    NotPassedOn,
    /// A waiter looks for completions before it enters the queue.
    EarlyLook,
}

#[derive(Clone, Copy)]
struct Waiter {
    /// Its place in `Ring::bells`.
    number: usize,
    wanted: u32,
    /// What it does when it was woken for too few completions.
    when_short: Short,
    /// What it does when there are enough.
    when_enough: Enough,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Short {
    WaitsOn,
    Leaves,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Enough {
    Reads,
    /// Is killed before it has read anything.
    Dies,
}

struct Sleeper {
    number: usize,
    wanted: u32,
    asleep: bool,
}

struct Ring {
    /// Completions that can be read.
    ready: AtomicU32,
    line: Mutex<Vec<Sleeper>>,
    /// What each waiter is woken by.
    bells: [Condvar; 2],
    flaw: Flaw,
}

impl Ring {
    fn new(flaw: Flaw) -> Arc<Self> {
        Arc::new(Self {
            ready: AtomicU32::new(0),
            line: Mutex::new(Vec::new()),
            bells: [Condvar::new(), Condvar::new()],
            flaw,
        })
    }

    fn post(&self, count: u32) {
        self.ready.fetch_add(count, Ordering::AcqRel);
        self.wake(if self.flaw == Flaw::OneForAll {
            1
        } else {
            count
        });
    }

    /// As the kernel does: who is awake already is passed over.
    fn wake(&self, count: u32) {
        let mut left = count;
        let mut line = self.line.lock().expect("no thread panics");
        for sleeper in line.iter_mut() {
            let is_met = self.ready.load(Ordering::Acquire) >= sleeper.wanted;
            if left != 0 && sleeper.asleep && is_met {
                sleeper.asleep = false;
                self.bells[sleeper.number].notify_one();
                left -= 1;
            }
        }
    }

    fn enter(&self, Waiter { number, wanted, .. }: Waiter) {
        let sleeper = Sleeper {
            number,
            wanted,
            asleep: true,
        };
        self.line.lock().expect("no thread panics").push(sleeper);
    }

    /// Sleeps until woken, and leaves the queue.
    fn sleep(&self, number: usize) {
        let mut line = self.line.lock().expect("no thread panics");
        while line
            .iter()
            .any(|sleeper| sleeper.number == number && sleeper.asleep)
        {
            line = self.bells[number].wait(line).expect("no thread panics");
        }
        line.retain(|sleeper| sleeper.number != number);
    }

    fn leave(&self, number: usize) {
        let mut line = self.line.lock().expect("no thread panics");
        line.retain(|sleeper| sleeper.number != number);
    }

    fn is_enough(&self, waiter: Waiter) -> bool {
        self.ready.load(Ordering::Acquire) >= waiter.wanted
    }

    /// Waits until there are enough; false if the waiter leaves before that.
    fn wait(&self, waiter: Waiter) -> bool {
        let mut is_enough = self.is_enough(waiter);
        while !is_enough {
            let early = self.flaw == Flaw::EarlyLook && self.is_enough(waiter);
            self.enter(waiter);
            if early || (self.flaw != Flaw::EarlyLook && self.is_enough(waiter)) {
                self.leave(waiter.number);
            } else {
                self.sleep(waiter.number);
            }
            is_enough = self.look_again(waiter);
            if waiter.when_short == Short::Leaves {
                break;
            }
        }
        is_enough
    }

    /// What follows a sleep.
    fn look_again(&self, waiter: Waiter) -> bool {
        let is_enough = self.is_enough(waiter);
        let reads = is_enough && waiter.when_enough == Enough::Reads;
        if !reads && self.flaw != Flaw::NotPassedOn {
            self.wake(1);
        }
        is_enough
    }

    fn read_one(&self) -> bool {
        let less = |ready: u32| ready.checked_sub(1);
        self.ready
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_ok()
    }

    /// What a thread of the program does: waits until it has read something.
    fn work(&self, waiter: Waiter) {
        while self.wait(waiter) && waiter.when_enough == Enough::Reads && !self.read_one() {}
    }
}

fn reader(number: usize) -> Waiter {
    Waiter {
        number,
        wanted: 1,
        when_short: Short::WaitsOn,
        when_enough: Enough::Reads,
    }
}

/// Has `body` run by a thread.
fn spawn(ring: &Arc<Ring>, body: impl FnOnce(&Ring) + 'static) -> thread::JoinHandle<()> {
    let ring = Arc::clone(ring);
    thread::spawn(move || body(&ring))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread has ended");
    }
}

/// All interleavings would take hours.
fn check(body: impl Fn() + Sync + Send + 'static) {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(PREEMPTIONS);
    bounded.check(body);
}

/// Two wait, and two completions come together.
fn two_for_two(flaw: Flaw) {
    check(move || {
        let ring = Ring::new(flaw);
        let readers = [0, 1].map(|number| spawn(&ring, move |ring| ring.work(reader(number))));
        ring.post(2);
        join(readers);
    });
}

#[test]
fn completions_that_come_together_wake_as_many() {
    two_for_two(Flaw::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn too_few_woken_are_noticed() {
    two_for_two(Flaw::OneForAll);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_early_look_is_noticed() {
    two_for_two(Flaw::EarlyLook);
}

/// Two wait, and one of them dies when it has what it waited for.
fn one_dies(flaw: Flaw) {
    check(move || {
        let ring = Ring::new(flaw);
        let dying = Waiter {
            when_enough: Enough::Dies,
            ..reader(0)
        };
        let dying = spawn(&ring, move |ring| ring.work(dying));
        let reading = spawn(&ring, move |ring| ring.work(reader(1)));
        ring.post(1);
        join([reading]);
        ring.post(1);
        join([dying]);
    });
}

#[test]
fn who_dies_passes_on() {
    one_dies(Flaw::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_dies_and_does_not_pass_on_is_noticed() {
    one_dies(Flaw::NotPassedOn);
}

/// Three have been waiting for one, two and one completion. One has come, and the first was woken.
/// Another one is enough for the second, unless the first reads before the second looks. What the
/// second gets in time, it makes up for.
fn one_is_greedy(flaw: Flaw, when_short: Short) {
    check(move || {
        let ring = Ring::new(flaw);
        let greedy = Waiter {
            wanted: 2,
            when_short,
            ..reader(0)
        };
        let third = reader(1);
        ring.ready.store(1, Ordering::Release);
        ring.enter(greedy);
        ring.enter(third);
        let second = spawn(&ring, move |ring| {
            ring.sleep(greedy.number);
            let is_enough = ring.look_again(greedy);
            if is_enough || (when_short == Short::WaitsOn && ring.wait(greedy)) {
                let taken = [ring.read_one(), ring.read_one()];
                ring.post(taken.into_iter().map(u32::from).sum());
            }
        });
        let third = spawn(&ring, move |ring| {
            ring.sleep(third.number);
            ring.look_again(third);
            if !ring.read_one() {
                ring.work(third);
            }
        });
        ring.post(1);
        ring.read_one();
        join([third]);
        ring.post(2);
        join([second]);
    });
}

#[test]
fn who_waits_on_passes_on() {
    one_is_greedy(Flaw::None, Short::WaitsOn);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_waits_on_and_does_not_pass_on_is_noticed() {
    one_is_greedy(Flaw::NotPassedOn, Short::WaitsOn);
}

#[test]
fn who_leaves_passes_on() {
    one_is_greedy(Flaw::None, Short::Leaves);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_leaves_and_does_not_pass_on_is_noticed() {
    one_is_greedy(Flaw::NotPassedOn, Short::Leaves);
}

// SPDX-License-Identifier: GPL-2.0-only

//! Two producers of one queue, under every interleaving that loom can make of them.
//!
//! Requests complete on any processor, and threads of a program submit to the same ring. Either side
//! takes turns by a lock of its own, which the consumer does not know: what it sees is the tail. So
//! the end of a queue that a producer keeps (its tail, and how much room it knows of) is handed from
//! one to the next by the lock, and the elements to the consumer by the tail. Without the lock, or
//! with one of the orders taken away, the model must notice.
//!
//! The bound: each producer adds two elements to a queue of two, so that each element is used twice
//! and the positions wrap, and a run has at most [`PREEMPTIONS`] switches that no thread asked for.

use crate::ring::index::{filled, room, Capacity, Position};
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

const CAPACITY: u32 = 2;
const START: u32 = u32::MAX;
const EACH: u32 = 2;
const PREEMPTIONS: usize = 3;

/// What is taken away from the protocol.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Lacks {
    Nothing,
    Lock,
    ReleaseOfTail,
    AcquireOfTail,
    ReleaseOfHead,
    AcquireOfHead,
}

impl Lacks {
    fn order(self, without: Self, order: Ordering) -> Ordering {
        if self == without {
            Ordering::Relaxed
        } else {
            order
        }
    }
}

/// The producers' end.
struct End {
    tail: Position,
    room: u32,
}

struct Queue {
    lacks: Lacks,
    capacity: Capacity,
    head: AtomicU32,
    tail: AtomicU32,
    lock: Mutex<()>,
    end: UnsafeCell<End>,
    elements: [UnsafeCell<u32>; CAPACITY as usize],
}

impl Queue {
    fn new(lacks: Lacks) -> Self {
        let capacity = Capacity::new(CAPACITY).expect("a power of two is a capacity");
        Self {
            lacks,
            capacity,
            head: AtomicU32::new(START),
            tail: AtomicU32::new(START),
            lock: Mutex::new(()),
            end: UnsafeCell::new(End {
                tail: Position::new(START),
                room: CAPACITY,
            }),
            elements: std::array::from_fn(|_| UnsafeCell::new(u32::MAX)),
        }
    }

    /// Adds `value`; false if there is no room.
    fn push(&self, value: u32) -> bool {
        let guard = (self.lacks != Lacks::Lock).then(|| self.lock.lock().expect("never poisoned"));
        // SAFETY: loom fails the test if another producer could be at it.
        let added = self
            .end
            .with_mut(|end| self.push_to(unsafe { &mut *end }, value));
        drop(guard);
        added
    }

    fn push_to(&self, end: &mut End, value: u32) -> bool {
        if end.room == 0 {
            let order = self.lacks.order(Lacks::AcquireOfHead, Ordering::Acquire);
            let head = Position::new(self.head.load(order));
            end.room = room(head, end.tail, self.capacity).expect("the consumer does not lie");
        }
        if end.room == 0 {
            return false;
        }
        let element = end.tail.element(self.capacity) as usize;
        // SAFETY: loom fails the test if the consumer could be reading the element.
        self.elements[element].with_mut(|element| unsafe { *element = value });
        end.tail = end.tail.advanced(1);
        end.room -= 1;
        let order = self.lacks.order(Lacks::ReleaseOfTail, Ordering::Release);
        self.tail.store(end.tail.get(), order);
        true
    }

    /// Takes all there is from `head` on.
    fn pop_all(&self, head: &mut Position, into: &mut Vec<u32>) {
        let order = self.lacks.order(Lacks::AcquireOfTail, Ordering::Acquire);
        let tail = Position::new(self.tail.load(order));
        for _ in 0..filled(*head, tail, self.capacity).expect("the producers do not lie") {
            let element = head.element(self.capacity) as usize;
            // SAFETY: loom fails the test if a producer could be writing the element.
            into.push(self.elements[element].with(|element| unsafe { *element }));
            *head = head.advanced(1);
        }
        let order = self.lacks.order(Lacks::ReleaseOfHead, Ordering::Release);
        self.head.store(head.get(), order);
    }
}

fn produce(queue: &Queue, first: u32) -> u32 {
    let mut added = 0;
    // One more try than there are elements: a full queue may have room again.
    for _ in 0..=EACH {
        if added < EACH && queue.push(first + added) {
            added += 1;
        } else {
            thread::yield_now();
        }
    }
    added
}

/// What of `seen` comes from the producer that began with `first`, in order.
fn from_producer(seen: &[u32], first: u32) -> Vec<u32> {
    let theirs = first..first + EACH;
    seen.iter()
        .copied()
        .filter(|value| theirs.contains(value))
        .collect()
}

fn model(lacks: Lacks) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(move || {
        let queue = Arc::new(Queue::new(lacks));
        let producers = [10, 20].map(|first| {
            let queue = Arc::clone(&queue);
            (first, thread::spawn(move || produce(&queue, first)))
        });
        let (mut head, mut seen) = (Position::new(START), Vec::new());
        queue.pop_all(&mut head, &mut seen);
        thread::yield_now();
        queue.pop_all(&mut head, &mut seen);
        let added = producers.map(|(first, thread)| (first, thread.join().expect("has finished")));
        queue.pop_all(&mut head, &mut seen);
        for (first, added) in added {
            let all: Vec<u32> = (first..first + added).collect();
            assert_eq!(from_producer(&seen, first), all);
        }
    });
}

#[test]
fn each_element_is_seen_once_and_in_the_order_of_its_producer() {
    model(Lacks::Nothing);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn producers_that_do_not_take_turns_are_noticed() {
    model(Lacks::Lock);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_store_of_the_tail_is_noticed() {
    model(Lacks::ReleaseOfTail);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_load_of_the_tail_is_noticed() {
    model(Lacks::AcquireOfTail);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_store_of_the_head_is_noticed() {
    model(Lacks::ReleaseOfHead);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_load_of_the_head_is_noticed() {
    model(Lacks::AcquireOfHead);
}

// SPDX-License-Identifier: GPL-2.0-only

//! The memory order of a queue, under every interleaving that loom can make.
//!
//! Both queues of a ring follow one protocol; `rust/ring.rs` describes it. The producer writes an
//! element and stores its tail with release; the consumer loads the tail with acquire, reads the
//! element and stores its head with release; the producer loads that head with acquire before it
//! writes the element again. The model does these accesses on positions of the module. Each of the
//! four orders is then taken away, and the model must notice.

use crate::ring::index::{filled, room, Capacity, Position};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

/// The four ordered accesses of a queue.
#[derive(Clone, Copy)]
struct Orders {
    /// Producer publishes its tail.
    tail_store: Ordering,
    /// Consumer reads the tail.
    tail_load: Ordering,
    /// Consumer publishes its head.
    head_store: Ordering,
    /// Producer reads the head.
    head_load: Ordering,
}

const RIGHT: Orders = Orders {
    tail_store: Ordering::Release,
    tail_load: Ordering::Acquire,
    head_store: Ordering::Release,
    head_load: Ordering::Acquire,
};

const CAPACITY: u32 = 2;
/// The positions wrap while the model runs.
const START: u32 = u32::MAX;
/// How often each side tries; more than the capacity, so that elements are used again.
const TRIES: u32 = 4;

struct Shared {
    head: AtomicU32,
    tail: AtomicU32,
    elements: [UnsafeCell<u32>; CAPACITY as usize],
}

impl Shared {
    fn element(&self, position: Position, capacity: Capacity) -> &UnsafeCell<u32> {
        &self.elements[position.element(capacity) as usize]
    }
}

fn produce(shared: &Shared, capacity: Capacity, orders: Orders) {
    let mut tail = Position::new(START);
    let mut value = 0;
    for _ in 0..TRIES {
        let head = Position::new(shared.head.load(orders.head_load));
        if room(head, tail, capacity) == Ok(0) {
            thread::yield_now();
            continue;
        }
        // SAFETY: loom fails the test if the consumer could be reading the element.
        shared
            .element(tail, capacity)
            .with_mut(|element| unsafe { *element = value });
        value += 1;
        tail = tail.advanced(1);
        shared.tail.store(tail.get(), orders.tail_store);
    }
}

fn consume(shared: &Shared, capacity: Capacity, orders: Orders) {
    let mut head = Position::new(START);
    let mut expected = 0;
    for _ in 0..TRIES {
        let tail = Position::new(shared.tail.load(orders.tail_load));
        if filled(head, tail, capacity) == Ok(0) {
            thread::yield_now();
            continue;
        }
        // SAFETY: loom fails the test if the producer could be writing the element.
        let value = shared
            .element(head, capacity)
            .with(|element| unsafe { *element });
        assert_eq!(value, expected);
        expected += 1;
        head = head.advanced(1);
        shared.head.store(head.get(), orders.head_store);
    }
}

fn model(orders: Orders) {
    loom::model(move || {
        let capacity = Capacity::new(CAPACITY).expect("a power of two is a capacity");
        let shared = Arc::new(Shared {
            head: AtomicU32::new(START),
            tail: AtomicU32::new(START),
            elements: std::array::from_fn(|_| UnsafeCell::new(u32::MAX)),
        });
        let producer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || produce(&shared, capacity, orders))
        };
        consume(&shared, capacity, orders);
        producer.join().expect("the producer has finished");
    });
}

#[test]
fn elements_are_seen_whole_and_in_order() {
    model(RIGHT);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_store_of_the_tail_is_noticed() {
    model(Orders {
        tail_store: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_load_of_the_tail_is_noticed() {
    model(Orders {
        tail_load: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_store_of_the_head_is_noticed() {
    model(Orders {
        head_store: Ordering::Relaxed,
        ..RIGHT
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_load_of_the_head_is_noticed() {
    model(Orders {
        head_load: Ordering::Relaxed,
        ..RIGHT
    });
}

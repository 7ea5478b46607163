// SPDX-License-Identifier: GPL-2.0-only

//! A whole queue made of positions, against a queue of the standard library, with a peer that lies.

use crate::ring::index::{filled, room, Capacity, OutOfRange, Position};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

/// What happens next; numbers are reduced to what makes sense.
#[derive(Clone, Debug)]
enum Step {
    /// Up to that many elements are added.
    Push(u32),
    /// Up to that many elements are taken.
    Pop(u32),
    /// The consumer claims that its head is so far from where it is, and nobody moves.
    ClaimHead(u32),
    /// The producer claims so of its tail.
    ClaimTail(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let far = prop_oneof![0u32..70_000, (u32::MAX - 70_000)..=u32::MAX, any::<u32>()];
    vec(
        prop_oneof![
            3 => (0u32..100).prop_map(Step::Push),
            3 => (0u32..100).prop_map(Step::Pop),
            1 => far.clone().prop_map(Step::ClaimHead),
            1 => far.prop_map(Step::ClaimTail),
        ],
        1..60,
    )
}

/// The queue under test: both ends as the module keeps them.
struct Queue {
    head: Position,
    tail: Position,
    capacity: Capacity,
    elements: Vec<u64>,
}

impl Queue {
    fn new(bit: u32, start: u32) -> Self {
        let capacity = Capacity::new(1 << bit).expect("a power of two is a capacity");
        Self {
            head: Position::new(start),
            tail: Position::new(start),
            capacity,
            elements: vec![0; 1 << bit],
        }
    }

    fn slot(&mut self, position: Position) -> &mut u64 {
        let element = usize::try_from(position.element(self.capacity)).expect("fits");
        // Panics if the element is out of bounds.
        &mut self.elements[element]
    }

    fn push(&mut self, value: u64) {
        *self.slot(self.tail) = value;
        self.tail = self.tail.advanced(1);
    }

    fn pop(&mut self) -> u64 {
        let value = *self.slot(self.head);
        self.head = self.head.advanced(1);
        value
    }
}

/// What honest ends and a claim give: a number no larger than the capacity, or an error.
fn expect_claim(
    result: Result<u32, OutOfRange>,
    true_value: i64,
    capacity: u32,
) -> Result<(), TestCaseError> {
    match result {
        Ok(number) => {
            prop_assert_eq!(i64::from(number), true_value);
            prop_assert!(number <= capacity);
        }
        Err(OutOfRange) => prop_assert!(!(0..=i64::from(capacity)).contains(&true_value)),
    }
    Ok(())
}

fn run(bit: u32, start: u32, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut queue = Queue::new(bit, start);
    let mut model = VecDeque::new();
    let capacity = 1u32 << bit;
    let mut next = 0;
    for step in steps {
        let used = i64::try_from(model.len()).expect("small");
        prop_assert_eq!(
            filled(queue.head, queue.tail, queue.capacity).map(i64::from),
            Ok(used)
        );
        match step {
            Step::Push(wanted) => {
                let free = room(queue.head, queue.tail, queue.capacity).expect("honest ends");
                prop_assert_eq!(i64::from(free), i64::from(capacity) - used);
                for _ in 0..free.min(wanted) {
                    queue.push(next);
                    model.push_back(next);
                    next += 1;
                }
            }
            Step::Pop(wanted) => {
                let there = filled(queue.head, queue.tail, queue.capacity).expect("honest ends");
                for _ in 0..there.min(wanted) {
                    prop_assert_eq!(Some(queue.pop()), model.pop_front());
                }
            }
            Step::ClaimHead(by) => {
                let claim = Position::new(queue.head.get().wrapping_add(by));
                let true_value = (used - i64::from(by)).rem_euclid(1 << 32);
                expect_claim(
                    filled(claim, queue.tail, queue.capacity),
                    true_value,
                    capacity,
                )?;
            }
            Step::ClaimTail(by) => {
                let claim = Position::new(queue.tail.get().wrapping_add(by));
                let true_value = (used + i64::from(by)).rem_euclid(1 << 32);
                expect_claim(
                    filled(queue.head, claim, queue.capacity),
                    true_value,
                    capacity,
                )?;
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_queue_from_just_before_the_wrap(bit in 0u32..=16, steps in steps()) {
        run(bit, 0xffff_fff0, steps)?;
    }

    #[test]
    fn a_queue_from_anywhere(bit in 0u32..=8, start: u32, steps in steps()) {
        run(bit, start, steps)?;
    }
}

/// A peer that moved back by one, or ahead by one more than there is, is never believed.
#[test]
fn the_smallest_lies_are_errors() {
    for bit in 0..=16 {
        for start in [0, 5, 0xffff_fff0, u32::MAX] {
            let mut queue = Queue::new(bit, start);
            let moved =
                |position: Position, by: u32| Position::new(position.get().wrapping_add(by));
            let back = u32::MAX;

            // The producer of an empty queue moved back; the consumer moved past the tail.
            assert_eq!(
                filled(queue.head, moved(queue.tail, back), queue.capacity),
                Err(OutOfRange)
            );
            assert_eq!(
                room(moved(queue.head, 1), queue.tail, queue.capacity),
                Err(OutOfRange)
            );

            for value in 0..1 << bit {
                queue.push(value);
            }
            // The consumer of a full queue moved back; the producer added more than fits.
            assert_eq!(
                room(moved(queue.head, back), queue.tail, queue.capacity),
                Err(OutOfRange)
            );
            assert_eq!(
                filled(queue.head, moved(queue.tail, 1), queue.capacity),
                Err(OutOfRange)
            );
        }
    }
}

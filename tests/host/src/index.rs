// SPDX-License-Identifier: GPL-2.0-only

//! Positions against arithmetic in 64 and 128 bits, where nothing wraps.

use crate::ring::index::{filled, lower_half, room, Capacity, OutOfRange, Position};
use proptest::prelude::*;

const WRAP: i64 = 1 << 32;

/// Positions around which arithmetic changes its mind.
const EDGES: [u32; 7] = [
    0,
    1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_fffe,
    0xffff_ffff,
];

fn capacities() -> impl Iterator<Item = (u32, Capacity)> {
    (0..=31).map(|bit| {
        let elements = 1 << bit;
        let capacity = Capacity::new(elements).expect("a power of two is a capacity");
        (elements, capacity)
    })
}

/// The true distance from `head` to `tail`, going up.
fn distance(head: u32, tail: u32) -> i64 {
    (i64::from(tail) - i64::from(head)).rem_euclid(WRAP)
}

fn check_ends(head: u32, tail: u32, elements: u32, capacity: Capacity) {
    let true_distance = distance(head, tail);
    let (expected_filled, expected_room) = if true_distance <= i64::from(elements) {
        let used = u32::try_from(true_distance).expect("at most the capacity");
        (Ok(used), Ok(elements - used))
    } else {
        (Err(OutOfRange), Err(OutOfRange))
    };
    let (head, tail) = (Position::new(head), Position::new(tail));
    let ends = format!("head {head:?} tail {tail:?} capacity {elements}");
    assert_eq!(filled(head, tail, capacity), expected_filled, "{ends}");
    assert_eq!(room(head, tail, capacity), expected_room, "{ends}");
}

#[test]
fn only_powers_of_two_are_capacities() {
    for elements in (0..=70_000).chain(EDGES) {
        let is_power = (0..32).any(|bit| elements == 1 << bit);
        let capacity = Capacity::new(elements);
        assert_eq!(capacity.map(Capacity::get), is_power.then_some(elements));
    }
}

#[test]
fn sizes_are_rounded_up_to_the_next_capacity() {
    for elements in (0..=70_000).chain(EDGES) {
        let expected = (0..32)
            .map(|bit| 1u32 << bit)
            .find(|&power| power >= elements)
            .filter(|_| elements != 0);
        assert_eq!(
            Capacity::at_least(elements).map(Capacity::get),
            expected,
            "{elements}"
        );
    }
}

#[test]
fn a_mask_has_all_bits_below_the_capacity() {
    for (elements, capacity) in capacities() {
        assert_eq!(u64::from(capacity.mask()), u64::from(elements) - 1);
    }
}

#[test]
fn programs_see_the_lower_half_of_counters() {
    for (count, seen) in [
        (0, 0),
        (0xffff_ffff, u32::MAX),
        (1 << 32, 0),
        ((7 << 32) + 5, 5),
        (u64::MAX, u32::MAX),
    ] {
        assert_eq!(lower_half(count), seen);
    }
}

#[test]
fn distances_around_the_edges() {
    for head in EDGES {
        for (elements, capacity) in capacities() {
            let wrong_by = [-2, -1, 0, 1, 2];
            let targets = [0, 1, i64::from(elements)];
            for target in targets {
                for wrong in wrong_by {
                    let tail = (i64::from(head) + target + wrong).rem_euclid(WRAP);
                    let tail = u32::try_from(tail).expect("reduced to 32 bits");
                    check_ends(head, tail, elements, capacity);
                }
            }
        }
    }
}

#[test]
fn consecutive_positions_visit_each_element_in_turn() {
    for (elements, capacity) in capacities().take(17) {
        let start = Position::new(0xffff_fff0);
        let steps = elements.min(4096) + 64;
        let first = u64::from(start.element(capacity));
        for step in 0..steps {
            let element = start.advanced(step).element(capacity);
            assert!(element < elements);
            let expected = (first + u64::from(step)) % u64::from(elements);
            assert_eq!(u64::from(element), expected);
        }
    }
}

proptest! {
    #[test]
    fn any_two_ends_are_judged_by_their_true_distance(
        head: u32, tail: u32, near in -70_000i64..70_000, bit in 0u32..32,
    ) {
        let capacity = Capacity::new(1 << bit).expect("a power of two is a capacity");
        check_ends(head, tail, 1 << bit, capacity);
        let close = u32::try_from((i64::from(head) + near).rem_euclid(WRAP)).expect("reduced");
        check_ends(head, close, 1 << bit, capacity);
    }

    #[test]
    fn advancing_and_measuring_are_inverse(start: u32, elements: u32) {
        let from = Position::new(start);
        let to = from.advanced(elements);
        prop_assert_eq!(to.since(from), elements);
        prop_assert_eq!(from.get(), start);
        let expected = (u64::from(start) + u64::from(elements)) % (1 << 32);
        prop_assert_eq!(u64::from(to.get()), expected);
    }

    #[test]
    fn an_element_is_the_position_modulo_the_capacity(raw: u32, bit in 0u32..32) {
        let elements = 1u32 << bit;
        let capacity = Capacity::new(elements).expect("a power of two is a capacity");
        prop_assert_eq!(Position::new(raw).element(capacity), raw % elements);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Ring positions: wraparound, full and empty, and a peer that lies.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_index)]
mod tests {
    use crate::{
        kunit::fake_user::NEAR_WRAP,
        ring::index::{
            self,
            Capacity,
            OutOfRange,
            Position, //
        },
    };

    fn capacities() -> impl Iterator<Item = Capacity> {
        (0..=16).filter_map(|bit| Capacity::new(1 << bit))
    }

    #[test]
    fn capacity_is_a_power_of_two() {
        assert_eq!(capacities().count(), 17);
        for n in 0..=300_u32 {
            assert_eq!(Capacity::new(n).is_some(), n.is_power_of_two());
        }
        assert_eq!(Capacity::at_least(0), None);
        assert_eq!(Capacity::at_least(1), Capacity::new(1));
        assert_eq!(Capacity::at_least(3), Capacity::new(4));
        assert_eq!(Capacity::at_least((1 << 31) + 1), None);
        assert_eq!(Capacity::at_least(u32::MAX), None);
    }

    #[test]
    fn elements_are_in_order_across_the_wrap() {
        for capacity in capacities() {
            let mut position = Position::new(NEAR_WRAP);
            let mut expected = NEAR_WRAP % capacity.get();
            for _ in 0..64 {
                assert_eq!(position.element(capacity), expected);
                position = position.advanced(1);
                expected = (expected + 1) % capacity.get();
            }
            assert_eq!(position.get(), NEAR_WRAP.wrapping_add(64));
        }
    }

    #[test]
    fn full_and_empty_across_the_wrap() {
        for capacity in capacities() {
            for start in [0, 1, NEAR_WRAP, u32::MAX] {
                let head = Position::new(start);
                assert_eq!(index::filled(head, head, capacity), Ok(0));
                assert_eq!(index::room(head, head, capacity), Ok(capacity.get()));
                let full = head.advanced(capacity.get());
                assert_eq!(index::filled(head, full, capacity), Ok(capacity.get()));
                assert_eq!(index::room(head, full, capacity), Ok(0));
                assert_eq!(full.since(head), capacity.get());
            }
        }
    }

    #[test]
    fn lying_peer_is_out_of_range() {
        for capacity in capacities() {
            for start in [0, 1, NEAR_WRAP, u32::MAX] {
                let ours = Position::new(start);
                let too_far = [capacity.get() + 1, 1 << 17, 1 << 31, u32::MAX];
                for distance in too_far {
                    let lie = ours.advanced(distance);
                    assert_eq!(index::filled(ours, lie, capacity), Err(OutOfRange));
                    assert_eq!(index::room(ours, lie, capacity), Err(OutOfRange));
                }
                // One back is the same as 2^32 - 1 ahead.
                let back = Position::new(start.wrapping_sub(1));
                assert_eq!(index::filled(ours, back, capacity), Err(OutOfRange));
            }
        }
    }
}

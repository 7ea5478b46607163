// SPDX-License-Identifier: GPL-2.0

//! Waiting for a number of completions.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_tally)]
mod tests {
    use crate::tally::Tally;

    #[test]
    fn nobody_waits_at_first() {
        let tally = Tally::new();
        assert!(!tally.is_due());
        assert!(!tally.came(1000));
        assert_eq!(tally.take_due(), None);
    }

    #[test]
    fn the_lowest_number_counts() {
        let tally = Tally::new();
        assert!(!tally.want(7));
        assert!(!tally.want(5));
        assert!(!tally.want(9));
        assert!(!tally.came(4));
        assert!(tally.came(5));
        assert!(tally.came(6));
        assert_eq!(tally.take_due(), Some(6));
        // The others have to say again what they want.
        assert!(!tally.came(100));
        assert!(tally.want(9));
        assert_eq!(tally.take_due(), Some(100));
        assert!(!tally.is_due());
    }

    #[test]
    fn what_has_come_before_counts() {
        let tally = Tally::new();
        assert!(!tally.came(3));
        assert!(!tally.want(4));
        assert!(tally.want(3));
        assert!(!Tally::new().want(u64::MAX));
    }
}

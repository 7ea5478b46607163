// SPDX-License-Identifier: GPL-2.0

//! How pinned buffers are cut: the arithmetic in the machine's own word size.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_segments)]
mod tests {
    use crate::abstractions::pinned::segments::{
        Page,
        Part,
        Segments,
        MAX_LEN, //
    };
    use kernel::page::PAGE_SIZE;

    /// Large pages of `1 << order` pages each, of which the buffer begins with page `skip`.
    fn large(order: u32, skip: usize, count: usize) -> impl Iterator<Item = Page> {
        (skip..count << order).map(move |i| {
            let in_page = i & ((1 << order) - 1);
            // Every other one.
            let large = (i >> order) << (order + 1);
            Page {
                number: large + in_page,
                joins: i != skip && in_page != 0,
            }
        })
    }

    #[test]
    fn large_pages_are_one_segment_each() {
        for skip in [0, 1, 7] {
            let len = ((3 << 3) - skip) * PAGE_SIZE - 100;
            let segments = Segments::new(PAGE_SIZE, 50, len, large(3, skip, 3));
            assert!(segments.is_some());
            let Some(segments) = segments else { return };
            assert_eq!(segments.count(), 3);
            assert_eq!(segments.segment(0).len, (8 - skip) * PAGE_SIZE - 50);
            assert_eq!(segments.segment(1).page, 8 - skip);
            assert_eq!(segments.segment(1).len, 8 * PAGE_SIZE);
            assert_eq!(segments.segment(2).len, 8 * PAGE_SIZE - 50);
        }
    }

    #[test]
    fn parts_start_where_they_should() {
        let segments = Segments::new(PAGE_SIZE, 10, 5 * PAGE_SIZE, large(0, 0, 6));
        assert!(segments.is_some());
        let Some(segments) = segments else { return };
        assert_eq!(segments.count(), 6);
        let part = |first, count, offset| {
            Some(Part {
                first,
                count,
                offset,
            })
        };
        assert_eq!(segments.part(0, 1), part(0, 1, 0));
        assert_eq!(segments.part(PAGE_SIZE - 11, 1), part(0, 1, PAGE_SIZE - 11));
        assert_eq!(segments.part(PAGE_SIZE - 10, 1), part(1, 1, 0));
        assert_eq!(segments.part(PAGE_SIZE - 11, 2), part(0, 2, PAGE_SIZE - 11));
        assert_eq!(segments.part(5 * PAGE_SIZE - 1, 1), part(5, 1, 9));
        assert_eq!(segments.part(5 * PAGE_SIZE, 0), part(0, 0, 0));
    }

    #[test]
    fn nothing_overflows() {
        for offset in [0, PAGE_SIZE - 1] {
            let pages = (offset + MAX_LEN).div_ceil(PAGE_SIZE);
            let segments = Segments::new(PAGE_SIZE, offset, MAX_LEN, large(0, 0, pages));
            assert!(segments.is_some());
            let Some(segments) = segments else { return };
            assert_eq!(segments.count(), pages);
            for (start, len) in [
                (MAX_LEN, 1),
                (MAX_LEN + 1, 0),
                (usize::MAX, 0),
                (usize::MAX, 1),
                (1, usize::MAX),
                (0, MAX_LEN + 1),
            ] {
                assert!(segments.part(start, len).is_none());
            }
            assert!(segments
                .part(0, MAX_LEN)
                .is_some_and(|part| part.count == pages));
        }
    }
}

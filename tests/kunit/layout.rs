// SPDX-License-Identifier: GPL-2.0

//! Where things are in the region, and what can be mapped.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_layout)]
mod tests {
    use crate::{
        abi,
        ring::{
            index::Capacity,
            layout::{
                Layout,
                Window, //
            },
        },
    };
    use kernel::page::PAGE_SIZE;

    const PAGE: u32 = PAGE_SIZE as u32;

    /// Every legal combination of sizes.
    fn layouts() -> impl Iterator<Item = Layout> {
        (0..=15).flat_map(|sq| {
            (sq..=16).flat_map(move |cq| {
                [false, true].into_iter().filter_map(move |array| {
                    Layout::new(
                        Capacity::new(1 << sq)?,
                        Capacity::new(1 << cq)?,
                        array,
                        PAGE,
                    )
                })
            })
        })
    }

    #[test]
    fn parts_follow_each_other() {
        assert_eq!(layouts().count(), 2 * (2..=17).sum::<usize>());
        for layout in layouts() {
            let cqes_end = layout.cq_off.cqes + layout.cq_entries.get() * 16;
            let rings_end = if layout.has_index_array() {
                assert!(layout.sq_off.array >= cqes_end);
                assert_eq!(layout.sq_off.array % 4, 0);
                layout.sq_off.array + layout.entries.get() * 4
            } else {
                cqes_end
            };
            assert_eq!(layout.cq_off.cqes % 16, 0);
            assert!(layout.sqes_offset >= rings_end);
            assert!(layout.sqes_offset - rings_end < PAGE);
            assert_eq!(layout.sqes_offset % PAGE, 0);
            assert_eq!(layout.sqes_size, layout.entries.get() * 64);
            assert_eq!(layout.region_size % PAGE, 0);
            assert!(layout.region_size >= layout.sqes_offset + layout.sqes_size);
        }
    }

    #[test]
    fn smallest_ring_is_two_pages() {
        let sizes = (Capacity::new(1), Capacity::new(2));
        if let (Some(entries), Some(cq_entries)) = sizes {
            let layout = Layout::new(entries, cq_entries, true, PAGE);
            assert_eq!(layout.map(|layout| layout.region_size), Some(2 * PAGE));
        }
        assert!(sizes.0.is_some() && sizes.1.is_some());
    }

    #[test]
    fn whole_region_and_entries_have_windows() {
        for layout in layouts() {
            let region = u64::from(layout.region_size);
            let whole = Some(Window {
                start: 0,
                len: layout.region_size,
            });
            assert_eq!(layout.window(abi::OFF_REGION, region), whole);
            assert_eq!(layout.window(abi::OFF_CQ_REGION, region), whole);
            let len = layout.sqes_size.next_multiple_of(PAGE);
            let entries = layout.window(abi::OFF_SQES, u64::from(len));
            assert_eq!(
                entries,
                Some(Window {
                    start: layout.sqes_offset,
                    len,
                })
            );
        }
    }

    #[test]
    fn nothing_beyond_the_end_has_a_window() {
        let page = u64::from(PAGE);
        for layout in layouts() {
            let region = u64::from(layout.region_size);
            let entries = u64::from(layout.sqes_size.next_multiple_of(PAGE));
            assert_eq!(layout.window(0, region + page), None);
            assert_eq!(layout.window(page, region), None);
            assert_eq!(layout.window(region, page), None);
            assert_eq!(layout.window(abi::OFF_SQES, entries + page), None);
            assert_eq!(layout.window(abi::OFF_SQES + entries, page), None);
            assert_eq!(layout.window(abi::OFF_CQ_REGION - page, page), None);
            assert_eq!(layout.window(0, 0), None);
            assert_eq!(layout.window(u64::MAX - page + 1, page), None);
            assert_eq!(layout.window(0, 1 << 32), None);
        }
    }

    #[test]
    fn impossible_sizes_have_no_layout() {
        let largest = Capacity::new(1 << 31);
        let small = Capacity::new(1);
        if let (Some(largest), Some(small)) = (largest, small) {
            assert!(Layout::new(largest, largest, true, PAGE).is_none());
            assert!(Layout::new(small, largest, false, PAGE).is_none());
            assert!(Layout::new(largest, small, false, PAGE).is_none());
        }
        assert!(largest.is_some() && small.is_some());
    }
}

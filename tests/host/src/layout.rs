// SPDX-License-Identifier: GPL-2.0-only

//! The layout of the region, for every size there is, against arithmetic that cannot overflow.

use crate::abi;
use crate::ring::index::Capacity;
use crate::ring::layout::{Layout, Window};
use proptest::prelude::*;
use std::mem::size_of;

const PAGE_SIZES: [u32; 3] = [4096, 16384, 65536];

fn capacity(bit: u32) -> Capacity {
    Capacity::new(1 << bit).expect("a power of two is a capacity")
}

/// One part of the region, in bytes.
#[derive(Debug)]
struct Part {
    name: &'static str,
    start: u64,
    len: u64,
    align: u64,
}

fn part(name: &'static str, start: u32, len: u64, align: u64) -> Part {
    Part {
        name,
        start: u64::from(start),
        len,
        align,
    }
}

/// Every part of a ring with that many entries, by what the header says of it.
fn parts(layout: &Layout, entries: u64, cq_entries: u64) -> Vec<Part> {
    let (sq, cq) = (&layout.sq_off, &layout.cq_off);
    let mut parts: Vec<Part> = [
        ("sq head", sq.head),
        ("sq tail", sq.tail),
        ("sq ring_mask", sq.ring_mask),
        ("sq ring_entries", sq.ring_entries),
        ("sq flags", sq.flags),
        ("sq dropped", sq.dropped),
        ("sq dropped_at", sq.dropped_at),
        ("cq head", cq.head),
        ("cq tail", cq.tail),
        ("cq ring_mask", cq.ring_mask),
        ("cq ring_entries", cq.ring_entries),
        ("cq overflow", cq.overflow),
        ("cq flags", cq.flags),
    ]
    .into_iter()
    .map(|(name, start)| part(name, start, 4, 4))
    .collect();
    let cqe = size_of::<abi::Cqe>() as u64;
    parts.push(part("cqes", cq.cqes, cq_entries * cqe, cqe));
    if layout.has_index_array() {
        parts.push(part("array", sq.array, entries * 4, 4));
    }
    let sqe = size_of::<abi::Sqe>() as u64;
    parts.push(part("sqes", layout.sqes_offset, entries * sqe, sqe));
    parts
}

/// Checks one layout against the promises of the header and of [`Layout`].
fn check(layout: &Layout, entries: u64, cq_entries: u64, page: u64) {
    let region = u64::from(layout.region_size);
    assert_eq!(u64::from(layout.entries.get()), entries);
    assert_eq!(u64::from(layout.cq_entries.get()), cq_entries);
    assert_eq!(region % page, 0);
    assert_eq!(u64::from(layout.sqes_offset) % page, 0);
    assert_eq!(u64::from(layout.sqes_size), entries * 64);

    let mut parts = parts(layout, entries, cq_entries);
    parts.sort_by_key(|part| part.start);
    let mut end = 0;
    for part in &parts {
        assert_eq!(part.start % part.align, 0, "{} is not aligned", part.name);
        assert!(
            part.start >= end,
            "{} overlaps what is before it",
            part.name
        );
        end = part.start + part.len;
        assert!(end <= region, "{} ends outside {region:#x}", part.name);
    }
    // Nothing is wasted but what alignment costs: a page after the rings, one after the entries.
    let bytes: u64 = parts.iter().map(|part| part.len).sum();
    assert!(
        region - bytes < 2 * page + 0x140,
        "{region:#x} for {bytes:#x} bytes"
    );
}

/// The size the region should have, in arithmetic wide enough for all capacities.
fn region_size(entries: u64, cq_entries: u64, index_array: bool, page: u64) -> u64 {
    let array = if index_array { entries * 4 } else { 0 };
    let rings = (0x140 + cq_entries * 16 + array).div_ceil(page) * page;
    rings + (entries * 64).div_ceil(page) * page
}

#[test]
fn every_legal_size_fits_together() {
    for entries in (0..=15).map(capacity) {
        for cq_entries in (0..=16).map(capacity) {
            for index_array in [false, true] {
                for page in PAGE_SIZES {
                    let layout = Layout::new(entries, cq_entries, index_array, page)
                        .expect("legal sizes fit in 32 bits");
                    assert_eq!(layout.has_index_array(), index_array);
                    let (entries, cq_entries) = (entries.get().into(), cq_entries.get().into());
                    check(&layout, entries, cq_entries, page.into());
                }
            }
        }
    }
}

#[test]
fn a_ring_is_laid_out_exactly_if_it_fits_in_32_bits() {
    for entries in (0..=31).map(capacity) {
        for cq_entries in (0..=31).map(capacity) {
            for index_array in [false, true] {
                for page in (12..=31).map(|bit| 1 << bit) {
                    let expected = region_size(
                        entries.get().into(),
                        cq_entries.get().into(),
                        index_array,
                        page.into(),
                    );
                    let size = Layout::new(entries, cq_entries, index_array, page)
                        .map(|layout| layout.region_size);
                    assert_eq!(size, u32::try_from(expected).ok());
                }
            }
        }
    }
}

#[test]
fn reserved_members_of_the_answer_are_zero() {
    let layout = Layout::new(capacity(3), capacity(4), true, 4096).expect("a small ring");
    assert_eq!(layout.cq_off.resv, 0);
}

#[test]
fn more_entries_never_make_a_smaller_region() {
    for index_array in [false, true] {
        for page in PAGE_SIZES {
            let size = |entry_bit, cq_bit| {
                Layout::new(capacity(entry_bit), capacity(cq_bit), index_array, page)
                    .expect("legal sizes fit in 32 bits")
                    .region_size
            };
            for entry_bit in 0..=14 {
                for cq_bit in 0..=15 {
                    assert!(size(entry_bit + 1, cq_bit) >= size(entry_bit, cq_bit));
                    assert!(size(entry_bit, cq_bit + 1) >= size(entry_bit, cq_bit));
                }
            }
        }
    }
}

/// What one side writes often is on no cache line that the other side writes.
#[test]
fn the_two_sides_write_different_cache_lines() {
    let layout = Layout::new(capacity(3), capacity(4), true, 4096).expect("a small ring");
    let (sq, cq) = (&layout.sq_off, &layout.cq_off);
    let kernel = [
        sq.head,
        sq.flags,
        sq.dropped,
        sq.dropped_at,
        cq.tail,
        cq.overflow,
        cq.cqes,
    ];
    for program in [sq.tail, cq.head, cq.flags, sq.array, layout.sqes_offset] {
        for kernel in kernel {
            assert_ne!(program / 64, kernel / 64, "{program:#x} {kernel:#x}");
        }
    }
    for constant in [sq.ring_mask, sq.ring_entries, cq.ring_mask, cq.ring_entries] {
        assert!(kernel.iter().all(|written| written / 64 != constant / 64));
        assert!([sq.tail, cq.head, cq.flags]
            .iter()
            .all(|written| written / 64 != constant / 64));
    }
}

/// What a mapping should show, in arithmetic that cannot overflow.
fn expected_window(layout: &Layout, page: u32, offset: u64, len: u64) -> Option<Window> {
    let page = i128::from(page);
    let sqes = i128::from(layout.sqes_size);
    let windows = [
        (
            abi::OFF_SQES,
            layout.sqes_offset,
            (sqes + page - 1) / page * page,
        ),
        (abi::OFF_CQ_REGION, 0, layout.region_size.into()),
        (abi::OFF_REGION, 0, layout.region_size.into()),
    ];
    let (from, base, limit) = windows.into_iter().find(|window| window.0 <= offset)?;
    let skip = i128::from(offset) - i128::from(from);
    if len == 0 || skip + i128::from(len) > limit {
        return None;
    }
    let start = i128::from(base) + skip;
    assert!(start + i128::from(len) <= layout.region_size.into());
    Some(Window {
        start: u32::try_from(start).expect("inside the region"),
        len: u32::try_from(len).expect("inside the region"),
    })
}

fn check_window(layout: &Layout, page: u32, offset: u64, len: u64) {
    let expected = expected_window(layout, page, offset, len);
    assert_eq!(layout.window(offset, len), expected, "{offset:#x} {len:#x}");
}

#[test]
fn mappings_at_the_borders_of_every_window() {
    for (entry_bit, cq_bit) in [(0, 0), (0, 1), (6, 7), (7, 7), (15, 16)] {
        for page in PAGE_SIZES {
            let layout = Layout::new(capacity(entry_bit), capacity(cq_bit), true, page)
                .expect("legal sizes fit in 32 bits");
            let step = u64::from(page);
            let sqes = u64::from(layout.sqes_size).div_ceil(step) * step;
            let sizes = [
                step,
                sqes,
                layout.region_size.into(),
                layout.sqes_offset.into(),
            ];
            for base in [abi::OFF_REGION, abi::OFF_CQ_REGION, abi::OFF_SQES] {
                for skip in [0, step].into_iter().chain(sizes) {
                    for len in sizes
                        .into_iter()
                        .flat_map(|size| [size - step, size, size + step])
                    {
                        check_window(&layout, page, base + skip, len);
                        if base >= step {
                            check_window(&layout, page, base - step, len);
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_mapping_is_inside_or_refused(
        entry_bit in 0u32..=15, cq_bit in 0u32..=16, index_array: bool, page_bit in 12u32..=16,
        offset in prop_oneof![0u64..0x20, 0x8000u64..0x8020, 0xfff0u64..0x10020, any::<u64>()],
        len in prop_oneof![0u64..0x40, 0u64..0x400, any::<u64>()],
    ) {
        let page = 1u32 << page_bit;
        let layout = Layout::new(capacity(entry_bit), capacity(cq_bit), index_array, page)
            .expect("legal sizes fit in 32 bits");
        // Small numbers count pages of 4 KiB: near the three windows.
        let scale = |n: u64| if n < 0x20000 { n << 12 } else { n } >> page_bit << page_bit;
        check_window(&layout, page, scale(offset), scale(len));
    }
}

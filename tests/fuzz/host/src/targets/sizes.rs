// SPDX-License-Identifier: GPL-2.0-only

//! What SETUP makes of its numbers, and what mmap makes of them afterwards.

use crate::{
    abi,
    ring::{
        index::Capacity,
        layout::Layout,
        sizes::{workers_limit, Refused, Sizes},
    },
    source::Source,
};

const PAGE_SIZES: [u32; 4] = [4096, 8192, 16384, 65536];

/// Fields that may be to blame, with the limit that they name if there is one.
const BLAMED: [(usize, u32); 4] = [
    (
        core::mem::offset_of!(abi::Setup, entries),
        abi::LIMIT_ENTRIES,
    ),
    (
        core::mem::offset_of!(abi::Setup, cq_entries),
        abi::LIMIT_CQ_ENTRIES,
    ),
    (
        core::mem::offset_of!(abi::Setup, requests),
        abi::LIMIT_REQUESTS,
    ),
    (
        core::mem::offset_of!(abi::Setup, max_workers),
        abi::LIMIT_WORKERS,
    ),
];

fn check_refusal(refused: &Refused, is_clamped: bool) {
    let blamed = BLAMED.iter().find(|(field, _)| *field == refused.field);
    let (_, limit) = blamed.expect("a size is to blame");
    if refused.limit == abi::LIMIT_NONE {
        assert_eq!((refused.need, refused.have), (0, 0));
    } else {
        assert_eq!(refused.limit, *limit);
        assert!(refused.need > refused.have && !is_clamped);
    }
}

fn check_sizes(setup: &abi::Setup, sizes: &Sizes, limit: u32) {
    let (entries, cq_entries) = (sizes.entries.get(), sizes.cq_entries.get());
    assert!(entries.is_power_of_two() && entries <= abi::MAX_ENTRIES);
    assert!(cq_entries.is_power_of_two() && cq_entries <= abi::MAX_CQ_ENTRIES);
    assert!(entries <= cq_entries && cq_entries <= sizes.requests);
    assert!(sizes.requests <= abi::MAX_REQUESTS);
    assert!((2..=limit).contains(&sizes.max_workers));
    assert!(setup.entries != 0);
    if setup.flags & abi::SETUP_CLAMP == 0 {
        assert!(setup.entries <= entries && entries / 2 < setup.entries);
        assert!(setup.cq_entries <= cq_entries && setup.requests <= sizes.requests);
    }
}

/// Every part of the region, in bytes: none touches another.
fn check_layout(layout: &Layout, page_size: u32) {
    let (sq, cq) = (&layout.sq_off, &layout.cq_off);
    let words = [
        sq.head,
        sq.tail,
        sq.ring_mask,
        sq.ring_entries,
        sq.flags,
        sq.dropped,
        sq.dropped_at,
        cq.head,
        cq.tail,
        cq.ring_mask,
        cq.ring_entries,
        cq.overflow,
        cq.flags,
    ];
    let entries = u64::from(layout.entries.get());
    let mut parts: Vec<_> = words.iter().map(|&at| (u64::from(at), 4, 4)).collect();
    parts.push((cq.cqes.into(), 16 * u64::from(layout.cq_entries.get()), 16));
    parts.push((
        layout.sqes_offset.into(),
        64 * entries,
        u64::from(page_size),
    ));
    if layout.has_index_array() {
        parts.push((sq.array.into(), 4 * entries, 4));
    }
    parts.sort_unstable();
    let mut end = 0;
    for (start, len, align) in parts {
        assert!(start >= end && start % align == 0, "a part at {start}");
        end = start + len;
    }
    assert!(end <= layout.region_size.into() && layout.region_size % page_size == 0);
    assert_eq!(u64::from(layout.sqes_size), 64 * entries);
}

fn check_window(layout: &Layout, offset: u64, len: u64, page_size: u32) {
    let Some(window) = layout.window(offset, len) else {
        return;
    };
    assert_eq!(u64::from(window.len), len);
    assert!(len != 0 && window.start % page_size == 0);
    let end = u64::from(window.start) + len;
    assert!(end <= layout.region_size.into(), "{window:?}");
    let is_entries = offset >= abi::OFF_SQES;
    assert!(!is_entries || window.start >= layout.sqes_offset);
}

/// The numbers of a SETUP, and of some mmaps.
pub fn sizes(data: &[u8]) {
    let mut source = Source::new(data.iter().copied());
    let setup = abi::Setup {
        flags: source.word(),
        entries: source.word(),
        cq_entries: source.word(),
        requests: source.word(),
        max_workers: source.word(),
        ..abi::Setup::default()
    };
    let limit = workers_limit(source.word());
    assert!((2..=abi::MAX_WORKERS).contains(&limit));
    let page_size = PAGE_SIZES[usize::from(source.byte() & 3)];
    let capacity = |number: u32| Capacity::at_least(number.max(1));
    let (entries, cq_entries) = match Sizes::of(&setup, limit) {
        Ok(sizes) => {
            check_sizes(&setup, &sizes, limit);
            (Some(sizes.entries), Some(sizes.cq_entries))
        }
        Err(refused) => {
            check_refusal(&refused, setup.flags & abi::SETUP_CLAMP != 0);
            // Also such as no ring has.
            (capacity(setup.entries), capacity(setup.cq_entries))
        }
    };
    let (Some(entries), Some(cq_entries)) = (entries, cq_entries) else {
        return;
    };
    let has_array = setup.flags & abi::SETUP_NO_SQARRAY == 0;
    let Some(layout) = Layout::new(entries, cq_entries, has_array, page_size) else {
        assert!(entries.get() > abi::MAX_ENTRIES || cq_entries.get() > abi::MAX_CQ_ENTRIES);
        return;
    };
    check_layout(&layout, page_size);
    while !source.is_empty() {
        let base = [
            abi::OFF_REGION,
            abi::OFF_CQ_REGION,
            abi::OFF_SQES,
            source.long(),
        ];
        let base = base[usize::from(source.byte() & 3)];
        let pages = |bytes: u64| bytes - bytes % u64::from(page_size);
        let offset = pages(base.wrapping_add(source.long()));
        check_window(&layout, offset, pages(source.long()), page_size);
    }
}

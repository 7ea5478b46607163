// SPDX-License-Identifier: GPL-2.0-only

//! How pinned buffers are cut, against a model that looks at each page.

#[path = "../../../rust/abstractions/pinned/segments.rs"]
mod pure;

use proptest::prelude::*;
use pure::{Page, Segments, MAX_LEN};

const PAGE: usize = 4096;

/// Pages that follow each other in memory.
#[derive(Clone, Debug)]
struct Run {
    /// What its first number is a multiple of, as a power of two.
    order: u32,
    number: usize,
    pages: usize,
}

fn run() -> impl Strategy<Value = Run> {
    (0u32..12, 0usize..1 << 20, 1usize..40).prop_map(|(order, number, pages)| Run {
        order,
        number,
        // Sometimes as large as a large page.
        pages: if number % 3 == 0 { 1 << order } else { pages },
    })
}

/// The pages of the runs; a page only joins another one of its run.
fn pages(runs: &[Run]) -> Vec<Page> {
    let of_run = |run: &Run| {
        let first = run.number << run.order;
        (0..run.pages).map(move |i| Page {
            number: first + i,
            joins: i != 0,
        })
    };
    runs.iter().flat_map(of_run).collect()
}

/// The physical address of a byte.
fn place(pages: &[Page], offset: usize, byte: usize) -> usize {
    let at = offset + byte;
    pages[at / PAGE].number * PAGE + at % PAGE
}

/// Checks that segments from `first` on, without their first `skip` bytes, are the bytes `start..end`;
/// answers how many it takes.
fn check_bytes(
    segments: &Segments,
    pages: &[Page],
    offset: usize,
    (first, skip): (usize, usize),
    (start, end): (usize, usize),
) -> usize {
    let (mut at, mut index, mut skip) = (start, first, skip);
    while at < end {
        let segment = segments.segment(index);
        assert!(skip < segment.len, "a part starts in its first segment");
        assert!(segment.offset < PAGE);
        let last_page = segment.page + (segment.offset + segment.len - 1) / PAGE;
        for page in &pages[segment.page + 1..=last_page] {
            assert!(page.joins, "a segment is in one run");
        }
        let begins = pages[segment.page].number * PAGE + segment.offset + skip;
        assert_eq!(begins, place(pages, offset, at));
        at += segment.len - skip;
        skip = 0;
        index += 1;
    }
    index - first
}

fn cut(pages: &[Page], offset: usize, len: usize) -> Segments {
    Segments::new(PAGE, offset, len, pages.iter().copied()).expect("the buffer has bytes")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_bytes_are_where_they_are(
        runs in prop::collection::vec(run(), 1..12),
        offset in 0..PAGE,
        short in 0..PAGE,
        parts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 20),
    ) {
        let pages = pages(&runs);
        let room = pages.len() * PAGE - offset;
        let len = room.saturating_sub(short).max(1);
        let pages = &pages[..(offset + len).div_ceil(PAGE)];
        let segments = cut(pages, offset, len);
        prop_assert_eq!(segments.len(), len);
        let all = check_bytes(&segments, pages, offset, (0, 0), (0, len));
        prop_assert_eq!(all, segments.count());
        let sum: usize = (0..all).map(|index| segments.segment(index).len).sum();
        prop_assert_eq!(sum, len);
        for (from, to) in parts {
            let (a, b) = (from.index(len + 1), to.index(len + 1));
            let (start, end) = (a.min(b), a.max(b));
            let part = segments.part(start, end - start).expect("it is inside");
            let taken = check_bytes(&segments, pages, offset, (part.first, part.offset), (start, end));
            prop_assert_eq!(taken, part.count);
            prop_assert!(part.first + part.count <= all);
        }
    }

    #[test]
    fn large_pages_are_few_segments(order in 1u32..10, count in 2usize..8, skip in 0usize..512, number in 1usize..1000) {
        let run = Run { order, number: 0, pages: 1 << order };
        // In no order: their neighbours are others'.
        let runs: Vec<Run> = (0..count).map(|i| Run { number: number + 2 * (count - i), ..run.clone() }).collect();
        let pages = pages(&runs);
        let skip = skip % (1 << order);
        let len = (pages.len() - skip) * PAGE;
        let segments = Segments::new(PAGE, 0, len, pages[skip..].iter().copied()).expect("it has bytes");
        prop_assert_eq!(segments.count(), count);
    }

    #[test]
    fn nothing_outside_is_a_part(len in 1usize..1 << 24, offset in any::<usize>(), count in any::<usize>()) {
        let pages: Vec<Page> = (0..len.div_ceil(PAGE)).map(|i| Page { number: 7 + 2 * i, joins: false }).collect();
        let segments = cut(&pages, 0, len);
        let inside = offset.checked_add(count).is_some_and(|end| end <= len);
        prop_assert_eq!(segments.part(offset, count).is_some(), inside);
    }
}

#[test]
fn the_ends_of_a_buffer() {
    let pages = [
        Page {
            number: 3,
            joins: false,
        },
        Page {
            number: 9,
            joins: false,
        },
    ];
    let segments = cut(&pages, 100, PAGE);
    for (offset, len, inside) in [
        (0, 0, true),
        (PAGE, 0, true),
        (PAGE + 1, 0, false),
        (0, PAGE, true),
        (0, PAGE + 1, false),
        (PAGE - 1, 1, true),
        (PAGE - 1, 2, false),
        (PAGE, 1, false),
        (usize::MAX, 0, false),
        (usize::MAX, 1, false),
        (1, usize::MAX, false),
    ] {
        let part = segments.part(offset, len);
        assert_eq!(part.is_some(), inside, "{offset} {len}");
        assert!(part.is_none_or(|part| (part.count == 0) == (len == 0)));
    }
}

#[test]
fn the_largest_buffer() {
    let together = |i| Page {
        number: (1 << 18) - 1 + i,
        joins: i != 0,
    };
    let apart = |i| Page {
        number: 2 * i,
        joins: false,
    };
    for offset in [0, PAGE - 1] {
        let pages = (offset + MAX_LEN).div_ceil(PAGE);
        let one = Segments::new(PAGE, offset, MAX_LEN, (0..pages).map(together)).expect("fits");
        assert_eq!(one.count(), 1);
        assert_eq!(one.segment(0).len, MAX_LEN);
        let many = Segments::new(PAGE, offset, MAX_LEN, (0..pages).map(apart)).expect("fits");
        assert_eq!(many.count(), pages);
        let last = many.part(MAX_LEN - 1, 1).expect("the last byte");
        assert_eq!((last.first, last.count), (pages - 1, 1));
    }
    // Where the physical neighbours are of different large pages, at a border of the largest size.
    let halves = |i: usize| Page {
        number: (1 << 18) - 2 + i,
        joins: i != 2 && i != 0,
    };
    let two = Segments::new(PAGE, 0, 4 * PAGE, (0..4).map(halves)).expect("fits");
    assert_eq!(two.count(), 2);
}

#[test]
fn what_cannot_be_a_buffer() {
    let page = || {
        [Page {
            number: 1,
            joins: false,
        }]
        .into_iter()
    };
    assert!(Segments::new(PAGE, 0, 0, page()).is_none());
    assert!(Segments::new(PAGE, 0, MAX_LEN + 1, page()).is_none());
    assert!(Segments::new(PAGE, PAGE, 1, page()).is_none());
    assert!(Segments::new(1 << 17, 0, 1, page()).is_none());
    assert!(Segments::new(PAGE, 0, 1, std::iter::empty()).is_none());
}

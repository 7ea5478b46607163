// SPDX-License-Identifier: GPL-2.0

//! Where the bytes of a buffer are in its pages, as few segments as there can be of equal size.
//!
//! Pages that follow each other in a large page become one segment. All segments but the first and the
//! last are of the same size, a power of two, and start at multiples of it: the one that a byte is in
//! follows from a shift, however many there are.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

/// Most bytes of a buffer.
pub(crate) const MAX_LEN: usize = 1 << 30;

/// Of a single segment: larger than a buffer and what lies before it in its first page.
const SHIFT_OF_ONE: u32 = 31;

/// Of segments of which there are several.
const SHIFT_MAX: u32 = 30;

/// A page of a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Its number in memory that is aligned to its size: in a large page, or in all there is.
    pub(crate) number: usize,
    /// Whether it can be in one segment with the page before it, whose number is one less.
    pub(crate) joins: bool,
}

/// A part of a buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    /// The first segment.
    pub(crate) first: usize,
    /// How many there are, 0 if the part has no bytes.
    pub(crate) count: usize,
    /// Where it starts in the first of them, in bytes.
    pub(crate) offset: usize,
}

/// Which page a segment starts in, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Segment {
    /// The page, counted from that of the first byte.
    pub(crate) page: usize,
    /// Bytes before it in that page.
    pub(crate) offset: usize,
    /// Its bytes.
    pub(crate) len: usize,
}

/// How a buffer is cut.
///
/// # Invariants
///
/// `len` is at most [`MAX_LEN`], `skew` less than 2^`shift`, which is at most 2^31, and
/// `skew` + `len` at most 2^31: so no sum below overflows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments {
    len: usize,
    /// Bytes between the last multiple of the size of segments and the first byte.
    skew: usize,
    /// The size of segments is 2^`shift`.
    shift: u32,
    /// Bytes of a page.
    page_size: usize,
}

impl Segments {
    /// Cuts a buffer of `len` bytes from byte `offset` of the first of `pages` on.
    ///
    /// `None` if it is empty or larger than [`MAX_LEN`], or if `offset` is not within a page of
    /// `page_size`, a power of two of at most 64 KiB.
    pub(crate) fn new(
        page_size: usize,
        offset: usize,
        len: usize,
        pages: impl Iterator<Item = Page>,
    ) -> Option<Self> {
        if len == 0 || len > MAX_LEN || offset >= page_size || page_size > 1 << 16 {
            return None;
        }
        let page_shift = page_size.trailing_zeros();
        let max_order = SHIFT_MAX.wrapping_sub(page_shift);
        let mut order = None;
        let mut first = None;
        let mut last = 0usize;
        for page in pages {
            if first.is_none() {
                first = Some(page.number);
            } else if !page.joins {
                // Segments may only end where one run of pages ends and the next one begins.
                let ends = last.wrapping_add(1).trailing_zeros();
                let begins = page.number.trailing_zeros();
                let most = order.unwrap_or(max_order);
                order = Some(most.min(ends).min(begins));
            }
            last = page.number;
        }
        let first = first?;
        let (shift, skew) = match order {
            None => (SHIFT_OF_ONE, offset),
            Some(order) => {
                let before = first & (1usize << order).wrapping_sub(1);
                let skew = (before << page_shift).wrapping_add(offset);
                (page_shift.wrapping_add(order), skew)
            }
        };
        // INVARIANT: `skew` is less than a segment of at most 2^30 bytes, or than a page; `len` is at
        // most 2^30.
        Some(Self {
            len,
            skew,
            shift,
            page_size,
        })
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many segments there are.
    pub(crate) fn count(&self) -> usize {
        let last = self.skew.wrapping_add(self.len).wrapping_sub(1);
        (last >> self.shift).wrapping_add(1)
    }

    /// Segment `index`, which is one of them.
    pub(crate) fn segment(&self, index: usize) -> Segment {
        let end = self.skew.wrapping_add(self.len);
        let from = (index << self.shift).max(self.skew);
        let to = (index.wrapping_add(1) << self.shift).min(end);
        let in_page = self.page_size.wrapping_sub(1);
        let first_page = self.skew & !in_page;
        Segment {
            page: from.wrapping_sub(first_page) / self.page_size.max(1),
            offset: from & in_page,
            len: to.wrapping_sub(from),
        }
    }

    /// Where `len` bytes from byte `offset` on are; `None` if the buffer has not so many.
    #[inline]
    pub(crate) fn part(&self, offset: usize, len: usize) -> Option<Part> {
        if len > self.len.checked_sub(offset)? {
            return None;
        }
        if len == 0 {
            // There is no segment at the end of the last.
            return Some(Part {
                first: 0,
                count: 0,
                offset: 0,
            });
        }
        let from = self.skew.wrapping_add(offset);
        let last = from.wrapping_add(len).wrapping_sub(1);
        let first = from >> self.shift;
        let begin = (first << self.shift).max(self.skew);
        Some(Part {
            first,
            count: (last >> self.shift).wrapping_sub(first).wrapping_add(1),
            offset: from.wrapping_sub(begin),
        })
    }
}

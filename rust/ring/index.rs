// SPDX-License-Identifier: GPL-2.0

//! Positions in a ring.
//!
//! A position is a counter that runs freely from 0 to 2^32 - 1 and wraps; the element it stands for
//! is `position & (capacity - 1)`. A ring is empty when both ends are at the same position and full
//! when they are `capacity` apart, so no element is wasted and no extra state is needed.
//!
//! The other end's position comes from memory that a program can write. It is judged by one rule:
//! the distance between the ends is at most the capacity. Whatever fails it is [`OutOfRange`],
//! never an index.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

/// The other end's position cannot be true: it is more than the capacity away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OutOfRange;

/// Number of elements in a ring.
///
/// # Invariants
///
/// A power of two, so at least 1 and at most 2^31.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Capacity(u32);

impl Capacity {
    /// The capacity of `elements`, if that is a power of two.
    pub(crate) const fn new(elements: u32) -> Option<Self> {
        if elements.is_power_of_two() {
            // INVARIANT: Just checked.
            Some(Self(elements))
        } else {
            None
        }
    }

    /// The smallest capacity that holds `elements`; `None` for 0 and for more than 2^31.
    pub(crate) const fn at_least(elements: u32) -> Option<Self> {
        match elements.checked_next_power_of_two() {
            Some(rounded) if elements != 0 => Self::new(rounded),
            _ => None,
        }
    }

    /// Number of elements.
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// What to mask a position with.
    pub(crate) const fn mask(self) -> u32 {
        // OVERFLOW: At least 1 by the type invariant; wrapping keeps the check out of the code.
        self.0.wrapping_sub(1)
    }
}

/// A place in the endless sequence of elements.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Position(u32);

impl Position {
    /// The position with that number.
    pub(crate) const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The number, as it stands in shared memory.
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// The position `elements` further on.
    #[must_use]
    pub(crate) const fn advanced(self, elements: u32) -> Self {
        Self(self.0.wrapping_add(elements))
    }

    /// How many elements lie between `earlier` and this position.
    pub(crate) const fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Which element of a ring this is; always less than the capacity.
    pub(crate) const fn element(self, capacity: Capacity) -> u32 {
        self.0 & capacity.mask()
    }
}

/// The lower half of a counter: what programs see of it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the upper half is left out"
)]
pub(crate) const fn lower_half(count: u64) -> u32 {
    count as u32
}

/// How many elements are in a ring whose ends are at `head` and `tail`.
///
/// One of the two is ours and true, the other is the peer's claim.
pub(crate) const fn filled(
    head: Position,
    tail: Position,
    capacity: Capacity,
) -> Result<u32, OutOfRange> {
    let distance = tail.since(head);
    if distance > capacity.get() {
        return Err(OutOfRange);
    }
    Ok(distance)
}

/// How many elements could still be added to that ring.
pub(crate) const fn room(
    head: Position,
    tail: Position,
    capacity: Capacity,
) -> Result<u32, OutOfRange> {
    match filled(head, tail, capacity) {
        // OVERFLOW: `used` is at most the capacity.
        Ok(used) => Ok(capacity.get().wrapping_sub(used)),
        Err(e) => Err(e),
    }
}

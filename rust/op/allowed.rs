// SPDX-License-Identifier: GPL-2.0

//! Which operations are allowed: a set of opcodes, from the table that validates entries too.
//!
//! The floor set is what a program could do anyway with the descriptors it has: moving data between
//! them and memory, waiting, and managing requests. Everything else has to be allowed by the
//! administrator, for a device node.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

use super::{
    names,
    rules, //
};
use crate::abi;

/// Why a set cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unknown;

/// A set of operations, all of which exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OpSet {
    ops: [u64; 4],
    /// Flags of entries that they may have, of those that they know.
    sqe_flags: u8,
}

impl OpSet {
    /// No operation.
    pub(crate) const NONE: Self = Self {
        ops: [0; 4],
        sqe_flags: !0,
    };

    /// The floor set.
    pub(crate) fn floor() -> Self {
        Self::of(rules::Rule::is_floor)
    }

    /// All operations that exist.
    pub(crate) fn all() -> Self {
        Self::of(|_| true)
    }

    fn of(which: impl Fn(&rules::Rule) -> bool) -> Self {
        let mut set = Self::NONE;
        for rule in rules::all().filter(|rule| which(rule)) {
            set.insert(rule.opcode());
        }
        set
    }

    /// The set of names in `text`, separated by commas: those of operations, `floor` and `all`.
    ///
    /// # Errors
    ///
    /// A name is unknown, or empty.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Unknown> {
        let mut set = Self::NONE;
        for name in text.split(|&byte| byte == b',') {
            match name {
                b"all" => set = set.union(Self::all()),
                b"floor" => set = set.union(Self::floor()),
                name => set.add(names::opcode(name).ok_or(Unknown)?)?,
            }
        }
        Ok(set)
    }

    /// Adds an operation.
    ///
    /// # Errors
    ///
    /// It does not exist.
    pub(crate) fn add(&mut self, opcode: u8) -> Result<(), Unknown> {
        if !Self::all().contains(opcode) {
            return Err(Unknown);
        }
        self.insert(opcode);
        Ok(())
    }

    fn insert(&mut self, opcode: u8) {
        if let Some(word) = self.ops.get_mut(usize::from(opcode / 64)) {
            *word |= 1 << (opcode % 64);
        }
    }

    fn union(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.ops, other.ops);
        Self {
            ops: [a | e, b | f, c | g, d | h],
            ..self
        }
    }

    /// Those that a ring may do whose transfers complete without an interrupt.
    pub(crate) fn polled(self) -> Self {
        let polled = Self::of(rules::Rule::is_polled);
        let ([a, b, c, d], [e, f, g, h]) = (self.ops, polled.ops);
        Self {
            ops: [a & e, b & f, c & g, d & h],
            sqe_flags: abi::SQE_FIXED_FILE,
        }
    }

    /// Flags of entries that its operations may have, of those that they know.
    pub(crate) fn sqe_flags(&self) -> u8 {
        self.sqe_flags
    }

    /// Whether an operation is in the set.
    #[inline]
    pub(crate) fn contains(&self, opcode: u8) -> bool {
        (self.ops.get(usize::from(opcode / 64)))
            .is_some_and(|word| word & (1 << (opcode % 64)) != 0)
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static [u8]> + '_ {
        (0..=u8::MAX)
            .filter(|&opcode| self.contains(opcode))
            .map(names::name)
    }

    /// What QUERY says of `opcode` where these operations are allowed.
    pub(crate) fn info(&self, opcode: u8) -> abi::OpInfo {
        if self.contains(opcode) {
            rules::info_with_flags(opcode, self.sqe_flags)
        } else {
            abi::OpInfo {
                opcode,
                ..abi::OpInfo::default()
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! What ought to happen to the queues, by counting.

use crate::{
    abi,
    abstractions::shared_mem::Access,
    ring::{index::Position, layout::Layout},
};
use std::collections::VecDeque;

pub(super) struct Record {
    layout: Layout,
    /// The submission queue's head, and what was dropped.
    head: u32,
    dropped: u64,
    /// What was completed and has not been seen in the queue.
    waiting: VecDeque<abi::Cqe>,
    pushed: u32,
    /// How many completions there have been, but for those that were discarded.
    total: u64,
    /// What the module's counter began with.
    base: u64,
    /// Up to where the program has ever said, in a credible way, that the queue is free.
    free_to: u32,
}

impl Record {
    /// Of queues that start at these positions, and with these counters.
    pub(super) fn new(layout: &Layout, sq: (Position, u64), cq: (Position, u64)) -> Self {
        Self {
            layout: *layout,
            head: sq.0.get(),
            dropped: sq.1,
            waiting: VecDeque::new(),
            pushed: cq.0.get(),
            total: 0,
            base: cq.1,
            free_to: cq.0.get().wrapping_add(layout.cq_entries.get()),
        }
    }

    /// The module has counted what has been seen in the queue.
    pub(super) fn check_count(&self, posted: u64) {
        assert_eq!(posted, self.base.wrapping_add(self.total));
    }

    /// An entry was taken, or was none.
    pub(super) fn taken(&mut self, is_entry: bool) {
        self.head = self.head.wrapping_add(1);
        self.dropped += u64::from(!is_entry);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn posted(&mut self, cqe: abi::Cqe) {
        self.waiting.push_back(cqe);
    }

    pub(super) fn not_posted(&mut self) {
        self.waiting.pop_back();
    }

    pub(super) fn discarded(&mut self) {
        self.waiting.clear();
    }

    /// How many completions have not been seen in the queue.
    pub(super) fn parked(&self) -> usize {
        self.waiting.len()
    }

    /// The completion queue's tail.
    pub(super) fn tail(&self) -> u32 {
        self.pushed
    }

    pub(super) fn note(&mut self, access: Access) {
        let (sq, cq) = (&self.layout.sq_off, &self.layout.cq_off);
        match access {
            Access::Read(offset, value) if offset == cq.head => {
                let used = self.pushed.wrapping_sub(value);
                let capacity = self.layout.cq_entries.get();
                if used <= capacity {
                    let free_to = value.wrapping_add(capacity);
                    let further = free_to.wrapping_sub(self.pushed);
                    if further > self.free_to.wrapping_sub(self.pushed) {
                        self.free_to = free_to;
                    }
                }
            }
            Access::Read(offset, _) => {
                assert!(
                    offset == sq.tail || offset == cq.flags,
                    "{offset} is the module's own"
                );
            }
            Access::Write(offset, value) => self.written(offset, value),
            Access::WriteElement(element, [user_data, rest]) => {
                assert_ne!(self.pushed, self.free_to, "a completion is overwritten");
                assert_eq!(element, self.pushed & (self.layout.cq_entries.get() - 1));
                let cqe = self.waiting.pop_front().expect("a completion of nothing");
                let expected = u64::from(cqe.res as u32) | (u64::from(cqe.flags) << 32);
                assert_eq!((user_data, rest), (cqe.user_data, expected), "not in order");
                self.pushed = self.pushed.wrapping_add(1);
                self.total += 1;
            }
        }
    }

    fn written(&self, offset: u32, value: u32) {
        let (sq, cq) = (&self.layout.sq_off, &self.layout.cq_off);
        if offset == sq.head {
            assert_eq!(value, self.head);
        } else if offset == sq.dropped {
            assert_eq!(u64::from(value), self.dropped & u64::from(u32::MAX));
        } else if offset == sq.dropped_at {
            assert_eq!(value, self.head.wrapping_sub(1));
        } else if offset == cq.tail {
            assert_eq!(value, self.pushed);
        } else if offset == sq.flags {
            assert!(value == 0 || value == abi::SQ_CQ_OVERFLOW);
        } else {
            assert_eq!(offset, cq.overflow, "the module does not write there");
        }
    }
}

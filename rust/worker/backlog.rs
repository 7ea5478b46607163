// SPDX-License-Identifier: GPL-2.0

//! Requests that wait for a worker.
//!
//! Most of them stand in one queue. Some stand in a lane of their inode instead: writes to files, which
//! hold its lock all the time, and transfers of files that may block though they say that they are
//! ready, since somebody else was faster. A second worker could only wait for the first, and many would
//! keep others from running. A lane counts as one thing to do, and is with one worker at
//! a time. If there are more such inodes than lanes, the rest stands in the queue.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        pool::{
            Chain,
            Slot, //
        },
        transfer::FileId, //
    },
    op::cancel::Cancel,
    request::{
        self,
        Requests, //
    },
};

/// Inodes that are kept apart.
const LANES: usize = 8;

/// Requests of one inode.
struct Lane {
    inode: Option<FileId>,
    waiting: Chain<Requests>,
    is_busy: bool,
}

impl Lane {
    const EMPTY: Self = Self {
        inode: None,
        waiting: Chain::new(),
        is_busy: false,
    };

    /// Whether it is worth a worker's while.
    fn is_due(&self) -> bool {
        !self.is_busy && !self.waiting.is_empty()
    }
}

/// Which lane a request was taken from.
pub(super) type LaneNumber = usize;

/// The queue and the lanes.
pub(super) struct Backlog {
    queue: Chain<Requests>,
    queued: usize,
    lanes: [Lane; LANES],
    /// Whether the queue is looked at first the next time.
    queue_first: bool,
}

impl Backlog {
    /// Nothing to do.
    pub(super) const fn new() -> Self {
        Self {
            queue: Chain::new(),
            queued: 0,
            lanes: [Lane::EMPTY; LANES],
            queue_first: true,
        }
    }

    /// How many workers could have something to do.
    pub(super) fn due(&self) -> usize {
        let lanes = self.lanes.iter().filter(|lane| lane.is_due()).count();
        self.queued.saturating_add(lanes)
    }

    /// Adds a request.
    pub(super) fn push(&mut self, slot: Slot<Requests>) {
        match slot.alone_on().and_then(|inode| self.lane_of(inode)) {
            Some(lane) => lane.waiting.push_back(slot),
            None => {
                self.queue.push_back(slot);
                self.queued = self.queued.wrapping_add(1);
            }
        }
    }

    /// Gives back a request that was taken and could not be done: it is the next.
    pub(super) fn put_back(&mut self, slot: Slot<Requests>, lane: Option<LaneNumber>) {
        match lane.and_then(|number| self.lanes.get_mut(number)) {
            Some(lane) => {
                lane.waiting.push(slot);
                lane.is_busy = false;
            }
            None => {
                self.queue.push(slot);
                self.queued = self.queued.wrapping_add(1);
            }
        }
    }

    /// The lane for an inode, if there is one to be had.
    fn lane_of(&mut self, inode: FileId) -> Option<&mut Lane> {
        let same = |lane: &Lane| lane.inode == Some(inode);
        let number = (self.lanes.iter().position(same))
            .or_else(|| self.lanes.iter().position(|lane| lane.inode.is_none()))?;
        let lane = self.lanes.get_mut(number)?;
        lane.inode = Some(inode);
        Some(lane)
    }

    /// Takes something to do. If that is from a lane, [`Backlog::leave`] it afterwards.
    pub(super) fn take(&mut self) -> Option<(Slot<Requests>, Option<LaneNumber>)> {
        self.queue_first = !self.queue_first;
        if self.queue_first {
            self.take_queued().or_else(|| self.take_from_lane())
        } else {
            self.take_from_lane().or_else(|| self.take_queued())
        }
    }

    fn take_queued(&mut self) -> Option<(Slot<Requests>, Option<LaneNumber>)> {
        let slot = self.queue.pop()?;
        self.queued = self.queued.wrapping_sub(1);
        Some((slot, None))
    }

    fn take_from_lane(&mut self) -> Option<(Slot<Requests>, Option<LaneNumber>)> {
        let number = self.lanes.iter().position(Lane::is_due)?;
        let lane = self.lanes.get_mut(number)?;
        let slot = lane.waiting.pop()?;
        lane.is_busy = true;
        Some((slot, Some(number)))
    }

    /// A worker has done with what it took from a lane.
    pub(super) fn leave(&mut self, number: LaneNumber) {
        if let Some(lane) = self.lanes.get_mut(number) {
            lane.is_busy = false;
            if lane.waiting.is_empty() {
                lane.inode = None;
            }
        }
    }

    /// Takes what is to be cancelled.
    pub(super) fn take_matching(&mut self, what: &Cancel) -> Chain<Requests> {
        let mut found = Chain::new();
        let dropped = sift(&mut self.queue, what, &mut found);
        self.queued = self.queued.saturating_sub(dropped);
        for lane in &mut self.lanes {
            sift(&mut lane.waiting, what, &mut found);
            if lane.waiting.is_empty() && !lane.is_busy {
                lane.inode = None;
            }
        }
        found
    }
}

/// Moves what is to be cancelled from `waiting` to `found`, and answers how much that is.
fn sift(waiting: &mut Chain<Requests>, what: &Cancel, found: &mut Chain<Requests>) -> usize {
    let mut rest = Chain::new();
    let mut moved: usize = 0;
    while let Some(slot) = waiting.pop() {
        if (what.all || found.is_empty()) && what.matches(&request::tag(&slot)) {
            found.push_back(slot);
            moved = moved.wrapping_add(1);
        } else {
            rest.push_back(slot);
        }
    }
    *waiting = rest;
    moved
}

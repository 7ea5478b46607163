// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! The kernel's end of both queues over ordinary memory, for the tests.

use crate::abi;
use crate::completion::CompletionQueue;
use crate::region::Region;
use crate::submission::SubmissionQueue;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::vec;
use std::vec::Vec;

/// Memory of a ring and the kernel that plays with it.
///
/// It shares no code with the queues, so that a mistake there does not cancel out here.
pub(crate) struct Kernel {
    base: NonNull<u64>,
    words: usize,
    /// What SETUP would have answered.
    pub(crate) setup: abi::Setup,
}

// SAFETY: The memory belongs to no thread, and indices in it are accessed atomically.
unsafe impl Sync for Kernel {}

impl Kernel {
    /// A ring whose four positions all begin at `start`.
    pub(crate) fn new(entries: u32, cq_entries: u32, array: bool, start: u32) -> Self {
        let cqes = 64;
        let cqes_end = cqes + cq_entries * 16;
        let sqes_offset = (cqes_end + entries * 4).next_multiple_of(64);
        let setup = abi::Setup {
            entries,
            cq_entries,
            sqes_offset,
            sqes_size: entries * 64,
            region_size: u64::from(sqes_offset + entries * 64),
            sq_off: abi::SqOffsets {
                head: 0,
                tail: 4,
                flags: 8,
                dropped: 12,
                dropped_at: 16,
                array: if array { cqes_end } else { 0 },
                ..abi::SqOffsets::default()
            },
            cq_off: abi::CqOffsets {
                head: 32,
                tail: 36,
                overflow: 40,
                cqes,
                ..abi::CqOffsets::default()
            },
            ..abi::Setup::default()
        };
        let words = setup.region_size as usize / 8;
        let memory = vec![0u64; words].into_boxed_slice();
        let base = NonNull::new(std::boxed::Box::into_raw(memory).cast::<u64>());
        let kernel = Self {
            base: base.expect("a box has an address"),
            words,
            setup,
        };
        for index in [
            setup.sq_off.head,
            setup.sq_off.tail,
            setup.cq_off.head,
            setup.cq_off.tail,
        ] {
            kernel.write_word(index, start);
        }
        kernel
    }

    /// The memory, as the queues get it.
    pub(crate) fn region(&self) -> Region {
        // SAFETY: The tests drop the queues before the kernel; both only use atomics and copies.
        unsafe { Region::new(self.base.cast(), self.words * 8) }
    }

    /// The program's end of the submission queue.
    pub(crate) fn submission(&self) -> SubmissionQueue {
        SubmissionQueue::new(self.region(), &self.setup).expect("the layout is right")
    }

    /// The program's end of the completion queue.
    pub(crate) fn completion(&self) -> CompletionQueue {
        CompletionQueue::new(self.region(), &self.setup).expect("the layout is right")
    }

    fn at<T>(&self, offset: u32) -> *mut T {
        // SAFETY: The tests name parts of the layout made above.
        unsafe { self.base.as_ptr().byte_add(offset as usize) }.cast()
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: The word is aligned, in the memory, and only accessed atomically.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }

    /// Sets an index or counter.
    pub(crate) fn write_word(&self, offset: u32, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }

    /// Takes up to `limit` submitted entries.
    pub(crate) fn take(&self, limit: u32) -> Vec<abi::Sqe> {
        let off = &self.setup.sq_off;
        let tail = self.word(off.tail).load(Ordering::Acquire);
        let mut head = self.word(off.head).load(Ordering::Relaxed);
        let mut taken = Vec::new();
        while head != tail && (taken.len() as u32) < limit {
            let element = head % self.setup.entries;
            let entry = match off.array {
                0 => element,
                // SAFETY: `array` has as many elements as there are entries.
                array => unsafe { self.at::<u32>(array + element * 4).read_volatile() },
            };
            assert!(entry < self.setup.entries, "the array names entry {entry}");
            let sqe = self.at::<abi::Sqe>(self.setup.sqes_offset + entry * 64);
            // SAFETY: `entry` was just checked.
            taken.push(unsafe { sqe.read_volatile() });
            head = head.wrapping_add(1);
        }
        self.write_word(off.head, head);
        taken
    }

    /// Posts a completion; `false` if there is no room.
    pub(crate) fn post(&self, cqe: abi::Cqe) -> bool {
        let off = &self.setup.cq_off;
        let head = self.word(off.head).load(Ordering::Acquire);
        let tail = self.word(off.tail).load(Ordering::Relaxed);
        if tail.wrapping_sub(head) == self.setup.cq_entries {
            return false;
        }
        let slot = self.at::<abi::Cqe>(off.cqes + tail % self.setup.cq_entries * 16);
        // SAFETY: The remainder is less than the number of completions.
        unsafe { slot.write_volatile(cqe) };
        self.write_word(off.tail, tail.wrapping_add(1));
        true
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let memory = core::ptr::slice_from_raw_parts_mut(self.base.as_ptr(), self.words);
        // SAFETY: Made by `Box::into_raw` in `new`.
        drop(unsafe { std::boxed::Box::from_raw(memory) });
    }
}

/// Ends a test that waits for something that will not come.
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(60))
    }

    fn wait(&self) {
        assert!(Instant::now() < self.0, "the other side is stuck");
        std::thread::yield_now();
    }
}

const REQUESTS: u64 = 4_000;

/// Completes what is submitted, with fields of the entry in the result.
fn echo(kernel: &Kernel) {
    let patience = Patience::new();
    let mut echoed = 0;
    while echoed < REQUESTS {
        for sqe in kernel.take(4) {
            let cqe = abi::Cqe {
                user_data: sqe.user_data,
                res: sqe.fd,
                flags: sqe.len,
            };
            while !kernel.post(cqe) {
                patience.wait();
            }
            echoed += 1;
        }
        patience.wait();
    }
}

#[test]
fn both_queues_work_between_threads() {
    let kernel = Kernel::new(4, 8, true, u32::MAX - 100);
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&kernel));
        let patience = Patience::new();
        let (mut submission, mut completion) = (kernel.submission(), kernel.completion());
        let (mut pushed, mut popped) = (0, 0);
        while popped < REQUESTS {
            let raw = abi::Sqe {
                user_data: pushed,
                fd: pushed as i32,
                len: !(pushed as u32),
                ..abi::Sqe::default()
            };
            // SAFETY: Nothing executes the entry.
            let sqe = unsafe { crate::Sqe::from_raw(raw) };
            if pushed < REQUESTS && submission.push(sqe).is_ok() {
                pushed += 1;
            }
            for completion in completion.completions() {
                let raw = completion.as_raw();
                assert_eq!(raw.user_data, popped);
                assert_eq!((raw.res, raw.flags), (popped as i32, !(popped as u32)));
                popped += 1;
            }
            patience.wait();
        }
    });
}

// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! The program's end of the completion queue.

use crate::abi;
use crate::errno::Errno;
use crate::field::Fields;
use crate::region::{LayoutError, Region, Slots, Word};
use core::fmt;

/// The completion of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completion(abi::Cqe);

impl Completion {
    /// Takes a completion queue entry as it is.
    pub const fn from_raw(raw: abi::Cqe) -> Self {
        Self(raw)
    }

    /// The entry as the kernel wrote it.
    pub const fn as_raw(&self) -> &abi::Cqe {
        &self.0
    }

    /// The number that [`Sqe::user_data`](crate::Sqe::user_data) gave to the request.
    pub const fn user_data(&self) -> u64 {
        self.0.user_data
    }

    /// What the system call of the same name would have returned.
    ///
    /// ```
    /// use io_ring::{abi, Completion, Errno};
    ///
    /// let read = Completion::from_raw(abi::Cqe { user_data: 0, res: 512, flags: 0 });
    /// assert_eq!(read.result(), Ok(512));
    ///
    /// let flags = abi::CQE_F_REJECTED | (24 << abi::CQE_FIELD_SHIFT);
    /// let bad = Completion::from_raw(abi::Cqe { user_data: 0, res: -22, flags });
    /// let error = bad.result().unwrap_err();
    /// assert_eq!(error.errno, Errno(22));
    /// assert_eq!(error.rejected_field, Some("len"));
    /// ```
    pub fn result(&self) -> Result<u32, RequestError> {
        u32::try_from(self.0.res).map_err(|_| RequestError {
            errno: Errno(self.0.res.wrapping_neg()),
            rejected_field: self.rejected_field(),
        })
    }

    /// How the request came to its result.
    pub const fn path(&self) -> CompletionPath {
        match (self.0.flags >> abi::CQE_PATH_SHIFT) & abi::CQE_PATH_MASK {
            abi::PATH_POLLED => CompletionPath::Polled,
            abi::PATH_WORKER => CompletionPath::Worker,
            abi::PATH_DEVICE => CompletionPath::Device,
            _ => CompletionPath::Inline,
        }
    }

    /// Name of the field of [`abi::Sqe`] that made the kernel refuse the request; `None` if it was
    /// not refused.
    pub fn rejected_field(&self) -> Option<&'static str> {
        if self.0.flags & abi::CQE_F_REJECTED == 0 {
            return None;
        }
        abi::Sqe::field_at((self.0.flags >> abi::CQE_FIELD_SHIFT) & abi::CQE_FIELD_MASK)
    }
}

/// How a request came to its result; see [`Completion::path`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CompletionPath {
    /// The thread that submitted it did all of it, or refused it.
    Inline,
    /// It waited until its file was ready.
    Polled,
    /// A worker thread did what would have blocked.
    Worker,
    /// The file took it and finished it later.
    Device,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestError {
    /// The error of the system call of the same name.
    pub errno: Errno,
    /// The field of [`abi::Sqe`] to blame if the request was refused before anything was done.
    pub rejected_field: Option<&'static str>,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rejected_field {
            Some(field) => write!(f, "request rejected because of its {field}: {}", self.errno),
            None => write!(f, "request failed: {}", self.errno),
        }
    }
}

impl core::error::Error for RequestError {}

#[cfg(feature = "std")]
impl From<RequestError> for std::io::Error {
    fn from(error: RequestError) -> Self {
        match error.rejected_field {
            // Keeps the kind and adds the field's name to the text.
            Some(_) => Self::new(Self::from(error.errno).kind(), error),
            None => Self::from(error.errno),
        }
    }
}

/// The completion queue: the kernel puts completions in, this side takes them out.
#[derive(Debug)]
pub struct CompletionQueue {
    head: Word,
    tail: Word,
    overflow: Word,
    entries: Slots<abi::Cqe>,
}

impl CompletionQueue {
    /// Finds the queue in `region`, as `setup` describes it after a successful
    /// [`SETUP`](abi::SETUP).
    pub fn new(region: Region, setup: &abi::Setup) -> Result<Self, LayoutError> {
        let off = &setup.cq_off;
        Ok(Self {
            head: region.word("cq_off.head", off.head)?,
            tail: region.word("cq_off.tail", off.tail)?,
            overflow: region.word("cq_off.overflow", off.overflow)?,
            entries: region.slots("cq_off.cqes", off.cqes, setup.cq_entries)?,
        })
    }

    /// Number of completions there is room for in all.
    pub fn capacity(&self) -> u32 {
        self.entries.entries()
    }

    /// Number of completions that can be taken.
    pub fn len(&self) -> u32 {
        // Pairs with the kernel's release of the tail: what counts as there is there whole.
        self.tail.load_acquire().wrapping_sub(self.head.load())
    }

    /// Whether there is no completion to take.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many completions had to wait for room in this queue so far; none is ever lost.
    pub fn overflow(&self) -> u32 {
        self.overflow.load()
    }

    /// Takes the oldest completion.
    pub fn pop(&mut self) -> Option<Completion> {
        if self.is_empty() {
            return None;
        }
        let head = self.head.load();
        let entry = self.entries.read(head);
        // Pairs with the kernel's acquire of the head: it overwrites only what has been read.
        self.head.store_release(head.wrapping_add(1));
        Some(Completion(entry))
    }

    /// Takes completions until there are none left.
    pub fn completions(&mut self) -> Completions<'_> {
        Completions(self)
    }
}

/// Iterator that takes completions out of a queue; see [`CompletionQueue::completions`].
///
/// A completion that has not been asked for stays in the queue.
#[derive(Debug)]
pub struct Completions<'a>(&'a mut CompletionQueue);

impl Iterator for Completions<'_> {
    type Item = Completion;

    fn next(&mut self) -> Option<Completion> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kernel::Kernel;
    use std::string::ToString;
    use std::vec::Vec;

    const STARTS: [u32; 4] = [0, 1, u32::MAX - 2, u32::MAX];

    fn cqe(user_data: u64, res: i32, flags: u32) -> abi::Cqe {
        abi::Cqe {
            user_data,
            res,
            flags,
        }
    }

    #[test]
    fn completions_come_in_order_and_make_room() {
        for start in STARTS {
            let kernel = Kernel::new(2, 4, false, start);
            let mut queue = kernel.completion();
            assert_eq!(queue.pop(), None);

            for user_data in 0..4 {
                assert!(kernel.post(cqe(user_data, 0, 0)));
            }
            assert!(!kernel.post(cqe(4, 0, 0)));
            assert_eq!(queue.len(), 4);
            assert_eq!(queue.pop().map(|c| c.user_data()), Some(0));

            assert!(kernel.post(cqe(5, 0, 0)));
            let rest: Vec<u64> = queue.completions().map(|c| c.user_data()).collect();
            assert_eq!(rest, [1, 2, 3, 5]);
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn an_iterator_that_is_left_keeps_the_rest() {
        let kernel = Kernel::new(2, 4, false, 0);
        let mut queue = kernel.completion();
        assert!(kernel.post(cqe(1, 0, 0)) && kernel.post(cqe(2, 0, 0)));
        assert_eq!(queue.completions().next().map(|c| c.user_data()), Some(1));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn results_are_values_or_errors() {
        assert_eq!(Completion(cqe(0, 0, 0)).result(), Ok(0));
        assert_eq!(Completion(cqe(0, i32::MAX, 0)).result(), Ok(0x7fff_ffff));
        let error = RequestError {
            errno: Errno(5),
            rejected_field: None,
        };
        assert_eq!(Completion(cqe(0, -5, 0)).result(), Err(error));
        assert!(error.to_string().starts_with("request failed: "));
    }

    #[test]
    fn the_path_is_two_bits() {
        use CompletionPath::{Device, Inline, Polled, Worker};

        for (bits, path) in [(0, Inline), (1, Polled), (2, Worker), (3, Device)] {
            assert_eq!(Completion(cqe(0, 0, bits << 9)).path(), path);
            assert_eq!(Completion(cqe(0, 0, !(3 << 9) | (bits << 9))).path(), path);
        }
    }

    #[test]
    fn every_field_of_an_entry_can_be_blamed() {
        for (offset, name) in abi::Sqe::FIELDS {
            let flags = abi::CQE_F_REJECTED | ((*offset as u32) << abi::CQE_FIELD_SHIFT);
            let completion = Completion(cqe(0, -22, flags));
            assert_eq!(completion.rejected_field(), Some(*name));
            let text = completion
                .result()
                .expect_err("res is negative")
                .to_string();
            assert!(
                text.contains(&std::format!("because of its {name}")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_failure_that_is_no_rejection_blames_no_field() {
        let flags = 24 << abi::CQE_FIELD_SHIFT;
        assert_eq!(Completion(cqe(0, -22, flags)).rejected_field(), None);
    }

    #[cfg(feature = "std")]
    #[test]
    fn io_errors_keep_the_kind_and_the_name() {
        let flags = abi::CQE_F_REJECTED | (4 << abi::CQE_FIELD_SHIFT);
        let error = Completion(cqe(0, -9, flags))
            .result()
            .expect_err("res is negative");
        let text = std::io::Error::from(error).to_string();
        assert!(text.contains("because of its fd"), "{text}");
        let plain = RequestError {
            rejected_field: None,
            ..error
        };
        assert_eq!(std::io::Error::from(plain).raw_os_error(), Some(9));
    }

    #[test]
    fn overflow_is_the_kernels_counter() {
        let kernel = Kernel::new(2, 4, false, 0);
        let queue = kernel.completion();
        kernel.write_word(kernel.setup.cq_off.overflow, 3);
        assert_eq!(queue.overflow(), 3);
    }

    #[test]
    fn parts_outside_the_region_are_refused() {
        let kernel = Kernel::new(2, 4, false, 0);
        for part in ["cq_off.tail", "cq_off.cqes", "ring_entries"] {
            let mut setup = kernel.setup;
            match part {
                "cq_off.tail" => setup.cq_off.tail = 2,
                "cq_off.cqes" => setup.cq_off.cqes = u32::MAX - 15,
                _ => setup.cq_entries = 0,
            }
            let error = CompletionQueue::new(kernel.region(), &setup).expect_err("it is outside");
            assert_eq!(error.part, part);
        }
    }
}

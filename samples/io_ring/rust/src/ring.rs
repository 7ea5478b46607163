// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! A ring: both queues, the memory they are in, and the descriptor.

use crate::abi;
use crate::builder::Builder;
use crate::capabilities::Capabilities;
use crate::completion::{Completion, CompletionQueue, Completions};
use crate::device;
use crate::errno::Errno;
use crate::error::{Call, Error};
use crate::mapping::Mapping;
use crate::region::LayoutError;
use crate::sqe::Sqe;
use crate::submission::{Full, SubmissionQueue};
use core::time::Duration;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A ring of this process.
///
/// Dropping it unmaps the memory and closes the descriptor; closing the last descriptor of a ring
/// ends whatever is under way. The descriptor is readable, for `poll(2)` and the like, while there
/// are completions to take.
///
/// After `fork(2)` the child has the descriptor but not the memory, unless
/// [`Builder::fork_shared`] was used: it must not touch the `Ring`.
///
/// See [the crate](crate) for an example.
#[derive(Debug)]
pub struct Ring {
    submission: SubmissionQueue,
    completion: CompletionQueue,
    requests: u32,
    max_workers: u32,
    features: u64,
    // Dropped in this order: the descriptor is the last thing that keeps the ring alive.
    _mapping: Mapping,
    fd: OwnedFd,
}

/// What one `IO_RING_ENTER` did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entered {
    /// Number of entries that the kernel took.
    pub taken: u32,
    /// Why the wait ended early, if it did.
    pub wait_error: Option<Errno>,
}

impl Ring {
    /// Starts to make a ring with room for `entries` submissions, rounded up to a power of two.
    pub fn builder(entries: u32) -> Builder {
        Builder::new(entries)
    }

    pub(crate) fn new(device: OwnedFd, mut setup: abi::Setup) -> Result<Self, Error> {
        // SAFETY: The argument has no addresses in it.
        let fd = unsafe { device::call(device, &mut setup) }
            .map_err(|errno| Error::setup(errno, &setup))?;
        // SAFETY: SETUP returns a new descriptor that nobody else knows.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let len = usize::try_from(setup.region_size).map_err(|_| LayoutError {
            part: "region_size",
        })?;
        let mapping = Mapping::new(&fd, len, abi::OFF_REGION)
            .map_err(|errno| Error::call(Call::Map, errno))?;
        // SAFETY: The queues are in the same structure as the mapping and cannot be moved out.
        let region = unsafe { mapping.region() };
        Ok(Self {
            submission: SubmissionQueue::new(region, &setup)?,
            completion: CompletionQueue::new(region, &setup)?,
            requests: setup.requests,
            max_workers: setup.max_workers,
            features: setup.features,
            _mapping: mapping,
            fd,
        })
    }

    /// Puts an entry into the submission queue; [`submit`](Self::submit) hands it to the kernel.
    ///
    /// # Errors
    ///
    /// [`Full`], with the entry, if there is no room.
    pub fn push(&mut self, sqe: Sqe) -> Result<(), Full> {
        self.submission.push(sqe)
    }

    /// Hands all pushed entries to the kernel and returns how many it took.
    ///
    /// It takes fewer if it runs out of request slots; the others stay in the queue. Completions
    /// that waited for room are moved over, also if there is nothing to submit.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if none was taken because of an error; the errors are those of
    /// [`enter`](Self::enter).
    pub fn submit(&mut self) -> Result<u32, Error> {
        self.enter(self.submission.len(), 0)
            .map(|entered| entered.taken)
    }

    /// Hands all pushed entries to the kernel, waits until at least `min_complete` completions can
    /// be taken, and returns how many entries it took.
    ///
    /// If the kernel could not take all entries it does not wait. Signals do not end the wait: to
    /// see them, use [`enter`](Self::enter).
    ///
    /// # Errors
    ///
    /// [`Error::Call`], with [`Call::Wait`] if the entries were taken and the wait failed.
    pub fn submit_and_wait(&mut self, min_complete: u32) -> Result<u32, Error> {
        let interrupted = Errno::from(rustix::io::Errno::INTR);
        let mut taken = 0;
        loop {
            match self.enter(self.submission.len(), min_complete) {
                Ok(entered) => {
                    taken += entered.taken;
                    match entered.wait_error {
                        None => return Ok(taken),
                        Some(errno) if errno == interrupted => {}
                        Some(errno) => return Err(Error::call(Call::Wait, errno)),
                    }
                }
                Err(error) if error.errno() == Some(interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Calls `IO_RING_ENTER` once: takes up to `to_submit` entries, then waits for `min_complete`
    /// completions.
    ///
    /// # Errors
    ///
    /// `EBUSY` if every request slot is in use, `EPERM` if the ring is another process's or the
    /// credentials have changed, `EINTR` if a signal ended a wait without submissions,
    /// `EOWNERDEAD` if the process of the ring is gone and there are too few completions.
    pub fn enter(&self, to_submit: u32, min_complete: u32) -> Result<Entered, Error> {
        self.call_enter(abi::Enter {
            to_submit,
            min_complete,
            ..abi::Enter::default()
        })
    }

    /// Waits until at least `min_complete` completions can be taken, at most for `timeout`.
    ///
    /// # Errors
    ///
    /// `ETIME` if there are fewer after that time; otherwise those of [`enter`](Self::enter).
    pub fn wait_timeout(&self, min_complete: u32, timeout: Duration) -> Result<(), Error> {
        if min_complete == 0 {
            return Ok(());
        }
        self.call_enter(abi::Enter {
            min_complete,
            timeout: nanoseconds(timeout),
            ..abi::Enter::default()
        })
        .map(|_| ())
    }

    /// Cancels everything that is under way and waits until it has ended, at most for `timeout`.
    ///
    /// Returns how many requests are still under way: 0, or more if the time was up or a signal
    /// came first. With 0 the kernel holds no file of the ring's requests any more, and touches none
    /// of their buffers. Completions remain to be taken.
    ///
    /// # Errors
    ///
    /// `EPERM` if the ring is another process's or the credentials have changed.
    pub fn quiesce(&self, timeout: Option<Duration>) -> Result<u32, Error> {
        let mut quiesce = abi::Quiesce {
            timeout: timeout.map_or(0, nanoseconds),
            ..abi::Quiesce::default()
        };
        let mut register = abi::Register {
            size: size_of::<abi::Register>() as u32,
            opcode: abi::REGISTER_QUIESCE,
            addr: (&raw mut quiesce).expose_provenance() as u64,
            nr: 1,
            ..abi::Register::default()
        };
        let early = [rustix::io::Errno::TIME, rustix::io::Errno::INTR].map(Errno::from);
        // SAFETY: `addr` is valid for reading and writing what the opcode takes.
        match unsafe { device::call(&self.fd, &mut register) } {
            Ok(_) => Ok(0),
            Err(errno) if early.contains(&errno) => Ok(quiesce.left),
            Err(errno) => Err(Error::blaming::<abi::Register>(
                Call::Quiesce,
                errno,
                register.error_field,
            )),
        }
    }

    fn call_enter(&self, mut enter: abi::Enter) -> Result<Entered, Error> {
        // SAFETY: The argument has no addresses in it; whoever made the entries answered for them.
        let taken = unsafe { device::call(&self.fd, &mut enter) }
            .map_err(|errno| Error::blaming::<abi::Enter>(Call::Enter, errno, enter.error_field))?;
        Ok(Entered {
            taken: taken.unsigned_abs(),
            wait_error: match enter.wait_error {
                0 => None,
                error => Some(Errno(error.wrapping_neg())),
            },
        })
    }

    /// Takes the oldest completion, if there is one.
    pub fn next_completion(&mut self) -> Option<Completion> {
        self.completion.pop()
    }

    /// Takes the completions that are there.
    ///
    /// If [more wait in the kernel](SubmissionQueue::overflowed), the next submission or wait moves
    /// them over.
    pub fn completions(&mut self) -> Completions<'_> {
        self.completion.completions()
    }

    /// The submission queue, to look at.
    pub fn submission_queue(&self) -> &SubmissionQueue {
        &self.submission
    }

    /// The completion queue, to look at.
    pub fn completion_queue(&self) -> &CompletionQueue {
        &self.completion
    }

    /// Number of requests that may be under way, completions that wait for room included.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Number of worker threads that the ring may have at a time.
    pub fn max_workers(&self) -> u32 {
        self.max_workers
    }

    /// What this ring does: `abi::FEAT_*` bits.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// Asks what the kernel's rings can do.
    pub fn capabilities(&self) -> Result<Capabilities, Error> {
        Capabilities::query_fd(&self.fd)
    }
}

/// A timeout as the kernel takes it: 0 would mean none, and numbers end at 2^63 - 1.
fn nanoseconds(timeout: Duration) -> u64 {
    let longest = i64::MAX.unsigned_abs();
    u64::try_from(timeout.as_nanos()).map_or(longest, |span| span.clamp(1, longest))
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_never_none_and_never_too_long() {
        let longest = (1 << 63) - 1;
        assert_eq!(nanoseconds(Duration::ZERO), 1);
        assert_eq!(nanoseconds(Duration::from_nanos(1)), 1);
        assert_eq!(nanoseconds(Duration::from_millis(1500)), 1_500_000_000);
        assert_eq!(nanoseconds(Duration::from_nanos(longest)), longest);
        assert_eq!(nanoseconds(Duration::from_nanos(longest + 1)), longest);
        assert_eq!(nanoseconds(Duration::from_nanos(u64::MAX)), longest);
        assert_eq!(nanoseconds(Duration::MAX), longest);
    }
}

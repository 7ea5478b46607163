// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Shared submission and completion rings through `/dev/io_ring`.
//!
//! A program fills entries of the submission queue, tells the kernel with one system call, and
//! reads the results from the completion queue. The kernel side is the module `io_ring`.
//!
#![cfg_attr(feature = "std", doc = "```no_run")]
#![cfg_attr(not(feature = "std"), doc = "```text")]
//! use io_ring::{Ring, Sqe};
//! use std::os::fd::AsRawFd;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::open("/etc/hostname")?;
//! let mut buffer = [0u8; 64];
//! let mut ring = Ring::builder(8).build()?;
//!
//! // SAFETY: The file and the buffer live until the completion has been read below.
//! let read = unsafe { Sqe::read(file.as_raw_fd(), &mut buffer[..], 0) };
//! ring.push(read.user_data(7))?;
//! ring.submit_and_wait(1)?;
//!
//! let completion = ring.next_completion().ok_or("no completion")?;
//! assert_eq!(completion.user_data(), 7);
//! println!("{} bytes", completion.result()?);
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! * [`abi`]: the numbers and structures of the kernel interface, one file with the module's.
//! * [`Region`], [`SubmissionQueue`], [`CompletionQueue`], [`Sqe`], [`Completion`]: the queues in
//!   memory that is already there. They need `core` only: switch off the feature `std`.
//! * `Ring`, `Builder`, `Capabilities`: opening the device, mapping, submitting and waiting
//!   (feature `std`, on by default).
//!
//! # Memory order
//!
//! The writer of an index stores it with release after the entries it covers, the reader loads it
//! with acquire before them. Each index has one writer: the program owns the tail of the
//! submission queue and the head of the completion queue, the kernel owns the other two.

#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

#[path = "../../../../rust/abi.rs"]
pub mod abi;

mod completion;
mod errno;
mod field;
mod region;
mod sqe;
mod submission;

pub use completion::{Completion, CompletionPath, CompletionQueue, Completions, RequestError};
pub use errno::Errno;
pub use region::{LayoutError, Region};
pub use sqe::{IoVec, Sqe, CURRENT_POSITION};
pub use submission::{Full, SubmissionQueue};

#[cfg(feature = "std")]
mod buffers;
#[cfg(feature = "std")]
mod builder;
#[cfg(feature = "std")]
mod capabilities;
#[cfg(feature = "std")]
mod device;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod files;
#[cfg(feature = "std")]
mod mapping;
#[cfg(feature = "std")]
mod resources;
#[cfg(feature = "std")]
mod ring;

#[cfg(feature = "std")]
pub use buffers::{Buffer, BufferChange};
#[cfg(feature = "std")]
pub use builder::Builder;
#[cfg(feature = "std")]
pub use capabilities::Capabilities;
#[cfg(feature = "std")]
pub use error::{Call, Error, Limit};
#[cfg(feature = "std")]
pub use files::FileChange;
#[cfg(feature = "std")]
pub use ring::{Entered, Ring};

#[cfg(test)]
mod test_kernel;

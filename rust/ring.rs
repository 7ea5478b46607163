// SPDX-License-Identifier: GPL-2.0

//! The rings: positions, layout, and the kernel's two ends.
//!
//! # Memory order
//!
//! Each queue has one producer and one consumer, on either side of the kernel border, and four
//! ordered accesses:
//!
//! ```text
//! submission queue     program: write entry; tail.store(release)
//!                      kernel:  tail.load(acquire) [A]; copy entry; head.store(release) [B]
//!                      program: head.load(acquire); overwrite entry
//!
//! completion queue     kernel:  head.load(acquire) [C]; write completion; tail.store(release) [D]
//!                      program: tail.load(acquire); read completion; head.store(release)
//! ```
//!
//! * \[A\] pairs with the program's release of the tail: an entry is seen whole.
//! * \[B\] pairs with the program's acquire of the head: an entry is not overwritten before it has
//!   been copied.
//! * \[C\] pairs with the program's release of the head: a completion is not overwritten before it
//!   has been read.
//! * \[D\] pairs with the program's acquire of the tail: a completion is seen whole.
//!
//! The kernel keeps its own positions (submission head, completion tail) in private memory and only
//! ever writes them out; the program's positions (submission tail, completion head) are read once
//! per use and judged by [`index::filled`]. The program can therefore confuse nobody but itself.
//!
//! How a program that sleeps learns of a completion is described in [`crate::wait`].

pub(crate) mod completion;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod notice;
pub(crate) mod sizes;
pub(crate) mod submission;

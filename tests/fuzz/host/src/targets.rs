// SPDX-License-Identifier: GPL-2.0-only

//! What is fuzzed.

pub(crate) mod names;
pub(crate) mod prepare;
pub(crate) mod queues;
pub(crate) mod sizes;

// SPDX-License-Identifier: GPL-2.0-only

//! The pure files of the module's `op`.

#[path = "../../../rust/op/rules.rs"]
pub(crate) mod rules;

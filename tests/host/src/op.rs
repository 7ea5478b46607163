// SPDX-License-Identifier: GPL-2.0-only

//! The pure files of the module's `op`.

#[path = "../../../rust/op/allowed.rs"]
pub(crate) mod allowed;
#[path = "../../../rust/op/names.rs"]
pub(crate) mod names;
#[path = "../../../rust/op/rules.rs"]
pub(crate) mod rules;

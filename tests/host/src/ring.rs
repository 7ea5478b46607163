// SPDX-License-Identifier: GPL-2.0-only

//! The pure files of the module's `ring`.

#[path = "../../../rust/ring/index.rs"]
pub(crate) mod index;
#[path = "../../../rust/ring/layout.rs"]
pub(crate) mod layout;
#[path = "../../../rust/ring/sizes.rs"]
pub(crate) mod sizes;

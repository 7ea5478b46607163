// SPDX-License-Identifier: GPL-2.0

//! Module parameters that can be read and written at run time.
//!
//! `module!` of the `kernel` crate gives parameters no file in sysfs, so these are declared in
//! `rust/helpers.c`. Would join `rust/kernel/module_param.rs`.

use super::helpers;
use kernel::prelude::*;

/// Permissions the device node is made with.
pub(crate) fn node_mode() -> u16 {
    // SAFETY: FFI call without requirements.
    let mode = unsafe { helpers::io_ring_param_mode() };
    // CAST: Permission bits fit; the mask drops the rest.
    (mode & 0o666) as u16
}

/// What rings of the device node may do, not judged.
pub(crate) fn node_ops() -> &'static CStr {
    // SAFETY: FFI call without requirements.
    let text = unsafe { helpers::io_ring_param_ops() };
    // SAFETY: A parameter that cannot be written is a string that stays as long as the module.
    unsafe { CStr::from_char_ptr(text) }
}

/// Which further device nodes there are to be, not judged.
pub(crate) fn further_nodes() -> &'static CStr {
    // SAFETY: FFI call without requirements.
    let text = unsafe { helpers::io_ring_param_nodes() };
    // SAFETY: As above.
    unsafe { CStr::from_char_ptr(text) }
}

/// What the administrator set as the most worker threads of a ring, not judged.
pub(crate) fn max_workers() -> u32 {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_param_max_workers() }
}

/// Most worker threads of all rings of a user.
pub(crate) fn max_user_workers() -> u32 {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_param_max_user_workers() }
}

/// Whether the administrator lets the calling process set up rings, which it is about to do.
///
/// Process context; may ask the security modules for a capability.
pub(crate) fn caller_may_setup() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_may_setup(false) }
}

/// What [`caller_may_setup`] would answer, without leaving a trace of having asked.
pub(crate) fn caller_could_setup() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_may_setup(true) }
}

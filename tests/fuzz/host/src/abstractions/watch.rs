// SPDX-License-Identifier: GPL-2.0-only

//! Events of files.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Events(pub(crate) u32);

impl Events {
    pub(crate) const EDGE: u32 = 1 << 31;

    pub(crate) fn new(bits: u32) -> Option<Self> {
        // Those of poll(2) in the kernel's header.
        (bits & !0x27ff == 0).then_some(Self(bits | 0x18))
    }
}

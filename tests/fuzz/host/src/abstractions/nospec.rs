// SPDX-License-Identifier: GPL-2.0-only

//! Nothing speculates here.

pub(crate) fn checked_index(index: u32, size: u32) -> Option<u32> {
    (index < size).then_some(index)
}

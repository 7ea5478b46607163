// SPDX-License-Identifier: GPL-2.0-only

//! What alarms go by; none is set.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    Boottime,
}

#[derive(Clone, Copy)]
pub(crate) enum When {
    After(i64),
    At(i64),
}

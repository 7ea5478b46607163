// SPDX-License-Identifier: GPL-2.0-only

//! Registered buffers, by their addresses alone.

pub(crate) enum Outside {
    Start,
    End,
}

pub(crate) struct PinnedBuffer {
    pub(crate) address: u64,
    pub(crate) len: u64,
}

impl PinnedBuffer {
    pub(super) fn part(&self, address: u64, len: u32) -> Result<(), Outside> {
        let start = address.checked_sub(self.address).ok_or(Outside::Start)?;
        if start >= self.len {
            return Err(Outside::Start);
        }
        if u64::from(len) > self.len - start {
            return Err(Outside::End);
        }
        Ok(())
    }
}

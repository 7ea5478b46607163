// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Choosing what ring to make.

use crate::abi;
use crate::device;
use crate::error::Error;
use crate::ring::Ring;
use core::mem::size_of;
use std::path::{Path, PathBuf};

/// What ring to make; see [`Ring::builder`].
///
/// ```no_run
/// # fn main() -> Result<(), io_ring::Error> {
/// let ring = io_ring::Ring::builder(64).cq_entries(4096).clamp().build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder {
    path: PathBuf,
    setup: abi::Setup,
}

impl Builder {
    pub(crate) fn new(entries: u32) -> Self {
        Self {
            path: PathBuf::from(device::PATH),
            setup: abi::Setup {
                size: size_of::<abi::Setup>() as u32,
                flags: abi::SETUP_NO_SQARRAY,
                entries,
                ..abi::Setup::default()
            },
        }
    }

    /// Opens another device node than `/dev/io_ring`.
    pub fn device(mut self, path: impl AsRef<Path>) -> Self {
        self.path = path.as_ref().to_path_buf();
        self
    }

    /// Asks for room for that many completions instead of twice the submission entries.
    pub fn cq_entries(mut self, cq_entries: u32) -> Self {
        self.setup.cq_entries = cq_entries;
        self.flag(abi::SETUP_CQSIZE)
    }

    /// Asks for that many requests under way at a time instead of as many as completions fit.
    pub fn requests(mut self, requests: u32) -> Self {
        self.setup.requests = requests;
        self
    }

    /// Asks for at most that many worker threads, instead of as many as the administrator allows.
    pub fn max_workers(mut self, max_workers: u32) -> Self {
        self.setup.max_workers = max_workers;
        self
    }

    /// Cuts sizes to the limits instead of failing.
    pub fn clamp(self) -> Self {
        self.flag(abi::SETUP_CLAMP)
    }

    /// Ends a submission at the first entry that the kernel rejects.
    pub fn stop_on_reject(self) -> Self {
        self.flag(abi::SETUP_STOP_ON_REJECT)
    }

    /// Gives the ring to the process that submits first, and to the next one when that is gone.
    pub fn rebind(self) -> Self {
        self.flag(abi::SETUP_REBIND)
    }

    /// Lets child processes keep the mapping, so that they can take completions.
    ///
    /// Parent and child must agree on which of them takes completions at a time.
    pub fn fork_shared(self) -> Self {
        self.flag(abi::SETUP_FORK_SHARED)
    }

    /// Has an index array between positions and entries, which this crate fills in order.
    pub fn index_array(mut self) -> Self {
        self.setup.flags &= !abi::SETUP_NO_SQARRAY;
        self
    }

    /// Opens the device, makes the ring and maps it.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if there is no device or no right to open it; [`Error::Call`] if the kernel
    /// refuses the ring, with the field and the limit to blame.
    pub fn build(self) -> Result<Ring, Error> {
        Ring::new(device::open(&self.path)?, self.setup)
    }

    fn flag(mut self, flag: u32) -> Self {
        self.setup.flags |= flag;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::Errno;

    #[test]
    fn choices_become_the_argument_of_setup() {
        let setup = Builder::new(8).setup;
        assert_eq!((setup.size, setup.flags, setup.entries), (168, 1 << 16, 8));
        assert_eq!((setup.cq_entries, setup.requests), (0, 0));
        assert_eq!(setup.max_workers, 0);

        let setup = Builder::new(8)
            .index_array()
            .cq_entries(100)
            .requests(200)
            .setup;
        assert_eq!(
            (setup.flags, setup.cq_entries, setup.requests),
            (1 << 3, 100, 200)
        );
        let setup = Builder::new(1).clamp().stop_on_reject().fork_shared().setup;
        assert_eq!(setup.flags, 0xc001_0010);
        let setup = Builder::new(1).rebind().max_workers(5).setup;
        assert_eq!((setup.flags, setup.max_workers), (0x2001_0000, 5));
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let error = Builder::new(8)
            .device("/nonexistent/io_ring")
            .build()
            .expect_err("no device");
        let path = PathBuf::from("/nonexistent/io_ring");
        assert_eq!(
            error,
            Error::Open {
                path,
                errno: Errno(2)
            }
        );
    }

    #[test]
    fn another_device_is_not_mistaken_for_a_ring() {
        let error = Builder::new(8)
            .device("/dev/null")
            .build()
            .expect_err("not a ring");
        assert_eq!(error, Error::call(crate::Call::Setup, Errno(25)));
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! User memory: at each address is something else, or nothing.

use crate::source::fate;
use kernel::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

pub(crate) struct UserStruct<T>(usize, core::marker::PhantomData<T>);

impl<T: FromBytes + IntoBytes> UserStruct<T> {
    pub(crate) fn new(address: usize) -> Self {
        Self(address, core::marker::PhantomData)
    }

    pub(crate) fn read(&self) -> Result<T> {
        if self.0 == 0 || fate(8) == 7 {
            return Err(EFAULT);
        }
        let mut value = T::new_zeroed();
        let size = value.as_mut_bytes().len();
        // Of each word as many bytes as fate will have, so that there are small numbers.
        for start in (0..size).step_by(8) {
            let used = usize::from(fate(9)).min(size - start);
            for byte in &mut value.as_mut_bytes()[start..start + used] {
                *byte = fate(255);
            }
        }
        Ok(value)
    }
}

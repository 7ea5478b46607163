// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Tables of what is registered with a ring: files, buffers.

use crate::abi;
use crate::device;
use crate::error::{Call, Error};
use crate::ring::Ring;
use std::vec::Vec;

/// Two arrays as the kernel takes them: what is registered, and tags.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lists<T> {
    pub(crate) elements: Vec<T>,
    pub(crate) tags: Vec<u64>,
}

impl<T> Lists<T> {
    /// Of elements with their tags, 0 for none.
    pub(crate) fn new(both: impl Iterator<Item = (T, u64)>) -> Self {
        let mut lists = Self {
            elements: Vec::new(),
            tags: Vec::new(),
        };
        for (element, tag) in both {
            lists.elements.push(element);
            lists.tags.push(tag);
        }
        lists
    }

    /// The argument that describes them, for places from `first` on. Valid as long as `self`.
    pub(crate) fn resources(&self, first: u32) -> abi::Resources {
        abi::Resources {
            first,
            data: self.elements.as_ptr().expose_provenance() as u64,
            tags: self.tags.as_ptr().expose_provenance() as u64,
            ..abi::Resources::default()
        }
    }
}

impl Ring {
    /// Has the kernel change a table as `lists` say; `opcode` is one whose elements are such.
    pub(crate) fn change_table<T>(
        &mut self,
        call: Call,
        opcode: u32,
        first: u32,
        lists: &Lists<T>,
    ) -> Result<(), Error> {
        let resources = lists.resources(first);
        let address = (&raw const resources).expose_provenance() as u64;
        // What is cut off is more than the kernel takes.
        let count = u32::try_from(lists.elements.len()).unwrap_or(u32::MAX);
        // SAFETY: The structure and the arrays live until the call has returned.
        unsafe { self.call_register(call, opcode, address, count) }
    }

    /// Has the kernel take a table away: `opcode` is one that takes no argument.
    pub(crate) fn drop_table(&mut self, call: Call, opcode: u32) -> Result<(), Error> {
        // SAFETY: The opcode takes no address.
        unsafe { self.call_register(call, opcode, 0, 0) }
    }

    /// # Safety
    ///
    /// `addr` is valid for what `opcode` does with it.
    unsafe fn call_register(
        &self,
        call: Call,
        opcode: u32,
        addr: u64,
        nr: u32,
    ) -> Result<(), Error> {
        let mut register = abi::Register {
            size: size_of::<abi::Register>() as u32,
            opcode,
            addr,
            nr,
            ..abi::Register::default()
        };
        // SAFETY: By the safety requirements.
        match unsafe { device::call(self, &mut register) } {
            Ok(_) => Ok(()),
            Err(errno) => Err(Error::blaming::<abi::Register>(
                call,
                errno,
                register.error_field,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_points_to_both_arrays() {
        let lists = Lists::new([(-1, 0), (-2, 5)].into_iter());
        assert_eq!(
            (&lists.elements[..], &lists.tags[..]),
            (&[-1, -2][..], &[0, 5][..])
        );
        let resources = lists.resources(7);
        assert_eq!((resources.first, resources.resv), (7, 0));
        assert_eq!(resources.data, lists.elements.as_ptr().addr() as u64);
        assert_eq!(resources.tags, lists.tags.as_ptr().addr() as u64);
    }

    #[test]
    fn no_changes_are_empty_arrays() {
        assert_eq!(Lists::<i32>::new([].into_iter()), Lists::default());
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Lists of resources that a program gives.

#![forbid(unsafe_code)]

use crate::{
    abstractions::user_struct::UserStruct,
    resources::{
        Change,
        Resource, //
    },
};
use kernel::prelude::*;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// Resources that a program lists.
pub(crate) struct List {
    /// User address of their descriptions, or 0 for no resources.
    pub(crate) data: u64,
    /// User address of their tags, or 0 for none.
    pub(crate) tags: u64,
    /// How many there are.
    pub(crate) count: u32,
}

impl List {
    /// Copies the list in and gets hold of the resources. Process context, in an ioctl of the ring's
    /// process; sleeps.
    ///
    /// # Errors
    ///
    /// The element to blame, and what [`Resource::change`] says of it, or `EFAULT`, `EINTR` or
    /// `ENOMEM`.
    pub(crate) fn read<T: Resource>(&self) -> Result<KVVec<Change<T>>, (u32, Error)> {
        let data = UserArray::<T::Element>::new(self.data).map_err(|error| (0, error))?;
        let tags = UserArray::<u64>::new(self.tags).map_err(|error| (0, error))?;
        let mut changes = KVVec::with_capacity(self.count as usize, GFP_KERNEL_ACCOUNT)
            .map_err(|error| (0, error.into()))?;
        for index in 0..self.count {
            let mut add = || {
                let element = data.read(index)?.unwrap_or(T::NONE);
                let change = T::change(element, tags.read(index)?.unwrap_or(0))?;
                changes.push(change, GFP_KERNEL_ACCOUNT)?;
                Ok(())
            };
            add().map_err(|error: Error| (index, error))?;
        }
        Ok(changes)
    }
}

/// An array of the program, or none.
struct UserArray<T>(Option<UserStruct<T>>);

impl<T: FromBytes + IntoBytes + Immutable> UserArray<T> {
    fn new(address: u64) -> Result<Self> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        Ok(Self((address != 0).then(|| UserStruct::new(address))))
    }

    /// The element `index`, if there is an array. Process context; may fault pages in.
    fn read(&self, index: u32) -> Result<Option<T>> {
        self.0
            .as_ref()
            .map(|array| array.element(index as usize).read())
            .transpose()
    }
}

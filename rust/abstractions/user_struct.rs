// SPDX-License-Identifier: GPL-2.0

//! Structures that user space passes by address. Would join `rust/kernel/uaccess.rs`.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::helpers;
use core::{
    marker::PhantomData,
    mem::{
        size_of,
        MaybeUninit, //
    },
};
use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// The argument of an ioctl: the user address of a `T`.
#[derive(Clone, Copy)]
pub(crate) struct UserStruct<T> {
    address: usize,
    _type: PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + Immutable> UserStruct<T> {
    /// The structure at `address`, which is not looked at yet.
    pub(crate) fn new(address: usize) -> Self {
        Self {
            address,
            _type: PhantomData,
        }
    }

    /// The element `index` of an array that starts at this address.
    pub(crate) fn element(&self, index: usize) -> Self {
        Self {
            address: self
                .address
                .wrapping_add(index.wrapping_mul(size_of::<T>())),
            _type: PhantomData,
        }
    }

    fn slice(&self, bytes: usize) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.address), bytes)
    }

    /// Copies the structure in, once. Process context; may fault pages in.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    #[inline]
    pub(crate) fn read(&self) -> Result<T> {
        if size_of::<T>() % size_of::<u64>() == 0 && align_of::<T>() == align_of::<u64>() {
            return self.read_words();
        }
        let mut value = T::new_zeroed();
        self.slice(size_of::<T>())
            .reader()
            .read_slice(value.as_mut_bytes())?;
        Ok(value)
    }

    /// Copies the structure in, which consists of whole words. That takes half of what a copy of any
    /// number of bytes to anywhere does.
    #[inline]
    fn read_words(&self) -> Result<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: There is room for so many words at `value`, which is aligned for them.
        let ret = unsafe {
            helpers::io_ring_get_words(
                value.as_mut_ptr().cast(),
                core::ptr::without_provenance(self.address),
                size_of::<T>() / size_of::<u64>(),
            )
        };
        if ret != 0 {
            return Err(EFAULT);
        }
        // SAFETY: All of it has been written, and every pattern of bits is a `T`.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies in a structure that starts with its own size, a `u32`, as the program knows it.
    ///
    /// A longer one is accepted if what this kernel does not know is all 0.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `EINVAL` if it is shorter than `T`; `E2BIG` if the rest is not 0, or longer than a
    /// page.
    pub(crate) fn read_sized(&self) -> Result<T> {
        let size: u32 = UserStruct::new(self.address).read()?;
        let size = size as usize;
        if size < size_of::<T>() {
            return Err(EINVAL);
        }
        if size > kernel::page::PAGE_SIZE {
            return Err(E2BIG);
        }

        let mut value = T::new_zeroed();
        let mut reader = self.slice(size).reader();
        reader.read_slice(value.as_mut_bytes())?;
        while !reader.is_empty() {
            if reader.read::<u8>()? != 0 {
                return Err(E2BIG);
            }
        }
        Ok(value)
    }

    /// Copies the structure out. Process context; may fault pages in.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    pub(crate) fn write(&self, value: &T) -> Result {
        self.slice(size_of::<T>())
            .writer()
            .write_slice(value.as_bytes())
    }
}

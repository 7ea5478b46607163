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
        self.read_sized_from(size_of::<T>())
    }

    /// As [`UserStruct::read_sized`], but one of at least `min` bytes is not too short. What it lacks
    /// is 0.
    pub(crate) fn read_sized_from(&self, min: usize) -> Result<T> {
        let size: u32 = UserStruct::new(self.address).read()?;
        let size = size as usize;
        if size < min {
            return Err(EINVAL);
        }
        if size > kernel::page::PAGE_SIZE {
            return Err(E2BIG);
        }

        let mut value = T::new_zeroed();
        let known = size.min(size_of::<T>());
        let mut reader = self.slice(size).reader();
        reader.read_slice(value.as_mut_bytes().get_mut(..known).ok_or(EINVAL)?)?;
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
        self.write_sized(value, size_of::<T>())
    }

    /// Copies the structure out as a program knows it: its first `size` bytes, if it has more.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    pub(crate) fn write_sized(&self, value: &T, size: usize) -> Result {
        let bytes = value.as_bytes();
        let bytes = bytes.get(..size).unwrap_or(bytes);
        self.slice(bytes.len()).writer().write_slice(bytes)
    }
}

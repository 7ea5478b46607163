// SPDX-License-Identifier: GPL-2.0

//! New file descriptors on anonymous inodes. Would join `rust/kernel/fs/anon_inode.rs`.
//!
//! C header: [`include/linux/anon_inodes.h`](srctree/include/linux/anon_inodes.h)

use super::{
    file_ops::{
        FileObject,
        Vtable, //
    },
    helpers,
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_err_ptr,
    fs::{
        file::{
            flags::O_CLOEXEC,
            FileDescriptorReservation, //
        }, //
    },
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

/// A file on an anonymous inode and a descriptor reserved for it, which nobody can use yet.
///
/// Dropping it closes the file and gives the number back.
///
/// # Invariants
///
/// `file` is a reference to a file with the operations `Vtable<T>`.
pub(crate) struct NewFd<T: FileObject> {
    file: *mut bindings::file,
    reservation: Option<FileDescriptorReservation>,
    _object: PhantomData<Arc<T>>,
}

/// Gives the type of objects a place for its operations that lives as long as the module.
struct Fops<T: FileObject>(PhantomData<T>);

impl<T: FileObject> Fops<T> {
    const TABLE: &'static bindings::file_operations = &Vtable::<T>::FOPS;
}

impl<T: FileObject> NewFd<T> {
    /// Makes a file for `object` that links call `anon_inode:` and `name`, close-on-exec.
    ///
    /// Process context; sleeps. On failure `object` is dropped, not released.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub(crate) fn new(name: &'static CStr, object: Arc<T>) -> Result<Self> {
        let reservation = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?;
        let private = object.into_foreign();
        // SAFETY: The name and the operations live as long as the module, on which the file will
        // hold a reference.
        let file = from_err_ptr(unsafe {
            helpers::io_ring_anon_file(name.as_char_ptr(), Fops::<T>::TABLE, private)
        })
        .inspect_err(|_| {
            // SAFETY: No file was made, so `private` is still ours.
            drop(unsafe { Arc::<T>::from_foreign(private) });
        })?;
        Ok(Self {
            file,
            reservation: Some(reservation),
            _object: PhantomData,
        })
    }

    /// The number that the descriptor will have.
    pub(crate) fn number(&self) -> u32 {
        self.reservation
            .as_ref()
            .map_or(0, FileDescriptorReservation::reserved_fd)
    }

    /// The file itself.
    #[cfg(CONFIG_IO_RING_KUNIT_TEST)]
    pub(super) fn as_file(&self) -> *mut bindings::file {
        self.file
    }

    /// Lets the program use the descriptor. Nothing can fail afterwards.
    pub(crate) fn install(mut self) {
        if let Some(reservation) = self.reservation.take() {
            // SAFETY: Both are ours; the file's reference goes to the descriptor table.
            unsafe { bindings::fd_install(reservation.reserved_fd(), self.file) };
            // The number is in use now and must not be given back.
            core::mem::forget(reservation);
            core::mem::forget(self);
        }
    }
}

impl<T: FileObject> Drop for NewFd<T> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type invariants; this releases the object.
        unsafe { bindings::fput(self.file) };
    }
}

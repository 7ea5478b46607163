// SPDX-License-Identifier: GPL-2.0

//! File operations of objects that live behind a file descriptor.
//!
//! Would join `rust/kernel/fs/file_operations.rs`. C header:
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    helpers,
    owner::{
        AddressSpace,
        DescriptorTable, //
    },
    vma::NewMapping,
    wait_queue::WaitQueue, //
};
use crate::LocalModule;
use kernel::{
    bindings,
    error::from_result,
    mm::virt::VmaNew,
    module::this_module,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable, //
};

/// What poll answers: which of reading and writing would not block.
#[derive(Clone, Copy)]
pub(crate) struct Readiness {
    /// There is something to read.
    pub(crate) readable: bool,
    /// There is room to write.
    pub(crate) writable: bool,
    /// The other side is gone.
    pub(crate) hung_up: bool,
}

/// An object behind a file descriptor: its `private_data` is an [`Arc`] of it.
///
/// All but `release` may be called from several threads at once. Process context, may sleep.
pub(crate) trait FileObject: Send + Sync + Sized + 'static {
    /// `ioctl(2)`; `argument` is what the program passed.
    fn ioctl(this: ArcBorrow<'_, Self>, command: u32, argument: usize) -> Result<isize>;

    /// `mmap(2)`.
    fn mmap(&self, mapping: &NewMapping<'_>) -> Result;

    /// Where those who poll wait.
    fn wait_queue(&self) -> &WaitQueue;

    /// `poll(2)` and its like: what is ready now.
    fn readiness(&self) -> Readiness;

    /// A descriptor of this file is being closed, maybe because the process exits.
    fn flush(&self, table: DescriptorTable);

    /// An address space comes to its end with a mapping of this file in it.
    fn address_space_ends(&self, space: AddressSpace);

    /// The last reference to the file is gone.
    fn release(this: Arc<Self>);

    /// Lines for `/proc/PID/fdinfo/FD`.
    fn show_fdinfo(&self, out: &SeqFile);
}

/// The C structure of the operations of a [`FileObject`].
pub(super) struct Vtable<T: FileObject>(core::marker::PhantomData<T>);

impl<T: FileObject> Vtable<T> {
    pub(super) const FOPS: bindings::file_operations = bindings::file_operations {
        owner: this_module::<LocalModule>().as_ptr(),
        llseek: Some(bindings::noop_llseek),
        unlocked_ioctl: Some(ioctl::<T>),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: Some(compat_ioctl::<T>),
        mmap: Some(mmap::<T>),
        poll: Some(poll::<T>),
        flush: Some(flush::<T>),
        release: Some(release::<T>),
        show_fdinfo: Some(show_fdinfo::<T>),
        ..pin_init::zeroed()
    };

    const MAPPING_OPS: &'static bindings::vm_operations_struct = &bindings::vm_operations_struct {
        close: Some(close_mapping::<T>),
        ..pin_init::zeroed()
    };
}

/// The object behind `file`.
///
/// # Safety
///
/// `file` has the operations `Vtable<T>`, and has not been released during `'a`.
unsafe fn object<'a, T: FileObject>(file: *mut bindings::file) -> ArcBorrow<'a, T> {
    // SAFETY: By the safety requirements `private_data` came from `Arc::into_foreign`.
    unsafe { Arc::<T>::borrow((*file).private_data) }
}

/// # Safety
///
/// Called by the VFS for a file with the operations `Vtable<T>`.
unsafe extern "C" fn ioctl<T: FileObject>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: By the safety requirements.
    let this = unsafe { object::<T>(file) };
    match T::ioctl(this, command, argument) {
        Ok(ret) => ret,
        Err(e) => e.to_errno() as c_long,
    }
}

/// # Safety
///
/// As for [`ioctl`].
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl<T: FileObject>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // Every argument is an address; those of 32-bit programs have 32 bits.
    // SAFETY: By the safety requirements.
    unsafe { ioctl::<T>(file, command, argument & 0xffff_ffff) }
}

/// # Safety
///
/// As for [`ioctl`]; `vma` is in the making.
unsafe extern "C" fn mmap<T: FileObject>(
    file: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: By the safety requirements.
    let this = unsafe { object::<T>(file) };
    // SAFETY: By the safety requirements.
    let new = unsafe { VmaNew::from_raw(vma) };
    from_result(|| {
        T::mmap(&this, &NewMapping::new(new))?;
        // SAFETY: A mapping in the making is only used by this thread.
        unsafe { (*vma).vm_ops = Vtable::<T>::MAPPING_OPS };
        Ok(0)
    })
}

/// # Safety
///
/// Called by the memory management for a mapping that `mmap::<T>` has made, or a copy of it.
unsafe extern "C" fn close_mapping<T: FileObject>(vma: *mut bindings::vm_area_struct) {
    // SAFETY: By the safety requirements; this field does not change.
    let mm = unsafe { (*vma).vm_mm };
    // SAFETY: A mapping belongs to an address space.
    if unsafe { helpers::io_ring_mm_ends(mm) } {
        // SAFETY: The mapping still holds the file it was made of.
        let this = unsafe { object::<T>((*vma).vm_file) };
        T::address_space_ends(&this, AddressSpace(mm));
    }
}

/// # Safety
///
/// As for [`ioctl`]; `table` is null or valid.
unsafe extern "C" fn poll<T: FileObject>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: By the safety requirements.
    let this = unsafe { object::<T>(file) };
    // SAFETY: The queue is part of the object, which lives until `release`; whoever polls either
    // holds the file, or is epoll, which lets go of the queue before `release`.
    unsafe { bindings::poll_wait(file, T::wait_queue(&this).as_ptr(), table) };
    let ready = T::readiness(&this);
    let mut mask = 0;
    if ready.readable {
        mask |= helpers::IO_RING_EPOLLIN;
    }
    if ready.writable {
        mask |= helpers::IO_RING_EPOLLOUT;
    }
    if ready.hung_up {
        mask |= helpers::IO_RING_EPOLLHUP;
    }
    mask
}

/// # Safety
///
/// As for [`ioctl`].
unsafe extern "C" fn flush<T: FileObject>(
    file: *mut bindings::file,
    files: bindings::fl_owner_t,
) -> c_int {
    // SAFETY: By the safety requirements.
    let this = unsafe { object::<T>(file) };
    T::flush(&this, DescriptorTable(files));
    0
}

/// # Safety
///
/// As for [`ioctl`], and nothing is called for this file afterwards.
unsafe extern "C" fn release<T: FileObject>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: `private_data` came from `Arc::into_foreign`, and nobody uses it any more.
    T::release(unsafe { Arc::<T>::from_foreign((*file).private_data) });
    0
}

/// # Safety
///
/// As for [`ioctl`]; `seq` is valid and only used by this thread.
unsafe extern "C" fn show_fdinfo<T: FileObject>(
    seq: *mut bindings::seq_file,
    file: *mut bindings::file,
) {
    // SAFETY: By the safety requirements.
    let this = unsafe { object::<T>(file) };
    // SAFETY: By the safety requirements.
    let seq = unsafe { SeqFile::from_raw(seq) };
    T::show_fdinfo(&this, seq);
}

// SPDX-License-Identifier: GPL-2.0

//! A misc device that is nothing but ioctls. Would join `rust/kernel/miscdevice.rs`.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)
//!
//! The `kernel` crate's `MiscDevice` cannot set the node's permissions and has an object per open
//! file, which this device does not need.

use crate::LocalModule;
use kernel::{
    bindings,
    error::to_result,
    module::this_module,
    prelude::*,
    str::CString,
    types::Opaque, //
};

/// A device whose descriptors only answer ioctls.
pub(crate) trait IoctlDevice: Send + Sync + 'static {
    /// `ioctl(2)` of the node called `node`; `argument` is what the program passed. Process context; may
    /// sleep.
    fn ioctl(&self, node: &CStr, command: u32, argument: usize) -> Result<isize>;
}

/// A registered device node.
///
/// # Invariants
///
/// `raw` is registered, by the name `name`.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: IoctlDevice> {
    #[pin]
    raw: Opaque<bindings::miscdevice>,
    name: CString,
    device: T,
}

// SAFETY: Deregistration may happen in any thread.
unsafe impl<T: IoctlDevice> Send for Registration<T> {}
// SAFETY: `&Registration` gives C a `&T`, which is `Sync`.
unsafe impl<T: IoctlDevice> Sync for Registration<T> {}

impl<T: IoctlDevice> Registration<T> {
    const FOPS: &'static bindings::file_operations = &bindings::file_operations {
        owner: this_module::<LocalModule>().as_ptr(),
        llseek: Some(bindings::noop_llseek),
        unlocked_ioctl: Some(ioctl::<T>),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: Some(compat_ioctl::<T>),
        ..pin_init::zeroed()
    };

    /// Makes `/dev/NAME` with the permissions `mode`.
    ///
    /// # Errors
    ///
    /// Those of `misc_register`: `EBUSY`, `ENOMEM`, `EEXIST`.
    pub(crate) fn new(name: CString, mode: u16, device: T) -> impl PinInit<Self, Error> {
        // On the heap, where it stays when the value that owns it is moved.
        let raw_name = name.as_char_ptr();
        try_pin_init!(Self {
            // Before the node can be opened.
            device,
            name,
            // INVARIANT: Registered here, or else there is no value.
            raw <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                let device = bindings::miscdevice {
                    minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                    name: raw_name,
                    fops: Self::FOPS,
                    mode,
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(device) };
                // SAFETY: Just initialised; it stays where it is until `drop`.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
        }? Error)
    }
}

#[pinned_drop]
impl<T: IoctlDevice> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered by the type invariants.
        unsafe { bindings::misc_deregister(self.raw.get()) };
    }
}

/// # Safety
///
/// Called by the VFS for a file of the device.
unsafe extern "C" fn ioctl<T: IoctlDevice>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: `misc_open` has stored the address of the registered structure.
    let raw: *mut bindings::miscdevice = unsafe { (*file).private_data }.cast();
    // SAFETY: That structure is part of a registration, which lives as long as the module, on which
    // the file holds a reference.
    let registration: &Registration<T> =
        unsafe { &*kernel::container_of!(Opaque::cast_from(raw), Registration<T>, raw) };
    let Registration { device, name, .. } = registration;
    match device.ioctl(name, command, argument) {
        Ok(ret) => ret,
        Err(e) => e.to_errno() as c_long,
    }
}

/// # Safety
///
/// As for [`ioctl`].
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl<T: IoctlDevice>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // Every argument is an address; those of 32-bit programs have 32 bits.
    // SAFETY: By the safety requirements.
    unsafe { ioctl::<T>(file, command, argument & 0xffff_ffff) }
}

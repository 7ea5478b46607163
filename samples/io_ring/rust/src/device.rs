// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! The device node and its ioctls.

use crate::abi;
use crate::errno::Errno;
use crate::error::Error;
use core::ffi::{c_int, c_void};
use rustix::ioctl::{ioctl, Ioctl, IoctlOutput, Opcode};
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Where the device node usually is.
pub(crate) const PATH: &str = "/dev/io_ring";

/// Opens the device, close-on-exec.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Error> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(file.into()),
        Err(error) => Err(Error::Open {
            path: path.to_path_buf(),
            errno: Errno(error.raw_os_error().unwrap_or_default()),
        }),
    }
}

/// A structure that is the argument of an ioctl.
pub(crate) trait Argument {
    /// The ioctl.
    const NUMBER: u32;
}

impl Argument for abi::Query {
    const NUMBER: u32 = abi::QUERY;
}

impl Argument for abi::Setup {
    const NUMBER: u32 = abi::SETUP;
}

impl Argument for abi::Enter {
    const NUMBER: u32 = abi::ENTER;
}

impl Argument for abi::Register {
    const NUMBER: u32 = abi::REGISTER;
}

struct Request<'a, T>(&'a mut T);

// SAFETY: The number and the structure belong together by `Argument`; the kernel reads and writes
// no more than the structure, whose fields may hold any bytes. The pointer is not used for output.
unsafe impl<T: Argument> Ioctl for Request<'_, T> {
    type Output = c_int;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        T::NUMBER
    }

    fn as_ptr(&mut self) -> *mut c_void {
        core::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<c_int> {
        Ok(output)
    }
}

/// Calls the ioctl that `argument` belongs to.
///
/// # Safety
///
/// Addresses in `argument` are valid for what the kernel does with them.
pub(crate) unsafe fn call<T: Argument>(fd: impl AsFd, argument: &mut T) -> Result<c_int, Errno> {
    // SAFETY: `Request` describes the call; the caller answers for addresses in the argument.
    unsafe { ioctl(fd, Request(argument)) }.map_err(Errno::from)
}

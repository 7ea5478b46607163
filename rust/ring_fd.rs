// SPDX-License-Identifier: GPL-2.0

//! A ring's descriptor: copies arguments in, and makes one call into [`Context`] per entry point.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        file_ops::{
            FileObject,
            Readiness, //
        },
        user_struct::UserStruct,
        vma::NewMapping,
        wait_queue::WaitQueue, //
    },
    context::Context,
    query, //
};
use core::mem::offset_of;
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    sync::{
        Arc,
        ArcBorrow, //
    },
};

impl FileObject for Context {
    #[inline]
    fn ioctl(this: ArcBorrow<'_, Self>, command: u32, argument: usize) -> Result<isize> {
        match command {
            abi::ENTER => enter(&this, argument),
            abi::QUERY => query::answer(argument),
            abi::REGISTER => register(argument),
            _ => Err(ENOTTY),
        }
    }

    fn mmap(&self, mapping: &NewMapping<'_>) -> Result {
        self.map(mapping)
    }

    fn wait_queue(&self) -> &WaitQueue {
        self.wait_queue()
    }

    fn readiness(&self) -> Readiness {
        self.readiness()
    }

    fn flush(&self) {
        self.flush();
    }

    fn release(this: Arc<Self>) {
        Context::release(this);
    }

    fn show_fdinfo(&self, out: &SeqFile) {
        self.show_fdinfo(out);
    }
}

/// ENTER.
#[inline]
fn enter(context: &Context, argument: usize) -> Result<isize> {
    let user = UserStruct::<abi::Enter>::new(argument);
    let mut args = user.read()?;
    let small = args.flags | args.error_field | args.resv;
    if small != 0 || args.wait_error != 0 || args.resv2 != [0; 3] {
        args.error_field = first_not_zero_of_enter(&args);
        user.write(&args)?;
        return Err(EINVAL);
    }

    let entered = context.enter(args.to_submit, args.min_complete)?;
    if let Some(error) = entered.wait_error {
        args.wait_error = error.to_errno();
        // If that fails, what was submitted still is.
        let _ = user.write(&args);
        if entered.submitted == 0 {
            return Err(error);
        }
    }
    Ok(isize::try_from(entered.submitted)?)
}

/// The field of an ENTER that should be 0 and is not, as a byte offset.
#[cold]
fn first_not_zero_of_enter(args: &abi::Enter) -> u32 {
    let field = if args.flags != 0 {
        offset_of!(abi::Enter, flags)
    } else if args.wait_error != 0 {
        offset_of!(abi::Enter, wait_error)
    } else if args.error_field != 0 {
        offset_of!(abi::Enter, error_field)
    } else if args.resv != 0 {
        offset_of!(abi::Enter, resv)
    } else {
        offset_of!(abi::Enter, resv2)
    };
    u32::try_from(field).unwrap_or(abi::NO_FIELD)
}

/// REGISTER: no opcode is defined yet, so every call names what is wrong with it.
fn register(argument: usize) -> Result<isize> {
    let user = UserStruct::<abi::Register>::new(argument);
    let mut args = user.read_sized()?;
    let field = if args.flags != 0 {
        offset_of!(abi::Register, flags)
    } else if args.error_field != 0 {
        offset_of!(abi::Register, error_field)
    } else if args.resv != 0 {
        offset_of!(abi::Register, resv)
    } else {
        offset_of!(abi::Register, opcode)
    };
    args.error_field = u32::try_from(field)?;
    user.write(&args)?;
    Err(EINVAL)
}

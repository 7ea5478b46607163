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
        owner::{
            AddressSpace,
            DescriptorTable, //
        },
        user_struct::UserStruct,
        vma::NewMapping,
        wait_queue::WaitQueue, //
    },
    context::Context,
    query,
    wait::terms::{
        self,
        Terms, //
    },
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
            abi::REGISTER => register(&this, argument),
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

    fn flush(&self, table: DescriptorTable) {
        self.flush(table);
    }

    fn address_space_ends(&self, space: AddressSpace) {
        self.address_space_ends(space);
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
    let small = args.flags | args.error_field | args.clock;
    let large = args.timeout | args.min_wait | args.sigmask;
    let terms = if small != 0 || args.wait_error != 0 || large != 0 {
        Some(terms_of(&user, &mut args)?)
    } else {
        None
    };

    let entered = context.enter(args.to_submit, args.min_complete, terms.as_ref())?;
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

/// The terms of an ENTER's wait; if they cannot be, the program is told which field is to blame.
#[cold]
fn terms_of(user: &UserStruct<abi::Enter>, args: &mut abi::Enter) -> Result<Terms> {
    if let Some(field) = terms::first_invalid(args) {
        args.error_field = u32::try_from(field)?;
        user.write(args)?;
        return Err(EINVAL);
    }
    Terms::new(args)
}

/// REGISTER.
fn register(context: &Context, argument: usize) -> Result<isize> {
    let user = UserStruct::<abi::Register>::new(argument);
    let mut args = user.read_sized()?;
    let blamed = match first_invalid(&args) {
        None => quiesce(context, args.addr)?,
        blamed => blamed,
    };
    let Some(field) = blamed else {
        return Ok(0);
    };
    args.error_field = u32::try_from(field)?;
    user.write(&args)?;
    Err(EINVAL)
}

/// QUIESCE, with its argument at `address`; answers the field of REGISTER's that is to blame for its
/// values, if they cannot be.
fn quiesce(context: &Context, address: u64) -> Result<Option<usize>> {
    let user = UserStruct::<abi::Quiesce>::new(usize::try_from(address).map_err(|_| EFAULT)?);
    let mut args = user.read()?;
    let (Ok(timeout), 0, 0) = (i64::try_from(args.timeout), args.left, args.resv) else {
        return Ok(Some(offset_of!(abi::Register, addr)));
    };
    let (left, waited) = context.quiesce((timeout != 0).then_some(timeout))?;
    args.left = u32::try_from(left)?;
    user.write(&args)?;
    waited.map(|()| None)
}

/// The first field of `args` that cannot be, as a byte offset.
fn first_invalid(args: &abi::Register) -> Option<usize> {
    [
        (offset_of!(abi::Register, flags), args.flags == 0),
        (
            offset_of!(abi::Register, error_field),
            args.error_field == 0,
        ),
        (offset_of!(abi::Register, resv), args.resv == 0),
        (
            offset_of!(abi::Register, opcode),
            args.opcode == abi::REGISTER_QUIESCE,
        ),
        (offset_of!(abi::Register, nr), args.nr == 1),
    ]
    .into_iter()
    .find_map(|(offset, is_valid)| (!is_valid).then_some(offset))
}

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
    query, register,
    wait::terms::{
        self,
        Terms, //
    },
};
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
            abi::QUERY => query::answer(argument, this.ops()),
            abi::REGISTER => register::call(&this, argument),
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
        Some(terms_of(context, &user, &mut args)?)
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

/// The terms of an ENTER's wait; if they cannot be, the program is told which field is to blame. If it
/// wants the submission thread to be called, that has been done.
#[cold]
fn terms_of(
    context: &Context,
    user: &UserStruct<abi::Enter>,
    args: &mut abi::Enter,
) -> Result<Terms> {
    if let Some(field) = terms::first_invalid(args, context.has_sq_thread()) {
        args.error_field = u32::try_from(field)?;
        user.write(args)?;
        return Err(EINVAL);
    }
    let terms = Terms::new(args)?;
    context.call_sq_thread(args.flags)?;
    Ok(terms)
}

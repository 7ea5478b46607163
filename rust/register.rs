// SPDX-License-Identifier: GPL-2.0

//! REGISTER: what changes a ring as a whole. Copies arguments in, judges them, and makes one call into
//! [`Context`].

#![forbid(unsafe_code)]

mod list;

pub(crate) use list::List;

use crate::{
    abi,
    abstractions::{
        eventfd::EventFd,
        pinned::PinnedBuffer,
        transfer::OpenFile,
        user_struct::UserStruct, //
    },
    context::{
        registered::Tabled,
        Context, //
    },
    resources::{
        Change,
        Resource, //
    },
    ring::notice::Interest, //
};
use core::mem::offset_of;
use kernel::prelude::*;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// Why nothing was registered: a field to blame, and the error.
struct Refused {
    field: usize,
    error: Error,
}

impl Refused {
    /// Blames `field` for an error; made to be passed to `map_err`.
    fn by(field: usize) -> impl Fn(Error) -> Self {
        move |error| Self { field, error }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            field: abi::NO_FIELD as usize,
            error,
        }
    }
}

const OPCODE: usize = offset_of!(abi::Register, opcode);
const ADDR: usize = offset_of!(abi::Register, addr);
const NR: usize = offset_of!(abi::Register, nr);

/// REGISTER, with its argument at the user address `argument`.
///
/// # Errors
///
/// What the opcode fails with; the program's structure says which field is to blame.
pub(crate) fn call(context: &Context, argument: usize) -> Result<isize> {
    let user = UserStruct::<abi::Register>::new(argument);
    let mut args = user.read_sized()?;
    let done = match first_not_zero(&args) {
        Some(field) => Err(Refused {
            field,
            error: EINVAL,
        }),
        None => dispatch(context, &mut args),
    };
    done.or_else(|refused| {
        args.error_field = u32::try_from(refused.field).unwrap_or(abi::NO_FIELD);
        user.write(&args)?;
        Err(refused.error)
    })
}

/// The first field of `args` that should be 0 and is not, as a byte offset.
fn first_not_zero(args: &abi::Register) -> Option<usize> {
    [
        (offset_of!(abi::Register, flags), args.flags != 0),
        (
            offset_of!(abi::Register, error_field),
            args.error_field != 0,
        ),
        (
            offset_of!(abi::Register, error_index),
            args.error_index != 0,
        ),
    ]
    .into_iter()
    .find_map(|(offset, set)| set.then_some(offset))
}

fn dispatch(context: &Context, args: &mut abi::Register) -> Result<isize, Refused> {
    match args.opcode {
        abi::REGISTER_QUIESCE => quiesce(context, args),
        abi::REGISTER_FILES => register::<OpenFile>(context, args),
        abi::UPDATE_FILES => update::<OpenFile>(context, args),
        abi::UNREGISTER_FILES => without_argument(args, || context.unregister::<OpenFile>()),
        abi::REGISTER_BUFFERS => register::<PinnedBuffer>(context, args),
        abi::UPDATE_BUFFERS => update::<PinnedBuffer>(context, args),
        abi::UNREGISTER_BUFFERS => without_argument(args, || context.unregister::<PinnedBuffer>()),
        abi::REGISTER_EVENTFD => eventfd(context, args, Interest::All),
        abi::REGISTER_EVENTFD_ASYNC => eventfd(context, args, Interest::Later),
        abi::UNREGISTER_EVENTFD => without_argument(args, || context.unregister_eventfd()),
        _ => Err(Refused::by(OPCODE)(EINVAL)),
    }
}

/// A structure at the address in `args`.
fn at_addr<T: FromBytes + IntoBytes + Immutable>(
    args: &abi::Register,
) -> Result<UserStruct<T>, Refused> {
    let address = usize::try_from(args.addr).map_err(|_| Refused::by(ADDR)(EFAULT))?;
    Ok(UserStruct::new(address))
}

fn quiesce(context: &Context, args: &abi::Register) -> Result<isize, Refused> {
    if args.nr != 1 {
        return Err(Refused::by(NR)(EINVAL));
    }
    let user = at_addr::<abi::Quiesce>(args)?;
    let mut quiesce = user.read().map_err(Refused::by(ADDR))?;
    let (Ok(timeout), 0, 0) = (i64::try_from(quiesce.timeout), quiesce.left, quiesce.resv) else {
        return Err(Refused::by(ADDR)(EINVAL));
    };
    let (left, waited) = context.quiesce((timeout != 0).then_some(timeout))?;
    quiesce.left = u32::try_from(left).map_err(Error::from)?;
    user.write(&quiesce).map_err(Refused::by(ADDR))?;
    waited?;
    Ok(0)
}

/// Calls `act`, for an opcode that takes nothing.
fn without_argument(args: &abi::Register, act: impl FnOnce() -> Result) -> Result<isize, Refused> {
    if args.addr != 0 {
        return Err(Refused::by(ADDR)(EINVAL));
    }
    if args.nr != 0 {
        return Err(Refused::by(NR)(EINVAL));
    }
    act()?;
    Ok(0)
}

/// Registers an eventfd.
fn eventfd(context: &Context, args: &abi::Register, interest: Interest) -> Result<isize, Refused> {
    if context.is_polled() {
        // Nobody is told of what nobody asks for.
        return Err(Refused::by(OPCODE)(EINVAL));
    }
    if args.nr != 1 {
        return Err(Refused::by(NR)(EINVAL));
    }
    let fd = at_addr::<i32>(args)?.read().map_err(Refused::by(ADDR))?;
    // The descriptor is looked up in the table of the caller.
    context.check_owner()?;
    let eventfd = EventFd::get(fd).map_err(Refused::by(ADDR))?;
    context.register_eventfd(eventfd, interest)?;
    Ok(0)
}

/// Makes a table of resources, or updates one, by `act`.
fn resources<T: Resource>(
    context: &Context,
    args: &mut abi::Register,
    is_new: bool,
    act: impl FnOnce(KVVec<Change<T>>, usize) -> Result,
) -> Result<isize, Refused> {
    let resources = at_addr::<abi::Resources>(args)?;
    let resources = resources.read().map_err(Refused::by(ADDR))?;
    if resources.resv != 0 || (is_new && resources.first != 0) {
        return Err(Refused::by(ADDR)(EINVAL));
    }
    if args.nr == 0 || args.nr > T::MAX {
        return Err(Refused::by(NR)(EINVAL));
    }
    if is_new {
        T::check_count(args.nr).map_err(Refused::by(NR))?;
    }
    // Resources are those of the caller.
    context.check_owner()?;
    let list = List {
        data: resources.data,
        tags: resources.tags,
        count: args.nr,
    };
    let changes = list.read().map_err(|(index, error)| {
        args.error_index = index;
        Refused::by(ADDR)(error)
    })?;
    act(changes, resources.first as usize).map_err(|error| match error {
        EINVAL => Refused::by(NR)(error),
        _ => error.into(),
    })?;
    Ok(0)
}

fn register<T: Tabled>(context: &Context, args: &mut abi::Register) -> Result<isize, Refused> {
    resources::<T>(context, args, true, |changes, _| context.register(changes))
}

fn update<T: Tabled>(context: &Context, args: &mut abi::Register) -> Result<isize, Refused> {
    resources::<T>(context, args, false, |changes, first| {
        context.update(first, changes)
    })
}

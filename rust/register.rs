// SPDX-License-Identifier: GPL-2.0

//! REGISTER: what changes a ring as a whole. Copies arguments in, judges them, and makes one call into
//! [`Context`].

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        eventfd::EventFd,
        rlimit,
        user_struct::UserStruct, //
    },
    context::Context,
    files::Change,
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
        abi::REGISTER_FILES => files(context, args, |changes, _| context.register_files(changes)),
        abi::UPDATE_FILES => files(context, args, |changes, first| {
            context.update_files(first, changes)
        }),
        abi::UNREGISTER_FILES => without_argument(args, || context.unregister_files()),
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

/// Registers or updates files, by `act`.
fn files(
    context: &Context,
    args: &mut abi::Register,
    act: impl FnOnce(KVVec<Change>, usize) -> Result,
) -> Result<isize, Refused> {
    let resources = at_addr::<abi::Resources>(args)?;
    let resources = resources.read().map_err(Refused::by(ADDR))?;
    let is_new = args.opcode == abi::REGISTER_FILES;
    if resources.resv != 0 || (is_new && resources.first != 0) {
        return Err(Refused::by(ADDR)(EINVAL));
    }
    if args.nr == 0 || args.nr > abi::MAX_FILES {
        return Err(Refused::by(NR)(EINVAL));
    }
    if is_new && u64::from(args.nr) > rlimit::open_files() {
        return Err(Refused::by(NR)(EMFILE));
    }
    // Descriptors are looked up in the table of the caller.
    context.check_owner()?;
    let list = FileList {
        fds: resources.data,
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

/// Files that a program lists.
pub(crate) struct FileList {
    /// User address of their descriptors, or 0 for no files.
    pub(crate) fds: u64,
    /// User address of their tags, or 0 for none.
    pub(crate) tags: u64,
    /// How many there are.
    pub(crate) count: u32,
}

impl FileList {
    /// Copies the list in and looks the files up. Process context, in an ioctl of the ring's process;
    /// sleeps.
    ///
    /// # Errors
    ///
    /// The element to blame, and what [`Change::new`] says of it, or `EFAULT` or `ENOMEM`.
    pub(crate) fn read(&self) -> Result<KVVec<Change>, (u32, Error)> {
        let fds = UserArray::<i32>::new(self.fds).map_err(|error| (0, error))?;
        let tags = UserArray::<u64>::new(self.tags).map_err(|error| (0, error))?;
        let mut changes = KVVec::with_capacity(self.count as usize, GFP_KERNEL_ACCOUNT)
            .map_err(|error| (0, error.into()))?;
        for index in 0..self.count {
            let mut add = || {
                let fd = fds.read(index)?.unwrap_or(abi::FILE_NONE);
                changes.push(
                    Change::new(fd, tags.read(index)?.unwrap_or(0))?,
                    GFP_KERNEL_ACCOUNT,
                )?;
                Ok(())
            };
            add().map_err(|error: Error| (index, error))?;
        }
        Ok(changes)
    }
}

/// An array of the program, or none.
struct UserArray<T>(Option<UserStruct<T>>);

impl<T: FromBytes + IntoBytes + Immutable> UserArray<T> {
    fn new(address: u64) -> Result<Self> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        Ok(Self((address != 0).then(|| UserStruct::new(address))))
    }

    /// The element `index`, if there is an array. Process context; may fault pages in.
    fn read(&self, index: u32) -> Result<Option<T>> {
        self.0
            .as_ref()
            .map(|array| array.element(index as usize).read())
            .transpose()
    }
}

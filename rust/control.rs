// SPDX-License-Identifier: GPL-2.0

//! The control device, `/dev/io_ring`: QUERY and SETUP.

#![forbid(unsafe_code)]

mod records;

use crate::{
    abi,
    abstractions::{
        anon_fd::NewFd,
        char_dev::IoctlDevice,
        params,
        rlimit,
        shared_mem,
        transfer::OpenFile,
        user_struct::UserStruct,
        worker_thread, //
    },
    context::Context,
    driver::Driver,
    op::allowed::OpSet,
    query,
    register::List,
    resources::Change,
    ring::{
        layout::Layout,
        sizes::{
            self,
            Refused,
            Sizes, //
        },
    },
    sq_thread::Settings,
};
use core::mem::offset_of;
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// Size of the first version of [`abi::Setup`].
const SETUP_SIZE_MIN: usize = offset_of!(abi::Setup, sq_thread_cpu);

/// The device behind a node.
pub(crate) struct Control {
    driver: Arc<Driver>,
    ops: OpSet,
}

impl Control {
    /// A device that makes rings of `driver`, which may do `ops`.
    pub(crate) fn new(driver: Arc<Driver>, ops: OpSet) -> Self {
        Self { driver, ops }
    }

    /// SETUP. On failure the program's structure says why, as far as it can be written.
    fn setup(&self, node: &CStr, argument: usize) -> Result<isize> {
        let user = UserStruct::<abi::Setup>::new(argument);
        let mut setup = user.read_sized_from(SETUP_SIZE_MIN)?;
        let size = setup.size as usize;
        match self.make_ring(node, &setup) {
            Ok((made, context, fd)) => {
                user.write_sized(&made, size)?;
                let number = fd.number();
                records::made(node, &context);
                // Or else the program could close the ring, and it would still be there.
                drop(context);
                fd.install();
                Ok(isize::try_from(number)?)
            }
            // The call begins anew, with the same argument.
            Err(failure) if failure.error == ERESTARTNOINTR => Err(ERESTARTNOINTR),
            Err(failure) => {
                failure.note(&mut setup);
                user.write_sized(&setup, size)?;
                Err(failure.error)
            }
        }
    }

    /// Makes a ring and a descriptor for it, which the program does not have yet.
    fn make_ring(
        &self,
        node: &CStr,
        setup: &abi::Setup,
    ) -> Result<(abi::Setup, Arc<Context>, NewFd<Context>), Failure> {
        if !params::caller_may_setup() {
            records::refused(node);
            return Err(Failure::limit(EPERM, abi::LIMIT_DISABLED, 0));
        }
        if shared_mem::dcache_aliases() {
            return Err(EOPNOTSUPP.into());
        }
        if !are_flags_valid(setup.flags) {
            return Err(Failure::field(offset_of!(abi::Setup, flags)));
        }
        if let Some(field) = first_not_zero(setup) {
            return Err(Failure::field(field));
        }

        let sizes = Sizes::of(setup, sizes::workers_limit(params::max_workers()))?;
        let layout = Layout::new(
            sizes.entries,
            sizes.cq_entries,
            setup.flags & abi::SETUP_NO_SQARRAY == 0,
            u32::try_from(PAGE_SIZE).map_err(Error::from)?,
        )
        .ok_or(EINVAL)?;
        let ops = self.setup_ops(node, setup)?;
        let files = setup_files(setup)?;
        let sq_thread = setup_sq_thread(setup)?;
        let (context, fd) = Context::new(&self.driver, layout, &sizes, setup.flags, ops)
            .and_then(|context| {
                context.fill_files(files)?;
                let fd = NewFd::new(c"[io_ring]", context.clone())?;
                // From here on the descriptor ends the thread.
                if let Some(settings) = sq_thread {
                    Context::start_sq_thread(&context, settings)?;
                }
                Ok((context, fd))
            })
            .map_err(|error| match error {
                ENOMEM => Failure::limit(ENOMEM, abi::LIMIT_MEMORY, layout.region_size),
                error => error.into(),
            })?;

        let made = abi::Setup {
            entries: sizes.entries.get(),
            cq_entries: sizes.cq_entries.get(),
            requests: sizes.requests,
            max_workers: sizes.max_workers,
            sq_thread_idle_ms: sq_thread.map_or(0, |settings| settings.idle),
            features: abi::FEATURES,
            region_size: u64::from(layout.region_size),
            sqes_offset: layout.sqes_offset,
            sqes_size: layout.sqes_size,
            sq_off: layout.sq_off,
            cq_off: layout.cq_off,
            ..*setup
        };
        Ok((made, context, fd))
    }
}

impl Control {
    /// What a ring may do: what SETUP lists, or else all that the node allows.
    fn setup_ops(&self, node: &CStr, setup: &abi::Setup) -> Result<OpSet, Failure> {
        let nr_field = offset_of!(abi::Setup, nr_ops);
        match (setup.ops, setup.nr_ops) {
            (0, 0) => return Ok(self.ops),
            (0, _) | (_, 0) => return Err(Failure::field(nr_field)),
            (_, 257..) => return Err(Failure::field(nr_field)),
            _ => (),
        }
        let blame = |index, error| Failure {
            error,
            need: u64::from(index),
            ..Failure::field(offset_of!(abi::Setup, ops))
        };
        let address = usize::try_from(setup.ops).map_err(|_| blame(0, EFAULT))?;
        let list = UserStruct::<u8>::new(address);
        let mut ops = OpSet::NONE;
        for index in 0..setup.nr_ops {
            let opcode = list.element(index as usize).read();
            let opcode = opcode.map_err(|error| blame(index, error))?;
            ops.add(opcode).map_err(|_| blame(index, EINVAL))?;
            if !self.ops.contains(opcode) {
                records::refused_operation(node, opcode);
                return Err(blame(index, EACCES));
            }
        }
        Ok(ops)
    }
}

impl IoctlDevice for Control {
    fn ioctl(&self, node: &CStr, command: u32, argument: usize) -> Result<isize> {
        match command {
            abi::QUERY => query::answer(argument, &self.ops),
            abi::SETUP => self.setup(node, argument),
            _ => Err(ENOTTY),
        }
    }
}

/// Why there is no ring.
struct Failure {
    error: Error,
    field: u32,
    limit: u32,
    need: u64,
    have: u64,
}

impl Failure {
    fn field(offset: usize) -> Self {
        Self {
            // Offsets in a structure of 168 bytes.
            field: u32::try_from(offset).unwrap_or(abi::NO_FIELD),
            ..Self::from(EINVAL)
        }
    }

    fn limit(error: Error, limit: u32, need: u32) -> Self {
        Self {
            limit,
            need: u64::from(need),
            ..Self::from(error)
        }
    }

    /// Writes the reason into the structure that goes back to the program.
    fn note(&self, setup: &mut abi::Setup) {
        setup.error_field = self.field;
        setup.error_limit = self.limit;
        setup.limit_need = self.need;
        setup.limit_have = self.have;
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            field: abi::NO_FIELD,
            limit: abi::LIMIT_NONE,
            need: 0,
            have: 0,
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self {
            limit: refused.limit,
            need: u64::from(refused.need),
            have: u64::from(refused.have),
            ..Self::field(refused.field)
        }
    }
}

/// The files that SETUP is to register, if any.
fn setup_files(setup: &abi::Setup) -> Result<Option<KVVec<Change<OpenFile>>>, Failure> {
    if setup.nr_files == 0 {
        return match setup.files {
            0 => Ok(None),
            _ => Err(Failure::field(offset_of!(abi::Setup, nr_files))),
        };
    }
    if setup.nr_files > abi::MAX_FILES {
        return Err(Failure::field(offset_of!(abi::Setup, nr_files)));
    }
    let limit = rlimit::open_files();
    if u64::from(setup.nr_files) > limit {
        return Err(Failure {
            error: EMFILE,
            limit: abi::LIMIT_FILES,
            need: u64::from(setup.nr_files),
            have: limit,
            ..Failure::field(offset_of!(abi::Setup, nr_files))
        });
    }
    let field = offset_of!(abi::Setup, files);
    let list = List {
        data: setup.files,
        tags: 0,
        count: setup.nr_files,
    };
    list.read().map(Some).map_err(|(index, error)| Failure {
        error,
        need: u64::from(index),
        ..Failure::field(field)
    })
}

/// What SETUP asks for of a submission thread, if it is to have one.
fn setup_sq_thread(setup: &abi::Setup) -> Result<Option<Settings>, Failure> {
    let cpu_field = Failure::field(offset_of!(abi::Setup, sq_thread_cpu));
    let idle_field = Failure::field(offset_of!(abi::Setup, sq_thread_idle_ms));
    let has_thread = setup.flags & abi::SETUP_SQPOLL != 0;
    let has_cpu = setup.flags & abi::SETUP_SQ_AFF != 0;
    match (has_cpu, setup.sq_thread_cpu) {
        (true, cpu) if !worker_thread::may_run_on(cpu) => return Err(cpu_field),
        (false, 1..) => return Err(cpu_field),
        _ => (),
    }
    match (has_thread, setup.sq_thread_idle_ms) {
        (false, 1..) => Err(idle_field),
        (false, 0) => Ok(None),
        (true, idle) => Ok(Some(Settings {
            idle: if idle == 0 {
                abi::SQ_IDLE_DEFAULT
            } else {
                idle
            },
            cpu: has_cpu.then_some(setup.sq_thread_cpu),
        })),
    }
}

/// Whether the flags can be, together.
fn are_flags_valid(flags: u32) -> bool {
    let has = |all| flags & all == all;
    flags & !abi::SETUP_FLAGS == 0
        && !has(abi::SETUP_SUBMIT_ALL | abi::SETUP_STOP_ON_REJECT)
        && !has(abi::SETUP_SQPOLL | abi::SETUP_REBIND)
        && !has(abi::SETUP_SQPOLL | abi::SETUP_IOPOLL)
        && (has(abi::SETUP_SQPOLL) || !has(abi::SETUP_SQ_AFF))
}

/// The first field that should be 0 and is not, as a byte offset.
fn first_not_zero(setup: &abi::Setup) -> Option<usize> {
    [
        (offset_of!(abi::Setup, error_field), setup.error_field != 0),
        (offset_of!(abi::Setup, error_limit), setup.error_limit != 0),
        (offset_of!(abi::Setup, limit_need), setup.limit_need != 0),
        (offset_of!(abi::Setup, limit_have), setup.limit_have != 0),
    ]
    .into_iter()
    .find_map(|(offset, set)| set.then_some(offset))
}

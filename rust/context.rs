// SPDX-License-Identifier: GPL-2.0

//! One ring, and everything that belongs to it.
//!
//! # Life
//!
//! A context is made by SETUP, and its file holds it. When the last descriptor and the last mapping
//! are gone, `release` waits for the requests that devices still own: until it is killed, or a short
//! time in an exiting task, or not at all in a kernel thread, which may work for the whole system.
//! If some are left, the last of them to finish hands the ring to a work item, which frees it. The
//! module stays loaded until then. Nothing waits for a device where nobody could end the wait. Devices
//! that have to be asked are asked by a work item meanwhile, see [`poller`](crate::poller).
//!
//! # Locks
//!
//! 1. `submitting`, a mutex: taken by ENTER for the time of a batch.
//! 2. The lock inside `binding`, a mutex: taken when a process comes or goes.
//! 3. The pool's spin lock, interrupts off: the completion queue and the slots at home. Taken for a
//!    few completions at a time, by whoever completes something.
//! 4. The wait queue's own lock, inside `Shared::waiters`.
//!
//! A later one may be taken while an earlier one is held, never the other way round.

mod fdinfo;
mod leaving;
mod observed;
mod polled;
pub(crate) mod registered;
mod sq_side;

use self::observed::Observed;
use crate::{
    abi,
    abstractions::{
        alarm::{
            Alarm,
            Clock,
            When, //
        },
        async_io::IoSlot,
        deferred::ModuleRef,
        file_ops::Readiness,
        mutex::InterruptibleMutex,
        pool::Pool,
        shared_mem::{
            SharedMem,
            SharedWord, //
        },
        vma::NewMapping,
        wait_queue::{
            News,
            WaitQueue, //
        },
    },
    binding::{
        Binding,
        Bound, //
    },
    driver::{
        Counted,
        Driver, //
    },
    op::{
        allowed::OpSet,
        cancel::Cancel, //
    },
    poller::Poller,
    request::{
        Away,
        Request,
        Requests,
        Shared, //
    },
    ring::{
        completion::{
            self,
            CompletionQueue, //
        },
        index::{
            self,
            OutOfRange,
            Position, //
        },
        layout::Layout,
        sizes::Sizes,
        submission::SubmissionQueue, //
    },
    sq_thread::SqThread,
    submit::{
        OnReject,
        Submitted,
        Submitter, //
    },
    wait::{
        self,
        terms::Terms, //
    },
    worker::Workers, //
};
use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    workqueue::Work, //
};

/// How an ENTER went: what it took, and why its wait failed, if it did.
pub(crate) struct Entered {
    /// Entries taken from the submission queue.
    pub(crate) submitted: u32,
    /// What the wait failed with.
    pub(crate) wait_error: Option<Error>,
}

/// The one who submits, and the process it does so for.
struct Submitting {
    submitter: Submitter,
    bound: Option<Bound>,
}

/// One ring.
#[pin_data]
pub(crate) struct Context {
    layout: Layout,
    fork_shared: bool,
    /// Whether its transfers complete without an interrupt.
    is_polled: bool,
    ops: OpSet,
    #[pin]
    submitting: InterruptibleMutex<Submitting>,
    #[pin]
    binding: Binding,
    pool: Pool<Requests>,
    /// Copies of the submitter's numbers, for those who do not hold its mutex.
    sq_head: Atomic<u32>,
    sq_dropped: Atomic<u64>,
    submitted: Atomic<u64>,
    sq_tail: SharedWord,
    mem: Arc<SharedMem>,
    sq_thread: SetOnce<Arc<SqThread<Self>>>,
    #[pin]
    teardown: Work<Self>,
    counted: Counted,
    _observed: Observed,
    /// Given back last: until then the module's code is in use.
    _module: ModuleRef,
}

impl_has_work! {
    impl HasWork<Self> for Context { self.teardown }
}

impl Context {
    /// A ring of the calling process, or of none yet, that may do `ops`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the caller has no address space.
    pub(crate) fn new(
        driver: &Arc<Driver>,
        layout: Layout,
        sizes: &Sizes,
        flags: u32,
        ops: OpSet,
    ) -> Result<Arc<Self>> {
        let mem = SharedMem::new(layout.region_size as usize)?;
        let on_reject = if flags & abi::SETUP_STOP_ON_REJECT != 0 {
            OnReject::Stop
        } else {
            OnReject::Continue
        };
        let is_polled = flags & abi::SETUP_IOPOLL != 0;
        let ops = if is_polled { ops.polled() } else { ops };
        let mut submitter = Submitter::new(SubmissionQueue::new(&mem, &layout)?, on_reject, ops);
        if is_polled {
            submitter.poll();
        }
        let requests = sizes.requests as usize;
        let pool = Pool::new(
            requests,
            || IoSlot::new(Request::default()),
            CompletionQueue::new(&mem, &layout)?,
            Shared::new(
                completion::Shared::new(&mem, &layout, requests),
                Away::new(requests)?,
                driver.closer.clone(),
            ),
        )?;
        let counted = Counted::new(driver.clone(), mem.len(), pool.len());
        let observed = Observed::new(mem.number(), sizes, flags);
        let submitting = Submitting {
            submitter,
            bound: None,
        };
        let rebinds = flags & abi::SETUP_REBIND != 0;
        let max_workers = sizes.max_workers as usize;
        let this = Arc::pin_init(
            try_pin_init!(Self {
                layout,
                fork_shared: flags & abi::SETUP_FORK_SHARED != 0,
                is_polled,
                ops,
                submitting <- InterruptibleMutex::new(submitting),
                binding <- Binding::new(driver.clone(), max_workers, rebinds),
                pool,
                sq_head: Atomic::new(0),
                sq_dropped: Atomic::new(0),
                submitted: Atomic::new(0),
                sq_tail: mem.word(layout.sq_off.tail)?,
                mem,
                sq_thread: SetOnce::new(),
                teardown <- new_work!("io_ring_teardown"),
                counted,
                _observed: observed,
                _module: ModuleRef::get(),
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )?;
        if !rebinds {
            this.act(|_, _| Ok(()))?;
        }
        Ok(this)
    }

    /// Has the calling process act on the ring, which belongs to it from now on, if not before.
    /// Nobody else acts meanwhile. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// Those of `act`; `EINTR`; `EPERM` if the ring belongs to another process; `ENOMEM`, `EINVAL`.
    #[inline]
    fn act<R>(&self, act: impl FnOnce(&mut Submitter, &Arc<Workers>) -> Result<R>) -> Result<R> {
        let mut submitting = self.submitting.lock()?;
        let Submitting { submitter, bound } = &mut *submitting;
        let bound = match bound {
            Some(bound) if bound.is_current() => bound,
            _ => match self.claim(submitter, bound.is_some()) {
                Ok(next) => bound.insert(next),
                Err(error) => {
                    drop(submitting);
                    self.forget_if_left();
                    return Err(error);
                }
            },
        };
        act(submitter, bound.workers())
    }

    /// Binds the ring to the calling process, if it may.
    #[cold]
    fn claim(&self, submitter: &mut Submitter, was_bound: bool) -> Result<Bound> {
        let next = self.binding.claim(self.pool.shared())?;
        self.tell_of_bound(was_bound);
        if was_bound {
            drop(self.take_registered(submitter));
            submitter.refusals.forget();
            Poller::add(&self.counted.driver().poller, self.take_polled(submitter));
        }
        Ok(next)
    }

    /// ENTER: takes up to `to_submit` entries, then waits for `min_complete` completions, on `terms`
    /// if there are any.
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// What kept it from taking any entry: `EPERM`, `EINTR`, `EOVERFLOW`, `EBUSY`.
    pub(crate) fn enter(
        &self,
        to_submit: u32,
        min_complete: u32,
        terms: Option<&Terms>,
    ) -> Result<Entered> {
        completion::flush_parked(&self.pool);
        self.make_up_for_threads();
        if to_submit | min_complete != 0 {
            completion::ready(&self.pool).map_err(|_| EOVERFLOW)?;
        }
        if min_complete == 0 {
            self.look_at_devices();
        }
        let submitted = if to_submit == 0 {
            0
        } else {
            // Else who has no slot left, and tries again, would never get one.
            self.submit(to_submit, terms).inspect_err(|_| {
                self.look_at_devices();
            })?
        };
        let wait_error = if min_complete != 0 && submitted == to_submit {
            let look = || self.look_at_devices();
            wait::for_completions(&self.pool, min_complete, terms, &look).err()
        } else {
            None
        };
        Ok(Entered {
            submitted,
            wait_error,
        })
    }

    /// Makes threads that could not be made when they were wanted. Process context; sleeps.
    #[inline]
    fn make_up_for_threads(&self) {
        if self.pool.shared().away.owes_threads() {
            self.binding.make_up_for_threads();
        }
    }

    fn submit(&self, to_submit: u32, terms: Option<&Terms>) -> Result<u32> {
        self.act(|submitter, workers| {
            let to_submit =
                terms.map_or(to_submit, |terms| terms.limit(submitter.queue(), to_submit));
            let Submitted { taken, was_full } = submitter.submit(&self.pool, workers, to_submit)?;
            let queue = submitter.queue();
            self.sq_head.store(queue.head().get(), Relaxed);
            self.sq_dropped.store(queue.dropped(), Relaxed);
            let total = self.submitted.load(Relaxed);
            self.submitted
                .store(total.wrapping_add(u64::from(taken)), Relaxed);
            if was_full {
                // Who polls for room may have seen none.
                self.wait_queue().wake(News::Writable);
            }
            if self.pool.shared().away.owes_threads() {
                // Who polls comes by, see `readiness`.
                self.wait_queue().wake(News::Readable);
            }
            Ok(taken)
        })
    }

    /// QUIESCE: cancels all and waits, up to `timeout` nanoseconds, until no request is under way.
    /// Answers how many are, and why the waiting ended if that is not 0.
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, and nothing has been done.
    pub(crate) fn quiesce(&self, timeout: Option<i64>) -> Result<(usize, Result)> {
        self.act(|submitter, workers| {
            workers.cancel(&Cancel::ANY);
            let shared = &self.pool.shared().completion;
            let timeout = timeout.map(|time| (Clock::Monotonic, When::After(time)));
            let waited = Alarm::while_set(timeout, |alarm| {
                self.ask_all(submitter, alarm)?;
                if completion::under_way(&self.pool) == 0 {
                    return Ok(());
                }
                shared
                    .waiters
                    .wait_until(|| shared.is_idle() || alarm.has_rung())
            });
            Ok(match completion::under_way(&self.pool) {
                0 => (0, Ok(())),
                left => (left, waited.and(Err(ETIME))),
            })
        })
    }

    /// Maps a part of the ring memory.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a part, a protection or a kind of mapping that is not allowed; `ENOMEM`.
    pub(crate) fn map(&self, mapping: &NewMapping<'_>) -> Result {
        if !mapping.is_shared() {
            return Err(EINVAL);
        }
        mapping.deny_exec()?;
        let window = self
            .layout
            .window(mapping.offset(), mapping.len())
            .ok_or(EINVAL)?;
        mapping.fix_size();
        if !self.fork_shared {
            mapping.hide_from_children();
        }
        self.mem.map(mapping, window.start)
    }

    /// What the ring may do.
    pub(crate) fn ops(&self) -> &OpSet {
        &self.ops
    }

    /// Where those who wait for completions wait.
    pub(crate) fn wait_queue(&self) -> &WaitQueue {
        &self.pool.shared().completion.waiters
    }

    /// Whether completions can be read, and entries written. An index that cannot be true counts as
    /// ready, since ENTER would answer at once.
    pub(crate) fn readiness(&self) -> Readiness {
        completion::flush_parked(&self.pool);
        self.make_up_for_threads();
        Readiness {
            readable: completion::ready(&self.pool) != Ok(0),
            writable: self.room() != Ok(0),
            hung_up: self.pool.shared().completion.is_owner_gone(),
        }
    }

    /// How many entries there is room for in the submission queue.
    fn room(&self) -> Result<u32, OutOfRange> {
        let head = Position::new(self.sq_head.load(Relaxed));
        let tail = Position::new(self.sq_tail.load_acquire());
        index::room(head, tail, self.layout.entries)
    }
}

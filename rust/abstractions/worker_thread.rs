// SPDX-License-Identifier: GPL-2.0

//! Threads of the calling process that run kernel code. Would join `rust/kernel/vhost_task.rs`.
//!
//! C header: [`include/linux/sched/vhost_task.h`](srctree/include/linux/sched/vhost_task.h)
//!
//! Such a thread has the address space, credentials, limits and cgroup of the process that made it,
//! is stopped, frozen and killed with it, and shows up among its threads.
//!
//! # Life
//!
//! A thread calls [`Work::work`] again and again. It ends when it is asked to leave
//! ([`WorkerThread::leave`]) or killed. Either way somebody has to wait for its end, to free what it
//! used: a work queue, which the thread itself asks for that when it is on its way out. Until then
//! nobody waits for it: a process that is stopped or frozen may keep its threads from leaving for as
//! long as it likes.

use super::{
    deferred::{
        DeferredQueue,
        ModuleRef, //
    },
    helpers,
};
use core::{
    mem::ManuallyDrop,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    impl_has_work, new_work,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Arc, //
    },
    workqueue::{
        Work as QueueWork,
        WorkItem, //
    },
};

/// What worker threads do.
pub(crate) trait Work: Send + Sync + 'static {
    /// Does one piece of work, or sleeps until there may be some or `me` should leave.
    ///
    /// Called in the thread, whose signals (stop, freeze) are looked at between two calls: return
    /// when one is pending.
    fn work(&self, me: &WorkerThread<Self>)
    where
        Self: Sized;

    /// The thread has been killed: it does not work any more. Called in the thread.
    fn killed(&self, me: &WorkerThread<Self>)
    where
        Self: Sized;

    /// The thread has ended. Called in a work queue.
    fn ended(&self);

    /// Where the ends of threads are waited for. Called in the thread.
    fn farewell(&self) -> &DeferredQueue;
}

/// A thread that works for `W`.
///
/// # Invariants
///
/// `thread` is null or a `vhost_task` that has been started and not been stopped. `task` is null
/// until the thread runs, and then a reference to its task.
#[pin_data(PinnedDrop)]
pub(crate) struct WorkerThread<W: Work> {
    work: Arc<W>,
    /// Which of the threads of `W` this is.
    pub(crate) number: usize,
    thread: Atomic<*mut c_void>,
    task: Atomic<*mut bindings::task_struct>,
    leaving: Atomic<bool>,
    is_ending: Atomic<bool>,
    #[pin]
    end: QueueWork<Self>,
    _module: ModuleRef,
}

impl_has_work! {
    impl{W: Work} HasWork<Self> for WorkerThread<W> { self.end }
}

// SAFETY: The pointers are used as the type invariants say, from any thread.
unsafe impl<W: Work> Send for WorkerThread<W> {}
// SAFETY: As above.
unsafe impl<W: Work> Sync for WorkerThread<W> {}

impl<W: Work> WorkerThread<W> {
    /// Starts a thread in the calling process. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// What `fork(2)` fails with, and `ERESTARTNOINTR` if the caller has to stop, to freeze or to die first.
    pub(crate) fn spawn(work: Arc<W>, number: usize, name: &'static CStr) -> Result<Arc<Self>> {
        let this = Arc::pin_init(
            pin_init!(Self {
                work,
                number,
                thread: Atomic::new(null_mut()),
                task: Atomic::new(null_mut()),
                leaving: Atomic::new(false),
                is_ending: Atomic::new(false),
                end <- new_work!("io_ring_worker"),
                _module: ModuleRef::get(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        // The thread's own reference; given back when it has ended.
        let data = Arc::into_raw(this.clone()).cast_mut();
        // SAFETY: The callbacks take what `data` is; the name is a static string.
        let thread = from_err_ptr(unsafe {
            helpers::io_ring_vhost_task_create(
                Some(work_callback::<W>),
                Some(killed_callback::<W>),
                data.cast(),
                name.as_char_ptr(),
            )
        })
        .inspect_err(|_| {
            // SAFETY: No thread was made, so that the reference is still ours.
            drop(unsafe { Arc::<Self>::from_raw(data) });
        })?;
        // INVARIANT: Started right here.
        this.thread.store(thread, Release);
        // SAFETY: Just made, and started once.
        unsafe { helpers::io_ring_vhost_task_start(thread) };
        Ok(this)
    }

    /// Whether the thread should leave: [`Work::work`] returns at once then.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Acquire)
    }

    /// Interrupts what the thread sleeps in, if it is interruptible; it sees a pending signal until
    /// [`Work::work`] has returned. Process context.
    pub(crate) fn interrupt(&self) {
        let task = self.task.load(Acquire);
        if !task.is_null() {
            // SAFETY: A reference by the type invariants.
            unsafe { helpers::io_ring_interrupt_task(task) };
        }
    }

    /// Asks the thread to leave. Process context; does not wait for it.
    pub(crate) fn leave(&self) {
        self.leaving.xchg(true, Full);
        self.interrupt();
    }

    /// Whether the process has no threads but workers any more: it would end if they did not work. Called
    /// in the thread.
    pub(crate) fn is_left_alone(&self) -> bool {
        // SAFETY: FFI call without requirements.
        unsafe { helpers::io_ring_only_workers_left() }
    }

    /// Its thread id, in the pid namespace of the caller; 0 before it runs, and when it is gone.
    pub(crate) fn id(&self) -> i32 {
        let task = self.task.load(Acquire);
        if task.is_null() {
            return 0;
        }
        // SAFETY: A reference by the type invariants.
        unsafe { helpers::io_ring_task_id(task) }
    }

    /// What it works for.
    pub(crate) fn work(&self) -> &Arc<W> {
        &self.work
    }

    /// Has a work queue wait for the end of this thread, which is the calling one and does not work
    /// any more.
    fn end(&self) {
        if self.is_ending.xchg(true, Full) {
            return;
        }
        // SAFETY: The thread's own reference, which is given back after its end; this is another one.
        let this = ManuallyDrop::new(unsafe { Arc::<Self>::from_raw(self) });
        self.work.farewell().enqueue(Arc::clone(&this));
    }
}

/// Whether the current task, a worker, has dropped files that are closed when [`Work::work`] returns.
pub(crate) fn has_files_to_close() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_has_task_work() }
}

/// One round of a loop that waits without sleeping. Process context; lets others run.
pub(crate) fn relax() {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_relax() };
}

/// Whether the current task may run on `cpu`, and could now.
pub(crate) fn may_run_on(cpu: u32) -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_may_run_on(cpu) }
}

/// Has the current task, a worker, run on `cpu`, if that is still online. Process context; sleeps.
pub(crate) fn run_on(cpu: u32) {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_run_on(cpu) };
}

/// Whether the current task is being killed.
pub(crate) fn current_is_dying() -> bool {
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_current_fatal_signal() }
}

#[pinned_drop]
impl<W: Work> PinnedDrop for WorkerThread<W> {
    fn drop(self: Pin<&mut Self>) {
        let task = self.task.load(Acquire);
        if !task.is_null() {
            // SAFETY: A reference by the type invariants.
            unsafe { bindings::put_task_struct(task) };
        }
    }
}

impl<W: Work> WorkItem for WorkerThread<W> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let thread = this.thread.load(Acquire);
        // SAFETY: Started, by the type invariants, and stopped once: `end` enqueues once. The
        // function waits until the thread does not use the callbacks and their data any more.
        unsafe { helpers::io_ring_vhost_task_stop(thread) };
        // SAFETY: The reference that `spawn` made for the thread.
        drop(unsafe { Arc::<Self>::from_raw(Arc::as_ptr(&this)) });
        this.work.ended();
    }
}

/// # Safety
///
/// `data` comes from `spawn`, whose reference lives as long as the thread; called in the thread.
unsafe extern "C" fn work_callback<W: Work>(data: *mut c_void) -> bool {
    // SAFETY: By the safety requirements.
    let this: &WorkerThread<W> = unsafe { &*data.cast() };
    if this.is_leaving() {
        this.end();
        // Sleep until `vhost_task_stop` says so.
        return false;
    }
    if this.task.load(Acquire).is_null() {
        // SAFETY: FFI call without requirements.
        let task = unsafe { helpers::io_ring_get_current_task() };
        // INVARIANT: This is the thread, and the only one who writes here.
        this.task.store(task, Release);
    }
    // The caller has prepared for sleeping.
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_set_current_running() };
    this.work.work(this);
    // SAFETY: FFI call without requirements.
    unsafe { helpers::io_ring_expedite_task_work() };
    true
}

/// # Safety
///
/// As for [`work_callback`].
unsafe extern "C" fn killed_callback<W: Work>(data: *mut c_void) {
    // SAFETY: By the safety requirements.
    let this: &WorkerThread<W> = unsafe { &*data.cast() };
    this.work.killed(this);
    this.end();
}

// SPDX-License-Identifier: GPL-2.0

//! Wait queues whose sleepers say themselves what they wait for.
//!
//! Would join `rust/kernel/sync/wait_queue.rs`. C header:
//! [`include/linux/wait.h`](srctree/include/linux/wait.h)
//!
//! A sleeper brings a condition. It is evaluated by the sleeper before it sleeps and by whoever
//! calls [`WaitQueue::wake`], so a task is only woken when it has something to do.
//!
//! No wake-up is lost: the sleeper enters the queue, then (after the full barrier in
//! `prepare_to_wait_event`) evaluates the condition; the waker makes the condition true, then (after
//! the full barrier in `wq_has_sleeper`) looks at the queue. At least one of them sees the other.
//!
//! # Standing in line
//!
//! Sleepers that compete for the same things stand in line ([`WaitQueue::stand_in_line`]): of those
//! whose condition is met, [`WaitQueue::wake_some`] wakes as many as there are new things, those
//! first that came first. They are exclusive entries, behind all others, which are always looked at
//! (and so are those who poll with `EPOLLEXCLUSIVE`). A task that was woken and has not left the
//! queue yet is passed over, so that one wake-up never stands for two. Who was woken and cannot use
//! it wakes another one.

use super::helpers;
use core::{
    mem::MaybeUninit,
    ptr::addr_of_mut, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    time::{
        msecs_to_jiffies,
        Jiffies,
        Msecs, //
    },
    types::Opaque, //
};

/// What a wake-up is about, for those who poll.
#[derive(Clone, Copy)]
pub(crate) enum News {
    /// There is something to read.
    Readable,
    /// There is room to write.
    Writable,
    /// The other side is gone.
    HungUp,
    /// Nothing for those who poll or stand in line.
    Other,
}

/// A key without an event that somebody polls for.
const NO_EVENT: u32 = 1 << 26;

/// A `wait_queue_head_t`.
///
/// # Invariants
///
/// `head` is initialised and pinned.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
}

// SAFETY: A wait queue may be used from any thread and any context.
unsafe impl Send for WaitQueue {}
// SAFETY: As above; it has its own lock.
unsafe impl Sync for WaitQueue {}

/// What a waker calls for an entry.
type WakeCallback =
    unsafe extern "C" fn(*mut bindings::wait_queue_entry, c_uint, c_int, *mut c_void) -> c_int;

/// A sleeping task and what it waits for; lives on that task's stack.
#[repr(C)]
struct Sleeper<'a, F> {
    entry: bindings::wait_queue_entry,
    met: &'a F,
}

impl<'a, F: Fn() -> bool + Sync> Sleeper<'a, F> {
    /// Makes the current task a sleeper with the callback `wake`, and answers its entry, which is to
    /// be taken off the queue again before `this` goes away.
    fn init(
        this: &mut MaybeUninit<Self>,
        met: &'a F,
        wake: WakeCallback,
    ) -> *mut bindings::wait_queue_entry {
        let this = this.as_mut_ptr();
        // SAFETY: `this` is valid for writes.
        let entry = unsafe { addr_of_mut!((*this).entry) };
        // SAFETY: As above.
        unsafe { addr_of_mut!((*this).met).write(met) };
        // SAFETY: As above.
        unsafe { bindings::init_wait_entry(entry, 0) };
        // SAFETY: The entry was just initialised and is not in a queue yet.
        unsafe { (*entry).func = Some(wake) };
        entry
    }
}

impl WaitQueue {
    /// An empty queue. `class` is that of its lock: [`kernel::static_lock_class!`].
    pub(crate) fn new(
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and will not move; the others are static.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), class.as_ptr())
            }),
        })
    }

    /// The C structure, for `poll_wait`.
    pub(super) fn as_ptr(&self) -> *mut bindings::wait_queue_head {
        self.head.get()
    }

    /// Wakes the sleepers whose condition is met, and those who poll for `news`. Any context.
    #[inline]
    pub(crate) fn wake(&self, news: News) {
        if self.has_sleeper() {
            self.wake_slow(news, 0);
        }
    }

    /// Tells of `count` more things to read: as [`WaitQueue::wake`], but of those who stand in line,
    /// only the first `count` are woken whose condition is met. Any context.
    #[inline]
    pub(crate) fn wake_some(&self, count: u32) {
        if self.has_sleeper() {
            match c_int::try_from(count).unwrap_or(c_int::MAX) {
                0 => self.wake_slow(News::Other, 0),
                count => self.wake_slow(News::Readable, count),
            }
        }
    }

    #[inline]
    fn has_sleeper(&self) -> bool {
        // SAFETY: The queue is initialised by the type invariants.
        unsafe { helpers::io_ring_wq_has_sleeper(self.as_ptr()) }
    }

    /// Of those who stand in line, wakes `most`; all, if that is 0.
    #[cold]
    fn wake_slow(&self, news: News, most: c_int) {
        let key = match news {
            News::Readable => helpers::IO_RING_EPOLLIN,
            News::Writable => helpers::IO_RING_EPOLLOUT,
            News::HungUp => helpers::IO_RING_EPOLLIN | helpers::IO_RING_EPOLLHUP,
            News::Other => NO_EVENT,
        };
        // SAFETY: The queue is initialised by the type invariants. The key is a number.
        unsafe {
            bindings::__wake_up(
                self.as_ptr(),
                bindings::TASK_NORMAL,
                most,
                core::ptr::without_provenance_mut(key as usize),
            )
        };
    }

    /// Sleeps until `met` answers true.
    ///
    /// `met` is also called by wakers: in any context, with the queue's lock held. Process context.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal comes first.
    pub(crate) fn wait_until<F: Fn() -> bool + Sync>(&self, met: F) -> Result {
        if met() {
            return Ok(());
        }
        self.sleep(&met, bindings::TASK_INTERRUPTIBLE, None, wake_if_met::<F>)
    }

    /// As [`WaitQueue::wait_until`], but only a signal that kills ends it early.
    pub(crate) fn wait_until_killable<F: Fn() -> bool + Sync>(&self, met: F) -> Result {
        if met() {
            return Ok(());
        }
        self.sleep(&met, bindings::TASK_KILLABLE, None, wake_if_met::<F>)
    }

    /// As [`WaitQueue::wait_until`], but also ends after `limit` milliseconds, with `ETIME`; and a
    /// wake-up is for one sleeper only, the last one to come, so that the time of those runs out who
    /// are not needed.
    ///
    /// For a queue where all sleep like this, and for the same: who does not do all that there is to
    /// do wakes the next.
    pub(crate) fn stand_by<F: Fn() -> bool + Sync>(&self, met: F, limit: Msecs) -> Result {
        if met() {
            return Ok(());
        }
        let limit = Some(msecs_to_jiffies(limit));
        self.sleep(
            &met,
            bindings::TASK_INTERRUPTIBLE,
            limit,
            wake_one_if_met::<F>,
        )
    }

    /// As [`WaitQueue::wait_until`], but also ends after `limit` milliseconds, with `ETIME`.
    pub(crate) fn wait_until_late<F: Fn() -> bool + Sync>(&self, met: F, limit: Msecs) -> Result {
        if met() {
            return Ok(());
        }
        let limit = Some(msecs_to_jiffies(limit));
        self.sleep(&met, bindings::TASK_INTERRUPTIBLE, limit, wake_if_met::<F>)
    }

    /// As [`WaitQueue::wait_until`], but only the time ends it early.
    ///
    /// # Errors
    ///
    /// `ETIME` after `limit` milliseconds.
    pub(crate) fn wait_for_sure<F: Fn() -> bool + Sync>(&self, met: F, limit: Msecs) -> Result {
        if met() {
            return Ok(());
        }
        // Not a load, and not a hung task.
        let state = bindings::TASK_UNINTERRUPTIBLE | bindings::TASK_NOLOAD;
        self.sleep(&met, state, Some(msecs_to_jiffies(limit)), wake_if_met::<F>)
    }

    /// Sleeps until it is woken, unless `met` answers true or a signal is pending. The sleeper stands
    /// in line: see the description of this file.
    ///
    /// Answers nothing, because only a fresh look afterwards, out of the queue, can tell whether it was
    /// woken in vain. `met` is as for [`WaitQueue::wait_until`].
    pub(crate) fn stand_in_line<F: Fn() -> bool + Sync>(&self, met: F) {
        let mut sleeper = MaybeUninit::uninit();
        let entry = Sleeper::init(&mut sleeper, &met, wake_if_met_in_line::<F>);
        let state = bindings::TASK_INTERRUPTIBLE as c_int;
        // SAFETY: Both are initialised; the entry outlives its time in the queue.
        unsafe { bindings::prepare_to_wait_exclusive(self.as_ptr(), entry, state) };
        if !met() {
            // SAFETY: FFI call without requirements.
            unsafe { bindings::schedule() };
        }
        // SAFETY: As for `prepare_to_wait_exclusive`. Afterwards no waker uses the entry.
        unsafe { bindings::finish_wait(self.as_ptr(), entry) };
    }

    fn sleep<F: Fn() -> bool + Sync>(
        &self,
        met: &F,
        state: u32,
        limit: Option<Jiffies>,
        wake: WakeCallback,
    ) -> Result {
        let mut left = limit.map_or(c_long::MAX, |jiffies| jiffies as c_long);
        let mut sleeper = MaybeUninit::uninit();
        let entry = Sleeper::init(&mut sleeper, met, wake);

        let result = loop {
            // SAFETY: Both are initialised; the entry outlives its time in the queue.
            let interrupted =
                unsafe { bindings::prepare_to_wait_event(self.as_ptr(), entry, state as c_int) };
            if met() {
                break Ok(());
            }
            if interrupted != 0 {
                break Err(EINTR);
            }
            if left == 0 {
                break Err(ETIME);
            }
            // SAFETY: FFI call without requirements; the largest value means no limit
            // (`MAX_SCHEDULE_TIMEOUT`).
            left = unsafe { bindings::schedule_timeout(left) };
        };
        // SAFETY: As for `prepare_to_wait_event`. Afterwards no waker uses the entry.
        unsafe { bindings::finish_wait(self.as_ptr(), entry) };
        result
    }
}

/// Wakes the task of `entry` if its condition is met.
///
/// # Safety
///
/// `entry` is the first field of a [`Sleeper<F>`] that is in the queue whose lock is held.
unsafe extern "C" fn wake_if_met<F: Fn() -> bool + Sync>(
    entry: *mut bindings::wait_queue_entry,
    mode: c_uint,
    flags: c_int,
    key: *mut c_void,
) -> c_int {
    let sleeper: *mut Sleeper<'_, F> = entry.cast();
    // SAFETY: By the safety requirements; the condition outlives the entry.
    let met = unsafe { (*sleeper).met };
    if !met() {
        return 0;
    }
    // SAFETY: `entry` is a valid wait queue entry whose `private` is its task.
    unsafe { bindings::default_wake_function(entry, mode, flags, key) }
}

/// As [`wake_if_met`], for who stands in line: only if there is something to read.
///
/// # Safety
///
/// As for [`wake_if_met`].
unsafe extern "C" fn wake_if_met_in_line<F: Fn() -> bool + Sync>(
    entry: *mut bindings::wait_queue_entry,
    mode: c_uint,
    flags: c_int,
    key: *mut c_void,
) -> c_int {
    if key.addr() & helpers::IO_RING_EPOLLIN as usize == 0 {
        return 0;
    }
    // SAFETY: By the safety requirements.
    unsafe { wake_if_met::<F>(entry, mode, flags, key) }
}

/// As [`wake_if_met`], for who stands by: who is woken is the only one.
///
/// # Safety
///
/// As for [`wake_if_met`].
unsafe extern "C" fn wake_one_if_met<F: Fn() -> bool + Sync>(
    entry: *mut bindings::wait_queue_entry,
    mode: c_uint,
    flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirements.
    let woken = unsafe { wake_if_met::<F>(entry, mode, flags, key) };
    // Nobody looks any further after a negative answer.
    woken.wrapping_neg()
}

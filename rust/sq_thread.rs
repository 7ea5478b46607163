// SPDX-License-Identifier: GPL-2.0

//! A thread of the ring's process that takes what the program offers (`IO_RING_SETUP_SQPOLL`).
//!
//! It looks at the tail again and again, without any lock, and takes what is there as ENTER would. When
//! there has been nothing for a while it sleeps, and says so.
//!
//! # No lost call
//!
//! ```text
//! thread    set NEED_WAKEUP; full barrier; look at the tail: if there is nothing, sleep
//! program   tail.store(release); full barrier; NEED_WAKEUP? if so, ENTER with SQ_WAKEUP
//! ```
//!
//! If the thread does not see the entry, the program sees that the thread sleeps. The call itself is
//! `is_called`, which the thread takes back before it looks at the tail again.
//!
//! # What it does not take
//!
//! What is offered after the process has given rights up is not done with the rights that the thread
//! still has. Therefore it reads the tail first, then looks who the process is, and takes no more than
//! that tail offers:
//!
//! ```text
//! program   give rights up; tail.store(release)
//! thread    tail.load(acquire); has the process its rights? take
//! ```
//!
//! Such entries, and what comes with indices that cannot be true, are left where they are. The thread
//! then sleeps at once, and who calls it is told why.
//!
//! If no slot is free it goes on looking, and then sleeps as well, but does not have to be called: it
//! wakes up when a request ends.
//!
//! # End
//!
//! The thread visits the ring: a visit ends when it is asked to leave, or a signal is pending. Between two
//! visits it can be stopped and frozen, and has nothing of the ring, which may be gone at the next one.
//!
//! Nothing in a visit waits for a file, but it may wait for memory of the program, as long as another
//! program likes. So whoever destroys the ring waits for the end of a visit only as long as it would wait
//! for a device, and leaves the rest to the thread otherwise: [`Stage`] says who comes last.

#![forbid(unsafe_code)]

mod stage;

use self::stage::Stage;
use crate::{
    abi,
    abstractions::{
        deferred::DeferredQueue,
        owner::{
            Owner,
            Patience, //
        },
        wait_queue::{
            News,
            WaitQueue, //
        },
        worker_thread::{
            self,
            Work,
            WorkerThread, //
        },
    },
    driver::Driver,
    users::{
        User,
        Users, //
    },
};
use kernel::{
    current, new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// After how many milliseconds the thread looks whether the rest of its process is still there.
const LOOK_AROUND: u32 = 5000;

/// How long an exiting task waits for the end of a round, in milliseconds.
const EXIT_PATIENCE: u32 = 1000;

/// What the thread takes entries from.
pub(crate) trait Side: Send + Sync + 'static {
    /// Whether there is something to take. Any context; a hint without a lock.
    fn is_offered(&self) -> bool;

    /// Whether there may be a slot for it. Likewise.
    fn has_slot(&self) -> bool;

    /// Takes what is offered, as far as `owner` still has its rights; answers how much. Process context,
    /// in a worker of that process; sleeps.
    ///
    /// # Errors
    ///
    /// `EINTR`; `EBUSY` (no slot is free), `EPERM` (the rights), `EOWNERDEAD` (the process is gone),
    /// `EOVERFLOW` (an index is out of range).
    fn take_offered(&self, owner: &Owner) -> Result<u32>;

    /// Tells the program whether the thread sleeps; a full barrier follows. Any context.
    fn tell(&self, sleeps: bool);

    /// Where ends of requests are told of.
    fn ends(&self) -> &WaitQueue;

    /// Sees to workers that could not be made when they were wanted. Process context; sleeps.
    fn make_up_for_threads(&self);

    /// Does the rest of what destroys the ring. Process context.
    fn end(this: Arc<Self>);
}

/// What the program has asked for.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Milliseconds.
    pub(crate) idle: u32,
    /// Where it is to run, if not anywhere.
    pub(crate) cpu: Option<u32>,
}

/// Why the thread sleeps.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Wait {
    /// Nothing has been offered, or there are no slots.
    ForWork,
    /// What has been offered may not be taken.
    ForCall,
}

/// What belongs together from the start of the thread to its end.
struct Post<S: Side> {
    side: Option<Arc<S>>,
    thread: Option<Arc<WorkerThread<SqThread<S>>>>,
}

/// Counters, for who looks.
pub(crate) struct Counts {
    /// The thread id, in the pid namespace of the caller; 0 if it is gone.
    pub(crate) thread: i32,
    /// Whether it has to be called.
    pub(crate) sleeps: bool,
    /// How often it has taken something.
    pub(crate) rounds: u64,
    /// How many entries.
    pub(crate) entries: u64,
    /// How often it has gone to sleep.
    pub(crate) naps: u64,
}

/// A thread that takes entries from `S`.
#[pin_data]
pub(crate) struct SqThread<S: Side> {
    settings: Settings,
    owner: Owner,
    #[pin]
    post: Mutex<Post<S>>,
    stage: Stage,
    is_called: Atomic<bool>,
    sleeps: Atomic<bool>,
    is_placed: Atomic<bool>,
    exists: Atomic<bool>,
    rounds: Atomic<u64>,
    entries: Atomic<u64>,
    naps: Atomic<u64>,
    /// Where it sleeps, and who waits for it.
    #[pin]
    news: WaitQueue,
    driver: Arc<Driver>,
    user: Arc<User>,
}

impl<S: Side> SqThread<S> {
    /// Starts a thread of the calling process that takes from `side`. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EAGAIN` if there may not be one more; `ERESTARTNOINTR` if the caller has to stop,
    /// to freeze or to die first.
    pub(crate) fn start(
        driver: &Arc<Driver>,
        side: Arc<S>,
        settings: Settings,
    ) -> Result<Arc<Self>> {
        let user = Users::current(&driver.users)?;
        let this = Arc::pin_init(
            try_pin_init!(Self {
                settings,
                owner: Owner::current()?,
                post <- new_mutex!(Post { side: Some(side), thread: None }, "io_ring_post"),
                stage: Stage::new(),
                is_called: Atomic::new(false),
                sleeps: Atomic::new(false),
                is_placed: Atomic::new(false),
                exists: Atomic::new(true),
                rounds: Atomic::new(0),
                entries: Atomic::new(0),
                naps: Atomic::new(0),
                news <- WaitQueue::new(c"io_ring_sq_news", static_lock_class!()),
                driver: driver.clone(),
                user,
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )?;
        if !this.user.take() {
            this.post.lock().side = None;
            return Err(EAGAIN);
        }
        let thread = WorkerThread::spawn(this.clone(), 0, c"io_ring_sq").inspect_err(|_| {
            this.post.lock().side = None;
            this.ended();
        })?;
        this.post.lock().thread = Some(thread);
        Ok(this)
    }

    /// Whether the process has the rights that the thread has.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EOWNERDEAD`.
    pub(crate) fn check_rights(&self) -> Result {
        self.owner.may_stand_in()
    }

    /// Wakes the thread up, if it sleeps. Process context.
    pub(crate) fn call(&self) {
        // Full, so that what has been offered before is seen by the thread when it takes this back.
        self.is_called.xchg(true, Full);
        self.news.wake(News::Other);
        let side = self.side();
        if let Some(side) = side {
            side.ends().wake(News::Other);
        }
    }

    /// Asks the thread to leave: nothing is to be taken any more. Process context; does not wait.
    pub(crate) fn leave(&self) {
        let thread = self.post.lock().thread.clone();
        if let Some(thread) = thread {
            thread.leave();
        }
    }

    /// As [`SqThread::leave`], and waits for the end of a visit, as long as the current task may.
    /// Answers whether the thread has nothing of the ring any more; if not, it calls [`Side::end`].
    pub(crate) fn close(&self) -> bool {
        let mut post = self.post.lock();
        let (mut side, thread) = (post.side.take(), post.thread.take());
        drop(post);
        if let Some(thread) = thread {
            thread.leave();
        }
        while !self.stage.close() {
            let is_over = || !self.stage.is_visit();
            let waited = match Patience::current() {
                Patience::UntilKilled => self.news.wait_until_killable(is_over),
                Patience::Short => self.news.wait_for_sure(is_over, EXIT_PATIENCE),
                Patience::None => Err(ETIME),
            };
            if waited.is_err() {
                // For the end of the visit, if that comes later than the next line.
                self.post.lock().side = side.take();
                if self.stage.leave_to_visit() {
                    return false;
                }
                side = self.take_side();
            }
        }
        true
    }

    /// Waits until the thread does not exist any more, `limit` milliseconds at most.
    pub(crate) fn wait_for_end(&self, limit: u32) {
        // Whoever stops the process may make this take long; it is only a courtesy.
        let _ = self
            .news
            .wait_for_sure(|| !self.exists.load(Relaxed), limit);
    }

    /// Numbers for who looks.
    pub(crate) fn counts(&self) -> Counts {
        let thread = self.post.lock().thread.clone();
        Counts {
            thread: thread.map_or(0, |thread| thread.id()),
            sleeps: self.sleeps.load(Relaxed),
            rounds: self.rounds.load(Relaxed),
            entries: self.entries.load(Relaxed),
            naps: self.naps.load(Relaxed),
        }
    }

    fn side(&self) -> Option<Arc<S>> {
        self.post.lock().side.clone()
    }

    fn take_side(&self) -> Option<Arc<S>> {
        self.post.lock().side.take()
    }

    /// Does `what` there, unless the ring is closed. Answers whether it could. Called in the thread.
    fn visit(&self, what: impl FnOnce(&Arc<S>)) -> bool {
        if !self.stage.begin() {
            return false;
        }
        let side = self.side();
        if let Some(side) = &side {
            what(side);
        }
        let could = side.is_some();
        // Whoever waits for the end has the last reference when it comes.
        drop(side);
        if self.stage.end() {
            self.news.wake(News::Other);
        } else if let Some(side) = self.take_side() {
            S::end(side);
        }
        could
    }

    /// Looks and takes until there has been nothing for long enough, or a signal comes.
    fn attend(&self, me: &WorkerThread<Self>, side: &S) {
        let idle = Delta::from_millis(i64::from(self.settings.idle));
        let mut last = Instant::<Monotonic>::now();
        let mut looked = last;
        while !me.is_leaving() && !current!().signal_pending() {
            if side.is_offered() && side.has_slot() {
                match self.round(side) {
                    Ok(0) | Err(EBUSY) => (),
                    Ok(_) => last = Instant::now(),
                    Err(EINTR) => return,
                    Err(EOWNERDEAD) => return me.leave(),
                    Err(_) => return self.sleep(me, side, Wait::ForCall),
                }
                if worker_thread::has_files_to_close() {
                    return;
                }
            } else if self.settings.idle != abi::SQ_IDLE_NEVER && last.elapsed() >= idle {
                return self.sleep(me, side, Wait::ForWork);
            } else if looked.elapsed() >= Delta::from_millis(i64::from(LOOK_AROUND)) {
                looked = Instant::now();
                if me.is_left_alone() {
                    return me.leave();
                }
            }
            worker_thread::relax();
        }
    }

    /// Takes what is offered.
    fn round(&self, side: &S) -> Result<u32> {
        let taken = side.take_offered(&self.owner);
        if let Ok(taken @ 1..) = taken {
            add(&self.rounds, 1);
            add(&self.entries, u64::from(taken));
        }
        taken
    }

    /// Sleeps until it is called, or has slots for what has been offered.
    fn sleep(&self, me: &WorkerThread<Self>, side: &S, wait: Wait) {
        let mut wants_slots = false;
        if !self.sleeps.xchg(true, Relaxed) {
            add(&self.naps, 1);
            side.tell(true);
            // Whatever it was, it may have changed before the program could see the flag.
            let is_offered = side.is_offered();
            let may_take = is_offered && side.has_slot();
            if may_take && (wait == Wait::ForWork || self.round(side).is_ok_and(|n| n != 0)) {
                return self.wake_up(side);
            }
            wants_slots = wait == Wait::ForWork && is_offered;
        }
        let is_over = || {
            self.is_called.load(Relaxed)
                || me.is_leaving()
                || (wants_slots && side.is_offered() && side.has_slot())
        };
        let place = if wants_slots { side.ends() } else { &self.news };
        loop {
            match place.wait_until_late(is_over, LOOK_AROUND) {
                Ok(()) => return self.wake_up(side),
                Err(ETIME) if me.is_left_alone() => return me.leave(),
                Err(ETIME) => (),
                Err(_) if wants_slots => return self.wake_up(side),
                // It goes on sleeping when the signal has been looked at.
                Err(_) => return,
            }
        }
    }

    fn wake_up(&self, side: &S) {
        // A full barrier: who called had offered before.
        self.is_called.xchg(false, Full);
        self.sleeps.store(false, Relaxed);
        side.tell(false);
    }
}

/// Counts up what only one thread counts.
fn add(counter: &Atomic<u64>, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

impl<S: Side> Work for SqThread<S> {
    fn work(&self, me: &WorkerThread<Self>) {
        if let (Some(cpu), false) = (self.settings.cpu, self.is_placed.xchg(true, Relaxed)) {
            worker_thread::run_on(cpu);
        }
        let is_there = self.visit(|side| {
            side.make_up_for_threads();
            if self.sleeps.load(Relaxed) {
                self.sleep(me, side, Wait::ForCall);
            } else {
                self.attend(me, side);
            }
        });
        if !is_there {
            me.leave();
        }
    }

    fn killed(&self, _me: &WorkerThread<Self>) {
        self.visit(|side| side.tell(true));
    }

    fn ended(&self) {
        self.user.give_back();
        self.exists.store(false, Relaxed);
        self.news.wake(News::HungUp);
    }

    fn farewell(&self) -> &DeferredQueue {
        &self.driver.farewell
    }
}

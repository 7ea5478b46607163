// SPDX-License-Identifier: GPL-2.0

//! What the submission thread has to do with its ring; see [`crate::sq_thread`].

#![forbid(unsafe_code)]

use super::Context;
use crate::{
    abi,
    abstractions::{
        owner::Owner,
        wait_queue::WaitQueue, //
    },
    ring::{
        completion,
        index::{
            OutOfRange,
            Position, //
        },
    },
    sq_thread::{
        Settings,
        Side,
        SqThread, //
    },
    wait::terms::Terms,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Full,
        barrier::smp_mb,
        Arc, //
    },
};

impl Context {
    /// Gives the ring a submission thread: one of the calling process, to which the ring belongs. Process
    /// context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EAGAIN`, `ERESTARTNOINTR`.
    pub(crate) fn start_sq_thread(this: &Arc<Self>, settings: Settings) -> Result {
        // So that the thread finds slots.
        completion::under_way(&this.pool);
        let driver = this.counted.driver();
        let thread = SqThread::start(driver, this.clone(), settings)?;
        this.sq_thread.populate(thread);
        Ok(())
    }

    /// Whether the ring has a submission thread, which may have ended.
    pub(crate) fn has_sq_thread(&self) -> bool {
        self.sq_thread.as_ref().is_some()
    }

    /// What `IO_RING_ENTER_SQ_WAKEUP` and `IO_RING_ENTER_SQ_WAIT` ask for, if `flags` has one of them.
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// Why the thread would not take anything: `EPERM`, `EOVERFLOW`, `EOWNERDEAD`; `EINTR`.
    #[cold]
    pub(crate) fn call_sq_thread(&self, flags: u32) -> Result {
        let Some(thread) = self.sq_thread.as_ref() else {
            return Ok(());
        };
        if flags & (abi::ENTER_SQ_WAKEUP | abi::ENTER_SQ_WAIT) != 0 {
            completion::flush_parked(&self.pool);
            completion::ready(&self.pool).map_err(|_| EOVERFLOW)?;
            self.act(|submitter, _| submitter.queue().available().map_err(|_| EOVERFLOW))?;
            thread.check_rights()?;
            thread.call();
        }
        if flags & abi::ENTER_SQ_WAIT != 0 {
            return self.wait_for_room();
        }
        Ok(())
    }

    /// Waits until the submission queue has room.
    fn wait_for_room(&self) -> Result {
        let shared = &self.pool.shared().completion;
        let is_full = || self.room() == Ok(0);
        self.wait_queue()
            .wait_until(|| !is_full() || shared.is_owner_gone())?;
        match self.room() {
            Ok(0) => Err(EOWNERDEAD),
            Ok(_) => Ok(()),
            Err(OutOfRange) => Err(EOVERFLOW),
        }
    }

    /// The process of the ring leaves: its submission thread takes nothing any more.
    pub(super) fn dismiss_sq_thread(&self) {
        if let Some(thread) = self.sq_thread.as_ref() {
            thread.leave();
        }
    }

    /// The ring is to be destroyed. Answers whether the caller is to do that; else the thread does.
    pub(super) fn close_sq_thread(&self) -> bool {
        let thread = self.sq_thread.as_ref();
        thread.is_none_or(|thread| thread.close())
    }
}

impl Side for Context {
    fn is_offered(&self) -> bool {
        self.room()
            .is_ok_and(|room| room != self.layout.entries.get())
    }

    fn has_slot(&self) -> bool {
        self.pool.shared().completion.has_free_slot()
    }

    fn take_offered(&self, owner: &Owner) -> Result<u32> {
        // First the tail, then the rights, see the description of `sq_thread`.
        let terms = Terms::until(Position::new(self.sq_tail.load_acquire()));
        let _stand_in = owner.stand_in()?;
        let entered = self.enter(u32::MAX, 0, Some(&terms));
        if matches!(entered, Err(EBUSY)) {
            // From now on the hint is true.
            completion::under_way(&self.pool);
        }
        entered.map(|entered| entered.submitted)
    }

    fn tell(&self, sleeps: bool) {
        let mut inside = self.pool.lock();
        if sleeps {
            inside.state.flags.set(abi::SQ_NEED_WAKEUP);
        } else {
            inside.state.flags.clear(abi::SQ_NEED_WAKEUP);
        }
        drop(inside);
        // Pairs with that of a program that has offered something, see the description of `sq_thread`.
        smp_mb(Full);
    }

    fn ends(&self) -> &WaitQueue {
        self.wait_queue()
    }

    fn make_up_for_threads(&self) {
        self.make_up_for_threads();
    }

    fn end(this: Arc<Self>) {
        Self::destroy(this);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Those who want to know what becomes of the completion queue. Few rings have any.

#![forbid(unsafe_code)]

use super::{
    publish,
    Completing,
    CompletionQueue,
    Shared, //
};
use crate::abstractions::pool::{
    Inside,
    Pool, //
};
use kernel::sync::{
    atomic::Relaxed,
    Arc, //
};

/// What to do when the last request has finished; see [`when_idle`].
pub(crate) trait OnIdle: Send + Sync {
    /// Does it. Any context, with the lock of the ring's pool held.
    fn run(self: Arc<Self>);
}

/// Who wants to know how many completions have come; see [`count`].
pub(crate) trait OnCount: Send + Sync {
    /// So many have come. Any context, with the lock of the ring's pool held.
    fn run(&self, came: u64);
}

/// Who wants to know how many slots are out; see [`watch_out`].
pub(crate) trait OnOut: Send + Sync {
    /// So many are. Answers whether to tell of more. Any context, with the lock of the ring's pool held.
    fn run(&self, out: usize) -> bool;
}

/// Who is told of what.
pub(super) struct Observers {
    /// Whether there are any.
    pub(super) are_there: bool,
    on_idle: Option<Arc<dyn OnIdle>>,
    on_count: Option<Arc<dyn OnCount>>,
    on_out: Option<Arc<dyn OnOut>>,
}

impl Observers {
    /// Nobody.
    pub(super) const NONE: Self = Self {
        are_there: false,
        on_idle: None,
        on_count: None,
        on_out: None,
    };
}

impl<D: Completing> CompletionQueue<D> {
    /// How many completions have come so far, whether there was room for them or not, without those
    /// that were [left out](CompletionQueue::leave_out).
    fn came(&self) -> u64 {
        self.posted
            .wrapping_add(u64::from(self.parked_now))
            .wrapping_sub(self.left_out)
    }

    /// The next completion does not count as one that came.
    pub(crate) fn leave_out(&mut self) {
        self.left_out = self.left_out.wrapping_add(1);
    }
}

/// Answers how many completions have come. `observer` is told of each that comes from now on.
pub(crate) fn count<D: Completing>(inside: &mut Inside<D>, observer: Arc<dyn OnCount>) -> u64 {
    let observers = &mut inside.state.observers;
    if observers.on_count.is_none() {
        observers.on_count = Some(observer);
        observers.are_there = true;
    }
    inside.state.came()
}

/// How many slots are neither at home nor parked.
pub(crate) fn out<D: Completing>(shared: &Shared, inside: &Inside<D>) -> usize {
    shared.note_idle(inside);
    shared.requests.saturating_sub(shared.idle.load(Relaxed))
}

/// Tells `observer` how many slots are out, whenever some may have come home.
pub(crate) fn watch_out<D: Completing>(inside: &mut Inside<D>, observer: Arc<dyn OnOut>) {
    let observers = &mut inside.state.observers;
    observers.on_out = Some(observer);
    observers.are_there = true;
}

/// Tells those who want to know that there is something new.
#[cold]
pub(super) fn tell<D: Completing>(shared: &Shared, inside: &mut Inside<D>) {
    if let Some(on_count) = &inside.state.observers.on_count {
        on_count.run(inside.state.came());
    }
    if let Some(on_out) = &inside.state.observers.on_out {
        if !on_out.run(out(shared, inside)) {
            let observers = &mut inside.state.observers;
            observers.on_out = None;
            observers.are_there = observers.on_count.is_some() || observers.on_idle.is_some();
        }
    }
    if inside.state.observers.on_idle.is_some() && shared.is_idle() {
        if let Some(on_idle) = inside.state.observers.on_idle.take() {
            on_idle.run();
        }
    }
}

/// Runs `action` when the last request has finished; at once, and not in here, if that is now.
///
/// For a ring that nothing is submitted to any more. `action` may hold the pool: it is let go of
/// before it runs.
pub(crate) fn when_idle<D: Completing>(pool: &Pool<D>, action: Arc<dyn OnIdle>) {
    let mut inside = pool.lock();
    inside.state.observers.on_idle = Some(action);
    inside.state.observers.are_there = true;
    publish(D::completion(pool.shared()), &mut inside);
}

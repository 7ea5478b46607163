// SPDX-License-Identifier: GPL-2.0

//! Slots that wait until a timer rings. Would join `rust/kernel/time/hrtimer.rs`.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)
//!
//! # Life of a slot with a timer
//!
//! ```text
//! arm       starts the timer, and puts the slot into the set of armed ones; it has no other owner any
//!           more
//! ring      takes the slot out, and hands it to TimerDomain::rang
//! take      who cancels takes it out
//! ```
//!
//! # Who gets the slot
//!
//! Both a timer that rings and whoever takes the slot exchange [`Timer::stage`], and the slot belongs
//! to the one who finds it armed. A timer that comes second touches nothing but the [`Timer`], so that
//! nobody has to wait for it before the slot is used for something else.
//!
//! # Lifetime
//!
//! A [`Timer`] is only started again, or freed, after the last run of its callback has ended. The
//! callback uses the slot and the [`Timers`] only if it was first: then the slot is out, and while it
//! is, its pool exists, and so the [`Timers`].

mod bell;

pub(crate) use bell::{
    Bell,
    BellDomain, //
};

use super::{
    alarm::{
        Clock,
        When, //
    },
    async_io::IoDomain,
    helpers,
    pool::{
        Chain,
        Domain,
        List,
        Slot, //
    },
};
use core::{
    cell::UnsafeCell,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        SpinLockIrq, //
    },
    types::Opaque, //
};

/// Most slots that are looked at with interrupts off.
const LOOK_AT_ONCE: usize = 64;

/// The slot has an owner, or is on its way to one.
const OVER: i32 = 0;
/// The slot is in the set of armed ones.
const ARMED: i32 = 1;

/// A [`Domain`] whose slots may wait for timers.
pub(crate) trait TimerDomain: IoDomain {
    /// Where they wait.
    fn timers(shared: &Self::Shared) -> &Timers<Self>;

    /// The timer of a slot has rung.
    ///
    /// Any context, hard interrupts included.
    fn rang(slot: Slot<Self>);
}

/// The timer of a slot.
///
/// # Invariants
///
/// `timer` is initialised with [`rang`] or that of a [`Bell`] as its function, and stays where it is. It
/// is only started by who owns the slot, when its callback has ended. `item` is that of the slot.
pub(in super::super) struct Timer {
    timer: Opaque<bindings::hrtimer>,
    stage: Atomic<i32>,
    item: UnsafeCell<*mut c_void>,
    /// If it is that of a [`Bell`]: what it is found by, and what it is to be set to.
    number: UnsafeCell<u32>,
    time: UnsafeCell<(Clock, When)>,
    /// Whether somebody has to see to the slot before it rings; guarded by the lock of the [`Timers`].
    needs_attendant: UnsafeCell<bool>,
}

// SAFETY: Who owns the slot, or the lock that is named at each field, uses it.
unsafe impl Send for Timer {}

impl Timer {
    fn new<D: TimerDomain>() -> Result<KBox<Self>> {
        // First the memory: a timer that is not initialised cannot be dropped.
        let memory = KBox::<Self>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let this = memory.write(Self {
            timer: Opaque::uninit(),
            stage: Atomic::new(OVER),
            item: UnsafeCell::new(null_mut()),
            number: UnsafeCell::new(0),
            time: UnsafeCell::new((Clock::Monotonic, When::After(0))),
            needs_attendant: UnsafeCell::new(false),
        });
        // INVARIANT: This initialises it, in a box that is not moved out of.
        // SAFETY: The timer is valid for writes.
        unsafe {
            helpers::io_ring_timer_setup(
                this.timer.get(),
                Some(rang::<D>),
                Clock::Monotonic.id(),
                false,
            )
        };
        Ok(this)
    }

    /// The one that `timer` is in.
    ///
    /// # Safety
    ///
    /// `timer` is that of a [`Timer`], which is not freed during `'a`.
    unsafe fn of<'a>(timer: *mut bindings::hrtimer) -> &'a Self {
        let timer: *mut Opaque<bindings::hrtimer> = timer.cast();
        // SAFETY: By the safety requirements.
        unsafe { &*kernel::container_of!(timer, Timer, timer) }
    }

    /// Stops it. Afterwards its callback does not run. Process context; waits for the callback.
    fn stop(&self) {
        // SAFETY: The timer is initialised by the type invariants.
        unsafe { bindings::hrtimer_cancel(self.timer.get()) };
    }

    /// Makes the slot one's own, if nobody else has done so. The caller holds the lock of the
    /// [`Timers`], or is the callback.
    fn claim(&self) -> bool {
        self.stage.cmpxchg(ARMED, OVER, Full).is_ok()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct State<D: TimerDomain> {
    armed: List<D>,
    attended: usize,
}

/// The slots of a ring that wait for their timers.
#[pin_data]
pub(crate) struct Timers<D: TimerDomain> {
    #[pin]
    state: SpinLockIrq<State<D>>,
    /// Copies for those who do not hold the lock.
    armed: Atomic<usize>,
    attended: Atomic<usize>,
}

impl<D: TimerDomain> Timers<D> {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock_irq!(State {
                armed: List::new(),
                attended: 0,
            }, "io_ring_timers"),
            armed: Atomic::new(0),
            attended: Atomic::new(0),
        })
    }

    /// How many slots are armed.
    pub(crate) fn armed(&self) -> usize {
        self.armed.load(Relaxed)
    }

    /// How many of them somebody has to see to before they ring.
    pub(crate) fn attended(&self) -> usize {
        self.attended.load(Relaxed)
    }

    /// Arms a slot: its timer rings once. Gives the slot back if there is no memory for a timer.
    ///
    /// Process context; sleeps, and waits for a callback that is just running.
    pub(crate) fn arm(
        &self,
        slot: Slot<D>,
        clock: Clock,
        when: When,
        needs_attendant: bool,
    ) -> Result<(), Slot<D>> {
        let (time, is_absolute) = when.parts();
        let (item, timer) = set_up(slot, rang::<D>, clock, is_absolute)?;
        // SAFETY: The slot keeps it as long as its pool exists, and that does while the slot is out;
        // after it has been put into the list, the lock is held that whoever takes it needs.
        let timer = unsafe { timer.as_ref() };
        let mut state = self.state.lock();
        // SAFETY: Given up by `set_up`.
        state.armed.push_back(unsafe { Slot::from_raw(item) });
        // SAFETY: The lock is held.
        unsafe { *timer.needs_attendant.get() = needs_attendant };
        state.attended = state.attended.wrapping_add(usize::from(needs_attendant));
        self.note(&state);
        // Release: pairs with the exchange in `claim`, whose winner reads `item`.
        timer.stage.store(ARMED, Release);
        let raw = timer.timer.get();
        // SAFETY: Initialised above.
        unsafe { helpers::io_ring_timer_start(raw, clock.id(), time, is_absolute) };
        Ok(())
    }

    /// Takes those that `matches`: all, or at most one. Process context.
    ///
    /// Finds all that were there when it was called and that nobody else takes or arms again.
    pub(crate) fn take_matching(&self, all: bool, matches: &dyn Fn(&D::Item) -> bool) -> Chain<D> {
        let mut found = Chain::new();
        let mut left = self.armed();
        while left != 0 && (all || found.is_empty()) {
            let mut state = self.state.lock();
            for _ in 0..left.min(LOOK_AT_ONCE) {
                let Some(slot) = state.armed.pop() else {
                    left = 0;
                    break;
                };
                if (all || found.is_empty()) && matches(&slot) && is_claimed(&slot) {
                    self.leave(&mut state, &slot);
                    found.push_back(slot);
                } else {
                    state.armed.push_back(slot);
                }
            }
            left = left.saturating_sub(LOOK_AT_ONCE);
        }
        let mut taken = Chain::new();
        while let Some(slot) = found.pop() {
            if let Some(timer) = &slot.timer {
                timer.stop();
            }
            taken.push_back(slot);
        }
        taken
    }

    /// Notes that `slot` is not in the list any more.
    fn leave(&self, state: &mut State<D>, slot: &Slot<D>) {
        if let Some(timer) = &slot.timer {
            // SAFETY: The caller holds the lock, as `state` shows.
            let attended = unsafe { *timer.needs_attendant.get() };
            state.attended = state.attended.wrapping_sub(usize::from(attended));
        }
        self.note(state);
    }

    fn note(&self, state: &State<D>) {
        self.armed.store(state.armed.len(), Relaxed);
        self.attended.store(state.attended, Relaxed);
    }
}

/// A slot that was given up, and its timer.
type SetUp<D> = (NonNull<<D as Domain>::Item>, NonNull<Timer>);

/// The function of a timer.
type Callback = unsafe extern "C" fn(*mut bindings::hrtimer) -> bindings::hrtimer_restart;

/// Sets up the timer of a slot, which is given up: who starts the timer decides who has it. Gives the
/// slot back if there is no memory for a timer.
///
/// Process context; sleeps, and waits for a callback that is just running.
fn set_up<D: TimerDomain>(
    mut slot: Slot<D>,
    callback: Callback,
    clock: Clock,
    is_absolute: bool,
) -> Result<SetUp<D>, Slot<D>> {
    if slot.timer.is_none() {
        slot.timer = Timer::new::<D>().ok();
    }
    let Some(raw) = slot.timer.as_deref().map(NonNull::from) else {
        return Err(slot);
    };
    let item = slot.into_raw();
    // SAFETY: The slot keeps it as long as its pool exists, and that does while the slot is out.
    let timer = unsafe { raw.as_ref() };
    timer.stop();
    // INVARIANT: Initialised anew.
    // SAFETY: The timer is stopped, and the slot is ours.
    unsafe {
        helpers::io_ring_timer_setup(timer.timer.get(), Some(callback), clock.id(), is_absolute)
    };
    // SAFETY: As above.
    unsafe { *timer.item.get() = item.as_ptr().cast() };
    Ok((item, raw))
}

/// Makes an armed slot one's own, if its timer has not just rung.
fn is_claimed<D: TimerDomain>(slot: &Slot<D>) -> bool {
    slot.timer.as_ref().is_some_and(|timer| timer.claim())
}

/// The callback of a timer.
///
/// # Safety
///
/// `timer` is that of a [`Timer`] made for `D`, which is not freed before this has returned.
unsafe extern "C" fn rang<D: TimerDomain>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    const DONE: bindings::hrtimer_restart = bindings::hrtimer_restart::HRTIMER_NORESTART;
    // SAFETY: By the safety requirements.
    let timer: &Timer = unsafe { Timer::of(timer) };
    if !timer.claim() {
        return DONE;
    }
    // SAFETY: Written before it was armed, and not again before somebody owns the slot: that is us.
    let item = unsafe { NonNull::new_unchecked((*timer.item.get()).cast::<D::Item>()) };
    // SAFETY: The slot is out, since it was armed.
    let timers = D::timers(unsafe { Slot::<D>::shared_of(item) });
    let mut state = timers.state.lock();
    // SAFETY: What was armed is in the list, and leaves it by who claims it; it was put there after
    // `into_raw`.
    let slot = unsafe { state.armed.remove(item) };
    timers.leave(&mut state, &slot);
    drop(state);
    D::rang(slot);
    DONE
}

// SPDX-License-Identifier: GPL-2.0-only

//! Sharing, within one thread.

pub use std::sync::Arc;

/// Atomic variables.
pub mod atomic {
    use core::sync::atomic::{AtomicU64, Ordering};

    /// No order.
    pub struct Relaxed;
    /// What follows a load.
    pub struct Acquire;
    /// What comes before a store.
    pub struct Release;
    /// All of it.
    pub struct Full;

    /// A number of at most 64 bits.
    pub trait Word: Copy {
        /// Cut to its size.
        fn of(bits: u64) -> Self;
        /// Widened.
        fn bits(self) -> u64;
    }

    macro_rules! words {
        ($($type:ty),*) => {$(
            impl Word for $type {
                fn of(bits: u64) -> Self {
                    bits as Self
                }

                fn bits(self) -> u64 {
                    self as u64
                }
            }
        )*};
    }

    words!(u32, usize);

    /// An atomic variable.
    pub struct Atomic<T>(AtomicU64, core::marker::PhantomData<T>);

    impl<T: Word> Atomic<T> {
        /// One with this value.
        pub fn new(value: T) -> Self {
            Self(AtomicU64::new(value.bits()), core::marker::PhantomData)
        }

        /// Reads.
        pub fn load<O>(&self, _order: O) -> T {
            T::of(self.0.load(Ordering::SeqCst))
        }

        /// Writes.
        pub fn store<O>(&self, value: T, _order: O) {
            self.0.store(value.bits(), Ordering::SeqCst);
        }

        /// Adds.
        pub fn fetch_add<O>(&self, value: T, _order: O) -> T {
            T::of(self.0.fetch_add(value.bits(), Ordering::SeqCst))
        }
    }
}

/// Barriers.
pub mod barrier {
    /// A full one.
    pub fn smp_mb(_order: super::atomic::Full) {}
}

// SPDX-License-Identifier: GPL-2.0

//! The pool of request slots.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_pool)]
mod tests {
    use crate::abstractions::pool::{
        Chain,
        Domain,
        Inside,
        Pool, //
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    enum Numbers {}

    impl Domain for Numbers {
        type Item = (usize, Option<Arc<()>>);
        type Shared = ();
        type Locked = Chain<Self>;

        fn recall(inside: &mut Inside<Self>) {
            while let Some(slot) = inside.state.pop() {
                inside.put(slot);
            }
        }
    }

    fn pool(len: usize) -> Result<Pool<Numbers>> {
        Pool::new(len, || (0, None), Chain::new(), Ok(()))
    }

    #[test]
    fn gives_each_slot_once() -> Result {
        for len in [1, 2, 7, 64] {
            let pool = pool(len)?;
            let mut out = Chain::new();
            let mut inside = pool.lock();
            assert_eq!(inside.at_home(), len);
            let mut taken = 0;
            while let Some(mut slot) = inside.take() {
                taken += 1;
                slot.0 = taken;
                out.push_back(slot);
            }
            assert_eq!(taken, len);
            assert_eq!(inside.at_home(), 0);
            for expected in 1..=len {
                if let Some(slot) = out.pop() {
                    assert_eq!(slot.0, expected);
                    inside.put(slot);
                }
            }
            assert!(out.is_empty());
            assert_eq!(inside.at_home(), len);
        }
        Ok(())
    }

    #[test]
    fn dropped_slots_come_home() -> Result {
        let pool = pool(3)?;
        let first = pool.lock().take();
        assert_eq!(pool.lock().at_home(), 2);
        drop(first);
        assert_eq!(pool.lock().at_home(), 3);
        let mut chain = Chain::new();
        while let Some(slot) = {
            let taken = pool.lock().take();
            taken
        } {
            chain.push(slot);
        }
        assert_eq!(pool.lock().at_home(), 0);
        drop(chain);
        assert_eq!(pool.lock().at_home(), 3);
        Ok(())
    }

    #[test]
    fn finish_runs_once_under_the_lock() -> Result {
        let pool = pool(1)?;
        let slot = pool.lock().take();
        let mut runs = 0;
        if let Some(slot) = slot {
            slot.finish(|(), inside, slot| {
                runs += 1;
                inside.put(slot);
            });
        }
        assert_eq!(runs, 1);
        assert_eq!(pool.lock().at_home(), 1);
        Ok(())
    }

    #[test]
    fn parked_slots_and_items_are_freed_with_the_pool() -> Result {
        let witness = Arc::new((), GFP_KERNEL)?;
        let pool = pool(4)?;
        {
            let mut inside = pool.lock();
            for _ in 0..2 {
                if let Some(mut slot) = inside.take() {
                    slot.1 = Some(witness.clone());
                    inside.state.push_back(slot);
                }
            }
        }
        drop(pool);
        // Only this reference is left.
        assert!(Arc::into_unique_or_drop(witness).is_some());
        Ok(())
    }
}

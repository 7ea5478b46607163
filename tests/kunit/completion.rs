// SPDX-License-Identifier: GPL-2.0

//! The kernel's end of the completion queue, with a program at the other end.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_completion)]
mod tests {
    use crate::{
        abi,
        abstractions::{
            pool::Pool,
            shared_mem::journal::Step, //
        },
        kunit::{
            completer,
            fake_user::{
                FakeUser,
                Memory,
                NEAR_WRAP, //
            },
        },
        request::Requests,
        ring::{
            completion::{
                self,
                CompletionQueue,
                OnCount,
                OnIdle, //
            },
            index::Position, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc, //
        },
    };

    /// A queue of `cq_entries` and `requests` slots, and a program.
    fn ring(cq_entries: u32, requests: usize) -> Result<(Pool<Requests>, FakeUser)> {
        let memory = Memory::new(1, cq_entries, false)?;
        Ok((pool_in(&memory, requests)?, FakeUser::new(&memory)?))
    }

    /// The same without the program.
    fn pool_in(memory: &Memory, requests: usize) -> Result<Pool<Requests>> {
        let mut queue = CompletionQueue::new(&memory.mem, &memory.layout)?;
        queue.start_at(Position::new(NEAR_WRAP));
        completer::pool(memory, requests, queue)
    }

    /// Completes one request; false if no slot is free.
    fn complete(pool: &Pool<Requests>, user_data: u64) -> bool {
        let cqe = abi::Cqe {
            user_data,
            res: -1,
            flags: 3,
        };
        completer::complete(pool, cqe)
    }

    #[test]
    fn completions_are_published_before_the_tail() -> Result {
        let memory = Memory::new(1, 2, false)?;
        let pool = pool_in(&memory, 4)?;
        let (journal, off) = (&memory.mem.journal, &memory.layout.cq_off);
        let cqe = |number: u32| (off.cqes + 16 * (NEAR_WRAP.wrapping_add(number) & 1), 16);
        let (tail, head) = ((off.tail, 4), (off.head, 4));
        let flags = (memory.layout.sq_off.flags, 4);

        for number in 0..2 {
            journal.restart();
            assert!(complete(&pool, 1));
            assert_eq!(
                journal.steps()?,
                [
                    (Step::Write, cqe(number)),
                    (Step::Publish, cqe(number)),
                    (Step::Write, tail),
                    (Step::Publish, tail),
                ]
            );
        }
        // Whether there is room is what the program says; what it has not read stays.
        journal.restart();
        assert!(complete(&pool, 1));
        assert_eq!(
            journal.steps()?,
            [
                (Step::Consume, head),
                (Step::Read, head),
                (Step::Write, flags),
                (Step::Publish, flags),
                (Step::Write, (off.overflow, 4)),
                (Step::Publish, (off.overflow, 4)),
                (Step::Write, tail),
                (Step::Publish, tail),
            ]
        );
        Ok(())
    }

    #[test]
    fn completions_arrive_in_order_across_the_wrap() -> Result {
        for bit in 0..=16 {
            let entries: u32 = 1 << bit;
            let (pool, user) = ring(entries, 1)?;
            let mut next = 0;
            while next < u64::from(entries.max(64)) {
                for i in 0..u64::from(entries) {
                    assert!(complete(&pool, next + i));
                }
                assert_eq!(completion::ready(&pool), Ok(entries));
                for i in 0..u64::from(entries) {
                    let expected = abi::Cqe {
                        user_data: next + i,
                        res: -1,
                        flags: 3,
                    };
                    assert_eq!(user.reap(), Some(expected));
                }
                assert_eq!(user.reap(), None);
                next += u64::from(entries);
            }
            assert_eq!(user.cq_overflow.load_acquire(), 0);
        }
        Ok(())
    }

    #[test]
    fn full_queue_parks_in_order_and_loses_nothing() -> Result {
        for bit in 0..=6 {
            let entries: u32 = 1 << bit;
            let slots = entries as usize + 5;
            let (pool, user) = ring(entries, slots)?;
            let total = u64::from(entries) + slots as u64;
            for i in 0..total {
                assert!(complete(&pool, i));
            }
            // Every slot is parked, so there is none for another request.
            assert!(!complete(&pool, total));
            assert_eq!(pool.lock().at_home(), 0);
            assert_eq!(user.sq_flags.load_acquire(), abi::SQ_CQ_OVERFLOW);
            assert_eq!(user.cq_overflow.load_acquire(), u32::try_from(slots)?);
            assert!(pool.shared().completion.has_parked());

            let mut next = 0;
            while next < total {
                while let Some(cqe) = user.reap() {
                    assert_eq!(cqe.user_data, next);
                    next += 1;
                }
                completion::flush_parked(&pool);
            }
            assert_eq!(user.reap(), None);
            assert_eq!(user.sq_flags.load_acquire(), 0);
            assert!(!pool.shared().completion.has_parked());
            assert_eq!(pool.lock().at_home(), slots);
        }
        Ok(())
    }

    #[test]
    fn newer_completions_do_not_overtake_parked_ones() -> Result {
        let (pool, user) = ring(2, 8)?;
        for i in 0..4 {
            assert!(complete(&pool, i));
        }
        assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(0));
        // Room for one: number 2 moves over, number 4 waits behind number 3.
        assert!(complete(&pool, 4));
        for expected in 1..=2 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        assert_eq!(user.reap(), None);
        assert_eq!(pool.lock().state.parked(), 2);
        Ok(())
    }

    #[test]
    fn newer_completions_do_not_overtake_many_parked_ones() -> Result {
        let (pool, user) = ring(8, 32)?;
        for i in 0..16 {
            assert!(complete(&pool, i));
        }
        for expected in 0..8 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        // There is room for more than one completion moves over at a time.
        for i in 16..20 {
            assert!(complete(&pool, i));
        }
        completion::flush_parked(&pool);
        for expected in 8..16 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        completion::flush_parked(&pool);
        for expected in 16..20 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        assert_eq!(user.reap(), None);
        Ok(())
    }

    #[test]
    fn lying_head_parks_and_can_be_put_right() -> Result {
        let (pool, user) = ring(2, 8)?;
        assert!(complete(&pool, 0));
        assert!(complete(&pool, 1));
        for lie in [3, 1 << 16, 1 << 31, u32::MAX] {
            user.cq_head.store_release(NEAR_WRAP.wrapping_add(lie));
            assert!(completion::ready(&pool).is_err());
        }
        assert!(complete(&pool, 2));
        assert_eq!(pool.lock().state.parked(), 1);

        user.cq_head.store_release(NEAR_WRAP);
        for expected in 0..2 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        assert!(complete(&pool, 3));
        for expected in 2..4 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        Ok(())
    }

    #[test]
    fn published_words_are_never_read_back() -> Result {
        let (pool, user) = ring(4, 4)?;
        user.cq_tail.store_release(99);
        assert!(complete(&pool, 0));
        assert_eq!(user.cq_tail.load_acquire(), NEAR_WRAP.wrapping_add(1));
        Ok(())
    }

    /// A completion of a request that goes on.
    fn complete_more(pool: &Pool<Requests>, user_data: u64) -> bool {
        let mut inside = pool.lock();
        let cqe = abi::Cqe {
            user_data,
            ..abi::Cqe::default()
        };
        let has_place = completion::post_more(&mut inside, cqe);
        completion::publish(&pool.shared().completion, &mut inside);
        has_place
    }

    #[test]
    fn what_goes_on_needs_room_and_overtakes_nobody() -> Result {
        let (pool, user) = ring(2, 8)?;
        assert!(complete_more(&pool, 0));
        assert!(complete_more(&pool, 1));
        assert!(!complete_more(&pool, 2));
        assert_eq!(pool.lock().state.overflow(), 0);
        for i in 2..4 {
            assert!(complete(&pool, i));
        }
        // There is room for one, and number 2 gets it.
        assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(0));
        assert!(!complete_more(&pool, 4));
        for expected in 1..=2 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        assert!(complete_more(&pool, 4));
        for expected in 3..=4 {
            assert_eq!(user.reap().map(|cqe| cqe.user_data), Some(expected));
        }
        assert_eq!(user.reap(), None);
        let inside = pool.lock();
        assert_eq!(inside.at_home(), 8);
        assert_eq!((inside.state.posted(), inside.state.answered()), (5, 2));
        Ok(())
    }

    /// Notes what it is told.
    struct Observer(Atomic<u64>);

    impl OnCount for Observer {
        fn run(&self, came: u64) {
            self.0.store(came, Relaxed);
        }
    }

    impl OnIdle for Observer {
        fn run(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn who_counts_is_told_of_all_but_what_is_left_out() -> Result {
        let (pool, _user) = ring(2, 8)?;
        let observer = Arc::new(Observer(Atomic::new(0)), GFP_KERNEL)?;
        assert!(complete(&pool, 0));
        assert_eq!(completion::count(&mut pool.lock(), observer.clone()), 1);
        assert!(complete_more(&pool, 1));
        assert_eq!(observer.0.load(Relaxed), 2);
        // It is parked.
        assert!(complete(&pool, 2));
        assert_eq!(observer.0.load(Relaxed), 3);
        pool.lock().state.leave_out();
        assert!(complete(&pool, 3));
        assert_eq!(observer.0.load(Relaxed), 3);
        assert_eq!(completion::count(&mut pool.lock(), observer.clone()), 3);
        Ok(())
    }

    #[test]
    fn who_waits_for_the_last_request_is_told_once() -> Result {
        let (pool, _user) = ring(2, 2)?;
        let first = pool.lock().take();
        let second = pool.lock().take();
        let observer = Arc::new(Observer(Atomic::new(0)), GFP_KERNEL)?;
        completion::when_idle(&pool, observer.clone());
        for slot in [first, second].into_iter().flatten() {
            assert_eq!(observer.0.load(Relaxed), 0);
            slot.finish(|shared, inside, slot| {
                completion::post(inside, slot);
                completion::publish(&shared.completion, inside);
            });
        }
        assert_eq!(observer.0.load(Relaxed), 1);
        assert!(complete(&pool, 0));
        assert_eq!(observer.0.load(Relaxed), 1);
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Rings that have run for long: positions and counters go past 2^32, several times, while
//! completions overflow, requests want none, and entries are dropped.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_counters)]
mod tests {
    use crate::{
        abi,
        abstractions::pool::Pool,
        kunit::{
            completer,
            fake_user::{
                FakeUser,
                Memory, //
            },
        },
        request::Requests,
        ring::{
            completion::{
                self,
                CompletionQueue, //
            },
            index::{
                lower_half,
                Position, //
            },
            submission::SubmissionQueue, //
        },
    };
    use kernel::prelude::*;

    const ENTRIES: u32 = 4;
    const REQUESTS: usize = 9;
    /// How far before the wrap a run begins, and how many steps it has.
    const BEFORE: u64 = 25;
    const STEPS: u32 = 200;
    const WRAPS: u64 = 4;

    /// Numbers that look like chance, and are the same each time.
    struct Chance(u32);

    impl Chance {
        fn below(&mut self, limit: u32) -> u32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 16) % limit
        }
    }

    /// What the queue should have counted.
    struct Model {
        /// Numbers of the completions: the first that was not read, the first that is parked, and the
        /// next one.
        read: u64,
        parked: u64,
        next: u64,
        overflow: u64,
        skipped: u64,
        /// What all counters started at.
        start: u64,
    }

    impl Model {
        fn new(start: u64) -> Self {
            Self {
                read: start,
                parked: start,
                next: start,
                overflow: start,
                skipped: start,
                start,
            }
        }

        fn has_room(&self) -> bool {
            self.parked - self.read < u64::from(ENTRIES)
        }

        fn unpark(&mut self) {
            while self.parked < self.next && self.has_room() {
                self.parked += 1;
            }
        }

        fn complete(&mut self) {
            self.unpark();
            let is_parked = self.parked < self.next || !self.has_room();
            self.next += 1;
            if is_parked {
                self.overflow += 1;
            } else {
                self.parked += 1;
            }
        }
    }

    /// A queue all of whose counters stand at `start`, as does its tail.
    fn pool_at(memory: &Memory, start: u64) -> Result<Pool<Requests>> {
        let mut queue = CompletionQueue::new(&memory.mem, &memory.layout)?;
        queue.start_at(Position::new(lower_half(start)));
        queue.count_from(start);
        completer::pool(memory, REQUESTS, queue)
    }

    /// Completes a request with this number; false if no slot is free.
    fn complete(pool: &Pool<Requests>, user_data: u64) -> bool {
        let cqe = abi::Cqe {
            user_data,
            ..abi::Cqe::default()
        };
        completer::complete(pool, cqe)
    }

    fn check(pool: &Pool<Requests>, user: &FakeUser, model: &Model) {
        let inside = pool.lock();
        assert_eq!(inside.state.posted(), model.parked);
        assert_eq!(inside.state.overflow(), model.overflow);
        assert_eq!(inside.state.skipped(), model.skipped);
        assert_eq!(u64::from(inside.state.parked()), model.next - model.parked);
        drop(inside);
        assert_eq!(user.cq_tail.load_acquire(), lower_half(model.parked));
        // The program's counter was 0 when the ring was made.
        if model.overflow != model.start {
            assert_eq!(user.cq_overflow.load_acquire(), lower_half(model.overflow));
        }
    }

    #[test]
    fn of_completions_go_on_past_each_wrap() -> Result {
        let mut chance = Chance(1);
        for wrap in 1..=WRAPS {
            let memory = Memory::new(1, ENTRIES, false)?;
            let start = (wrap << 32) - BEFORE;
            let (pool, user) = (pool_at(&memory, start)?, FakeUser::new(&memory)?);
            let mut model = Model::new(start);
            for _ in 0..STEPS {
                match chance.below(4) {
                    0 => {
                        if let Some(cqe) = user.reap() {
                            assert_eq!(cqe.user_data, model.read);
                            model.read += 1;
                        }
                        completion::flush_parked(&pool);
                        model.unpark();
                    }
                    1 => {
                        let count = u64::from(chance.below(3));
                        completion::skip(&mut pool.lock(), count);
                        model.skipped += count;
                    }
                    _ => {
                        if complete(&pool, model.next) {
                            model.complete();
                        }
                    }
                }
                check(&pool, &user, &model);
            }
            // All of them are beyond the wrap by now.
            let wrapped = wrap << 32;
            assert!(model.read > wrapped && model.overflow > wrapped && model.skipped > wrapped);
        }
        Ok(())
    }

    #[test]
    fn of_entries_go_on_past_each_wrap() -> Result {
        for wrap in 1..=WRAPS {
            let memory = Memory::new(ENTRIES, ENTRIES * 2, true)?;
            let user = FakeUser::new(&memory)?;
            let mut queue = SubmissionQueue::new(&memory.mem, &memory.layout)?;
            let start = (wrap << 32) - BEFORE;
            queue.start_at(Position::new(lower_half(start)));
            queue.count_from(start);
            let mut dropped = start;
            for number in start..start + u64::from(STEPS) {
                user.offer(number);
                // Every other one names an entry that there is not.
                let is_bad = number % 2 == 0;
                if let (Some(array), true) = (&user.array, is_bad) {
                    array.write(lower_half(number), ENTRIES);
                }
                assert_eq!(queue.available(), Ok(1));
                let taken = queue.take().map(|sqe| sqe.user_data);
                queue.publish();
                dropped += u64::from(is_bad);
                assert_eq!(taken, (!is_bad).then_some(number));
                assert_eq!(queue.dropped(), dropped);
                assert_eq!(queue.head().get(), lower_half(number + 1));
                assert_eq!(user.sq_head.load_acquire(), lower_half(number + 1));
                if is_bad {
                    assert_eq!(user.sq_dropped.load_acquire(), lower_half(dropped));
                    assert_eq!(user.sq_dropped_at.load_acquire(), lower_half(number));
                }
            }
            assert!(dropped > wrap << 32);
        }
        Ok(())
    }
}

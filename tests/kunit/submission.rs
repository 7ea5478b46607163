// SPDX-License-Identifier: GPL-2.0

//! The kernel's end of the submission queue, with a program at the other end.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_submission)]
mod tests {
    use crate::{
        abstractions::shared_mem::journal::Step,
        kunit::fake_user::{
            FakeUser,
            Memory,
            NEAR_WRAP, //
        },
        ring::{
            index::{
                OutOfRange,
                Position, //
            },
            submission::SubmissionQueue, //
        },
        wait::terms::Terms,
    };
    use kernel::prelude::*;

    fn queue(entries: u32, index_array: bool) -> Result<(SubmissionQueue, FakeUser)> {
        let memory = Memory::new(entries, entries * 2, index_array)?;
        let mut queue = SubmissionQueue::new(&memory.mem, &memory.layout)?;
        queue.start_at(Position::new(NEAR_WRAP));
        Ok((queue, FakeUser::new(&memory)?))
    }

    #[test]
    fn entries_are_consumed_after_the_tail() -> Result {
        let memory = Memory::new(2, 4, true)?;
        let mut queue = SubmissionQueue::new(&memory.mem, &memory.layout)?;
        let user = FakeUser::new(&memory)?;
        user.offer(1);
        user.offer(2);
        let (journal, off) = (&memory.mem.journal, &memory.layout.sq_off);
        journal.restart();
        assert_eq!(queue.available(), Ok(2));
        assert!(queue.take().is_some());
        assert!(queue.take().is_some());
        queue.publish();
        let sqes = memory.layout.sqes_offset;
        assert_eq!(
            journal.steps()?,
            [
                (Step::Consume, (off.tail, 4)),
                (Step::Read, (off.tail, 4)),
                (Step::Consume, (off.array, 4)),
                (Step::Read, (off.array, 4)),
                (Step::Consume, (sqes, 64)),
                (Step::Read, (sqes, 64)),
                (Step::Consume, (off.array + 4, 4)),
                (Step::Read, (off.array + 4, 4)),
                (Step::Consume, (sqes + 64, 64)),
                (Step::Read, (sqes + 64, 64)),
                (Step::Write, (off.head, 4)),
                (Step::Publish, (off.head, 4)),
            ]
        );
        Ok(())
    }

    #[test]
    fn entries_arrive_in_order_across_the_wrap() -> Result {
        for bit in 0..=15 {
            for index_array in [false, true] {
                let entries = 1 << bit;
                let (mut queue, user) = queue(entries, index_array)?;
                let mut next = 0;
                // At least 64 entries and at least one full ring, in batches of the ring's size.
                while next < u64::from(entries.max(64)) {
                    for i in 0..u64::from(entries) {
                        user.offer(next + i);
                    }
                    assert_eq!(queue.available(), Ok(entries));
                    for i in 0..u64::from(entries) {
                        assert_eq!(queue.take().map(|sqe| sqe.user_data), Some(next + i));
                    }
                    assert_eq!(queue.available(), Ok(0));
                    queue.publish();
                    assert_eq!(user.sq_head.load_acquire(), user.sq_tail.load_acquire());
                    next += u64::from(entries);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn lying_tail_is_refused_and_can_be_put_right() -> Result {
        let (mut queue, user) = queue(8, false)?;
        for lie in [9, 1 << 16, 1 << 31, u32::MAX] {
            user.sq_tail.store_release(NEAR_WRAP.wrapping_add(lie));
            assert_eq!(queue.available(), Err(OutOfRange));
        }
        user.sq_tail.store_release(NEAR_WRAP);
        user.offer(7);
        assert_eq!(queue.available(), Ok(1));
        assert_eq!(queue.take().map(|sqe| sqe.user_data), Some(7));
        // A tail behind what has been taken.
        user.sq_tail.store_release(NEAR_WRAP);
        assert_eq!(queue.available(), Err(OutOfRange));
        Ok(())
    }

    #[test]
    fn tail_that_changes_between_two_reads_is_judged_each_time() -> Result {
        let (queue, user) = queue(4, false)?;
        user.sq_tail.store_release(NEAR_WRAP.wrapping_add(4));
        assert_eq!(queue.available(), Ok(4));
        user.sq_tail.store_release(NEAR_WRAP.wrapping_add(5));
        assert_eq!(queue.available(), Err(OutOfRange));
        user.sq_tail.store_release(NEAR_WRAP.wrapping_add(1));
        assert_eq!(queue.available(), Ok(1));
        Ok(())
    }

    #[test]
    fn what_is_offered_later_is_beyond_the_limit() -> Result {
        let (mut queue, user) = queue(4, false)?;
        user.offer(1);
        user.offer(2);
        let terms = Terms::until(Position::new(user.sq_tail.load_acquire()));
        user.offer(3);
        assert_eq!(terms.limit(&queue, u32::MAX), 2);
        assert_eq!(terms.limit(&queue, 1), 1);
        // Others take all, with the one that came later.
        for left in [1, 0, 0] {
            assert!(queue.take().is_some());
            assert_eq!(terms.limit(&queue, u32::MAX), left);
        }
        Ok(())
    }

    #[test]
    fn published_words_are_never_read_back() -> Result {
        let (mut queue, user) = queue(4, false)?;
        user.offer(1);
        user.sq_head.store_release(12345);
        assert_eq!(queue.available(), Ok(1));
        assert!(queue.take().is_some());
        queue.publish();
        assert_eq!(user.sq_head.load_acquire(), NEAR_WRAP.wrapping_add(1));
        Ok(())
    }

    #[test]
    fn array_elements_that_name_no_entry_are_dropped() -> Result {
        let (mut queue, user) = queue(8, true)?;
        for i in 0..8 {
            user.offer(i);
        }
        if let Some(array) = &user.array {
            array.write(NEAR_WRAP.wrapping_add(2), 8);
            array.write(NEAR_WRAP.wrapping_add(5), u32::MAX);
            array.write(NEAR_WRAP.wrapping_add(6), user.number_of(NEAR_WRAP));
        }
        assert!(user.array.is_some());
        let mut seen = [None; 8];
        for slot in &mut seen {
            *slot = queue.take().map(|sqe| sqe.user_data);
        }
        let expected = [
            Some(0),
            Some(1),
            None,
            Some(3),
            Some(4),
            None,
            Some(0),
            Some(7),
        ];
        assert_eq!(seen, expected);
        assert_eq!(queue.dropped(), 2);
        assert_eq!(user.sq_dropped.load_acquire(), 2);
        assert_eq!(user.sq_dropped_at.load_acquire(), NEAR_WRAP.wrapping_add(5));
        Ok(())
    }
}

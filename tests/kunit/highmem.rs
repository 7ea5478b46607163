// SPDX-License-Identifier: GPL-2.0

//! Rings whose pages have no linear address: where there is highmem, these suites fail unless the
//! pages under test are.

#![forbid(unsafe_code)]

use crate::{
    abstractions::{
        shared_mem::{
            SharedArray,
            SharedWord, //
        },
        user_mapping, //
    },
    kunit::fake_user::Memory, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        ArcBorrow,
        Completion, //
    },
    time::{
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerRestart,
            RelativeMode, //
        },
        Monotonic, //
    },
};

const PAGE: u32 = PAGE_SIZE as u32;

/// The largest ring; fails if there is highmem and none of it in the ring.
fn largest_ring() -> Result<Memory> {
    let memory = Memory::new(32768, 65536, true)?;
    let pages = memory.mem.len() / PAGE_SIZE;
    let is_highmem = |page: &usize| memory.mem.is_highmem(page * PAGE_SIZE) == Some(true);
    let highmem = (0..pages).filter(is_highmem).count();
    pr_info!("io_ring_highmem: {highmem} of {pages} pages are highmem\n");
    if cfg!(CONFIG_HIGHMEM) && highmem == 0 {
        return Err(ENOTRECOVERABLE);
    }
    Ok(memory)
}

/// What interrupt code does with a ring: reads a word of each page, and replaces it.
#[pin_data]
struct Visit {
    #[pin]
    timer: HrTimer<Self>,
    words: KVec<SharedWord>,
    entries: SharedArray<[u64; 8]>,
    in_interrupt: Atomic<bool>,
    right: Atomic<usize>,
    entry: Atomic<u64>,
    #[pin]
    done: Completion,
}

impl HrTimerCallback for Visit {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        let mut right = 0;
        for (expected, word) in (0_u32..).zip(&this.words) {
            if word.load_acquire() == expected {
                right += 1;
            }
            word.store_release(!expected);
        }
        let [first, ..] = this.entries.read(1);
        this.entries.write(2, [first; 8]);
        this.entry.store(first, Relaxed);
        this.right.store(right, Relaxed);
        this.in_interrupt
            .store(user_mapping::in_interrupt(), Relaxed);
        this.done.complete_all();
        HrTimerRestart::NoRestart
    }
}

kernel::impl_has_hr_timer! {
    impl HasHrTimer<Self> for Visit {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

#[kunit_tests(io_ring_highmem)]
mod tests {
    use super::{
        largest_ring,
        Visit,
        PAGE, //
    };
    use crate::{
        abstractions::{
            anon_fd::NewFd,
            page_view::PageView,
            shared_mem::{
                SharedMem,
                SharedWord, //
            },
            user_mapping::UserMapping, //
        },
        kunit::{
            exported::Exported,
            fake_user::{
                FakeUser,
                Memory,
                NEAR_WRAP, //
            },
        },
        ring::{
            index::Position,
            submission::SubmissionQueue, //
        },
    };
    use kernel::{
        page::PAGE_SIZE,
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc,
            Completion, //
        },
        time::{
            hrtimer::{
                HrTimer,
                HrTimerPointer, //
            },
            Delta, //
        },
    };

    #[test]
    fn is_mapped_once_in_one_piece() -> Result {
        let memory = largest_ring()?;
        let (mem, other) = (&memory.mem, memory.mem.alias()?);
        let address = mem.address();
        let mut pages = KVec::new();
        for offset in (0..mem.len()).step_by(PAGE_SIZE) {
            let page = mem.page_id(offset);
            assert!(page.is_some());
            assert_eq!(other.page_id(offset), page);
            assert_eq!(mem.page_id(offset + PAGE_SIZE - 1), page);
            pages.push(page, GFP_KERNEL)?;
            other.word(u32::try_from(offset)?)?.store(!0);
        }
        for offset in (0..mem.len()).step_by(PAGE_SIZE) {
            let word = mem.word(u32::try_from(offset)?)?;
            // No page is in it twice.
            assert_eq!(word.load_acquire(), !0);
            word.store(1);
        }
        // Use has moved nothing.
        for (offset, page) in (0..).step_by(PAGE_SIZE).zip(&pages) {
            assert_eq!(mem.page_id(offset), *page);
        }
        assert_eq!(mem.address(), address);
        assert_eq!(mem.page_id(mem.len()), None);
        Ok(())
    }

    #[test]
    fn entries_may_straddle_pages() -> Result {
        let memory = largest_ring()?;
        let mem = &memory.mem;
        for page in [1, 2, mem.len() / PAGE_SIZE - 1] {
            let boundary = u32::try_from(page * PAGE_SIZE)?;
            for before in 1..8 {
                let entry = mem.array::<[u64; 8]>(boundary - 8 * before, 1)?;
                let value = [1, 2, 3, 4, 5, 6, 7, 8].map(|i| i << 40 | u64::from(before));
                entry.write(0, value);
                // Each part is where it belongs, seen through another mapping of each page.
                let second = PageView::new(mem, boundary as usize)?;
                let first = PageView::new(mem, boundary as usize - 1)?;
                for (i, word) in (0_u32..).zip(value) {
                    let low = u32::try_from(word & 0xffff_ffff)?;
                    let (view, at) = if i < before {
                        (&first, PAGE / 4 - 2 * before + 2 * i)
                    } else {
                        (&second, 2 * (i - before))
                    };
                    let at = at as usize;
                    assert_eq!(u64::from(view.load(at + 1)?), word >> 32);
                    assert_eq!(view.load(at)?, low);
                    view.store(at, !low)?;
                }
                drop(first);
                drop(second);
                assert_eq!(entry.read(0), value.map(|word| word ^ 0xffff_ffff));
            }
        }
        Ok(())
    }

    #[test]
    fn temporary_mappings_nest() -> Result {
        let memory = largest_ring()?;
        let mem = &memory.mem;
        let word = mem.word(8)?;
        let outer = PageView::new(mem, 0)?;
        let mut place = None;
        for offset in (PAGE_SIZE..mem.len()).step_by(PAGE_SIZE) {
            let inner = PageView::new(mem, offset)?;
            assert!(inner.address() != outer.address());
            if PageView::is_mapped()
                && (!cfg!(CONFIG_HIGHMEM) || mem.is_highmem(offset) == Some(true))
            {
                // One place for each depth, whatever the page: no linear address.
                assert_eq!(*place.get_or_insert(inner.address()), inner.address());
            }
            let value = u32::try_from(offset)?;
            inner.store(2, value)?;
            assert_eq!(mem.word(value + 8)?.load_acquire(), value);
            word.store_release(!value);
            assert_eq!(outer.load(2)?, !value);
            assert_eq!(inner.load(2)?, value);
        }
        Ok(())
    }

    #[test]
    fn all_entries_of_the_largest_ring_arrive() -> Result {
        let memory = largest_ring()?;
        let mut queue = SubmissionQueue::new(&memory.mem, &memory.layout)?;
        queue.start_at(Position::new(NEAR_WRAP));
        let user = FakeUser::new(&memory)?;
        for i in 0..u64::from(queue.capacity()) {
            user.offer(i * 3);
        }
        assert_eq!(queue.available(), Ok(queue.capacity()));
        for i in 0..u64::from(queue.capacity()) {
            assert_eq!(queue.take().map(|sqe| sqe.user_data), Some(i * 3));
        }
        Ok(())
    }

    #[test]
    fn interrupts_may_use_it() -> Result {
        let memory = largest_ring()?;
        let mem = &memory.mem;
        let mut words = KVec::new();
        for (value, offset) in (0_u32..).zip((0..mem.len()).step_by(PAGE_SIZE)) {
            let word = mem.word(u32::try_from(offset)? + 128)?;
            word.store(value);
            words.push(word, GFP_KERNEL)?;
        }
        let pages = words.len();
        let entries = mem.array::<[u64; 8]>(PAGE - 96, 4)?;
        entries.write(1, [77; 8]);
        let visit = Arc::pin_init(
            try_pin_init!(Visit {
                timer <- HrTimer::new(),
                words,
                entries,
                in_interrupt: Atomic::new(false),
                right: Atomic::new(0),
                entry: Atomic::new(0),
                done <- Completion::new(),
            }? Error),
            GFP_KERNEL,
        )?;
        let timer = visit.clone().start(Delta::from_micros(100));
        visit.done.wait_for_completion();
        drop(timer);

        assert!(visit.in_interrupt.load(Relaxed));
        assert_eq!(visit.right.load(Relaxed), pages);
        assert_eq!(visit.entry.load(Relaxed), 77);
        assert_eq!(visit.entries.read(2), [77; 8]);
        for (value, word) in (0_u32..).zip(&visit.words) {
            assert_eq!(word.load_acquire(), !value);
        }
        Ok(())
    }

    #[test]
    fn program_and_kernel_see_what_the_other_writes() -> Result {
        let memory = largest_ring()?;
        let mem = &memory.mem;
        let (file, fd) = Exported::new(mem)?;
        let user = UserMapping::new(&fd, mem.len())?;
        for offset in (0..mem.len()).step_by(PAGE_SIZE) {
            let mine = mem.word(u32::try_from(offset)? + 16)?;
            let theirs = user.word(offset + 16)?;
            assert_eq!(theirs.read()?, 0);
            mine.store_release(7);
            assert_eq!(theirs.read()?, 7);
            theirs.write(&u32::try_from(offset)?)?;
            assert_eq!(mine.load_acquire() as usize, offset);
        }
        assert!(user.word(mem.len()).is_err());
        drop(user);
        drop(fd);
        file.released.wait_for_completion();
        Ok(())
    }

    /// Largest rings, up to `most`, and the error that came before.
    fn fill(most: usize) -> Result<(KVec<Memory>, Option<Error>)> {
        let mut rings = KVec::with_capacity(most, GFP_KERNEL)?;
        let mut tags = 0_u32..;
        let error = loop {
            if rings.len() == most {
                break None;
            }
            match Memory::new(32768, 65536, true) {
                Ok(ring) => rings.push(ring, GFP_KERNEL)?,
                Err(e) => break Some(e),
            }
            if let (Some(ring), Some(tag)) = (rings.last(), tags.next()) {
                ring.mem.word(ring.layout.sqes_offset)?.store(tag);
            }
        };
        // Each has memory of its own.
        for (tag, ring) in (0..).zip(&rings) {
            let word = ring.mem.word(ring.layout.sqes_offset)?;
            if word.load_acquire() != tag {
                return Err(EIO);
            }
        }
        Ok((rings, error))
    }

    #[test]
    fn running_out_of_address_space_is_survived() -> Result {
        // What 64 bits can address is more than there is memory.
        let most = if cfg!(CONFIG_64BIT) { 16 } else { 1024 };
        let want = (!cfg!(CONFIG_64BIT)).then_some(ENOMEM);
        let (rings, error) = fill(most)?;
        assert_eq!(error, want);
        // It is addresses that are missing, not memory.
        let other = KVec::<u8>::from_elem(1, 1 << 16, GFP_KERNEL)?;
        assert_eq!(
            other.iter().map(|byte| u32::from(*byte)).sum::<u32>(),
            1 << 16
        );
        let before = rings.len();
        pr_info!("io_ring_highmem: {before} rings of the largest size\n");
        drop(rings);
        // All of it has come back.
        let (rings, error) = fill(most)?;
        assert_eq!(error, want);
        assert!(rings.len() + 1 >= before);
        Ok(())
    }

    /// One of those who keep the memory.
    #[expect(dead_code, reason = "some only keep what they hold")]
    enum Holder {
        Memory(Arc<SharedMem>),
        Alias(Arc<SharedMem>),
        Word(SharedWord),
        File(NewFd<Exported>),
        User(UserMapping),
    }

    impl Holder {
        /// The word at 8, as this one sees it; `None` if it cannot see it.
        fn look(&self) -> Result<Option<u32>> {
            Ok(match self {
                Self::Memory(mem) | Self::Alias(mem) => Some(mem.word(8)?.load_acquire()),
                Self::Word(word) => Some(word.load_acquire()),
                Self::File(_) => None,
                Self::User(user) => Some(user.word(8)?.read()?),
            })
        }

        /// Changes that word; false if this one cannot.
        fn change(&self, value: u32) -> Result<bool> {
            match self {
                Self::Memory(mem) | Self::Alias(mem) => mem.word(8)?.store_release(value),
                Self::Word(word) => word.store_release(value),
                Self::File(_) => return Ok(false),
                Self::User(user) => user.word(8)?.write(&value)?,
            }
            Ok(true)
        }
    }

    #[test]
    fn teardown_in_every_order() -> Result {
        for order in 0..120 {
            let mem = SharedMem::new(2 * PAGE_SIZE)?;
            let (file, fd) = Exported::new(&mem)?;
            let mut holders = KVec::with_capacity(5, GFP_KERNEL)?;
            holders.push(Holder::Alias(mem.alias()?), GFP_KERNEL)?;
            holders.push(Holder::Word(mem.word(8)?), GFP_KERNEL)?;
            holders.push(Holder::User(UserMapping::new(&fd, mem.len())?), GFP_KERNEL)?;
            holders.push(Holder::File(fd), GFP_KERNEL)?;
            holders.push(Holder::Memory(mem), GFP_KERNEL)?;

            let mut code = order;
            while !holders.is_empty() {
                let next = code % holders.len();
                code /= holders.len();
                drop(holders.remove(next).map_err(|_| EINVAL)?);
                for i in 0..holders.len() {
                    let value = u32::try_from(order * 100 + holders.len() * 10 + i)?;
                    let Some(writer) = holders.get(i) else {
                        return Err(EINVAL);
                    };
                    if writer.change(value)? {
                        for reader in &holders {
                            assert!(reader.look()?.unwrap_or(value) == value);
                        }
                    }
                }
            }
            file.released.wait_for_completion();
        }
        Ok(())
    }
}

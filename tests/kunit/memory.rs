// SPDX-License-Identifier: GPL-2.0

//! Shared memory: bounds, and that two mappings show the same bytes, whether highmem or not.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_memory)]
mod tests {
    use crate::{
        abstractions::shared_mem::{
            journal::Step,
            SharedMem, //
        },
        kunit::fake_user::Memory, //
    };
    use kernel::{
        page::PAGE_SIZE,
        prelude::*, //
    };

    const PAGE: u32 = PAGE_SIZE as u32;

    #[test]
    fn is_rounded_to_pages_and_zero() -> Result {
        for bytes in [1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE] {
            let mem = SharedMem::new(bytes)?;
            assert_eq!(mem.len(), bytes.next_multiple_of(PAGE_SIZE));
            for offset in (0..mem.len()).step_by(4) {
                assert_eq!(mem.word(u32::try_from(offset)?)?.load_acquire(), 0);
            }
        }
        Ok(())
    }

    #[test]
    fn parts_outside_are_refused() -> Result {
        let mem = SharedMem::new(2 * PAGE_SIZE)?;
        assert!(mem.word(2 * PAGE - 4).is_ok());
        for offset in [2 * PAGE, 2 * PAGE - 2, 2, u32::MAX, u32::MAX - 3] {
            assert!(mem.word(offset).is_err());
        }
        assert!(mem.array::<[u64; 8]>(0, 2 * PAGE / 64).is_ok());
        assert!(mem.array::<[u64; 8]>(0, 2 * PAGE / 32).is_err());
        assert!(mem.array::<[u64; 8]>(64, 2 * PAGE / 64).is_err());
        assert!(mem.array::<[u64; 8]>(4, 1).is_err());
        assert!(mem.array::<u32>(0, 3).is_err());
        assert!(mem.array::<u32>(0, 0).is_err());
        assert!(mem.array::<u32>(0, 1 << 31).is_err());
        Ok(())
    }

    #[test]
    fn array_index_is_modulo_the_length() -> Result {
        let mem = SharedMem::new(PAGE_SIZE)?;
        let array = mem.array::<[u64; 2]>(0x140, 4)?;
        for i in 0..4_u32 {
            array.write(i, [u64::from(i), !0]);
        }
        for i in [0, 1, 3, 4, 7, u32::MAX, u32::MAX - 2] {
            assert_eq!(array.read(i), [u64::from(i % 4), !0]);
        }
        Ok(())
    }

    #[test]
    fn each_access_has_its_hook() -> Result {
        let mem = SharedMem::new(2 * PAGE_SIZE)?;
        let (word, entries) = (mem.word(12)?, mem.array::<[u64; 8]>(PAGE - 64, 2)?);
        let journal = &mem.journal;
        journal.restart();
        word.store(1);
        word.store_release(2);
        assert_eq!(word.load_acquire(), 2);
        entries.write(1, [3; 8]);
        assert_eq!(entries.read(3), [3; 8]);
        let (at, entry) = ((12, 4), (PAGE, 64));
        assert_eq!(
            journal.steps()?,
            [
                (Step::Write, at),
                (Step::Publish, at),
                (Step::Write, at),
                (Step::Publish, at),
                (Step::Consume, at),
                (Step::Read, at),
                (Step::Write, entry),
                (Step::Publish, entry),
                (Step::Consume, entry),
                (Step::Read, entry),
            ]
        );
        Ok(())
    }

    #[test]
    fn a_page_is_flushed_for_each_part_of_an_entry() -> Result {
        let mem = SharedMem::new(2 * PAGE_SIZE)?;
        let pages = |pages| {
            if cfg!(CONFIG_ARCH_HAS_CPU_CACHE_ALIASING) {
                pages
            } else {
                0
            }
        };
        for (offset, flushed) in [
            (PAGE - 64, pages(1)),
            (PAGE - 56, pages(2)),
            (PAGE - 8, pages(2)),
            (PAGE, pages(1)),
        ] {
            let entry = mem.array::<[u64; 8]>(offset, 1)?;
            mem.journal.restart();
            entry.write(0, [1; 8]);
            assert_eq!(mem.journal.flushed(), flushed);
            assert_eq!(entry.read(0), [1; 8]);
            assert_eq!(mem.journal.flushed(), 2 * flushed);
        }
        Ok(())
    }

    #[test]
    fn second_mapping_shows_the_same_bytes() -> Result {
        let memory = Memory::new(1024, 2048, true)?;
        let (mine, other) = (&memory.mem, memory.mem.alias()?);
        assert_eq!(other.len(), mine.len());
        assert!(other.address() != mine.address());

        let words = u32::try_from(mine.len() / 4)?;
        for i in 0..words {
            mine.word(i * 4)?.store(i ^ 0xa5a5_a5a5);
        }
        for i in 0..words {
            assert_eq!(other.word(i * 4)?.load_acquire(), i ^ 0xa5a5_a5a5);
        }
        for i in (0..words).step_by(61) {
            other.word(i * 4)?.store_release(!i);
            assert_eq!(mine.word(i * 4)?.load_acquire(), !i);
        }
        Ok(())
    }

    #[test]
    fn memory_outlives_its_handle() -> Result {
        let mem = SharedMem::new(PAGE_SIZE)?;
        let (word, alias) = (mem.word(8)?, mem.alias()?);
        drop(mem);
        word.store_release(42);
        assert_eq!(alias.word(8)?.load_acquire(), 42);
        drop(word);
        assert_eq!(alias.word(8)?.load_acquire(), 42);
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Shared memory: bounds, and that two mappings show the same bytes, whether highmem or not.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_memory)]
mod tests {
    use crate::{
        abstractions::shared_mem::SharedMem,
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

    #[test]
    fn largest_ring_is_mapped_page_by_page() -> Result {
        let memory = Memory::new(32768, 65536, true)?;
        let pages = memory.mem.len() / PAGE_SIZE;
        let mut highmem = 0;
        for page in 0..pages {
            if memory.mem.is_highmem(page * PAGE_SIZE) == Some(true) {
                highmem += 1;
            }
        }
        pr_info!(
            "io_ring_memory: {} of {} pages are highmem\n",
            highmem,
            pages
        );
        assert_eq!(memory.mem.is_highmem(memory.mem.len()), None);
        // Where there is highmem, ring pages come from it first.
        assert!(!cfg!(CONFIG_HIGHMEM) || highmem > 0);

        let other = memory.mem.alias()?;
        for page in 0..u32::try_from(pages)? {
            memory.mem.word(page * PAGE)?.store(page + 1);
            assert_eq!(other.word(page * PAGE)?.load_acquire(), page + 1);
        }
        Ok(())
    }
}

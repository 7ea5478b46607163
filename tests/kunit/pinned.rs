// SPDX-License-Identifier: GPL-2.0

//! Pinned buffers as files see them. Where there is highmem, this fails unless the pages are.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_pinned)]
mod tests {
    use crate::abstractions::{
        pinned::{
            pinned_pages,
            PinnedBuffer, //
        },
        user_mapping::UserMapping,
        user_struct::UserStruct, //
    };
    use kernel::{
        page::PAGE_SIZE,
        prelude::*, //
    };

    const PAGES: usize = 40;
    /// Bytes of the first page before the buffer, and of the last one after it.
    const SKEW: usize = 100;
    const LEN: usize = PAGES * PAGE_SIZE - 2 * SKEW;

    /// The buffer, in memory of a program.
    fn pinned() -> Result<(UserMapping, usize, PinnedBuffer)> {
        let user = UserMapping::anonymous(PAGES * PAGE_SIZE)?;
        let start = user.start().wrapping_add(SKEW);
        let buffer = PinnedBuffer::new(start as u64, LEN as u64)?;
        Ok((user, start, buffer))
    }

    #[test]
    fn pages_are_highmem_where_there_is_some() -> Result {
        assert_eq!(pinned_pages(), 0);
        let (_user, _, buffer) = pinned()?;
        let (pages, highmem) = buffer.pages();
        pr_info!("io_ring_pinned: {highmem} of {pages} pages are highmem\n");
        assert_eq!(pages, PAGES);
        assert_eq!(highmem, if cfg!(CONFIG_HIGHMEM) { PAGES } else { 0 });
        assert_eq!(pinned_pages(), PAGES);
        drop(buffer);
        assert_eq!(pinned_pages(), 0);
        Ok(())
    }

    /// Around each end of a page, and the ends of the buffer.
    #[test]
    fn files_and_the_program_see_what_the_other_writes() -> Result {
        let (_user, start, buffer) = pinned()?;
        let places = (0..=PAGES).flat_map(|page| {
            let end = page * PAGE_SIZE;
            end..end + 11
        });
        for place in places {
            let offset = place.clamp(SKEW + 9, SKEW + LEN + 1) - 9 - SKEW;
            let address = start.wrapping_add(offset);
            let program = UserStruct::<[u8; 8]>::new(address);
            let [a, b, c, d, ..] = offset.to_ne_bytes();
            let theirs = [a, b, c, d, 1, 2, 3, 4];
            let mine = [1, a, 2, b, 3, c, 4, d];
            let mut seen = [0; 8];
            program.write(&theirs)?;
            assert_eq!(buffer.copy_out(address as u64, &mut seen).ok(), Some(8));
            assert_eq!(seen, theirs);
            assert_eq!(buffer.copy_in(address as u64, &mine).ok(), Some(8));
            assert_eq!(program.read()?, mine);
        }
        Ok(())
    }

    #[test]
    fn nothing_is_outside() -> Result {
        let (_user, start, buffer) = pinned()?;
        let mut seen = [7; 8];
        let start = start as u64;
        let end = start + LEN as u64;
        for address in [
            0,
            start - 1,
            end - 7,
            end,
            end + 1,
            start + (1 << 32),
            u64::MAX,
        ] {
            assert!(buffer.copy_out(address, &mut seen).is_err());
            assert!(buffer.copy_in(address, &seen).is_err());
        }
        assert_eq!(seen, [7; 8]);
        Ok(())
    }
}

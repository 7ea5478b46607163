// SPDX-License-Identifier: GPL-2.0

//! Whole rings, until the kernel cannot make any more.

#![forbid(unsafe_code)]

use kernel::prelude::*;

#[kunit_tests(io_ring_context)]
mod tests {
    use crate::{
        abi,
        context::Context,
        driver::Driver,
        op::allowed::OpSet,
        ring::{
            layout::Layout,
            sizes::Sizes, //
        },
    };
    use kernel::{
        page::PAGE_SIZE,
        prelude::*,
        sync::Arc, //
    };

    /// A ring of the largest size, which belongs to nobody.
    fn largest(driver: &Arc<Driver>) -> Result<Arc<Context>> {
        let setup = abi::Setup {
            entries: abi::MAX_ENTRIES,
            flags: abi::SETUP_REBIND,
            ..abi::Setup::default()
        };
        let sizes = Sizes::of(&setup, 2).map_err(|_| EINVAL)?;
        let page_size = u32::try_from(PAGE_SIZE)?;
        let layout = Layout::new(sizes.entries, sizes.cq_entries, true, page_size).ok_or(EINVAL)?;
        Context::new(driver, layout, &sizes, setup.flags, OpSet::all())
    }

    /// Up to `most` rings, and the error that came before.
    fn fill(driver: &Arc<Driver>, most: usize) -> Result<(KVec<Arc<Context>>, Option<Error>)> {
        let mut rings = KVec::with_capacity(most, GFP_KERNEL)?;
        while rings.len() < most {
            match largest(driver) {
                Ok(ring) => rings.push(ring, GFP_KERNEL)?,
                Err(error) => return Ok((rings, Some(error))),
            }
        }
        Ok((rings, None))
    }

    #[test]
    fn a_ring_that_cannot_be_made_leaves_nothing() -> Result {
        // What 64 bits can address is more than there is memory.
        let most = if cfg!(CONFIG_64BIT) { 4 } else { 1024 };
        let want = (!cfg!(CONFIG_64BIT)).then_some(ENOMEM);
        let driver = Driver::new()?;
        let (rings, error) = fill(&driver, most)?;
        assert_eq!(error, want);
        let before = rings.len();
        pr_info!("io_ring_context: {before} whole rings\n");
        drop(rings);
        let (rings, error) = fill(&driver, most)?;
        assert_eq!(error, want);
        assert!(rings.len() + 1 >= before);
        drop(rings);
        // Whatever was made, or made in part, has let go of the driver.
        assert!(Arc::into_unique_or_drop(driver).is_some());
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! QUERY: what this kernel offers. Answered by the control device and by rings alike.

#![forbid(unsafe_code)]

use crate::{
    abi,
    abstractions::{
        params,
        shared_mem,
        user_struct::UserStruct, //
    },
    op::{
        allowed::OpSet,
        rules, //
    },
    ring::sizes, //
};
use core::mem::offset_of;
use kernel::prelude::*;

/// Answers the query at the user address `argument`, where `allowed` is allowed. Process context; may fault pages in.
///
/// # Errors
///
/// `EFAULT`, `E2BIG`, `EINVAL` (with the field to blame in the structure).
pub(crate) fn answer(argument: usize, allowed: &OpSet) -> Result<isize> {
    let user = UserStruct::<abi::Query>::new(argument);
    let mut query = user.read_sized()?;
    if let Some(field) = first_not_zero(&query) {
        query.error_field = u32::try_from(field)?;
        user.write(&query)?;
        return Err(EINVAL);
    }

    let wanted = if query.ops == 0 { 0 } else { query.ops_len };
    let known = u32::from(rules::OPS_MAX);
    query.ops_len = wanted.min(known);
    let ops = UserStruct::<abi::OpInfo>::new(usize::try_from(query.ops).map_err(|_| EFAULT)?);
    for opcode in (0..rules::OPS_MAX).take(query.ops_len as usize) {
        ops.element(usize::from(opcode))
            .write(&allowed.info(opcode))?;
    }

    query.abi_version = abi::ABI_VERSION;
    query.ops_max = known;
    query.features = abi::FEATURES;
    query.setup_flags = abi::SETUP_FLAGS;
    query.enter_flags = abi::ENTER_FLAGS;
    query.max_entries = abi::MAX_ENTRIES;
    query.max_cq_entries = abi::MAX_CQ_ENTRIES;
    query.max_requests = abi::MAX_REQUESTS;
    query.max_workers = sizes::workers_limit(params::max_workers());
    query.disabled = match (params::caller_could_setup(), shared_mem::dcache_aliases()) {
        (false, _) => 1,
        (true, true) => 2,
        (true, false) => 0,
    };
    user.write(&query)?;
    Ok(0)
}

/// The first field that should be 0 and is not, as a byte offset.
fn first_not_zero(query: &abi::Query) -> Option<usize> {
    [
        (offset_of!(abi::Query, abi_version), query.abi_version != 0),
        (offset_of!(abi::Query, ops_max), query.ops_max != 0),
        (offset_of!(abi::Query, features), query.features != 0),
        (offset_of!(abi::Query, setup_flags), query.setup_flags != 0),
        (offset_of!(abi::Query, enter_flags), query.enter_flags != 0),
        (offset_of!(abi::Query, max_entries), query.max_entries != 0),
        (
            offset_of!(abi::Query, max_cq_entries),
            query.max_cq_entries != 0,
        ),
        (
            offset_of!(abi::Query, max_requests),
            query.max_requests != 0,
        ),
        (offset_of!(abi::Query, disabled), query.disabled != 0),
        (offset_of!(abi::Query, error_field), query.error_field != 0),
        (offset_of!(abi::Query, max_workers), query.max_workers != 0),
    ]
    .into_iter()
    .find_map(|(offset, set)| set.then_some(offset))
}

// SPDX-License-Identifier: GPL-2.0-only

//! How sizes are judged and rounded, against the text of the header.

use crate::abi;
use crate::ring::sizes::{Refused, Sizes};
use proptest::prelude::*;
use std::mem::offset_of;

/// What SETUP answers: the sizes made, or the field, the limit, need and have.
type Answer = Result<(u32, u32, u32), (usize, u32, u32, u32)>;

const FLAGS: [u32; 4] = [
    0,
    abi::SETUP_CQSIZE,
    abi::SETUP_CLAMP,
    abi::SETUP_CQSIZE | abi::SETUP_CLAMP,
];

/// Sizes around which the answer changes.
const EDGES: [u32; 18] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    32767,
    32768,
    32769,
    65535,
    65536,
    65537,
    0x8000_0000,
    0x8000_0001,
    u32::MAX,
];

fn setup(entries: u32, cq_entries: u32, requests: u32, flags: u32) -> abi::Setup {
    abi::Setup {
        entries,
        cq_entries,
        requests,
        flags,
        ..abi::Setup::default()
    }
}

fn answer(setup: &abi::Setup) -> Answer {
    match Sizes::of(setup) {
        Ok(sizes) => Ok((sizes.entries.get(), sizes.cq_entries.get(), sizes.requests)),
        Err(Refused {
            field,
            limit,
            need,
            have,
        }) => Err((field, limit, need, have)),
    }
}

/// What the header says.
fn expected(setup: &abi::Setup) -> Answer {
    let clamp = setup.flags & abi::SETUP_CLAMP != 0;
    let limited = |value: u32, field: usize, limit: u32, max: u32| match value {
        value if value <= max => Ok(value),
        _ if clamp => Ok(max),
        value => Err((field, limit, value, max)),
    };
    let wrong = |field: usize| Err((field, abi::LIMIT_NONE, 0, 0));
    let rounded = |value: u32| {
        (0..32)
            .map(|bit| 1 << bit)
            .find(|&power| power >= value)
            .unwrap()
    };

    let field = offset_of!(abi::Setup, entries);
    let entries = limited(setup.entries, field, abi::LIMIT_ENTRIES, 32768)?;
    if entries == 0 {
        return wrong(field);
    }
    let entries = rounded(entries);

    let field = offset_of!(abi::Setup, cq_entries);
    let cq_entries = if setup.flags & abi::SETUP_CQSIZE != 0 {
        let wanted = limited(setup.cq_entries, field, abi::LIMIT_CQ_ENTRIES, 65536)?;
        if wanted == 0 || rounded(wanted) < entries {
            return wrong(field);
        }
        rounded(wanted)
    } else if setup.cq_entries != 0 {
        return wrong(field);
    } else {
        2 * entries
    };

    if setup.requests == 0 {
        return Ok((entries, cq_entries, cq_entries));
    }
    let field = offset_of!(abi::Setup, requests);
    let requests = limited(setup.requests, field, abi::LIMIT_REQUESTS, 65536)?;
    if requests < cq_entries {
        return wrong(field);
    }
    Ok((entries, cq_entries, requests))
}

fn check(setup: &abi::Setup) {
    let text = format!(
        "entries {} cq_entries {} requests {} flags {:#x}",
        setup.entries, setup.cq_entries, setup.requests, setup.flags
    );
    assert_eq!(answer(setup), expected(setup), "{text}");
}

#[test]
fn sizes_at_every_edge() {
    for flags in FLAGS {
        for entries in EDGES {
            for cq_entries in EDGES {
                for requests in EDGES {
                    check(&setup(entries, cq_entries, requests, flags));
                }
            }
        }
    }
}

#[test]
fn every_number_of_entries() {
    for entries in 0..=33_000 {
        for flags in FLAGS {
            check(&setup(entries, 0, 0, flags));
            check(&setup(8, entries, 0, flags));
        }
    }
}

#[test]
fn the_largest_sizes_are_legal() {
    let largest = setup(32768, 65536, 65536, abi::SETUP_CQSIZE);
    assert_eq!(answer(&largest), Ok((32768, 65536, 65536)));
    let clamped = setup(u32::MAX, u32::MAX, u32::MAX, FLAGS[3]);
    assert_eq!(answer(&clamped), Ok((32768, 65536, 65536)));
}

proptest! {
    #[test]
    fn any_sizes(
        entries in 0u32..70_000, cq_entries in 0u32..70_000, requests in 0u32..70_000,
        shift in 0u32..16, flags in prop::sample::select(&FLAGS[..]),
    ) {
        check(&setup(entries >> shift, cq_entries >> (shift / 2), requests, flags));
    }
}

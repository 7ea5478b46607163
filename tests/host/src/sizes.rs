// SPDX-License-Identifier: GPL-2.0-only

//! How sizes are judged and rounded, against the text of the header.

use crate::abi;
use crate::ring::sizes::{workers_limit, Refused, Sizes};
use proptest::prelude::*;
use std::mem::offset_of;

/// What SETUP answers: the sizes made, or the field, the limit, need and have.
type Answer = Result<(u32, u32, u32), (usize, u32, u32, u32)>;

/// How many workers a ring may have where the sizes are looked at.
const WORKERS_LIMIT: u32 = 32;

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
    match Sizes::of(setup, WORKERS_LIMIT) {
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

/// What SETUP answers to `max_workers`.
fn workers(max_workers: u32, flags: u32, limit: u32) -> Result<u32, (usize, u32, u32, u32)> {
    let setup = abi::Setup {
        max_workers,
        ..setup(8, 0, 0, flags)
    };
    Sizes::of(&setup, limit)
        .map(|sizes| sizes.max_workers)
        .map_err(|refused| (refused.field, refused.limit, refused.need, refused.have))
}

#[test]
fn workers_at_every_edge() {
    let field = offset_of!(abi::Setup, max_workers);
    for limit in [2, 3, 32, 255, 256] {
        for flags in [0, abi::SETUP_CLAMP] {
            assert_eq!(workers(0, flags, limit), Ok(limit));
            assert_eq!(
                workers(1, flags, limit),
                Err((field, abi::LIMIT_NONE, 0, 0))
            );
            assert_eq!(workers(2, flags, limit), Ok(2));
            assert_eq!(workers(limit, flags, limit), Ok(limit));
        }
        for above in [limit + 1, 257, u32::MAX] {
            let refused = (field, abi::LIMIT_WORKERS, above, limit);
            assert_eq!(workers(above, 0, limit), Err(refused));
            assert_eq!(workers(above, abi::SETUP_CLAMP, limit), Ok(limit));
        }
    }
}

#[test]
fn sizes_are_judged_before_workers() {
    let setup = abi::Setup {
        max_workers: 1,
        ..setup(0, 0, 0, 0)
    };
    assert_eq!(
        answer(&setup),
        Err((offset_of!(abi::Setup, entries), abi::LIMIT_NONE, 0, 0))
    );
}

#[test]
fn the_parameter_is_cut_to_what_the_header_says() {
    for (parameter, limit) in [(0, 2), (1, 2), (2, 2), (32, 32), (256, 256), (257, 256)] {
        assert_eq!(workers_limit(parameter), limit);
    }
    assert_eq!(workers_limit(u32::MAX), 256);
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

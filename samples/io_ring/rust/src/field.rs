// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Names of the fields that the kernel blames by their byte offset.

use crate::abi;
use core::mem::size_of;

/// A structure whose fields the kernel may blame.
pub(crate) trait Fields: Sized {
    /// Offset and name of every field, in the order of the structure.
    const FIELDS: &'static [(usize, &'static str)];

    /// Name of the field that the byte at `offset` belongs to; `None` if it is outside, as
    /// [`abi::NO_FIELD`] is.
    fn field_at(offset: u32) -> Option<&'static str> {
        let offset = usize::try_from(offset).ok()?;
        if offset >= size_of::<Self>() {
            return None;
        }
        let before = |&&(start, _): &&(usize, &str)| start <= offset;
        Self::FIELDS
            .iter()
            .rev()
            .find(before)
            .map(|&(_, name)| name)
    }
}

macro_rules! fields {
    ($structure:ty: $($name:ident)*) => {
        impl Fields for $structure {
            const FIELDS: &'static [(usize, &'static str)] =
                &[$((core::mem::offset_of!($structure, $name), stringify!($name))),*];
        }
    };
}

fields!(abi::Sqe: opcode flags ioprio fd off addr len op_flags user_data buf_index personality
    file_index addr3 resv);

#[cfg(feature = "std")]
fields!(abi::Setup: size flags entries cq_entries requests error_field error_limit
    max_workers limit_need limit_have features region_size sqes_offset sqes_size sq_off cq_off
    files nr_files nr_ops ops);

#[cfg(feature = "std")]
fields!(abi::Enter: to_submit min_complete flags wait_error error_field clock timeout min_wait
    sigmask);

#[cfg(feature = "std")]
fields!(abi::Query: size abi_version ops ops_len ops_max features setup_flags enter_flags
    max_entries max_cq_entries max_requests disabled error_field max_workers);

#[cfg(feature = "std")]
fields!(abi::Register: size opcode flags error_field addr nr error_index);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_belongs_to_the_field_that_covers_it() {
        assert_eq!(abi::Sqe::field_at(0), Some("opcode"));
        assert_eq!(abi::Sqe::field_at(1), Some("flags"));
        assert_eq!(abi::Sqe::field_at(4), Some("fd"));
        assert_eq!(abi::Sqe::field_at(7), Some("fd"));
        assert_eq!(abi::Sqe::field_at(8), Some("off"));
        assert_eq!(abi::Sqe::field_at(63), Some("resv"));
    }

    #[test]
    fn offsets_outside_have_no_name() {
        assert_eq!(abi::Sqe::field_at(64), None);
        assert_eq!(abi::Sqe::field_at(abi::NO_FIELD), None);
    }

    #[cfg(feature = "std")]
    #[test]
    fn nested_offsets_belong_to_the_outer_field() {
        assert_eq!(abi::Setup::field_at(8), Some("entries"));
        assert_eq!(abi::Setup::field_at(100), Some("sq_off"));
        assert_eq!(abi::Enter::field_at(24), Some("timeout"));
        assert_eq!(abi::Query::field_at(8), Some("ops"));
        assert_eq!(abi::Register::field_at(16), Some("addr"));
    }
}

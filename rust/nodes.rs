// SPDX-License-Identifier: GPL-2.0

//! The device nodes an administrator asks for: the module parameters `ops` and `nodes`.
//!
//! This file needs nothing of the kernel; the host tests compile it too.

#![forbid(unsafe_code)]

use crate::op::allowed::OpSet;

/// A node that is to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Node<'a> {
    /// Its name below `/dev`.
    pub(crate) name: &'a [u8],
    /// What rings that are made with it may do.
    pub(crate) ops: OpSet,
    /// Its permissions.
    pub(crate) mode: u16,
}

/// What is wrong with a description of nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Invalid(pub(crate) &'static str);

/// Longest name, as for a file.
const NAME_MAX: usize = 255;

/// The nodes in `text`, separated by semicolons: `NAME[:ops=OP,...][:mode=OCTAL]` each. Without `ops`
/// it is the floor set, without `mode` 0600.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Result<Node<'_>, Invalid>> {
    let is_empty = text.is_empty();
    text.split(|&byte| byte == b';')
        .filter(move |_| !is_empty)
        .map(parse_one)
}

fn parse_one(text: &[u8]) -> Result<Node<'_>, Invalid> {
    let mut parts = text.split(|&byte| byte == b':');
    let name = parts.next().unwrap_or(&[]);
    let is_in_names = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    if name.is_empty() || name.len() > NAME_MAX || !name.iter().all(is_in_names) {
        return Err(Invalid("a name has letters, digits, '_', '-' and '.'"));
    }
    if name.first() == Some(&b'.') {
        return Err(Invalid("a name does not begin with a dot"));
    }
    let (mut ops, mut mode) = (None, None);
    for part in parts {
        if let Some(list) = part.strip_prefix(b"ops=") {
            let set = OpSet::parse(list).map_err(|_| Invalid("there is no such operation"))?;
            set_once(&mut ops, set)?;
        } else if let Some(digits) = part.strip_prefix(b"mode=") {
            set_once(&mut mode, octal(digits)?)?;
        } else {
            return Err(Invalid("a node has ops= and mode=, and nothing else"));
        }
    }
    Ok(Node {
        name,
        ops: ops.unwrap_or_else(OpSet::floor),
        mode: mode.unwrap_or(0o600),
    })
}

fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), Invalid> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Invalid("something is said twice")),
    }
}

/// Permissions of a node: nobody executes it.
fn octal(digits: &[u8]) -> Result<u16, Invalid> {
    let invalid = Invalid("a mode is an octal number without execute permission");
    if digits.is_empty() || digits.len() > 4 {
        return Err(invalid);
    }
    let mut mode: u16 = 0;
    for digit in digits {
        if !(b'0'..=b'7').contains(digit) {
            return Err(invalid);
        }
        mode = (mode << 3) | u16::from(digit & 7);
    }
    if mode & !0o666 != 0 {
        return Err(invalid);
    }
    Ok(mode)
}

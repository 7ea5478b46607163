// SPDX-License-Identifier: GPL-2.0-only

//! Errors, as numbers.

/// An error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Error(i32);

impl Error {
    /// The negative number.
    pub const fn to_errno(self) -> i32 {
        -self.0
    }
}

impl From<core::convert::Infallible> for Error {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

/// What may fail.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// The errors there are.
pub mod code {
    use super::Error;

    macro_rules! errors {
        ($($name:ident = $number:literal),* $(,)?) => {$(
            #[doc = stringify!($name)]
            pub const $name: Error = Error($number);
        )*};
    }

    errors! {
        ENOENT = 2,
        EBADF = 9,
        ENOMEM = 12,
        EACCES = 13,
        EFAULT = 14,
        EINVAL = 22,
        ESPIPE = 29,
        ELOOP = 40,
        ETIME = 62,
        ENOTSOCK = 88,
        EMSGSIZE = 90,
        EOPNOTSUPP = 95,
        EALREADY = 114,
    }
}

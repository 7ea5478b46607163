// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Why a call on the device or a ring failed.

use crate::abi;
use crate::errno::Errno;
use crate::field::Fields;
use crate::region::LayoutError;
use core::fmt;
use std::path::PathBuf;

/// Why a call on the device or a ring failed.
///
/// The text names the call, the error, the field and the limit to blame as far as the kernel told,
/// and what to do if there is something to do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The device could not be opened.
    Open {
        /// The device node.
        path: PathBuf,
        /// The error.
        errno: Errno,
    },
    /// The kernel refused a call.
    Call {
        /// What was called.
        call: Call,
        /// The error.
        errno: Errno,
        /// Name of the field of the call's argument that is to blame.
        field: Option<&'static str>,
        /// The limit that is to blame.
        limit: Option<Limit>,
    },
    /// The kernel described memory that it did not give.
    Layout(LayoutError),
}

/// The calls that [`Error::Call`] tells apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// `IO_RING_QUERY`.
    Query,
    /// `IO_RING_SETUP`.
    Setup,
    /// `mmap(2)` of the ring.
    Map,
    /// `IO_RING_ENTER`, before or while taking entries.
    Enter,
    /// `IO_RING_ENTER`, while waiting after it had taken entries.
    Wait,
    /// `IO_RING_REGISTER` to quiesce the ring.
    Quiesce,
    /// `IO_RING_REGISTER` for the table of registered files.
    RegisterFiles,
    /// `IO_RING_REGISTER` for the table of registered buffers.
    RegisterBuffers,
    /// `mmap(2)` of memory for a [`Buffer`](crate::Buffer).
    MapBuffer,
}

/// A limit that a ring would have exceeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Which limit: one of `abi::LIMIT_*`.
    pub kind: u32,
    /// What was asked for.
    pub need: u64,
    /// What is allowed, 0 if that is not known.
    pub have: u64,
}

impl Error {
    pub(crate) const fn call(call: Call, errno: Errno) -> Self {
        Self::Call {
            call,
            errno,
            field: None,
            limit: None,
        }
    }

    /// A call that may have named the field of its argument to blame.
    ///
    /// Only these two errors come with a name: after others the kernel may not have written it.
    pub(crate) fn blaming<T: Fields>(call: Call, errno: Errno, error_field: u32) -> Self {
        let field = match rustix::io::Errno::from_raw_os_error(errno.0) {
            rustix::io::Errno::INVAL | rustix::io::Errno::TOOBIG => T::field_at(error_field),
            _ => None,
        };
        Self::Call {
            call,
            errno,
            field,
            limit: None,
        }
    }

    /// A SETUP that failed with `setup` written back.
    pub(crate) fn setup(errno: Errno, setup: &abi::Setup) -> Self {
        match setup.error_limit {
            abi::LIMIT_NONE => Self::blaming::<abi::Setup>(Call::Setup, errno, setup.error_field),
            kind => Self::Call {
                call: Call::Setup,
                errno,
                field: abi::Setup::field_at(setup.error_field),
                limit: Some(Limit {
                    kind,
                    need: setup.limit_need,
                    have: setup.limit_have,
                }),
            },
        }
    }

    /// The error number, if the kernel gave one.
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { errno, .. } | Self::Call { errno, .. } => Some(*errno),
            Self::Layout(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, errno } => {
                write!(f, "cannot open {}: {errno}", path.display())?;
                hint(f, open_hint(*errno))
            }
            Self::Call {
                call,
                errno,
                field,
                limit,
            } => {
                write!(f, "{call}: {errno}")?;
                if let Some(field) = field {
                    write!(f, ": field {field}")?;
                }
                if let Some(limit) = limit {
                    write!(f, ": {limit}")?;
                }
                hint(f, call_hint(*call, *errno))
            }
            Self::Layout(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.errno() {
            Some(errno) => Self::from(errno).kind(),
            None => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "IO_RING_QUERY",
            Self::Setup => "IO_RING_SETUP",
            Self::Map => "mapping the ring",
            Self::Enter => "IO_RING_ENTER",
            Self::Wait => "waiting in IO_RING_ENTER",
            Self::Quiesce => "quiescing the ring",
            Self::RegisterFiles => "registering files",
            Self::RegisterBuffers => "registering buffers",
            Self::MapBuffer => "mapping memory for a buffer",
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.kind {
            abi::LIMIT_ENTRIES => "submission entries",
            abi::LIMIT_CQ_ENTRIES => "completion entries",
            abi::LIMIT_REQUESTS => "request slots",
            abi::LIMIT_MEMORY => "bytes of memory",
            abi::LIMIT_WORKERS => "worker threads",
            abi::LIMIT_FILES => "registered files",
            abi::LIMIT_DISABLED => {
                return f.write_str("the administrator switched rings off (parameter \"disabled\")")
            }
            kind => return write!(f, "limit number {kind}: {} wanted", self.need),
        };
        write!(f, "{} {unit} wanted", self.need)?;
        match self.have {
            0 => Ok(()),
            have => write!(f, ", {have} allowed"),
        }
    }
}

fn hint(f: &mut fmt::Formatter<'_>, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => write!(f, "; {text}"),
        None => Ok(()),
    }
}

fn open_hint(errno: Errno) -> Option<&'static str> {
    match rustix::io::Errno::from_raw_os_error(errno.0) {
        rustix::io::Errno::NOENT | rustix::io::Errno::NXIO => Some("is the module io_ring loaded?"),
        rustix::io::Errno::ACCESS => Some("the administrator decides who may open it"),
        _ => None,
    }
}

fn call_hint(call: Call, errno: Errno) -> Option<&'static str> {
    match (call, rustix::io::Errno::from_raw_os_error(errno.0)) {
        (Call::Query | Call::Setup, rustix::io::Errno::NOTTY) => Some("is this the right device?"),
        (Call::Enter, rustix::io::Errno::BUSY) => {
            Some("every request slot is in use: take completions first")
        }
        (
            Call::Enter | Call::Quiesce | Call::RegisterFiles | Call::RegisterBuffers,
            rustix::io::Errno::PERM,
        ) => Some("only the process of the ring may do that, with the credentials it had at first"),
        (Call::RegisterBuffers, rustix::io::Errno::NOMEM) => {
            Some("is RLIMIT_MEMLOCK large enough?")
        }
        (Call::Enter, rustix::io::Errno::OVERFLOW) => {
            Some("the submission tail or completion head in the ring memory is out of range")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn setup(errno: i32, error_field: u32, limit: (u32, u64, u64)) -> String {
        let (error_limit, limit_need, limit_have) = limit;
        let answer = abi::Setup {
            error_field,
            error_limit,
            limit_need,
            limit_have,
            ..Default::default()
        };
        Error::setup(Errno(errno), &answer).to_string()
    }

    #[test]
    fn a_missing_device_asks_for_the_module() {
        let path = PathBuf::from("/dev/none");
        let text = Error::Open {
            path,
            errno: Errno(2),
        }
        .to_string();
        assert!(text.starts_with("cannot open /dev/none: "), "{text}");
        assert!(
            text.ends_with("(os error 2); is the module io_ring loaded?"),
            "{text}"
        );
    }

    #[test]
    fn limits_say_what_was_wanted_and_what_is_allowed() {
        let text = setup(22, 8, (abi::LIMIT_ENTRIES, 40_000, 32_768));
        assert!(text.starts_with("IO_RING_SETUP: "), "{text}");
        let end = ": field entries: 40000 submission entries wanted, 32768 allowed";
        assert!(text.ends_with(end), "{text}");

        let text = setup(22, 28, (abi::LIMIT_WORKERS, 33, 32));
        let end = ": field max_workers: 33 worker threads wanted, 32 allowed";
        assert!(text.ends_with(end), "{text}");

        let text = setup(12, abi::NO_FIELD, (abi::LIMIT_MEMORY, 4096, 0));
        assert!(
            text.ends_with("(os error 12): 4096 bytes of memory wanted"),
            "{text}"
        );
        let text = setup(1, abi::NO_FIELD, (abi::LIMIT_DISABLED, 0, 0));
        assert!(text.contains("switched rings off"), "{text}");
        let text = setup(12, abi::NO_FIELD, (77, 5, 0));
        assert!(text.ends_with("limit number 77: 5 wanted"), "{text}");
    }

    #[test]
    fn fields_are_named_when_the_kernel_blames_one() {
        let none = (abi::LIMIT_NONE, 0, 0);
        assert!(setup(22, 4, none).ends_with("(os error 22): field flags"));
        assert!(setup(7, 0, none).ends_with("(os error 7): field size"));
        assert!(setup(22, abi::NO_FIELD, none).ends_with("(os error 22)"));
        // EFAULT: nothing was written, and 0 is what the program itself put there.
        assert!(setup(14, 0, none).ends_with("(os error 14)"));
    }

    #[test]
    fn a_busy_ring_says_what_to_do() {
        let text = Error::call(Call::Enter, Errno(16)).to_string();
        assert!(text.ends_with("take completions first"), "{text}");
        let text = Error::call(Call::Wait, Errno(16)).to_string();
        assert!(text.ends_with("(os error 16)"), "{text}");
    }

    #[test]
    fn io_errors_keep_the_kind() {
        let error = std::io::Error::from(Error::call(Call::Enter, Errno(1)));
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        let error = std::io::Error::from(Error::from(LayoutError {
            part: "cq_off.cqes",
        }));
        assert!(error.to_string().contains("cq_off.cqes"));
    }
}

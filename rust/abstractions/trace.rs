// SPDX-License-Identifier: GPL-2.0

//! Tracepoints, as declared in `trace_io_ring.h`. `declare_trace!` of the `kernel` crate only knows
//! those of the kernel tree.
//!
//! As long as nobody listens to an event, its function is a static branch that is not taken: what is to
//! be told is not looked at. Any context.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

#[cfg(CONFIG_TRACEPOINTS)]
use super::helpers;
#[cfg(CONFIG_TRACEPOINTS)]
use kernel::{
    bindings,
    jump_label::static_branch_unlikely,
    macros::paste, //
};

/// A request.
pub(crate) struct Request {
    /// The number of its ring.
    pub(crate) ring: u64,
    /// That of its entry.
    pub(crate) user_data: u64,
    /// That of its entry.
    pub(crate) opcode: u8,
    /// What its operation is called.
    pub(crate) name: &'static [u8],
}

/// A chain of requests.
pub(crate) struct Chain {
    /// The number of its ring.
    pub(crate) ring: u64,
    /// That of the first entry.
    pub(crate) user_data: u64,
    /// How many there are.
    pub(crate) members: u32,
}

/// A completion.
pub(crate) struct Completion {
    /// The number of its ring.
    pub(crate) ring: u64,
    /// That of the entry.
    pub(crate) user_data: u64,
    /// As the program sees it.
    pub(crate) res: i32,
    /// As the program sees them.
    pub(crate) flags: u32,
}

/// A new ring.
pub(crate) struct Ring {
    /// Its number.
    pub(crate) number: u64,
    /// Size of the submission queue.
    pub(crate) entries: u32,
    /// Size of the completion queue.
    pub(crate) cq_entries: u32,
    /// Most requests at once.
    pub(crate) requests: u32,
    /// Those of SETUP.
    pub(crate) flags: u32,
}

/// Has a function for each event, which gets what is to be told of a closure.
macro_rules! events {
    ($(
        $(#[$doc:meta])*
        fn $event:ident($pattern:pat = $told:ty) => ($($argument:expr),* $(,)?);
    )*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $event(tell: impl FnOnce() -> $told) {
            #[cfg(CONFIG_TRACEPOINTS)]
            {
                // SAFETY: The tracepoint is a static of this module's C code. What is looked at is
                // its key, which is changed and read as the C code does.
                let is_heard = unsafe {
                    paste!(static_branch_unlikely!(
                        helpers::[<__tracepoint_io_ring_ $event>],
                        bindings::tracepoint,
                        key
                    ))
                };
                if is_heard {
                    seldom(|| {
                        let $pattern = tell();
                        // SAFETY: A tracepoint may be passed in any context. What pointers there are
                        // among the arguments come from slices that live longer than the call, and
                        // have their lengths next to them; what listens copies what they point to.
                        unsafe { paste!(helpers::[<rust_do_trace_io_ring_ $event>]($($argument),*)) }
                    });
                }
            }
            // So that what is told is looked at.
            #[cfg(not(CONFIG_TRACEPOINTS))]
            if false {
                let $pattern = tell();
                let _ = ($($argument,)*);
            }
        }
    )*};
}

/// Keeps what is seldom done out of the way of the rest.
#[cfg(CONFIG_TRACEPOINTS)]
#[cold]
#[inline(never)]
fn seldom(tell: impl FnOnce()) {
    tell();
}

events! {
    /// A ring has been made.
    fn create(it = Ring) => (it.number, it.entries, it.cq_entries, it.requests, it.flags);
    /// The ring with this number is being freed.
    fn destroy(ring = u64) => (ring);
    /// The ring with this number belongs to the calling process from now on; the second is whether it
    /// has belonged to another one.
    fn bind((ring, again) = (u64, bool)) => (ring, again);
    /// An entry has been taken, with these flags and this descriptor.
    fn submit((it, flags, fd) = (Request, u8, i32)) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(), flags, fd,
    );
    /// An entry has been rejected, with this error, for the field at this offset.
    fn reject((it, error, field) = (Request, i32, u32)) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(), error, field,
    );
    /// A request waits for its file, or for its time.
    fn arm(it = Request) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(),
    );
    /// A request waits for a worker that may block.
    fn queue(it = Request) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(),
    );
    /// The calling worker goes on with a request.
    fn work(it = Request) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(),
    );
    /// A request is given up.
    fn cancel(it = Request) => (
        it.ring, it.user_data, it.opcode, it.name.as_ptr(), it.name.len(),
    );
    /// All but the first of a chain wait for those before them.
    fn link(it = Chain) => (it.ring, it.user_data, it.members);
    /// A chain waits for what was submitted before it.
    fn drain(it = Chain) => (it.ring, it.user_data, it.members);
    /// A completion is in the queue.
    fn complete(it = Completion) => (it.ring, it.user_data, it.res, it.flags);
    /// A completion waits for room in the queue.
    fn park(it = Completion) => (it.ring, it.user_data, it.res, it.flags);
    /// A request has ended, and wants no completion.
    fn skip(it = Completion) => (it.ring, it.user_data, it.res, it.flags);
    /// A thread begins to wait for so many completions of the ring with this number.
    fn wait((ring, wanted) = (u64, u32)) => (ring, wanted);
    /// A thread has waited for completions of the ring with this number; 0, or why in vain.
    fn wait_end((ring, error) = (u64, i32)) => (ring, error);
}

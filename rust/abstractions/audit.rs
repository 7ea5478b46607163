// SPDX-License-Identifier: GPL-2.0

//! Records in the audit log.
//!
//! C header: [`include/linux/audit.h`](srctree/include/linux/audit.h)

use super::helpers;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A record about something that the calling process does, being written. It is handed in when it is
/// dropped.
///
/// # Invariants
///
/// The pointer is what `io_ring_audit_begin` has answered, and has not been handed in.
pub(crate) struct Record {
    buffer: NonNull<c_void>,
    is_allowed: bool,
}

impl Record {
    /// Begins one about `what`, if there is an audit log. Process context; sleeps until there is room
    /// in it.
    pub(crate) fn begin(what: &'static str) -> Option<Self> {
        Self::new(what, true)
    }

    /// As [`Record::begin`], but does not sleep: without room, the log only counts it as lost.
    pub(crate) fn begin_at_once(what: &'static str) -> Option<Self> {
        Self::new(what, false)
    }

    fn new(what: &'static str, may_wait: bool) -> Option<Self> {
        // SAFETY: Process context, where sleeping is allowed if `may_wait` says so.
        let buffer = NonNull::new(unsafe { helpers::io_ring_audit_begin(may_wait) })?;
        // INVARIANT: As just answered.
        let mut this = Self {
            buffer,
            is_allowed: false,
        };
        this.raw(b"op=");
        this.raw(what.as_bytes());
        Some(this)
    }

    fn raw(&mut self, text: &[u8]) {
        // SAFETY: By the type invariants; `text` is valid for its length.
        unsafe { helpers::io_ring_audit_text(self.buffer.as_ptr(), text.as_ptr(), text.len()) }
    }

    fn key(&mut self, key: &'static str) {
        self.raw(b" ");
        self.raw(key.as_bytes());
        self.raw(b"=");
    }

    /// Adds a number.
    pub(crate) fn number(mut self, key: &'static str, number: u64) -> Self {
        self.key(key);
        // SAFETY: By the type invariants.
        unsafe { helpers::io_ring_audit_number(self.buffer.as_ptr(), number) };
        self
    }

    /// Adds a word, of characters that need no quotes.
    pub(crate) fn word(self, key: &'static str, word: &[u8]) -> Self {
        self.list(key, core::iter::once(word))
    }

    /// Adds words, separated by commas.
    pub(crate) fn list<'a>(
        mut self,
        key: &'static str,
        words: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        self.key(key);
        for (number, word) in words.enumerate() {
            if number != 0 {
                self.raw(b",");
            }
            self.raw(word);
        }
        self
    }

    /// Hands it in, as one about something that was allowed.
    pub(crate) fn allowed(mut self) {
        self.is_allowed = true;
    }

    /// Hands it in, as one about something that was not.
    pub(crate) fn refused(self) {}
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; nobody has it any more.
        unsafe { helpers::io_ring_audit_end(self.buffer.as_ptr(), self.is_allowed) }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What a ring has registered.

#![forbid(unsafe_code)]

use super::Context;
use crate::{
    files::Change,
    tags::TagNotes, //
};
use kernel::prelude::*;

impl Context {
    /// Whether the caller may register.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`.
    pub(crate) fn check_owner(&self) -> Result {
        self.act(|_, _| Ok(()))
    }

    /// Makes the table of registered files of a new ring, if there is to be one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn fill_files(&self, files: Option<KVVec<Change>>) -> Result {
        match files {
            Some(changes) => self.submitting.lock()?.submitter.files.fill(changes),
            None => Ok(()),
        }
    }

    /// Makes the table of registered files. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `EBUSY` (there is one), `ENOMEM`.
    pub(crate) fn register_files(&self, changes: KVVec<Change>) -> Result {
        self.act(|submitter, _| submitter.files.fill(changes))
    }

    /// Changes registered files from number `first` on. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `EINVAL` (there are not so many), `EBUSY` (no slots for the completions of
    /// tags), `ENOMEM`.
    pub(crate) fn update_files(&self, first: usize, changes: KVVec<Change>) -> Result {
        self.act(|submitter, _| {
            let count = submitter.files.tags_of(first, &changes)?;
            let mut notes = TagNotes::reserve(&self.pool, count)?;
            submitter
                .files
                .update(first, changes, |retired| notes.retire(retired));
            Ok(())
        })
    }

    /// Takes the table of registered files away. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `ENXIO` (there is none), `EBUSY` (no slots for the completions of tags),
    /// `ENOMEM`.
    pub(crate) fn unregister_files(&self) -> Result {
        self.act(|submitter, _| {
            if submitter.files.len() == 0 {
                return Err(ENXIO);
            }
            let mut notes = TagNotes::reserve(&self.pool, submitter.files.tags())?;
            submitter.files.clear(|retired| notes.retire(retired));
            Ok(())
        })
    }

    /// Lets go of the registered files: their process has left. Process context; sleeps.
    pub(super) fn forget_files(&self) {
        // A signal may only keep this from waiting for another thread, which is leaving as well; then
        // the end of the ring does it, or the next process.
        if let Ok(mut submitting) = self.submitting.lock() {
            submitting.submitter.files.forget();
        }
    }
}

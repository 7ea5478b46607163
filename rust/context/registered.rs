// SPDX-License-Identifier: GPL-2.0

//! What a ring has registered.

#![forbid(unsafe_code)]

use super::{
    Context,
    Submitting, //
};
use crate::{
    abstractions::{
        owner::Owner,
        pinned::PinnedBuffer,
        transfer::OpenFile, //
    },
    resources::{
        Change,
        Resource,
        Table, //
    },
    submit::Submitter,
    tags::TagNotes, //
};
use kernel::prelude::*;

/// A resource that rings have a table of.
pub(crate) trait Tabled: Resource {
    /// The table.
    fn table(submitter: &mut Submitter) -> &mut Table<Self>;
}

impl Tabled for OpenFile {
    fn table(submitter: &mut Submitter) -> &mut Table<Self> {
        &mut submitter.files
    }
}

impl Tabled for PinnedBuffer {
    fn table(submitter: &mut Submitter) -> &mut Table<Self> {
        &mut submitter.buffers
    }
}

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
    pub(crate) fn fill_files(&self, files: Option<KVVec<Change<OpenFile>>>) -> Result {
        match files {
            Some(changes) => self.submitting.lock()?.submitter.files.fill(changes),
            None => Ok(()),
        }
    }

    /// Makes a table. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `EBUSY` (there is one), `ENOMEM`.
    pub(crate) fn register<T: Tabled>(&self, changes: KVVec<Change<T>>) -> Result {
        self.act(|submitter, _| T::table(submitter).fill(changes))
    }

    /// Changes a table from number `first` on. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `EINVAL` (there are not so many), `EBUSY` (no slots for the completions of
    /// tags), `ENOMEM`.
    pub(crate) fn update<T: Tabled>(&self, first: usize, changes: KVVec<Change<T>>) -> Result {
        self.act(|submitter, _| {
            let table = T::table(submitter);
            let mut notes = TagNotes::reserve(&self.pool, table.tags_of(first, &changes)?)?;
            table.update(first, changes, |retired| notes.retire(retired));
            Ok(())
        })
    }

    /// Takes a table away. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `ENXIO` (there is none), `EBUSY` (no slots for the completions of tags),
    /// `ENOMEM`.
    pub(crate) fn unregister<T: Tabled>(&self) -> Result {
        self.act(|submitter, _| {
            let table = T::table(submitter);
            if table.len() == 0 {
                return Err(ENXIO);
            }
            let mut notes = TagNotes::reserve(&self.pool, table.tags())?;
            table.clear(|retired| notes.retire(retired));
            Ok(())
        })
    }

    /// Lets go of what is registered. Process context; sleeps.
    pub(super) fn forget_registered(&self) {
        // A signal may only keep this from waiting for another thread, which is leaving as well; then
        // the end of the ring does it, or the next process.
        if let Ok(mut submitting) = self.submitting.lock() {
            submitting.submitter.forget_registered();
        }
    }

    /// The same, if it is still what a process has registered that `leaves`.
    pub(super) fn forget_registered_by(&self, leaves: impl FnOnce(&Owner) -> bool) {
        if let Ok(mut submitting) = self.submitting.lock() {
            if submitting.is_bound_to(leaves) {
                submitting.submitter.forget_registered();
            }
        }
    }

    /// Lets go of the buffers of a process that `leaves`: its address space ends, and is locked.
    pub(super) fn forget_buffers_of(&self, leaves: impl FnOnce(&Owner) -> bool) {
        // Who has the mutex may wait for an address space. Nobody has it for long when there is no
        // process to submit for; else the end of the ring does it, or the next process.
        if let Some(mut submitting) = self.submitting.try_lock() {
            if submitting.is_bound_to(leaves) {
                submitting.submitter.buffers.forget();
            }
        }
    }
}

impl Submitting {
    fn is_bound_to(&self, who: impl FnOnce(&Owner) -> bool) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.is_to(who))
    }
}

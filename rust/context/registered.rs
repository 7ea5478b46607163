// SPDX-License-Identifier: GPL-2.0

//! What a ring has registered.

#![forbid(unsafe_code)]

use super::{
    Context,
    Submitting, //
};
use crate::{
    abstractions::{
        eventfd::EventFd,
        mutex::Guard,
        pinned::PinnedBuffer,
        transfer::OpenFile, //
    },
    buffers::BufferTable,
    files::FileTable,
    poller::Poller,
    resources::{
        Change,
        Resource,
        Table, //
    },
    ring::notice::{
        Interest,
        Notice, //
    },
    submit::Submitter,
    tags::TagNotes, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Full,
        barrier::smp_mb, //
    },
};

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
    /// `EPERM`, `EINTR`, `ENXIO` (there is no table), `EINVAL` (there are not so many), `EBUSY` (no
    /// slots for the completions of tags), `ENOMEM`.
    pub(crate) fn update<T: Tabled>(&self, first: usize, changes: KVVec<Change<T>>) -> Result {
        self.act(|submitter, _| {
            submitter.forget_home();
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
            submitter.forget_home();
            let table = T::table(submitter);
            let mut notes = TagNotes::reserve(&self.pool, table.tags()?)?;
            table.clear(|retired| notes.retire(retired));
            Ok(())
        })
    }

    /// Has `eventfd` told of completions. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `EBUSY` (there is one).
    pub(crate) fn register_eventfd(&self, eventfd: EventFd, interest: Interest) -> Result {
        // No call hands in what the submission thread takes.
        let interest = match interest {
            Interest::Later if self.has_sq_thread() => Interest::All,
            interest => interest,
        };
        self.act(|_, _| {
            let switch = self.mem.word(self.layout.cq_off.flags)?;
            let notice = Notice {
                eventfd,
                interest,
                switch,
            };
            let told = self.pool.lock().state.tell(notice);
            told.map_err(|_| EBUSY)
        })
    }

    /// Has no eventfd told any more. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EINTR`, `ENXIO` (there is none).
    pub(crate) fn unregister_eventfd(&self) -> Result {
        self.act(|_, _| self.forget_eventfd().ok_or(ENXIO))
    }

    fn forget_eventfd(&self) -> Option<()> {
        let notice = self.pool.lock().state.notices.take();
        notice.map(drop)
    }

    /// Lets go of what is registered if its process has left. Process context; does not wait: whoever
    /// has the mutex instead is not of that process, or comes to its end as well, and does this
    /// afterwards. At least one of the two sees the other:
    ///
    /// ```text
    /// who leaves   owner_epoch.add; full barrier; try to take the mutex
    /// who acted    give the mutex back; full barrier; owner_epoch: gone? try to take the mutex
    /// ```
    pub(super) fn forget_if_left(&self) {
        // Pairs with itself.
        smp_mb(Full);
        if !self.is_left() {
            return;
        }
        let submitting = self.submitting.try_lock();
        // The next process comes with the mutex held.
        if let Some(submitting) = submitting.filter(|_| self.is_left()) {
            self.forget(submitting);
        }
    }

    fn is_left(&self) -> bool {
        self.pool.shared().completion.is_owner_gone()
    }

    /// Lets go of what is registered. For a ring that nobody acts on any more.
    pub(super) fn forget_registered(&self) {
        if let Some(submitting) = self.submitting.try_lock() {
            self.forget(submitting);
        }
    }

    fn forget(&self, mut submitting: Guard<'_, Submitting>) {
        let tables = self.take_registered(&mut submitting.submitter);
        let polled = self.take_polled(&mut submitting.submitter);
        drop(submitting);
        // Only now: closing files and unpinning memory takes locks.
        drop(tables);
        Poller::add(&self.counted.driver().poller, polled);
    }

    /// Takes away what the process before has registered.
    pub(super) fn take_registered(&self, submitter: &mut Submitter) -> (FileTable, BufferTable) {
        self.forget_eventfd();
        (
            core::mem::replace(&mut submitter.files, FileTable::new()),
            core::mem::replace(&mut submitter.buffers, BufferTable::new()),
        )
    }
}

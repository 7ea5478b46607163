// SPDX-License-Identifier: GPL-2.0

//! Who has how many worker threads: the users whose processes have rings.
//!
//! All rings of a user share one limit, the module parameter `max_user_workers`. A user is a real
//! user id, as for `RLIMIT_NPROC`, but counted once for all user namespaces.

#![forbid(unsafe_code)]

use crate::{
    abstractions::params,
    gauge::Gauge, //
};
use kernel::{
    current,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    task::Kuid, //
};

/// The users that have rings.
#[pin_data]
pub(crate) struct Users {
    #[pin]
    records: Mutex<KVec<Record>>,
    workers: Gauge,
}

/// What is known of a user for as long as there is a [`User`] of it.
struct Record {
    uid: Kuid,
    holders: usize,
    workers: Arc<Gauge>,
}

impl Users {
    /// No user.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                records <- new_mutex!(KVec::new()),
                workers: Gauge::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// The user of the calling process. Process context; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn current(this: &Arc<Self>) -> Result<Arc<User>> {
        let uid = current!().uid();
        let user = User {
            uid,
            workers: this.enter(uid)?,
            users: this.clone(),
        };
        Ok(Arc::new(user, GFP_KERNEL_ACCOUNT)?)
    }

    /// The worker threads of all users.
    pub(crate) fn workers(&self) -> &Gauge {
        &self.workers
    }

    /// Counts one more holder of the record of `uid`, which may be new.
    fn enter(&self, uid: Kuid) -> Result<Arc<Gauge>> {
        let mut records = self.records.lock();
        if let Some(record) = records.iter_mut().find(|record| record.uid == uid) {
            record.holders = record.holders.wrapping_add(1);
            return Ok(record.workers.clone());
        }
        let workers = Arc::new(Gauge::new(), GFP_KERNEL_ACCOUNT)?;
        let record = Record {
            uid,
            holders: 1,
            workers: workers.clone(),
        };
        records.push(record, GFP_KERNEL)?;
        Ok(workers)
    }

    /// Undoes one [`Users::enter`].
    fn leave(&self, uid: Kuid) {
        self.records.lock().retain(|record| {
            if record.uid == uid {
                record.holders = record.holders.wrapping_sub(1);
            }
            record.holders != 0
        });
    }
}

/// The user of a process with a ring. Dropped in process context; sleeps.
pub(crate) struct User {
    uid: Kuid,
    workers: Arc<Gauge>,
    users: Arc<Users>,
}

impl User {
    /// Counts one more worker thread, unless the user has as many as it may. Any context.
    pub(crate) fn take(&self) -> bool {
        let taken = self.workers.add_below(params::max_user_workers() as usize);
        if taken {
            self.users.workers.add(1);
        }
        taken
    }

    /// A thread that [`User::take`] counted has ended. Any context.
    pub(crate) fn give_back(&self) {
        // The sum last, which is what somebody may wait for.
        self.workers.sub(1);
        self.users.workers.sub(1);
    }

    /// How many worker threads all rings of the user have.
    pub(crate) fn workers(&self) -> usize {
        self.workers.get()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.users.leave(self.uid);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What `/proc/PID/fdinfo/FD` says of a ring.

#![forbid(unsafe_code)]

use super::Context;
use crate::abstractions::seq_number;
use kernel::{
    seq_file::SeqFile,
    seq_print,
    sync::atomic::Relaxed, //
};

impl Context {
    /// Lines for `/proc/PID/fdinfo/FD`.
    pub(crate) fn show_fdinfo(&self, out: &SeqFile) {
        let inside = self.pool.lock();
        let posted = inside.state.posted();
        let answered = inside.state.answered();
        let skipped = inside.state.skipped();
        let overflow = inside.state.overflow();
        let parked = inside.state.parked();
        drop(inside);
        let submitted = self.submitted.load(Relaxed);
        let dropped = self.sq_dropped.load(Relaxed);
        // The two counters are not read at the same moment, so the difference may be off, but not
        // below 0.
        let in_flight = submitted
            .saturating_sub(dropped)
            .saturating_sub(answered)
            .saturating_sub(skipped);

        let (workers, user_workers) = self
            .binding
            .workers()
            .map_or((0, 0), |workers| (workers.live(), workers.user().workers()));

        let owner = self.binding.pid(self.pool.shared());
        seq_number::put_line(out, c"io_ring-ring:\t", self.number());
        seq_print!(out, "io_ring-owner:\t{}\n", owner);
        seq_print!(out, "io_ring-sq_entries:\t{}\n", self.layout.entries.get());
        seq_print!(
            out,
            "io_ring-cq_entries:\t{}\n",
            self.layout.cq_entries.get()
        );
        seq_print!(out, "io_ring-requests:\t{}\n", self.pool.len());
        seq_print!(out, "io_ring-bytes:\t{}\n", self.mem.len());
        seq_number::put_line(out, c"io_ring-submitted:\t", submitted);
        seq_number::put_line(out, c"io_ring-completed:\t", posted);
        seq_number::put_line(out, c"io_ring-skipped:\t", skipped);
        seq_number::put_line(out, c"io_ring-in_flight:\t", in_flight);
        seq_print!(out, "io_ring-parked:\t{}\n", parked);
        seq_number::put_line(out, c"io_ring-overflow:\t", overflow);
        let armed = self.pool.shared().away.watch.armed();
        seq_print!(out, "io_ring-armed:\t{}\n", armed);
        let away = &self.pool.shared().away;
        let (in_line, limits) = away.turns.counts();
        let timers = away.timers.armed().saturating_add(limits);
        seq_print!(out, "io_ring-timers:\t{}\n", timers);
        seq_print!(out, "io_ring-in_line:\t{}\n", in_line);
        seq_print!(out, "io_ring-workers:\t{}\n", workers);
        let max_workers = self.binding.max_workers();
        seq_print!(out, "io_ring-max_workers:\t{}\n", max_workers);
        seq_print!(out, "io_ring-user_workers:\t{}\n", user_workers);
        seq_number::put_line(out, c"io_ring-dropped:\t", dropped);
        self.show_sq_thread(out);
    }

    fn show_sq_thread(&self, out: &SeqFile) {
        let Some(thread) = self.sq_thread.as_ref() else {
            return;
        };
        let counts = thread.counts();
        seq_print!(out, "io_ring-sq_thread:\t{}\n", counts.thread);
        seq_print!(
            out,
            "io_ring-sq_thread_asleep:\t{}\n",
            u8::from(counts.sleeps)
        );
        seq_number::put_line(out, c"io_ring-sq_thread_naps:\t", counts.naps);
        seq_number::put_line(out, c"io_ring-sq_thread_rounds:\t", counts.rounds);
        seq_number::put_line(out, c"io_ring-sq_thread_entries:\t", counts.entries);
    }
}

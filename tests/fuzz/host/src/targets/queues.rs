// SPDX-License-Identifier: GPL-2.0-only

//! Both queues, with a program that lies whenever the module looks.
//!
//! The module never acts on anything out of range, what it keeps for itself stays true whatever is
//! written over it, and each completion comes exactly once, in order, into an element that the
//! program has said to be free.

mod record;

use crate::{
    abi,
    abstractions::{
        eventfd::EventFd,
        pool::{Domain, Inside, Pool, Slot},
        shared_mem::SharedMem,
    },
    peer::{self, Map},
    ring::{
        completion::{self, Completing, CompletionQueue, OnCount, OnIdle, OnOut, Shared},
        index::{Capacity, OutOfRange, Position},
        layout::Layout,
        notice::{Interest, Notice},
        submission::SubmissionQueue,
    },
    source::Source,
};
use kernel::sync::Arc;
use record::Record;
use std::sync::atomic::{AtomicU64, Ordering};

const PAGE_SIZE: u32 = 4096;

/// A request: what it completes with.
#[derive(Default)]
pub(crate) struct Request {
    cqe: abi::Cqe,
}

struct Requests;

impl Domain for Requests {
    type Item = Request;
    type Shared = Shared;
    type Locked = CompletionQueue<Self>;
}

impl Completing for Requests {
    fn completion(shared: &Shared) -> &Shared {
        shared
    }

    fn cqe(item: &Request) -> abi::Cqe {
        item.cqe
    }

    fn keep(item: &mut Request, cqe: abi::Cqe) {
        item.cqe = cqe;
    }
}

/// Counts what it is told, and wants no more after some.
#[derive(Default)]
struct Observer(AtomicU64);

impl OnCount for Observer {
    fn run(&self, came: u64) {
        self.0.store(came, Ordering::Relaxed);
    }
}

impl OnOut for Observer {
    fn run(&self, _out: usize) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) % 4 != 3
    }
}

impl OnIdle for Observer {
    fn run(self: Arc<Self>) {
        assert_eq!(self.0.fetch_add(1, Ordering::Relaxed), 0, "idle twice");
    }
}

/// The module's ends, what they ought to have done, and the program's bytes.
struct Rings {
    mem: Arc<SharedMem>,
    layout: Layout,
    submissions: SubmissionQueue,
    pool: Pool<Requests>,
    working: Vec<Slot<Requests>>,
    record: Record,
    eventfd: EventFd,
    next: u64,
}

impl Rings {
    fn new(source: &mut Source, peer: Source) -> Self {
        let shape = source.byte();
        let capacity = |bit: u8| Capacity::new(1 << bit).expect("a power of two");
        let (entries, cq_entries) = (
            capacity(shape & 3),
            capacity((shape & 3) | ((shape >> 2) & 1)),
        );
        let has_array = shape & 8 == 0;
        let layout = Layout::new(entries, cq_entries, has_array, PAGE_SIZE).expect("small");
        let requests = cq_entries.get() as usize + usize::from(shape >> 4);
        let mem = SharedMem::new(layout.region_size);
        let mut submissions = SubmissionQueue::new(&mem, &layout).expect("it fits");
        let mut queue = CompletionQueue::new(&mem, &layout).expect("it fits");
        let shared = Shared::new(&mem, &layout, requests);
        let start = Position::new(source.word());
        submissions.start_at(start);
        submissions.count_from(u64::from(u32::MAX) * u64::from(source.byte() & 1));
        let first = (
            Position::new(source.word()),
            u64::MAX - u64::from(source.byte()),
        );
        queue.start_at(first.0);
        queue.count_from(first.1);
        let pool = Pool::new(requests, Request::default, queue, shared);
        completion::publish(pool.shared(), &mut pool.lock());
        let (sq, cq) = (&layout.sq_off, &layout.cq_off);
        let map = Map {
            sq: (sq.tail as usize / 4, sq.head as usize / 4),
            cq: (cq.head as usize / 4, cq.tail as usize / 4),
            array: (
                sq.array as usize / 4,
                entries.get() as usize * usize::from(has_array),
            ),
        };
        let record = Record::new(&layout, (start, submissions.dropped()), first);
        mem.log();
        peer::arm(peer, map);
        Self {
            mem,
            layout,
            submissions,
            pool,
            working: Vec::new(),
            record,
            eventfd: EventFd::default(),
            next: 0,
        }
    }

    fn note(&mut self) {
        for access in self.mem.log() {
            self.record.note(access);
        }
    }

    /// Looks at what the module has done.
    fn check(&mut self) {
        self.note();
        let inside = self.pool.lock();
        let out = self.working.len();
        assert_eq!(
            inside.at_home() + inside.state.parked() as usize + out,
            self.pool.len(),
            "a slot is lost"
        );
        assert_eq!(inside.state.parked() as usize, self.record.parked());
    }

    fn cqe(&mut self, flags: u32) -> abi::Cqe {
        self.next += 1;
        abi::Cqe {
            user_data: self.next,
            res: -1,
            flags,
        }
    }

    /// Takes up to so many entries, as far as there are slots.
    fn submit(&mut self, most: u32) {
        let Ok(available) = self.submissions.available() else {
            return;
        };
        assert!(available <= self.submissions.capacity());
        for _ in 0..available.min(most) {
            let Some(slot) = self.pool.lock().take() else {
                break;
            };
            let before = self.submissions.head();
            let sqe = self.submissions.take();
            assert_eq!(self.submissions.head(), before.advanced(1));
            self.record.taken(sqe.is_some());
            self.note();
            match sqe {
                Some(_) => self.working.push(slot),
                None => self.pool.lock().put(slot),
            }
        }
        self.submissions.publish();
        assert_eq!(self.submissions.dropped(), self.record.dropped());
    }

    fn publish(&self, inside: &mut Inside<Requests>, is_at_once: bool) {
        if is_at_once {
            completion::publish_at_once(self.pool.shared(), inside);
        } else {
            completion::publish(self.pool.shared(), inside);
        }
    }

    /// Ends a request.
    fn complete(&mut self, which: u8, is_at_once: bool) {
        if self.working.is_empty() {
            return;
        }
        let mut slot = self
            .working
            .swap_remove(usize::from(which) % self.working.len());
        slot.cqe = self.cqe(0);
        self.record.posted(slot.cqe);
        let mut inside = self.pool.lock();
        completion::post(&mut inside, slot);
        self.publish(&mut inside, is_at_once);
    }

    /// Ends some that have no slots but spare ones.
    fn complete_all(&mut self, count: usize) {
        let cqes: Vec<_> = (0..count).map(|_| self.cqe(0)).collect();
        let mut inside = self.pool.lock();
        if inside.at_home() < count {
            return;
        }
        let mut spare = inside.take_some(count);
        cqes.iter().for_each(|&cqe| self.record.posted(cqe));
        completion::post_all(&mut inside, &cqes, &mut spare);
        inside.put_all(&mut spare);
        self.publish(&mut inside, true);
    }

    fn complete_more(&mut self) {
        let cqe = self.cqe(abi::CQE_F_MORE);
        self.record.posted(cqe);
        let mut inside = self.pool.lock();
        if !completion::post_more(&mut inside, cqe) {
            self.record.not_posted();
        }
        self.publish(&mut inside, false);
    }

    /// The program reads up to so many completions, and what it says is true.
    fn reap(&mut self, most: u32) {
        let tail = self.record.tail();
        let head = self.mem.peek(self.layout.cq_off.head);
        let there = tail.wrapping_sub(head);
        let sane = there <= self.layout.cq_entries.get();
        let head = if sane {
            head.wrapping_add(there.min(most))
        } else {
            tail
        };
        self.mem.poke(self.layout.cq_off.head, head);
    }

    /// The program offers entries, and what it says is true.
    fn offer(&mut self, most: u32) {
        let off = &self.layout.sq_off;
        let (head, entries) = (self.submissions.head().get(), self.layout.entries.get());
        for n in 0..entries * u32::from(self.layout.has_index_array()) {
            self.mem.poke(off.array + 4 * n, n);
        }
        self.mem
            .poke(off.tail, head.wrapping_add(most.min(entries)));
    }

    fn look(&self, wanted: u32) {
        let shared = self.pool.shared();
        let capacity = self.layout.cq_entries.get();
        assert!(!matches!(completion::ready(&self.pool), Ok(ready) if ready > capacity));
        let would_stall = completion::would_stall(&self.pool, wanted);
        assert!(wanted != 0 || would_stall != Ok(true));
        assert!(completion::under_way(&self.pool) == self.working.len());
        std::hint::black_box((
            completion::are_ready(&self.pool, wanted),
            shared.is_worth_a_look(wanted),
            shared.may_stall(wanted),
        ));
        assert_eq!(shared.capacity(), capacity);
        assert_eq!(shared.is_idle(), self.working.is_empty());
        assert_eq!(shared.ring(), 1);
        let _ = OutOfRange;
    }

    fn change_owner(&self, goes: bool) {
        let shared = self.pool.shared();
        let epoch = shared.owner_epoch();
        let was_gone = shared.is_owner_gone();
        if goes {
            shared.set_owner_gone();
        } else {
            shared.set_owner_new();
        }
        assert_eq!(shared.is_owner_gone(), goes);
        assert_eq!(shared.has_owner_left(epoch), goes || was_gone);
        assert_eq!(shared.owner_epoch() == epoch, goes == was_gone);
    }

    fn observe(&mut self, kind: u8) {
        let observer = Arc::new(Observer::default());
        match kind & 3 {
            0 => {
                let mut inside = self.pool.lock();
                let came = completion::count(&mut inside, observer);
                std::hint::black_box(came);
                inside.state.leave_out();
            }
            1 => completion::watch_out(&mut self.pool.lock(), observer),
            2 if self.working.is_empty() => completion::when_idle(&self.pool, observer),
            _ => {
                let mut inside = self.pool.lock();
                let out = completion::out(self.pool.shared(), &inside);
                assert_eq!(out, self.working.len());
                completion::skip(&mut inside, 1);
            }
        }
    }

    fn tell(&mut self, kind: u8) {
        let notice = Notice {
            eventfd: self.eventfd.clone(),
            interest: [Interest::All, Interest::Later][usize::from(kind & 1)],
            switch: self.mem.word(self.layout.cq_off.flags).expect("inside"),
        };
        let mut inside = self.pool.lock();
        if kind & 2 != 0 {
            inside.state.notices.take();
        }
        let is_told = inside.state.tell(notice).is_ok();
        assert!(is_told || kind & 2 == 0);
        assert!(self.eventfd.count() <= 2 * (self.next + self.pool.len() as u64));
    }

    fn step(&mut self, source: &mut Source) {
        let (what, how) = (source.byte(), source.byte());
        match what % 16 {
            0 | 1 => self.submit(how.into()),
            2..=4 => self.complete(how, what & 16 != 0),
            5 => self.complete_all(usize::from(how & 7)),
            6 => self.complete_more(),
            7 | 8 => self.reap(how.into()),
            9 => completion::flush_parked(&self.pool),
            10 => self.look(how.into()),
            11 => self.change_owner(how & 1 != 0),
            12 => self.observe(how),
            13 => self.tell(how),
            14 => self.offer(how.into()),
            _ if how < 8 => {
                completion::discard_parked(&self.pool);
                self.record.discarded();
            }
            _ => {}
        }
        self.check();
    }

    /// The program tells the truth at last: it gets all that is left.
    fn end(mut self) {
        peer::disarm();
        while !self.working.is_empty() {
            self.complete(0, false);
            self.check();
        }
        while self.record.parked() != 0 {
            self.reap(u32::MAX);
            completion::flush_parked(&self.pool);
            self.check();
        }
        assert!(!self.pool.shared().has_parked());
        self.reap(u32::MAX);
        assert_eq!(completion::ready(&self.pool), Ok(0));
        self.offer(1);
        assert_eq!(self.submissions.available(), Ok(1));
        let inside = self.pool.lock();
        let queue = &inside.state;
        self.record.check_count(queue.posted());
        std::hint::black_box((queue.overflow(), queue.skipped(), queue.answered()));
        assert_eq!(inside.at_home(), self.pool.len());
        std::hint::black_box(self.pool.shared().waiters.woken());
    }
}

/// What the program and the module do, and what the program writes meanwhile.
pub fn queues(data: &[u8]) {
    let of = |parity: usize| data.iter().copied().skip(parity).step_by(2);
    let mut source = Source::new(of(0));
    let mut rings = Rings::new(&mut source, Source::new(of(1)));
    while !source.is_empty() {
        rings.step(&mut source);
    }
    rings.end();
}

// SPDX-License-Identifier: GPL-2.0-only

//! Memory that the program writes before each access of the module, and a log of what the module
//! does with it.

use crate::peer;
use kernel::{prelude::*, sync::Arc};
use std::cell::RefCell;

/// What the module has done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// It has read the word at this offset.
    Read(u32, u32),
    /// It has written the word at this offset.
    Write(u32, u32),
    /// It has written two words of 64 bits to the element with this number.
    WriteElement(u32, [u64; 2]),
}

pub(crate) struct SharedMem {
    words: RefCell<Vec<u32>>,
    log: RefCell<Vec<Access>>,
}

fn number(offset: u32) -> Result<usize> {
    if offset % 4 != 0 {
        return Err(EINVAL);
    }
    Ok(offset as usize / 4)
}

impl SharedMem {
    #[allow(
        clippy::arc_with_non_send_sync,
        reason = "there is one thread, and the module has no other kind"
    )]
    pub(crate) fn new(bytes: u32) -> Arc<Self> {
        Arc::new(Self {
            words: RefCell::new(vec![0; bytes as usize / 4]),
            log: RefCell::default(),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        1
    }

    pub(crate) fn word(self: &Arc<Self>, offset: u32) -> Result<SharedWord> {
        if number(offset)? >= self.words.borrow().len() {
            return Err(EINVAL);
        }
        Ok(SharedWord {
            offset,
            mem: self.clone(),
        })
    }

    pub(crate) fn array<T: Element>(
        self: &Arc<Self>,
        offset: u32,
        len: u32,
    ) -> Result<SharedArray<T>> {
        let start = number(offset)?;
        if start + T::WORDS * len as usize > self.words.borrow().len() {
            return Err(EINVAL);
        }
        Ok(SharedArray {
            start,
            len,
            mem: self.clone(),
            _element: core::marker::PhantomData,
        })
    }

    /// What the program sees at an offset.
    pub(crate) fn peek(&self, offset: u32) -> u32 {
        self.words.borrow()[offset as usize / 4]
    }

    /// The program writes.
    pub(crate) fn poke(&self, offset: u32, value: u32) {
        self.words.borrow_mut()[offset as usize / 4] = value;
    }

    /// What the module has done since this was last asked.
    pub(crate) fn log(&self) -> Vec<Access> {
        self.log.take()
    }

    fn access<R>(&self, action: impl FnOnce(&mut [u32]) -> R) -> R {
        let mut words = self.words.borrow_mut();
        peer::interfere(&mut words);
        action(&mut words)
    }

    fn note(&self, access: Access) {
        self.log.borrow_mut().push(access);
    }
}

pub(crate) struct SharedWord {
    offset: u32,
    mem: Arc<SharedMem>,
}

impl SharedWord {
    pub(crate) fn load_acquire(&self) -> u32 {
        let value = self.mem.access(|words| words[self.offset as usize / 4]);
        self.mem.note(Access::Read(self.offset, value));
        value
    }

    pub(crate) fn store_release(&self, value: u32) {
        self.mem
            .access(|words| words[self.offset as usize / 4] = value);
        self.mem.note(Access::Write(self.offset, value));
    }

    pub(crate) fn store(&self, value: u32) {
        self.store_release(value);
    }
}

pub(crate) trait Element: Copy {
    const WORDS: usize;
    fn of(words: impl FnMut() -> u32) -> Self;
    fn pair(self) -> [u64; 2];
}

impl Element for u32 {
    const WORDS: usize = 1;

    fn of(mut words: impl FnMut() -> u32) -> Self {
        words()
    }

    fn pair(self) -> [u64; 2] {
        [self.into(), 0]
    }
}

impl<const N: usize> Element for [u64; N] {
    const WORDS: usize = 2 * N;

    fn of(mut words: impl FnMut() -> u32) -> Self {
        [0; N].map(|_: u64| u64::from(words()) | (u64::from(words()) << 32))
    }

    fn pair(self) -> [u64; 2] {
        [0, 1].map(|index| self[index])
    }
}

pub(crate) struct SharedArray<T> {
    start: usize,
    len: u32,
    mem: Arc<SharedMem>,
    _element: core::marker::PhantomData<T>,
}

impl<T: Element> SharedArray<T> {
    fn place(&self, index: u32) -> usize {
        assert!(index < self.len, "element {index} of {}", self.len);
        self.start + T::WORDS * index as usize
    }

    /// One word after the other, and the program writes in between.
    pub(crate) fn read(&self, index: u32) -> T {
        let mut place = self.place(index);
        T::of(|| {
            place += 1;
            self.mem.access(|words| words[place - 1])
        })
    }

    pub(crate) fn write(&self, index: u32, value: T) {
        let (place, [first, second]) = (self.place(index), value.pair());
        for (number, part) in [first, first >> 32, second, second >> 32]
            .into_iter()
            .enumerate()
        {
            // CAST: The lower half.
            self.mem.access(|words| words[place + number] = part as u32);
        }
        self.mem.note(Access::WriteElement(index, [first, second]));
    }
}

// SPDX-License-Identifier: GPL-2.0-only

//! Slots, which are numbered boxes: none is lost, none is there twice.

use kernel::prelude::*;
use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    ops::{Deref, DerefMut},
};

pub(crate) trait Domain: Sized + 'static {
    type Item;
    type Shared;
    type Locked;
}

pub(crate) struct Slot<D: Domain>(Box<D::Item>);

impl<D: Domain> Slot<D> {
    pub(crate) fn new(item: D::Item) -> Self {
        Self(Box::new(item))
    }
}

impl<D: Domain> Deref for Slot<D> {
    type Target = D::Item;

    fn deref(&self) -> &D::Item {
        &self.0
    }
}

impl<D: Domain> DerefMut for Slot<D> {
    fn deref_mut(&mut self) -> &mut D::Item {
        &mut self.0
    }
}

pub(crate) struct Chain<D: Domain>(VecDeque<Slot<D>>);

impl<D: Domain> Chain<D> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push_back(&mut self, slot: Slot<D>) {
        self.0.push_back(slot);
    }

    pub(crate) fn pop(&mut self) -> Option<Slot<D>> {
        self.0.pop_front()
    }
}

pub(crate) struct Spare<D: Domain>(Vec<Slot<D>>);

impl<D: Domain> Spare<D> {
    pub(crate) fn take(&mut self) -> Option<Slot<D>> {
        self.0.pop()
    }
}

pub(crate) struct Inside<D: Domain> {
    home: Vec<Slot<D>>,
    len: usize,
    pub(crate) state: D::Locked,
}

impl<D: Domain> Inside<D> {
    pub(crate) fn take(&mut self) -> Option<Slot<D>> {
        self.home.pop()
    }

    pub(crate) fn put(&mut self, slot: Slot<D>) {
        self.home.push(slot);
        assert!(self.home.len() <= self.len, "a slot came home twice");
    }

    pub(crate) fn at_home(&self) -> usize {
        self.home.len()
    }

    pub(crate) fn take_some(&mut self, most: usize) -> Spare<D> {
        let left = self.home.len().saturating_sub(most);
        Spare(self.home.split_off(left))
    }

    pub(crate) fn put_all(&mut self, spare: &mut Spare<D>) {
        while let Some(slot) = spare.take() {
            self.put(slot);
        }
    }
}

pub(crate) struct Pool<D: Domain> {
    inside: RefCell<Inside<D>>,
    shared: D::Shared,
    len: usize,
}

impl<D: Domain> Pool<D> {
    pub(crate) fn new(
        len: usize,
        item: impl Fn() -> D::Item,
        state: D::Locked,
        shared: impl PinInit<D::Shared, Error>,
    ) -> Self {
        let home = (0..len).map(|_| Slot::new(item())).collect();
        Self {
            inside: RefCell::new(Inside { home, len, state }),
            shared: shared.make().expect("it fits"),
            len,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn shared(&self) -> &D::Shared {
        &self.shared
    }

    /// Panics if it is held: that would be a deadlock.
    pub(crate) fn lock(&self) -> RefMut<'_, Inside<D>> {
        self.inside.borrow_mut()
    }
}

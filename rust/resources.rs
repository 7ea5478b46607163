// SPDX-License-Identifier: GPL-2.0

//! Registered resources: looked up once, and used by their number.
//!
//! A table belongs to the submitter, whose mutex guards it. A request that ends before ENTER goes on
//! borrows what it uses from the table; one that lasts longer counts itself among the users, and keeps
//! it however the table changes.

#![forbid(unsafe_code)]

use crate::abstractions::{
    nospec,
    shared::{
        Registered,
        Shared, //
    },
};
use kernel::prelude::*;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// What can be registered.
pub(crate) trait Resource: Sized {
    /// How a program names one.
    type Element: FromBytes + IntoBytes + Immutable;
    /// What names none.
    const NONE: Self::Element;
    /// Most places of a table.
    const MAX: u32;

    /// Why a table of `count` places would be more than the calling process may have.
    ///
    /// # Errors
    ///
    /// Those of the resource.
    fn check_count(count: u32) -> Result;

    /// What `element` asks for. Process context, in an ioctl of the ring's process; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if there is a tag for nothing; those of the resource.
    fn change(element: Self::Element, tag: u64) -> Result<Change<Self>>;
}

/// What a place is to become.
pub(crate) enum Change<T> {
    /// It stays as it is.
    Keep,
    /// It becomes empty.
    Clear,
    /// It gets a resource, and a tag, 0 for none.
    Set(Registered<T>, u64),
}

/// A place in a table.
struct Place<T> {
    resource: Option<Registered<T>>,
    tag: u64,
}

impl<T> Place<T> {
    /// What becomes of a place; `None` if it stays as it is.
    fn after(change: Change<T>) -> Option<Self> {
        let (resource, tag) = match change {
            Change::Keep => return None,
            Change::Clear => (None, 0),
            Change::Set(resource, tag) => (Some(resource), tag),
        };
        Some(Self { resource, tag })
    }

    /// What was in it.
    fn retired(self) -> Option<Retired<T>> {
        let tag = self.tag;
        self.resource.map(|resource| Retired { resource, tag })
    }
}

/// What has left a table, and what is told when it has no users any more.
pub(crate) struct Retired<T> {
    /// The resource.
    pub(crate) resource: Registered<T>,
    /// Its tag, 0 for none.
    pub(crate) tag: u64,
}

/// A table. If it is dropped nobody is told of tags.
pub(crate) struct Table<T> {
    places: KVVec<Place<T>>,
}

impl<T> Table<T> {
    /// A table without places.
    pub(crate) const fn new() -> Self {
        Self {
            places: KVVec::new(),
        }
    }

    /// What is in place `number`.
    #[inline]
    pub(crate) fn at(&self, number: u32) -> Option<&Shared<T>> {
        let size = u32::try_from(self.places.len()).ok()?;
        let number = nospec::checked_index(number, size)?;
        let place = self.places.get(number as usize)?;
        Some(place.resource.as_ref()?.shared())
    }

    /// Makes a table of `changes` of places that were empty.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one already; `ENOMEM`.
    pub(crate) fn fill(&mut self, changes: KVVec<Change<T>>) -> Result {
        if !self.places.is_empty() {
            return Err(EBUSY);
        }
        let mut places = KVVec::with_capacity(changes.len(), GFP_KERNEL_ACCOUNT)?;
        for change in changes {
            let empty = Place {
                resource: None,
                tag: 0,
            };
            let place = Place::after(change).unwrap_or(empty);
            places.push(place, GFP_KERNEL_ACCOUNT)?;
        }
        self.places = places;
        Ok(())
    }

    /// How many tags would be told of by changes from place `first` on.
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table; `EINVAL` if there are not so many places.
    pub(crate) fn tags_of(&self, first: usize, changes: &[Change<T>]) -> Result<usize> {
        if self.places.is_empty() {
            return Err(ENXIO);
        }
        let end = first.checked_add(changes.len()).ok_or(EINVAL)?;
        let places = self.places.get(first..end).ok_or(EINVAL)?;
        let tags = (places.iter().zip(changes))
            .filter(|(place, change)| place.tag != 0 && !matches!(change, Change::Keep))
            .count();
        Ok(tags)
    }

    /// Changes places from `first` on; hands what leaves to `retire`.
    pub(crate) fn update(
        &mut self,
        first: usize,
        changes: KVVec<Change<T>>,
        mut retire: impl FnMut(Retired<T>),
    ) {
        let places = self.places.iter_mut().skip(first);
        for (place, change) in places.zip(changes) {
            let Some(next) = Place::after(change) else {
                continue;
            };
            if let Some(retired) = core::mem::replace(place, next).retired() {
                retire(retired);
            }
        }
    }

    /// How many tags would be told of by [`Table::clear`].
    ///
    /// # Errors
    ///
    /// `ENXIO` if there is no table.
    pub(crate) fn tags(&self) -> Result<usize> {
        if self.places.is_empty() {
            return Err(ENXIO);
        }
        Ok(self.places.iter().filter(|place| place.tag != 0).count())
    }

    /// Takes the table away; hands what was in it to `retire`.
    pub(crate) fn clear(&mut self, retire: impl FnMut(Retired<T>)) {
        core::mem::take(&mut self.places)
            .into_iter()
            .filter_map(Place::retired)
            .for_each(retire);
    }
}

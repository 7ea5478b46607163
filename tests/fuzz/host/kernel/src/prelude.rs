// SPDX-License-Identifier: GPL-2.0-only

//! What every file of the module has.

pub use crate::error::{code::*, Error, Result};
pub use crate::try_pin_init;
pub use kernel_macros::pin_data;

/// What makes a value. Nothing is pinned: there is no C that has its address.
pub trait PinInit<T, E> {
    /// Makes it.
    fn make(self) -> Result<T, E>;
}

impl<T, E, F: FnOnce() -> Result<T, E>> PinInit<T, E> for F {
    fn make(self) -> Result<T, E> {
        self()
    }
}

/// What is allocated when a program asks for it.
pub const GFP_KERNEL_ACCOUNT: () = ();

/// Memory of one value, which there always is.
pub struct KBox<T>(Box<T>);

impl<T> KBox<T> {
    /// Allocates.
    pub fn new(value: T, _flags: ()) -> Result<Self> {
        Ok(Self(Box::new(value)))
    }
}

impl<T> core::ops::Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What makes a structure, field by field; `<-` makes a field by what makes it.
#[macro_export]
macro_rules! try_pin_init {
    ($type:ident { $($fields:tt)* }? $error:ty) => {
        move || -> Result<$type, $error> {
            $crate::try_pin_init!(@field $type [] $($fields)*)
        }
    };
    (@field $type:ident [$($made:tt)*]) => {
        Ok($type { $($made)* })
    };
    (@field $type:ident [$($made:tt)*] $name:ident <- $init:expr, $($rest:tt)*) => {
        $crate::try_pin_init!(@field $type [$($made)* $name: $crate::prelude::PinInit::make($init)?,] $($rest)*)
    };
    (@field $type:ident [$($made:tt)*] $name:ident: $value:expr, $($rest:tt)*) => {
        $crate::try_pin_init!(@field $type [$($made)* $name: $value,] $($rest)*)
    };
    (@field $type:ident [$($made:tt)*] $name:ident, $($rest:tt)*) => {
        $crate::try_pin_init!(@field $type [$($made)* $name,] $($rest)*)
    };
}

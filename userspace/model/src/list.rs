//! A short list of plain values that is copied and hashed as bytes: states are made by the million.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;
use zerocopy::{Immutable, IntoBytes};

/// What a [`List`] may hold.
pub trait Plain: Copy + IntoBytes + Immutable {}
impl<T: Copy + IntoBytes + Immutable> Plain for T {}

/// Up to `N` values lie in place; more are allowed and cost an allocation.
#[derive(Debug)]
pub struct List<T: Plain, const N: usize>(SmallVec<[T; N]>);

impl<T: Plain, const N: usize> List<T, N> {
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    pub fn remove(&mut self, ix: usize) -> T {
        self.0.remove(ix)
    }

    pub fn insert(&mut self, ix: usize, value: T) {
        self.0.insert(ix, value);
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|v| keep(v));
    }
}

impl<T: Plain, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T: Plain, const N: usize> Clone for List<T, N> {
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl<T: Plain, const N: usize> Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Plain, const N: usize> DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Plain, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().as_bytes() == other.0.as_slice().as_bytes()
    }
}

impl<T: Plain, const N: usize> Eq for List<T, N> {}

impl<T: Plain, const N: usize> Hash for List<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_slice().as_bytes();
        state.write_usize(bytes.len());
        state.write(bytes);
    }
}

//! A short list of plain values that is copied, compared and packed as bytes: states are made by the million.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// What a [`List`] may hold.
pub trait Plain: Copy + Default + FromBytes + IntoBytes + Immutable {}
impl<T: Copy + Default + FromBytes + IntoBytes + Immutable> Plain for T {}

/// Up to `N` values lie in place, so that a copy is one of fixed length; more are allowed and cost an allocation.
#[derive(Clone, Debug)]
pub struct List<T: Plain, const N: usize> {
    here: [T; N],
    len: u16,
    /// All of them, when there were too many once.
    #[expect(
        clippy::box_collection,
        reason = "lists are copied by the million, and hardly one has any of these"
    )]
    more: Option<Box<Vec<T>>>,
}

impl<T: Plain, const N: usize> List<T, N> {
    pub fn push(&mut self, value: T) {
        self.insert(self.len(), value);
    }

    pub fn insert(&mut self, ix: usize, value: T) {
        let len = usize::from(self.len);
        match &mut self.more {
            Some(more) => more.insert(ix, value),
            None if len < N => {
                self.here.copy_within(ix..len, ix + 1);
                self.here[ix] = value;
                self.len += 1;
            }
            None => {
                let mut more = self.here.to_vec();
                more.insert(ix, value);
                self.more = Some(Box::new(more));
            }
        }
    }

    pub fn remove(&mut self, ix: usize) -> T {
        if let Some(more) = &mut self.more {
            return more.remove(ix);
        }
        let value = self.here[ix];
        self.here.copy_within(ix + 1..usize::from(self.len), ix);
        self.len -= 1;
        value
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if let Some(more) = &mut self.more {
            return more.retain(keep);
        }
        let mut kept = 0;
        for ix in 0..usize::from(self.len) {
            if keep(&self.here[ix]) {
                self.here[kept] = self.here[ix];
                kept += 1;
            }
        }
        self.len = kept as u16;
    }

    /// The values as [`List::fill`] reads them back.
    pub fn as_bytes(&self) -> &[u8] {
        (**self).as_bytes()
    }

    /// Takes `len` values from the front of `bytes`, and gives back the rest.
    pub fn fill<'a>(&mut self, len: u16, bytes: &'a [u8]) -> &'a [u8] {
        let (mine, rest) = bytes.split_at(usize::from(len) * size_of::<T>());
        if usize::from(len) <= N {
            self.more = None;
            self.len = len;
            self.here[..usize::from(len)].as_mut_bytes().copy_from_slice(mine);
        } else {
            let mut more = vec![T::default(); usize::from(len)];
            more.as_mut_bytes().copy_from_slice(mine);
            self.more = Some(Box::new(more));
        }
        rest
    }
}

impl<T: Plain, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self { here: [T::default(); N], len: 0, more: None }
    }
}

impl<T: Plain, const N: usize> Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match &self.more {
            None => &self.here[..usize::from(self.len)],
            Some(more) => more,
        }
    }
}

impl<T: Plain, const N: usize> DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.more {
            None => &mut self.here[..usize::from(self.len)],
            Some(more) => more,
        }
    }
}

impl<T: Plain, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<T: Plain, const N: usize> Eq for List<T, N> {}

impl<T: Plain, const N: usize> Hash for List<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.as_bytes();
        state.write_usize(bytes.len());
        state.write(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list does what a vector does, below its `N` and beyond.
    #[test]
    fn a_list_is_a_vector() {
        let mut list: List<u16, 3> = List::default();
        let mut vector = Vec::new();
        for n in 0..5 {
            list.insert(n / 2, n as u16);
            vector.insert(n / 2, n as u16);
            assert_eq!(*list, *vector);
            let mut back: List<u16, 3> = List::default();
            assert!(back.fill(list.len() as u16, list.as_bytes()).is_empty());
            assert_eq!(back, list);
        }
        list.retain(|n| n % 2 == 0);
        vector.retain(|n| n % 2 == 0);
        assert_eq!(*list, *vector);
        while !vector.is_empty() {
            assert_eq!(list.remove(0), vector.remove(0));
        }
        // What was too much once is read back into place.
        let mut back = list.clone();
        back.fill(1, 7u16.as_bytes());
        list.push(7);
        assert_eq!(back, list);
    }
}

//! Sorting of what may be a hundred thousand rows, of which a screen is seen: keys are made once, and only the window that
//! is shown is put in order.

/// Rows by sort key. Equal keys stay in the order of the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    keys: Vec<(u64, u32)>,
}

impl Order {
    /// Takes the rows in question with their keys.
    pub fn set(&mut self, keys: impl Iterator<Item = (u64, u32)>, descending: bool) {
        self.keys.clear();
        self.keys.extend(keys.map(|(key, row)| (if descending { !key } else { key }, row)));
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The rows at places `from..to`, in order.
    pub fn window(&mut self, from: usize, to: usize) -> Vec<u32> {
        let to = to.min(self.keys.len());
        let from = from.min(to);
        let mut rest = self.keys.as_mut_slice();
        if from > 0 && from < rest.len() {
            (_, _, rest) = rest.select_nth_unstable(from - 1);
        } else if from > 0 {
            rest = &mut [];
        }
        let wanted = to - from;
        if wanted > 0 && wanted < rest.len() {
            rest.select_nth_unstable(wanted);
        }
        let rest = rest.get_mut(..wanted).unwrap_or_default();
        rest.sort_unstable();
        rest.iter().map(|(_, row)| *row).collect()
    }

    /// Every row, in no order.
    pub fn rows(&self) -> Vec<u32> {
        self.keys.iter().map(|(_, row)| *row).collect()
    }

    /// At which place a row is.
    pub fn place(&self, row: u32) -> Option<usize> {
        let own = self.keys.iter().find(|(_, r)| *r == row)?;
        Some(self.keys.iter().filter(|k| *k < own).count())
    }
}

/// The beginning of a name as a sort key.
pub(crate) fn name_key(name: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_is_a_part_of_the_whole_order(
            keys in prop::collection::vec(0u64..50, 0..80),
            windows in prop::collection::vec((0usize..90, 0usize..90), 1..6),
            descending: bool,
        ) {
            let mut whole: Vec<u32> = (0..keys.len() as u32).collect();
            whole.sort_by_key(|i| {
                let key = keys[*i as usize];
                if descending { !key } else { key }
            });
            let mut order = Order::default();
            order.set(keys.iter().copied().zip(0..), descending);
            for (from, to) in windows {
                let seen = order.window(from, to);
                let to = to.min(whole.len());
                prop_assert_eq!(seen, whole[from.min(to)..to].to_vec());
                for (place, row) in whole.iter().enumerate() {
                    prop_assert_eq!(order.place(*row), Some(place));
                }
            }
        }
    }
}

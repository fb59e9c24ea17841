//! Many things in short lists, found by a hash of their names: cheaper to make than a map, for tables that are asked a few hundred times.

/// So many lists: with a hundred thousand names some ten are in each.
const LISTS: usize = 1 << 14;

/// Numbers of things, by name. The names are not kept: who asks compares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    /// List `n` lies in `items` at `bounds[n]..bounds[n + 1]`.
    bounds: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// The things of these names, numbered from 0.
    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::numbered(names.map(hash).zip(0..).collect())
    }

    /// Things by the hash of their names and their numbers.
    pub(crate) fn numbered(hashed: Vec<(u32, u32)>) -> Self {
        let mut bounds = vec![0u32; LISTS + 1];
        for &(hash, _) in &hashed {
            if let Some(count) = bounds.get_mut(hash as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for bound in &mut bounds {
            sum += *bound;
            *bound = sum;
        }
        let mut next = bounds.clone();
        let mut items = vec![0u32; hashed.len()];
        for &(hash, item) in &hashed {
            if let Some(next) = next.get_mut(hash as usize)
                && let Some(place) = items.get_mut(*next as usize)
            {
                *place = item;
                *next += 1;
            }
        }
        Self { bounds, items }
    }

    /// The numbers of all things that may have this name, in the order in which they were given.
    pub(crate) fn list(&self, name: &[u8]) -> &[u32] {
        let list = hash(name) as usize;
        let bound = |n: usize| self.bounds.get(n).map(|&bound| bound as usize);
        let range = bound(list).zip(bound(list + 1)).map_or(0..0, |(from, to)| from..to);
        self.items.get(range).unwrap_or_default()
    }
}

/// Which list a name is in.
pub(crate) fn hash(name: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = name.iter().fold(0x811c_9dc5, step);
    (hash ^ hash >> 16) % LISTS as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_name_are_in_its_list() {
        let names: Vec<String> = (0..40_000).map(|n| format!("name{}", n % 30_000)).collect();
        let lists = Lists::of(names.iter().map(String::as_bytes));
        for n in [0, 7, 9_999, 10_000, 29_999] {
            let name = format!("name{n}");
            let found = lists.list(name.as_bytes()).iter().filter(|at| names[**at as usize] == name);
            let want: Vec<u32> = [n, n + 30_000].into_iter().filter(|at| *at < 40_000).collect();
            assert_eq!(found.copied().collect::<Vec<_>>(), want);
        }
        assert!(Lists::default().list(b"name0").is_empty());
    }
}

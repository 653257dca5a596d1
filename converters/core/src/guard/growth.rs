//! How vectors, hash tables and trees grow while they are filled. Knows sizes and counts only.

use std::alloc::Layout;

/// The bytes up to which serde's own types make room for a size hint.
const CAUTIOUS: usize = 1 << 20;

/// The entries a node of a `BTreeMap` has place for.
const NODE: usize = 11;

/// What a node has besides its entries: a leaf, and one with children.
const LEAF_EXTRA: usize = 16;
const INNER_EXTRA: usize = LEAF_EXTRA + 12 * size_of::<usize>();

/// A node that was split keeps five entries at least, and hands one up.
const ENTRIES_PER_SPLIT: usize = 6;

/// Returns for how many elements room is made at once where that many are hinted at.
#[inline]
fn hinted(hint: usize, size: usize) -> usize {
    hint.min(CAUTIOUS / size.max(1))
}

/// A `Vec` that is filled.
#[derive(Debug, Default)]
pub(super) struct VecGrowth {
    pub(super) capacity: usize,
}

impl VecGrowth {
    /// Makes room for a size hint, and returns the bytes that takes.
    pub(super) fn begin(&mut self, hint: usize, size: usize) -> usize {
        self.capacity = hinted(hint, size);
        self.capacity.saturating_mul(size)
    }

    /// Makes room for another element, and returns the bytes that takes beyond those there are.
    pub(super) fn grow(&mut self, size: usize) -> Step {
        let least: usize = match size {
            0..=1 => 8,
            2..=1024 => 4,
            _ => 1,
        };
        let room = self.capacity.max(least.saturating_sub(self.capacity));
        self.capacity = self.capacity.saturating_add(room);
        Step { room, bytes: room.saturating_mul(size), freed: 0 }
    }
}

/// What happens to a container that has no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many more it takes afterwards.
    pub(super) room: usize,
    /// What it needs for that.
    pub(super) bytes: usize,
    /// What it gives back once it has that.
    pub(super) freed: usize,
}

/// A map that is filled: a hash table if the type asked how many entries there are, as those do; a tree otherwise.
#[derive(Debug)]
pub(super) struct MapGrowth {
    /// The type of the keys. Known before that of the values is.
    pub(super) key: Layout,
    /// The buckets or the entries there is room for.
    places: usize,
    /// What was charged so far: for a hash table, what it takes.
    charged: usize,
}

impl MapGrowth {
    #[inline]
    pub(super) fn new() -> Self {
        Self { key: Layout::new::<()>(), places: 0, charged: 0 }
    }

    #[inline]
    pub(super) fn has_begun(&self) -> bool {
        self.places > 0 || self.charged > 0
    }

    /// Returns what the keys of a hash table take that is made for a size hint. The values' part comes with the first.
    pub(super) fn begin(&mut self, hint: usize) -> usize {
        let size = self.key.size();
        if hint > 0 && size > 0 {
            self.charged = buckets(hinted(hint, size)).saturating_mul(size + 1);
        }
        self.charged
    }

    /// Makes room for another entry.
    pub(super) fn grow(&mut self, value: Layout, hint: Option<usize>) -> Step {
        let align = self.key.align().max(value.align());
        let entry = (self.key.size() + value.size()).next_multiple_of(align);
        match hint {
            _ if entry == 0 => Step { room: usize::MAX, bytes: 0, freed: 0 },
            Some(hint) => self.grow_table(entry, hint),
            None => self.grow_tree(entry),
        }
    }

    fn grow_table(&mut self, entry: usize, hint: usize) -> Step {
        let (before, held) = (self.places, self.charged);
        self.places = if before == 0 { buckets(hinted(hint, entry)) } else { before.saturating_mul(2) };
        self.charged = self.places.saturating_mul(entry + 1);
        let room = entries(self.places) - entries(before);
        if before == 0 {
            // The keys' part was charged for this very table.
            return Step { room, bytes: self.charged.saturating_sub(held), freed: 0 };
        }
        Step { room, bytes: self.charged, freed: held }
    }

    fn grow_tree(&mut self, entry: usize) -> Step {
        let leaf = NODE.saturating_mul(entry).saturating_add(LEAF_EXTRA);
        let inner = NODE.saturating_mul(entry).saturating_add(INNER_EXTRA);
        let (room, bytes) = match self.places {
            0 => (NODE, leaf),
            NODE => (ENTRIES_PER_SPLIT, leaf.saturating_add(inner)),
            // Of nodes with children there is one for six others.
            _ => (ENTRIES_PER_SPLIT, leaf.saturating_add(inner / ENTRIES_PER_SPLIT)),
        };
        self.places = self.places.saturating_add(room);
        Step { room, bytes, freed: 0 }
    }
}

/// Returns the buckets of a hash table that takes so many entries: an eighth stays free.
fn buckets(entries: usize) -> usize {
    match entries {
        0..=3 => 4,
        4..=7 => 8,
        _ => (entries.saturating_mul(8) / 7).next_power_of_two(),
    }
}

/// Returns how many entries fit into a hash table.
fn entries(buckets: usize) -> usize {
    if buckets < 8 { buckets.saturating_sub(1) } else { buckets / 8 * 7 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capacities of a real `Vec` that is filled, and those counted.
    fn capacities<T: Default>(hint: usize, len: usize) -> (usize, usize) {
        let (mut real, mut counted, mut room) = (Vec::with_capacity(hint), VecGrowth::default(), 0);
        if hint > 0 {
            counted.begin(hint, size_of::<T>());
            room = counted.capacity;
        }
        for _ in 0..len {
            if room == 0 {
                room = counted.grow(size_of::<T>()).room;
            }
            room -= 1;
            real.push(T::default());
        }
        (real.capacity(), counted.capacity)
    }

    #[test]
    fn a_vector_has_the_capacity_that_is_counted() {
        for len in (0..70).chain([1_000, 5_000]) {
            for hint in [0, 1, 3, 40] {
                let (real, counted) = capacities::<u8>(hint, len);
                assert_eq!(real, counted, "{len} bytes with a hint of {hint}");
                let (real, counted) = capacities::<[u64; 3]>(hint, len);
                assert_eq!(real, counted, "{len} elements with a hint of {hint}");
                let (real, counted) =
                    capacities::<([u64; 32], [u64; 32], [u64; 32], [u64; 32], [u64; 32])>(hint, len);
                assert_eq!(real, counted, "{len} large elements with a hint of {hint}");
            }
        }
    }

    #[test]
    fn a_hash_table_has_the_room_that_is_counted() {
        let (mut growth, mut room) = (MapGrowth::new(), 0);
        growth.key = Layout::new::<u32>();
        let mut real = std::collections::HashMap::new();
        for entry in 1..10_000u32 {
            if room == 0 {
                room = growth.grow(Layout::new::<u32>(), Some(0)).room;
            }
            room -= 1;
            real.insert(entry, entry);
            assert_eq!(real.capacity(), entries(growth.places), "{entry} entries");
        }
    }

    #[test]
    fn a_hash_table_needs_the_old_one_until_it_has_the_new_one() {
        let mut growth = MapGrowth::new();
        growth.key = Layout::new::<u8>();
        let value = Layout::new::<u32>();
        // A key beside a value is as large as the value's alignment makes it.
        assert_eq!(growth.grow(value, Some(0)), Step { room: 3, bytes: 4 * 9, freed: 0 });
        assert_eq!(growth.grow(value, Some(0)), Step { room: 4, bytes: 8 * 9, freed: 4 * 9 });
    }

    #[test]
    fn a_hint_is_charged_with_the_keys_and_then_with_the_values() {
        let mut growth = MapGrowth::new();
        growth.key = Layout::new::<u32>();
        assert_eq!(growth.begin(100), 128 * 5);
        assert_eq!(
            growth.grow(Layout::new::<u32>(), Some(100)),
            Step { room: 112, bytes: 128 * 4, freed: 0 }
        );
    }

    #[test]
    fn entries_without_a_size_cost_nothing() {
        let none = Layout::new::<()>();
        let step = Step { room: usize::MAX, bytes: 0, freed: 0 };
        assert_eq!(MapGrowth::new().grow(none, Some(7)), step);
        assert_eq!(MapGrowth::new().grow(none, None), step);
    }
}

//! Where encoded entries are kept: a small trait, so that each platform can bring its own place.

use std::collections::HashMap;

/// Keeps encoded entries by index. A store that cannot keep something goes without it, which costs
/// time and not the run; [`FeatureStore::message`] then says why.
pub trait FeatureStore {
    /// Whether an entry seems to be there; [`FeatureStore::get`] may still find it damaged.
    fn has(&self, index: usize) -> bool;

    /// The entry, whole and undamaged.
    fn get(&mut self, index: usize) -> Option<&[u8]>;

    /// Keeps an entry, if it can.
    fn put(&mut self, index: usize, entry: Vec<u8>);

    /// Why less is kept than was given; none while all is well.
    fn message(&self) -> Option<&str> {
        None
    }
}

/// Entries in memory, up to a bound.
#[derive(Debug)]
pub struct RamStore {
    entries: HashMap<usize, Vec<u8>>,
    budget_bytes: u64,
    used_bytes: u64,
    message: Option<String>,
}

impl RamStore {
    /// A store that takes at most `budget_bytes`.
    pub fn new(budget_bytes: u64) -> Self {
        Self {
            entries: HashMap::new(),
            budget_bytes,
            used_bytes: 0,
            message: None,
        }
    }
}

impl FeatureStore for RamStore {
    fn has(&self, index: usize) -> bool {
        self.entries.contains_key(&index)
    }

    fn get(&mut self, index: usize) -> Option<&[u8]> {
        self.entries.get(&index).map(Vec::as_slice)
    }

    fn put(&mut self, index: usize, entry: Vec<u8>) {
        let before = self.entries.get(&index).map_or(0, Vec::len) as u64;
        let used = self.used_bytes - before + entry.len() as u64;
        if used > self.budget_bytes {
            self.message.get_or_insert_with(|| {
                format!(
                    "the features take more than the {} MiB of memory that they may; \
                     those beyond are computed each time",
                    self.budget_bytes >> 20
                )
            });
            return;
        }
        self.used_bytes = used;
        self.entries.insert(index, entry);
    }

    fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_told() {
        let mut store = RamStore::new(10);
        store.put(0, vec![1; 6]);
        store.put(1, vec![2; 4]);
        assert_eq!(store.message(), None);
        store.put(2, vec![3; 1]);
        assert!(store.message().is_some());
        assert_eq!(store.get(0), Some(&[1; 6][..]));
        assert!(!store.has(2) && store.get(2).is_none());
        // One that is replaced gives its room back.
        store.put(0, vec![4; 5]);
        store.put(3, vec![5; 1]);
        assert!(store.has(3));
    }
}

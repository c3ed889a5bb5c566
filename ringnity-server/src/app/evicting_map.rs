//! A map that evicts entries once they carry no state.

use std::collections::HashMap;

/// Entries that the map holds before it first looks for some to evict.
const EVICTION_THRESHOLD: usize = 10_000;

/// A map for rate-limit state. Unlike an LRU cache it never evicts an entry that is in use: losing a bucket would lift
/// its limit, losing a lock would let two tasks in.
pub(crate) struct EvictingMap<K, V> {
    pub(crate) entries: HashMap<K, V>,
    /// The size at which the next eviction runs. It is twice what the last one left, so a map full of entries in use
    /// costs one scan each time it doubles.
    evict_at: usize,
}

impl<K, V> Default for EvictingMap<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), evict_at: EVICTION_THRESHOLD }
    }
}

impl<K, V> EvictingMap<K, V> {
    /// Removes the entries that are not in use, if the map has grown enough since the last eviction.
    pub(crate) fn evict(&mut self, in_use: impl Fn(&V) -> bool) {
        if self.entries.len() >= self.evict_at {
            self.entries.retain(|_, value| in_use(value));
            self.evict_at = EVICTION_THRESHOLD.max(self.entries.len() * 2);
        }
    }
}

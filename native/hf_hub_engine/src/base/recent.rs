//! Values that were made a moment ago, for those of a long list that come again.

use std::hash::{Hash, Hasher};

/// Maximum number of kept values.
const KEPT: usize = 4096;

/// The value of the last key of each hash. A look-up costs one comparison whether it finds anything or not, so it
/// pays already where few values come again; and a server that knows the hash only makes it useless.
#[derive(Debug)]
pub struct Recent<K, V> {
    slots: Vec<Option<(K, V)>>,
}

impl<K: Hash + Eq, V: Copy> Recent<K, V> {
    /// Creates a table for a text of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let kept = (bytes / 64).next_power_of_two().min(KEPT);
        Self { slots: (0..kept).map(|_| None).collect() }
    }

    fn place(&self, key: &K) -> usize {
        usize::try_from(hash(key) >> 40).unwrap_or_default() & (self.slots.len() - 1)
    }

    /// Returns the kept value of a key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<V> {
        let kept = self.slots[self.place(key)].as_ref();
        kept.filter(|(kept, _)| kept == key).map(|(_, value)| *value)
    }

    /// Keeps a value, in place of another one.
    #[inline]
    pub fn put(&mut self, key: K, value: V) {
        let place = self.place(&key);
        self.slots[place] = Some((key, value));
    }
}

/// Returns a hash that is good enough to find places in a table, and no more.
#[inline]
pub fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut mixer = Mixer(0);
    value.hash(&mut mixer);
    mixer.0
}

struct Mixer(u64);

impl Hasher for Mixer {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let last = bytes.len() as u64;
        self.write_u64(rest.iter().fold(last, |last, byte| last << 8 | u64::from(*byte)));
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_values() {
        let mut recent = Recent::new(1 << 20);
        assert_eq!(recent.get(&"a"), None);
        for (number, text) in ["a", "b", "longer than one word"].into_iter().enumerate() {
            recent.put(text, number);
        }
        assert_eq!(recent.get(&"a"), Some(0));
        assert_eq!(recent.get(&"longer than one word"), Some(2));
        recent.put("a", 7);
        assert_eq!(recent.get(&"a"), Some(7));
    }

    #[test]
    fn a_place_is_taken_by_the_last_key() {
        let mut recent = Recent::new(0);
        recent.put("a", 1);
        recent.put("b", 2);
        assert_eq!((recent.get(&"a"), recent.get(&"b")), (None, Some(2)));
    }

    #[test]
    fn keeps_a_limited_number_of_values() {
        let mut recent = Recent::new(usize::MAX);
        (0..2 * KEPT).for_each(|number| recent.put(number, number));
        let kept = (0..2 * KEPT).filter(|number| recent.get(number) == Some(*number)).count();
        assert!((KEPT / 4..=KEPT).contains(&kept), "{kept}");
    }

    #[test]
    fn texts_have_different_hashes() {
        let texts =
            ["", "\0", "\0\0", "abcdefgh", "abcdefgh\0", "abcdefg", "bacdefgh", "abcdefghabcdefgh"];
        let hashes: std::collections::HashSet<_> = texts.map(hash).into();
        assert_eq!(hashes.len(), texts.len());
    }
}

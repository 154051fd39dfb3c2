//! Values for names that come again and again, such as those of the objects in a list.

use indexmap::IndexMap;

/// Maximum number of kept names.
const KEPT: usize = 1024;

/// One value for each name. Objects of a list have the same names in the same order, so the name after
/// the last one is tried first, without computing its hash.
#[derive(Debug)]
pub struct Interner<T> {
    known: IndexMap<Box<str>, T>,
    next: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { known: IndexMap::new(), next: 0 }
    }
}

impl<T: Copy> Interner<T> {
    /// Returns the value of the name, which is made unless it is kept.
    #[inline]
    pub fn get_or_make(&mut self, name: &str, make: impl FnOnce() -> T) -> T {
        if let Some((known, value)) = self.known.get_index(self.next)
            && **known == *name
        {
            self.next += 1;
            return *value;
        }
        if let Some((at, _, value)) = self.known.get_full(name) {
            self.next = at + 1;
            return *value;
        }
        let value = make();
        if self.known.len() < KEPT {
            self.known.insert(name.into(), value);
            self.next = self.known.len();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_one_value_per_name_whatever_their_order() {
        let (mut names, mut made) = (Interner::default(), 0);
        let mut value = |name: &str| {
            names.get_or_make(name, || {
                made += 1;
                made
            })
        };
        let values: Vec<_> = ["a", "b", "a", "b", "b", "c", "a", "c"].map(&mut value).into();
        assert_eq!(values, [1, 2, 1, 2, 2, 3, 1, 3]);
    }

    #[test]
    fn keeps_a_limited_number_of_names() {
        let mut names = Interner::default();
        for number in 0..2 * KEPT {
            assert_eq!(names.get_or_make(&number.to_string(), || number), number);
        }
        assert_eq!(names.known.len(), KEPT);
        assert_eq!(names.get_or_make("0", || 7), 0);
        assert_eq!(names.get_or_make(&KEPT.to_string(), || 7), 7, "it was not kept");
    }
}

//! The expected state of a repository after an ordered list of changes.
//!
//! The tree before the changes is unknown, so only paths that the changes touch are compared.

use std::{collections::BTreeMap, ops::Bound};

/// The touched paths, each with its state after the last change.
#[derive(Debug)]
pub(super) struct Expected<'a, T>(BTreeMap<&'a str, State<T>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State<T> {
    /// A file with this content.
    File(T),
    /// No file. There is a folder if a file below it was added later.
    Removed,
}

/// What a repository has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    Nothing,
    Folder,
    /// A file with this content.
    File(T),
}

impl<T> Default for Expected<'_, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'a, T> Expected<'a, T> {
    /// Records that a file is added at `path`: nothing is below it, and everything above it is a
    /// folder.
    pub(super) fn put(&mut self, path: &'a str, content: T) {
        self.remove(path);
        self.0.insert(path, State::File(content));
        for (at, _) in path.match_indices('/') {
            if let Some(above) = self.0.get_mut(&path[..at]) {
                *above = State::Removed;
            }
        }
    }

    /// Records that the file or folder at `path` is deleted, with everything below it.
    pub(super) fn remove(&mut self, path: &'a str) {
        let below = below(path);
        for (_, state) in self.0.range_mut::<str, _>(bounds(&below)) {
            *state = State::Removed;
        }
        self.0.insert(path, State::Removed);
    }

    /// Returns all touched paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    /// Returns the first path at which the repository differs. `is_same` compares contents.
    pub(super) fn difference<C>(
        &self,
        found: impl Fn(&str) -> Found<C>,
        is_same: impl Fn(&T, &C) -> bool,
    ) -> Option<&'a str> {
        let differs = |(path, state): &(&&'a str, &State<T>)| match (state, found(path)) {
            (State::File(wanted), Found::File(content)) => !is_same(wanted, &content),
            (State::File(_), _) | (State::Removed, Found::File(_)) => true,
            (State::Removed, Found::Nothing) => self.has_files_below(path),
            (State::Removed, Found::Folder) => !self.has_files_below(path),
        };
        self.0.iter().find(differs).map(|(path, _)| *path)
    }

    fn has_files_below(&self, path: &str) -> bool {
        let below = below(path);
        let mut states = self.0.range::<str, _>(bounds(&below)).map(|(_, state)| state);
        states.any(|state| matches!(state, State::File(_)))
    }
}

/// Returns the range of strings that covers everything below a folder; `0` follows `/`.
fn below(path: &str) -> (String, String) {
    (format!("{path}/"), format!("{path}0"))
}

fn bounds((first, end): &(String, String)) -> (Bound<&str>, Bound<&str>) {
    (Bound::Included(first), Bound::Excluded(end))
}

#[cfg(test)]
mod tests;

//! How many are at something, such as waiting for a limit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts those who are present; clones share the count, and are not counted themselves.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<AtomicUsize>);

/// One who is present until this is dropped.
#[derive(Debug)]
pub struct Present(Arc<AtomicUsize>);

impl Presence {
    /// Counts one more.
    pub fn enter(&self) -> Present {
        self.0.fetch_add(1, Relaxed);
        Present(self.0.clone())
    }

    /// Returns how many are present.
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Whether any are present.
    pub fn is_any(&self) -> bool {
        self.count() > 0
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

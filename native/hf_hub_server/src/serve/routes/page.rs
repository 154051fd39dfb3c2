//! Pages of lists: `limit` and `cursor` of a request, and the link to the next page.

use axum::response::Response;
use serde::Serialize;

use super::super::call::Call;
use super::super::response;

/// The part of a list that a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Number of items before it.
    pub(super) start: usize,
    size: usize,
}

impl Page {
    /// Reads the query; a page has as many items as the Hub allows, unless it asks for fewer.
    pub(super) fn of(call: &Call) -> Self {
        Self::usual(call, usize::MAX)
    }

    /// Same as [`Self::of`], with `usual` items unless the query asks for more or fewer.
    pub(super) fn usual(call: &Call, usual: usize) -> Self {
        let most = call.hub.options.page_size;
        let size = call.query.number("limit").unwrap_or(usual.min(most)).clamp(1, most);
        Self { start: call.query.number("cursor").unwrap_or(0), size }
    }

    /// Returns the number of items to read: one more than are shown, which is
    /// there if there is another page.
    pub(super) fn with_next(self) -> usize {
        self.size + 1
    }

    /// Responds with the items that were read, up to [`Self::with_next`] of them.
    pub(super) fn respond<T, U: Serialize>(
        self,
        call: &Call,
        mut found: Vec<T>,
        show: impl FnMut(T) -> U,
    ) -> Response {
        let next = (found.len() > self.size)
            .then(|| call.url_with("cursor", &self.start.saturating_add(self.size).to_string()));
        found.truncate(self.size);
        response::page(&found.into_iter().map(show).collect::<Vec<_>>(), next)
    }
}

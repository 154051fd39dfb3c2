//! A Hub and what is asked of it: requests with retries, budgets, pages, files' metadata, and advice in errors.

pub mod api;
pub mod client;
pub mod events;
pub mod file_metadata;
pub mod hints;
pub mod rate_limit;
pub mod retry;
pub(crate) mod streamed_body;
pub mod token;

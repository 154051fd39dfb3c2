//! Access to a Hub: requests with retries, rate limits, lists of pages, file metadata, and hints in
//! errors.

pub mod api;
pub mod client;
pub mod events;
pub mod file_metadata;
pub mod hints;
pub mod rate_limit;
pub mod retry;
pub mod settings;
pub(crate) mod streamed_body;
pub mod token;
pub(crate) mod xet_access;

//! The engine of `hf_hub`: downloads from a Hugging Face Hub into a cache that every
//! Hugging Face client can share, and uploads.
//!
//! Pure Rust. It knows nothing of the BEAM, reads no environment variable and owns
//! no process-wide state: whoever calls it passes a [`hub::Hub`] and gets a future.
//! Dropping the future stops the work; what has arrived stays for the next attempt.
//!
//! The modules, from the bottom up:

// What everything uses.
pub mod bandwidth;
pub mod blocking;
pub mod error;
pub mod etag;
pub mod names;
pub mod places;
pub mod progress;
pub mod retry;
pub mod scrub;
pub mod sizes;
// The network.
pub mod api;
pub mod events;
pub mod flow;
pub mod governor;
pub mod hub;
pub mod json;
pub mod metadata;
pub mod transport;
// The disk.
pub mod cache;
pub mod hash;
pub mod parallel;
pub mod pattern;
pub mod secrets;
// Whole operations.
pub mod card;
pub mod download;
pub mod explain;
pub mod extract;
pub mod flights;
pub mod safetensors;
pub mod snapshot;
pub mod stream;
mod streamed;
pub mod upload;

mod arrival;
mod local;
mod transfer;

#[cfg(test)]
mod testing;

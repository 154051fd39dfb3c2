//! The engine of `hf_hub`: downloads from a Hugging Face Hub into a cache that every
//! Hugging Face client can share, and uploads.
//!
//! Pure Rust. It knows nothing of the BEAM, reads no environment variable and owns
//! no process-wide state: whoever calls it passes a [`hub::Hub`] and gets a future.
//! Dropping the future stops the work; what has arrived stays for the next attempt.
//!
//! The folders, from the bottom up; a lower one never imports from an upper one:

pub mod base;
pub mod cache;
pub mod download;
pub mod extract;
pub mod formats;
pub mod hub;
mod transfer;
pub mod transport;
pub mod upload;

#[cfg(test)]
mod testing;

//! The engine of `hf_hub`: downloads from a Hugging Face Hub into a cache that all Hugging Face
//! clients share, and uploads.
//!
//! Pure Rust. It does not depend on the BEAM, reads no environment variables and has no
//! process-wide state: the caller passes a [`hub::Hub`] and gets a future. Dropping the future
//! stops the work; received bytes stay for the next attempt.
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
pub mod xet;

#[cfg(test)]
mod testing;

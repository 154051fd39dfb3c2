//! Formats of files in a repository: cards and safetensors.

pub mod card;
pub mod safetensors;

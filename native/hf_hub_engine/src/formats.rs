//! Formats of files in a repository: cards, safetensors, and the data files of datasets.

pub mod card;
pub mod dataset;
pub mod safetensors;

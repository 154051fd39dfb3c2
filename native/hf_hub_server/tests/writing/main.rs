//! What clients write: repositories, commits, large files, refs, and what hostile requests get.

#[path = "../common/mod.rs"]
mod common;

mod commits;
mod disk;
mod hub;
mod large_files;
mod refs;
mod repos;

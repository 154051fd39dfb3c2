//! What clients write: repositories, commits, large files, refs, and what hostile requests get.

#[path = "../common/mod.rs"]
mod common;

mod clone;
mod commits;
mod disk;
mod hub;
mod large_files;
mod limits;
mod load;
mod refs;
mod repos;

//! What clients write: repositories, commits, large files, refs, and responses to hostile requests.

#[path = "../common/mod.rs"]
mod common;

mod clone;
mod commits;
mod discussions;
mod disk;
mod hub;
mod large_files;
mod limits;
mod load;
mod pull_requests;
mod push;
mod refs;
mod repos;
mod spaces;

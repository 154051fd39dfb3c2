//! The installed git, for what libgit2 does not do: sending and unpacking packs.

use std::path::Path;
use std::process::{Command, Stdio};

/// Variables that would make git use something other than the repository.
const FOREIGN: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PROTOCOL",
];

/// Returns a command of git, unaffected by the environment and the configuration of the server's
/// user. Its error output is discarded.
pub(crate) fn program(git_dir: &Path) -> Command {
    let mut command = Command::new("git");
    // The store may belong to a different user than the server process.
    command.arg("-c").arg(format!("safe.directory={}", git_dir.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for name in FOREIGN {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    // Messages are compared.
    command.env("LC_ALL", "C");
    command
}

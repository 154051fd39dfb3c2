//! What the server prints for who runs it.

use std::io::Write as _;

/// Prints an error in one line.
pub(crate) fn complain(err: &anyhow::Error) {
    // Standard error may be closed.
    let _ = writeln!(std::io::stderr(), "hf_hub_server: {err:#}");
}

//! `import`: commits a folder.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{GateArg, KindArg, RootArg, print};
use crate::store::{ImportSpec, MAIN};

/// The options of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder to import; the commit will contain exactly its files
    folder: PathBuf,
    /// Repository, as ORG/NAME; created if missing
    id: String,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    kind: KindArg,
    /// Branch to commit to, or refs/pr/N
    #[arg(long, default_value = MAIN)]
    revision: String,
    /// Commit message
    #[arg(long, default_value = "Import")]
    message: String,
    /// Make the repository private
    #[arg(long)]
    private: bool,
    /// Require granted access to the files
    #[arg(long, value_enum)]
    gated: Option<GateArg>,
}

/// Imports, and prints the result.
pub(super) fn run(args: &Args) -> Result<()> {
    let key = args.kind.key(&args.id)?;
    let spec = ImportSpec {
        folder: &args.folder,
        key: &key,
        branch: &args.revision,
        message: &args.message,
    };
    let imported = args.root.open()?.import(&spec, |settings| {
        settings.private |= args.private;
        if let Some(gate) = args.gated {
            settings.gated = gate.gate();
        }
    })?;
    let line = json!({
        "id": key.id.to_string(),
        "commit": imported.commit,
        "files": imported.files,
        "bytes": imported.bytes,
    });
    print(&line.to_string())
}

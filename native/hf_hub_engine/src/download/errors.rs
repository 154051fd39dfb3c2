//! Adds the file and a hint to errors of a download.

use std::fmt::Display;

use crate::{
    base::{
        error::{Error, ErrorKind},
        hint::Hint,
        ids::{Commit, Repo},
    },
    cache::{layout::RepoDir, tree::Tree},
    download::{listing, spec::Spec},
    hub::{client::Hub, hints},
};

/// Minimum similarity of suggested names.
const LIKENESS: f64 = 0.8;

/// Adds repository, revision and file to an error, and a hint.
pub(crate) fn file(hub: &Hub, spec: &Spec, error: Error) -> Error {
    content(&spec.repo, &spec.path, hints::repository(hub, &spec.repo, &spec.revision, error))
}

/// Adds the file to an error, and a hint if its content does not match what was announced.
pub(crate) fn content(repo: &Repo, path: &impl Display, error: Error) -> Error {
    let error = error.with_path(path);
    if error.kind() != ErrorKind::ChecksumMismatch {
        return error;
    }
    let next = if error.hints().contains(&Hint::ExpectedSha256) {
        ""
    } else {
        "; try again, and if that fails too, check for a proxy or mirror that changes files"
    };
    let message = format!("wrong content of \"{path}\" of \"{repo}\": {}{next}", error.message());
    error.with_message(message)
}

/// Adds the missing file, and similar names if the listing of that commit is available.
pub(crate) async fn with_similar_names(
    hub: &Hub,
    spec: &Spec,
    repo: &RepoDir,
    error: Error,
) -> Error {
    let missing = spec.path.as_str();
    let message = hints::no_such_file(&spec.repo, &spec.revision, &spec.path);
    let commit = error.commit().and_then(|commit| Commit::parse(commit).ok());
    let error = error.with_message(&message);
    let Some(commit) = commit else { return error };
    let Some(tree) = listing::at_hand(hub, spec, &commit, &repo.tree(&commit)).await else {
        return error;
    };
    let similar = similar_names(missing, &tree);
    if similar.is_empty() {
        error
    } else {
        error.with_message(format!("{message}; similar: {}", similar.join(", ")))
    }
}

/// Returns why a cached copy is used, unless that was requested.
pub(crate) fn stale(error: &Error) -> Option<String> {
    (error.kind() != ErrorKind::Offline).then(|| error.to_string())
}

/// Returns a file and its repository, to be put between quotes.
pub(crate) fn named(spec: &Spec) -> String {
    format!("{}\" of \"{}", spec.path, spec.repo)
}

/// Returns the error for a file that is not in the cache when the Hub cannot be asked.
pub(crate) fn not_cached(what: &dyn Display, local_files_only: bool, error: Error) -> Error {
    if error.kind() != ErrorKind::Offline {
        return error;
    }
    let (why, hints) = if local_files_only {
        ("", vec![Hint::LocalFilesOnly])
    } else {
        (", and offline mode is on", vec![Hint::GoOnline])
    };
    error
        .with_kind(ErrorKind::NotCached)
        .restated(format!("\"{what}\" is not in the cache{why}"), hints)
}

fn similar_names(missing: &str, tree: &Tree) -> Vec<String> {
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let wanted = base(missing);
    // The file name counts first, then the whole path.
    let score = |path: &str| {
        let name = strsim::jaro_winkler(&wanted, &base(path));
        (name >= LIKENESS).then(|| name + strsim::jaro_winkler(missing, path) / 100.0)
    };
    let mut scored: Vec<(f64, &str)> =
        tree.files().filter_map(|(path, _)| Some((score(path.as_str())?, path.as_str()))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, path)| format!("\"{path}\"")).collect()
}

//! Downloads files of a bucket to paths of their own.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        disk::write_atomically,
        error::{Error, ErrorKind, Result},
        ids::{EntryPath, Repo, Revision},
        input::RawPath,
        progress::Progress,
        scrub::{Scrub, Shown},
    },
    cache::partial,
    download::{
        shared::{Shared, Sharing},
        spec::{self, Destination, Mode},
        stages::Stages,
        work,
    },
    hub::client::Hub,
};

/// Which files.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The bucket.
    pub repo: Repo,
    /// Where the locks are.
    pub destination: Destination,
    /// The mode.
    pub mode: Mode,
    /// Maximum number of concurrent downloads.
    pub max_workers: usize,
    /// The files.
    pub files: Vec<Wanted>,
    /// Transfers that this call may join.
    #[serde(skip)]
    pub shared: Shared,
}

/// A file, and where to.
#[derive(Clone, Debug, Deserialize)]
pub struct Wanted {
    /// The Xet hash, which names the content as a commit names that of a repository. That of an
    /// empty file may be unknown.
    pub revision: Option<Revision>,
    /// The path in the bucket.
    #[serde(rename = "filename")]
    pub path: EntryPath,
    /// Number of bytes.
    pub size: u64,
    /// The file to replace.
    pub file: RawPath,
}

impl Sharing for Spec {
    fn sharing(self, shared: Shared) -> Self {
        Self { shared, ..self }
    }
}

/// How the files were downloaded.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Why one of Xet and HTTP has failed for a file, if the other one took over.
    pub fallback: Option<String>,
}

impl Shown for Received {
    fn shown(self, scrub: &Scrub) -> Self {
        Self { fallback: self.fallback.map(|why| scrub.text(&why).into_owned()) }
    }
}

/// Downloads all files. The first error stops the others.
pub async fn run(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Received> {
    hub.within_deadline(progress, Box::pin(receive(hub, spec, progress))).await
}

async fn receive(hub: &Hub, mut spec: Spec, progress: &Progress) -> Result<Received> {
    let files = std::mem::take(&mut spec.files);
    progress.add_files(files.len() as u64);
    let (empty, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.size == 0);
    let count = empty.len() as u64;
    blocking::run(move || empty.iter().try_for_each(|file| create_empty(&file.file.0))).await?;
    progress.skip_files(count);
    // Listed once: listing for each file would read a growing folder again and again.
    let folders: HashSet<_> =
        files.iter().filter_map(|file| file.file.0.parent()).map(PathBuf::from).collect();
    let partials = Arc::new(blocking::run(move || partial::stems_in(folders)).await);
    let stages = Stages::with_turns(spec.max_workers);
    let jobs = files.into_iter().map(|file| job(&spec, file, partials.clone(), stages.clone()));
    let jobs = jobs.collect::<Result<Vec<_>>>()?;
    let mut reports = work::run(hub, jobs, spec.max_workers, progress).await?;
    let fallback = reports.iter_mut().find_map(|report| report.fallback.take());
    Ok(Received { fallback })
}

/// The content of an empty file is known. As with any other file, the name is replaced: what it was
/// a link to keeps its content.
fn create_empty(path: &Path) -> Result<()> {
    write_atomically(path, &[])
}

fn job(
    spec: &Spec,
    file: Wanted,
    partials: Arc<HashSet<String>>,
    stages: Stages,
) -> Result<spec::Spec> {
    let Wanted { revision, path, file, .. } = file;
    let unnamed = || {
        let message = "the Hub did not return the Xet hash of the file";
        Error::new(ErrorKind::InvalidResponse, message).with_path(&path)
    };
    Ok(spec::Spec {
        repo: spec.repo.clone(),
        revision: revision.ok_or_else(unnamed)?,
        path,
        destination: spec.destination.clone(),
        file: Some(file),
        mode: spec.mode,
        known: None,
        ask: false,
        sha256: None,
        partials: Some(partials),
        stages,
        shared: spec.shared.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_empty_file_replaces_a_link_and_not_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("new/link"));
        fs::write(&file, "content").unwrap();
        create_empty(&link).unwrap();
        fs::remove_file(&link).unwrap();
        fs::hard_link(&file, &link).unwrap();
        create_empty(&link).unwrap();
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read(&link).unwrap().len()),
            (b"content".into(), 0)
        );
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }
}

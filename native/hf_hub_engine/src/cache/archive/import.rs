//! Reads an archive. All files are written to a hidden folder first and hashed on the way; they are
//! moved into place only when the whole archive is verified.

use std::{
    cell::Cell,
    collections::HashMap,
    fs::{self, File},
    io::{BufReader, Read, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    Checked, CheckedRevision, Content, FORMAT_VERSION, MANIFEST, Manifest, Report, broken, inside,
    stopped,
};
use crate::{
    base::{
        disk::{open_regular, write_atomically},
        error::{Error, Result},
        hash::Hasher,
        ids::{Commit, Revision},
        progress::Progress,
    },
    cache::{
        layout::{CacheDir, RepoDir},
        maintenance::real_folders,
    },
    extract::{METADATA, Rationed, Refill},
};

/// Maximum size of a manifest: that of a million files.
const MANIFEST_SIZE: u64 = 512 << 20;
/// Maximum size of a commit's listing.
const LISTING_SIZE: u64 = 512 << 20;

/// What an archive may contain, by name.
enum Expected {
    Content(PathBuf, Content),
    Listing(PathBuf),
}

/// Imports the repositories of an archive into a cache. The caller holds the maintenance lock.
pub fn run(
    cache: &CacheDir,
    archive: &Path,
    symlinks: bool,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Report> {
    fs::create_dir_all(cache.path())
        .map_err(|source| Error::io("create the folder", cache.path(), source))?;
    let stage = cache.incoming().join(format!("{:016x}", fastrand::u64(..)));
    real_folders(cache, &stage)?;
    let stage = CacheDir::new(stage);
    let done = unpack(archive, &stage, progress, stop).and_then(|manifest| {
        for entry in &manifest.repos {
            let checked = entry.check()?;
            publish(cache, &stage, &checked, symlinks)?;
            for (name, commit) in &entry.refs {
                let (name, commit) = (Revision::parse(name)?, Commit::parse(commit)?);
                let file = cache.repo(&checked.repo).reference(&name);
                file.parent().map_or(Ok(()), |folder| real_folders(cache, folder))?;
                write_atomically(&file, commit.as_str().as_bytes())?;
            }
        }
        cache.tag_once();
        Ok(manifest.report(cache.path().to_owned()))
    });
    // The remaining files are of no use.
    let _ = fs::remove_dir_all(stage.path());
    done
}

fn unpack(
    archive: &Path,
    stage: &CacheDir,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Manifest> {
    let file = open_regular(archive).map_err(|source| Error::io("read", archive, source))?;
    let reader = BufReader::with_capacity(1 << 20, file);
    let allowance = Rc::new(Cell::new(METADATA));
    let mut tar = tar::Archive::new(Rationed { reader, allowance: allowance.clone() });
    let mut entries = tar.entries().map_err(damaged)?;
    let first = entries.next().ok_or_else(|| broken("it is empty"))?.map_err(damaged)?;
    allowance.set(u64::MAX);
    let manifest = read_manifest(first)?;
    let mut expected = expect(&manifest, stage)?;
    progress.add_files(expected.len() as u64);
    for entry in entries {
        // The allowance limits only what is read between files, such as tar headers; file contents
        // are limited where they are written.
        let _rest = Refill(&allowance);
        allowance.set(u64::MAX);
        let entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.into_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        match expected.remove(&name) {
            Some(Expected::Content(to, content)) => receive(entry, &to, &content, progress, stop)?,
            Some(Expected::Listing(to)) => keep(entry, &to)?,
            // The manifest repeats this information.
            None => {}
        }
    }
    match expected.iter().find(|(_, expected)| matches!(expected, Expected::Content(..))) {
        Some((name, _)) => Err(broken(&format!("`{}` is missing", name.display()))),
        None => Ok(manifest),
    }
}

fn read_manifest(mut entry: tar::Entry<impl Read>) -> Result<Manifest> {
    if entry.path().map_err(damaged)? != Path::new(MANIFEST) {
        return Err(broken(&format!("it does not begin with {MANIFEST}")));
    }
    let mut text = Vec::new();
    entry.by_ref().take(MANIFEST_SIZE).read_to_end(&mut text).map_err(damaged)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(damaged)?;
    if manifest.format_version != FORMAT_VERSION {
        return Err(broken("it was written by a newer version of hf_hub"));
    }
    Ok(manifest)
}

/// Returns all files that the archive must contain, with their destinations. Every name of the
/// manifest is checked here.
fn expect(manifest: &Manifest, stage: &CacheDir) -> Result<HashMap<PathBuf, Expected>> {
    let mut expected = HashMap::new();
    for entry in &manifest.repos {
        let checked = entry.check()?;
        let (there, here) = (inside().repo(&checked.repo), stage.repo(&checked.repo));
        for (etag, content) in &checked.blobs {
            expected
                .insert(there.blob(etag), Expected::Content(here.blob(etag), (*content).clone()));
        }
        for revision in &checked.revisions {
            for (path, content) in &revision.files {
                let to = here.pointer(&revision.commit, path);
                expected.insert(
                    there.pointer(&revision.commit, path),
                    Expected::Content(to, (*content).clone()),
                );
            }
            if revision.listed {
                expected.insert(
                    there.tree(&revision.commit),
                    Expected::Listing(here.tree(&revision.commit)),
                );
            }
        }
    }
    Ok(expected)
}

fn receive(
    mut entry: tar::Entry<impl Read>,
    to: &Path,
    content: &Content,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let wrong = || {
        broken(&format!(
            "`{}` does not match the manifest",
            to.file_name().unwrap_or_default().display()
        ))
    };
    if entry.size() != content.size {
        return Err(wrong());
    }
    let write = |source| Error::io("write", to, source);
    let mut file = create(to)?;
    let shown = progress.start_file(&to.to_string_lossy(), Some(content.size));
    let mut hasher =
        Hasher::new(content.algorithm.proof(), Some(content.size)).ok_or_else(wrong)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        if stop() {
            return Err(stopped());
        }
        let n = entry.read(&mut buffer).map_err(damaged)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        file.write_all(&buffer[..n]).map_err(write)?;
        shown.received(n as u64);
    }
    if hasher.finish() != content.hash {
        return Err(wrong());
    }
    shown.finish();
    file.sync_data().map_err(write)
}

fn keep(mut entry: tar::Entry<impl Read>, to: &Path) -> Result<()> {
    let mut file = create(to)?;
    std::io::copy(&mut entry.by_ref().take(LISTING_SIZE), &mut file)
        .map(drop)
        .map_err(|source| Error::io("write", to, source))
}

fn create(to: &Path) -> Result<File> {
    let made = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create_new(to));
    made.map_err(|source| Error::io("create", to, source))
}

/// Moves what a repository lacks into place: blobs, then listings, then the files of the snapshots.
fn publish(cache: &CacheDir, stage: &CacheDir, checked: &Checked, symlinks: bool) -> Result<()> {
    let (from, to) = (stage.repo(&checked.repo), cache.repo(&checked.repo));
    real_folders(cache, &to.blobs())?;
    for (etag, content) in &checked.blobs {
        // An existing blob of the same size may still be corrupt; the new one was just verified.
        let good = to.has_blob(etag, Some(content.size)) && proves(&to.blob(etag), content);
        if !good {
            place(&from.blob(etag), &to.blob(etag))?;
        }
    }
    for revision in &checked.revisions {
        real_folders(cache, &to.snapshot(&revision.commit))?;
        publish_revision(cache, &from, &to, revision, symlinks)?;
    }
    Ok(())
}

fn publish_revision(
    cache: &CacheDir,
    from: &RepoDir,
    to: &RepoDir,
    revision: &CheckedRevision,
    symlinks: bool,
) -> Result<()> {
    let commit = &revision.commit;
    for (path, etag) in &revision.links {
        to.pointer(commit, path).parent().map_or(Ok(()), |folder| real_folders(cache, folder))?;
        to.link(commit, path, etag, symlinks, false)?;
    }
    for (path, _) in &revision.files {
        let pointer = to.pointer(commit, path);
        pointer.parent().map_or(Ok(()), |folder| real_folders(cache, folder))?;
        place(&from.pointer(commit, path), &pointer)?;
    }
    let listing = to.tree(commit);
    if revision.listed && from.tree(commit).exists() && !listing.exists() {
        listing.parent().map_or(Ok(()), |folder| real_folders(cache, folder))?;
        place(&from.tree(commit), &listing)?;
    }
    Ok(())
}

fn place(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| Error::io("create", to, source))
}

fn proves(path: &Path, content: &Content) -> bool {
    let hash = crate::base::hash::file(path, content.algorithm.proof()).ok().flatten();
    hash.is_some_and(|hash| hash == content.hash)
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    broken("it is damaged").with_source(error)
}

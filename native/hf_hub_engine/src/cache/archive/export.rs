//! Writes an archive. Every blob is hashed before the first byte is written, so a corrupt one is
//! never exported.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    Algorithm, Content, FORMAT_VERSION, MANIFEST, Manifest, RepoEntry, Report, RevisionEntry, Spec,
    inside, stopped,
};
use crate::{
    base::{
        disk,
        error::{Error, ErrorKind, Result},
        etag::{Etag, Proof},
        hash::{self, Hasher, Verdict},
        hint::Hint,
        ids::{Commit, EntryPath, Repo, Revision},
        lock,
        progress::Progress,
        thread_pool,
    },
    cache::{
        delete::{self, Commits},
        inventory::{self, Inventory},
        layout::{CacheDir, RepoDir},
        scan,
        symlink_guard::Bounds,
    },
};

/// What follows the manifest in the archive: the source, and the name in the archive.
enum Entry {
    Content(PathBuf, PathBuf, u64),
    Text(PathBuf, Vec<u8>),
    Link(PathBuf, PathBuf),
}

/// A file to hash: where it is, and with which algorithm.
struct Wanted {
    repo: usize,
    place: Place,
    path: PathBuf,
    algorithm: Algorithm,
    expected: Option<Etag>,
}

#[derive(Clone)]
enum Place {
    Blob(Etag),
    File(Commit, EntryPath),
}

/// Writes an archive. `stop` is polled between blocks.
pub fn run(
    cache: &CacheDir,
    spec: &Spec,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Report> {
    let mut manifest = Manifest { format_version: FORMAT_VERSION, repos: Vec::new() };
    let (mut wanted, mut entries, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for (folder, commits) in &*delete::targets::named(cache, &spec.targets)? {
        let dir = cache.folder(folder);
        held.push(lock::try_shared(&dir.busy_lock())?.ok_or_else(|| in_use(&dir))?);
        let at = manifest.repos.len();
        manifest.repos.push(collect(folder, &dir, commits, at, &mut wanted, &mut entries)?);
    }
    for (found, content) in hash_all(wanted, progress, stop)? {
        let repo = &mut manifest.repos[found.repo];
        let (size, source) = (content.size, found.path);
        let dir = inside().repo(&Repo::new(repo.repo_type.parse()?, &repo.repo_id)?);
        let name = match found.place {
            Place::Blob(etag) => {
                repo.blobs.insert(etag.to_string(), content);
                dir.blob(&etag)
            }
            Place::File(commit, path) => {
                let revision = repo.revisions.entry(commit.to_string()).or_default();
                revision.files.insert(path.to_string(), content);
                dir.pointer(&commit, &path)
            }
        };
        entries.push(Entry::Content(source, name, size));
    }
    write(&manifest, entries, &spec.archive, progress, stop)?;
    Ok(manifest.report(spec.archive.clone()))
}

fn collect(
    folder: &std::ffi::OsStr,
    dir: &RepoDir,
    commits: &Commits,
    at: usize,
    wanted: &mut Vec<Wanted>,
    entries: &mut Vec<Entry>,
) -> Result<RepoEntry> {
    let (repo_type, repo_id) = scan::identity(folder).ok_or_else(|| absent(dir))?;
    let repo = Repo::new(repo_type.parse()?, &repo_id)?;
    let there = inside().repo(&repo);
    let inventory = Inventory::read(dir);
    refuse_broken(dir, &inventory)?;
    let bounds = Bounds::of(dir);
    let mut entry = RepoEntry { repo_type: repo_type.to_owned(), repo_id, ..RepoEntry::default() };
    for revision in &inventory.revisions {
        if let Commits::These(these) = commits
            && !these.contains(&revision.commit)
        {
            continue;
        }
        let commit = Commit::parse(&revision.commit)?;
        for name in inventory.refs_of(&revision.commit) {
            entries.push(Entry::Text(
                there.reference(&Revision::parse(&name)?),
                commit.as_str().into(),
            ));
            entry.refs.insert(name, commit.to_string());
        }
        let mut found = RevisionEntry::default();
        if let Some(listing) = listing(dir, &commit, &bounds)? {
            entries.push(Entry::Text(there.tree(&commit), listing));
            found.listed = true;
        }
        for file in &revision.files {
            let (link, want) = file_of(dir, revision, &commit, file, at, &bounds)?;
            if let Some((path, etag)) = link {
                let target = RepoDir::link_target(&path, &etag);
                entries.push(Entry::Link(there.pointer(&commit, &path), target));
                found.links.insert(path.to_string(), etag.to_string());
            }
            wanted.push(want);
        }
        entry.revisions.insert(commit.to_string(), found);
    }
    Ok(entry)
}

fn refuse_broken(dir: &RepoDir, inventory: &Inventory) -> Result<()> {
    if let Some(problem) = inventory.problems.first() {
        let message = format!(
            "cannot export `{}`: unexpected file `{}`",
            dir.path().display(),
            problem.path.display()
        );
        return Err(Error::new(ErrorKind::Io, message).with_hints([Hint::Prune]));
    }
    Ok(())
}

/// Returns the listing of a commit, if the cache has one.
fn listing(dir: &RepoDir, commit: &Commit, bounds: &Bounds) -> Result<Option<Vec<u8>>> {
    let tree = dir.tree(commit);
    if fs::symlink_metadata(&tree).is_err() {
        return Ok(None);
    }
    let real = bounds.file(&tree).map_err(|error| nothing(&error))?;
    fs::read(&real).map(Some).map_err(|source| Error::io("read", &tree, source))
}

fn nothing(error: &Error) -> Error {
    let message = format!("nothing is exported: {}", error.message());
    Error::new(error.kind(), message)
}

fn file_of(
    dir: &RepoDir,
    revision: &inventory::Revision,
    commit: &Commit,
    file: &inventory::File,
    repo: usize,
    bounds: &Bounds,
) -> Result<(Option<(EntryPath, Etag)>, Wanted)> {
    let name = file.path.strip_prefix(&revision.path).unwrap_or(&file.path).to_string_lossy();
    let path = EntryPath::parse(&name.replace(std::path::MAIN_SEPARATOR, "/"))?;
    let own = file.blob.parent() == Some(&dir.blobs());
    let etag = file.blob.file_name().filter(|_| own).and_then(|name| Etag::of_blob(name.to_str()?));
    bounds.file(&file.path).map_err(|error| nothing(&error))?;
    let (place, source) = match &etag {
        Some(etag) => (Place::Blob(etag.clone()), file.blob.clone()),
        None => (Place::File(commit.clone(), path.clone()), file.path.clone()),
    };
    let proof = etag.as_ref().map_or(Proof::None, Etag::proof);
    let expected = etag.clone().filter(Etag::is_proof).map(|etag| etag.at(commit));
    let wanted = Wanted { repo, place, path: source, algorithm: Algorithm::of(proof), expected };
    Ok((etag.map(|etag| (path, etag)), wanted))
}

/// Hashes each blob once.
fn hash_all(
    wanted: Vec<Wanted>,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<(Wanted, Content)>> {
    let distinct: BTreeMap<PathBuf, Wanted> =
        wanted.into_iter().map(|wanted| (wanted.path.clone(), wanted)).collect();
    // Each blob is read twice: to hash it, and to write it.
    progress.add_files(2 * distinct.len() as u64);
    thread_pool::run(None, || {
        let hashed = distinct.into_par_iter().map(|(path, wanted)| {
            let content = hash(&path, &wanted, progress, stop)?;
            Ok((wanted, content))
        });
        hashed.collect::<Result<Vec<_>>>()
    })?
}

fn hash(
    path: &Path,
    wanted: &Wanted,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Content> {
    let wrap = |source| Error::io("read", path, source);
    let mut file = disk::open_regular(path).map_err(wrap)?;
    let size = file.metadata().map_err(wrap)?.len();
    let shown = progress.start_file(&path.to_string_lossy(), Some(size));
    let unsupported = || wrap(io::ErrorKind::Unsupported.into());
    let mut hasher = Hasher::new(wanted.algorithm.proof(), Some(size)).ok_or_else(unsupported)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        if stop() {
            return Err(stopped());
        }
        match file.read(&mut buffer).map_err(wrap)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                shown.received(n as u64);
            }
        }
    }
    shown.finish();
    let hash = hasher.finish();
    let verdict = wanted.expected.as_ref().map(|etag| hash::prove(path, etag, Some(hash.clone())));
    match verdict.transpose()? {
        Some(Verdict::Right(sum)) => {
            let algorithm = Algorithm::of(sum.proof());
            return Ok(Content { size, algorithm, hash: sum.hex().to_owned() });
        }
        None | Some(Verdict::Unknown) => {
            return Ok(Content { size, algorithm: wanted.algorithm, hash });
        }
        Some(Verdict::Wrong(_)) => {}
    }
    let message = format!("`{}` is corrupt and nothing was exported", path.display());
    Err(Error::new(ErrorKind::ChecksumMismatch, message).with_hints([Hint::Repair]))
}

fn write(
    manifest: &Manifest,
    entries: Vec<Entry>,
    archive: &Path,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let temporary = disk::sibling(archive, "tmp");
    let wrap = |source| Error::io("write", archive, source);
    let written = (|| {
        let file = File::create_new(&temporary).map_err(wrap)?;
        let mut builder = tar::Builder::new(BufWriter::with_capacity(1 << 20, file));
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| wrap(error.into()))?;
        add(&mut builder, Path::new(MANIFEST), text.len() as u64, text.as_slice()).map_err(wrap)?;
        for entry in entries {
            if stop() {
                return Err(stopped());
            }
            put(&mut builder, entry, progress, stop)
                .map_err(|error| if stop() { stopped() } else { wrap(error) })?;
        }
        let mut file = builder.into_inner().map_err(wrap)?;
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(wrap)?;
        fs::rename(&temporary, archive).map_err(wrap)
    })();
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn put(
    builder: &mut tar::Builder<impl Write>,
    entry: Entry,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> io::Result<()> {
    match entry {
        Entry::Text(name, text) => add(builder, &name, text.len() as u64, text.as_slice()),
        Entry::Link(name, target) => {
            let mut header = header(0);
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            builder.append_link(&mut header, name, target)
        }
        Entry::Content(source, name, size) => {
            let shown = progress.start_file(&name.to_string_lossy(), Some(size));
            let file = disk::open_regular(&source)?;
            if file.metadata()?.len() != size {
                return Err(io::Error::other(format!(
                    "`{}` changed during the export",
                    source.display()
                )));
            }
            let counted =
                Counted { reader: file.take(size), count: &mut |n| shown.received(n), stop };
            add(builder, &name, size, counted)?;
            shown.finish();
            Ok(())
        }
    }
}

/// Counts what is read through it, and fails when the export is stopped.
struct Counted<'a, R> {
    reader: R,
    count: &'a mut dyn FnMut(u64),
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(io::Error::other("stopped"));
        }
        let n = self.reader.read(buffer)?;
        (self.count)(n as u64);
        Ok(n)
    }
}

fn add(
    builder: &mut tar::Builder<impl Write>,
    name: &Path,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    builder.append_data(&mut header(size), name, content)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn absent(dir: &RepoDir) -> Error {
    Error::new(ErrorKind::NotCached, format!("`{}` is not in the cache", dir.path().display()))
}

fn in_use(dir: &RepoDir) -> Error {
    let message = format!("`{}` is in use by a removal; try again", dir.path().display());
    Error::new(ErrorKind::LockTimeout, message)
}

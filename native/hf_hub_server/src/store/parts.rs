//! Content that arrives in parts: `lfs/uploads/<upload>/content`, where each part is written to its
//! place.
//!
//! The first request for a part claims its place with a file named by its number, for good: a place
//! is written once, so a part that is sent again never mixes with the first one. It is kept in a
//! file of its own. An etag identifies the received part, not its bytes: those are hashed as a
//! whole. A claim contains the etag once the part is complete. This module does not know which
//! repository an upload is for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use super::disk;
use super::lfs::{Incoming, LfsStore, Pointer, hash};
use super::running_hash::RunningHash;

/// Number of bytes of an etag, which looks like those of object stores: 32 hex digits.
const ETAG_BYTES: usize = 16;
/// Age after which an unused upload is considered abandoned.
const ABANDONED: Duration = Duration::from_hours(24);
/// The file of an upload that parts are written to.
const CONTENT: &str = "content";

/// A part of an upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartPlace<'a> {
    /// The name of the upload.
    pub(crate) upload: &'a str,
    /// The number of the part; the first is 1.
    pub(crate) number: u64,
    /// Where it begins in the content.
    pub(crate) offset: u64,
    /// Its size.
    pub(crate) size: u64,
}

impl LfsStore {
    /// Starts to receive a part of an upload.
    pub(crate) fn receive_part(&self, part: PartPlace<'_>) -> Result<IncomingPart> {
        let place = match self.claim(part)? {
            Some(place) => place,
            None => Place::Apart(self.incoming_file()?),
        };
        Ok(IncomingPart { place, size: 0 })
    }

    /// Claims the place of a part; `None` if another request has claimed it.
    fn claim(&self, part: PartPlace<'_>) -> Result<Option<Place>> {
        let folder = self.upload_dir(part.upload);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // In this order: a folder that is removed meanwhile has no claim.
        let content = create(&folder.join(CONTENT), false)?;
        let claim = match create(&folder.join(claim_name(part.number)), true) {
            Err(err) if err.kind() == ErrorKind::AlreadyExists => return Ok(None),
            claim => claim?,
        };
        let hash = self.running.of(part.upload);
        Ok(Some(Place::Content { content, claim, offset: part.offset, hash }))
    }

    /// Keeps a part and returns its etag; `None`, storing nothing, if it has another size.
    pub(crate) fn keep_part(
        &self,
        part: PartPlace<'_>,
        received: IncomingPart,
    ) -> Result<Option<String>> {
        if received.size != part.size {
            return Ok(None);
        }
        let mut etag = [0; ETAG_BYTES];
        getrandom::fill(&mut etag)?;
        let etag = hex::encode(etag);
        match received.place {
            Place::Content { mut claim, offset, hash, .. } => {
                claim.write_all(etag.as_bytes())?;
                hash.completed(offset, &etag);
            }
            Place::Apart(file) => {
                let folder = self.upload_dir(part.upload);
                fs::create_dir_all(&folder)?;
                file.persist(folder.join(part_name(part.number, &etag)))?;
            }
        }
        Ok(Some(etag))
    }

    /// Joins the parts with these etags, starting with number 1, all but the last of the same size;
    /// `None` if one of them is missing.
    pub(crate) fn join_parts(
        &self,
        upload: &str,
        (part_size, size): (u64, u64),
        etags: &[String],
    ) -> Result<Option<Incoming>> {
        let folder = self.upload_dir(upload);
        let places = (1..).zip((0..size).step_by(usize::try_from(part_size)?)).zip(etags);
        let pieces = places.map(|((number, offset), etag)| {
            find(&folder, number, etag, (offset, part_size.min(size - offset)))
        });
        let Some(pieces) = pieces.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty()) else {
            return Ok(None);
        };
        let content = folder.join(CONTENT);
        if pieces.iter().any(|piece| piece.path != content) {
            return self.copy_parts(&pieces).map(Some);
        }
        let Some(file) = self.link(&content)? else { return Ok(None) };
        let offsets = pieces.iter().map(|piece| piece.offset).zip(etags.iter().map(String::as_str));
        let offsets = offsets.collect::<Vec<_>>();
        let oid = self.running.of(upload).finish(file.as_file(), &offsets, size)?;
        Ok(Some(Incoming { file, pointer: Pointer { oid, size } }))
    }

    /// Gives content another name, so that the upload can be completed again if this fails; `None`
    /// if it does not exist.
    fn link(&self, content: &Path) -> Result<Option<NamedTempFile>> {
        let link = |path: &Path| {
            match fs::hard_link(content, path) {
                Err(err)
                    if !matches!(err.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) =>
                {
                    // The file system has no such links.
                    fs::rename(content, path)?;
                }
                linked => linked?,
            }
            OpenOptions::new().read(true).write(true).open(path)
        };
        match tempfile::Builder::new().make_in(self.incoming_dir()?, link) {
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
            file => Ok(Some(file?)),
        }
    }

    /// Copies parts, some of which are files of their own, into one file.
    fn copy_parts(&self, pieces: &[Piece]) -> Result<Incoming> {
        let mut file = self.incoming_file()?;
        // Reading for the hash and copying, which the kernel does, take about the same time.
        let (pointer, copied) = thread::scope(|threads| {
            let pointer = threads.spawn(|| hash(Pieces::new(pieces)));
            let copied = append(pieces, file.as_file_mut());
            (pointer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), copied)
        });
        let (pointer, copied) = (pointer?, copied?);
        if copied != pointer.size {
            bail!("{copied} bytes of {} were copied", pointer.size);
        }
        Ok(Incoming { file, pointer })
    }

    /// Removes the parts of an upload.
    pub(crate) fn forget_upload(&self, upload: &str) -> Result<()> {
        self.running.forget(upload);
        // Content and claims belong together, so they are removed at once.
        let gone = tempfile::tempdir_in(self.incoming_dir()?)?;
        match fs::rename(self.upload_dir(upload), gone.path().join(upload)) {
            Err(err) if err.kind() != ErrorKind::NotFound => Err(err.into()),
            _ => Ok(()),
        }
    }

    /// Removes the parts of abandoned uploads.
    pub(crate) fn sweep(&self) -> Result<()> {
        for folder in ["incoming", "uploads"] {
            let folder = self.dir().join(folder);
            if !folder.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                // The time of a folder does not change when its files are written.
                if is_old(&path)? && is_old(&path.join(CONTENT)).unwrap_or(true) {
                    remove(&path)?;
                }
            }
        }
        Ok(())
    }

    fn upload_dir(&self, upload: &str) -> PathBuf {
        self.dir().join("uploads").join(upload)
    }
}

/// A part that is being received.
#[derive(Debug)]
pub(crate) struct IncomingPart {
    place: Place,
    size: u64,
}

#[derive(Debug)]
enum Place {
    /// In the content, from this offset on.
    Content { content: File, claim: File, offset: u64, hash: Arc<RunningHash> },
    /// In a file of its own, which is discarded when dropped.
    Apart(NamedTempFile),
}

impl IncomingPart {
    /// Returns the number of received bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes. The caller ensures that the part does not grow beyond its size.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Content { content, offset, hash, .. } => {
                let at = *offset + self.size;
                disk::write_at(content, chunk, at)?;
                hash.wrote(content, *offset, at, chunk)?;
            }
            Place::Apart(file) => file.write_all(chunk)?,
        }
        self.size += chunk.len() as u64;
        Ok(())
    }
}

/// Whether `text` is a valid upload id: 32 lower-case hex digits.
pub(crate) fn is_upload(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Opens a file that only its owner may read.
fn create(path: &Path, is_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).create_new(is_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn claim_name(number: u64) -> String {
    format!("{number:05}")
}

fn part_name(number: u64, etag: &str) -> String {
    format!("{number:05}-{etag}")
}

fn is_old(path: &Path) -> io::Result<bool> {
    let modified = fs::metadata(path)?.modified()?;
    Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED))
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Where the bytes of a part are.
#[derive(Debug)]
struct Piece {
    path: PathBuf,
    offset: u64,
    size: u64,
}

impl Piece {
    fn open(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }
}

/// Finds the part with this etag, whose place in the content is given as offset and size.
fn find(folder: &Path, number: u64, etag: &str, (offset, size): (u64, u64)) -> Option<Piece> {
    if etag.len() != 2 * ETAG_BYTES {
        // A claim is empty until its part is complete.
        return None;
    }
    let claim = fs::read(folder.join(claim_name(number)));
    if claim.is_ok_and(|claim| claim == etag.as_bytes()) {
        return Some(Piece { path: folder.join(CONTENT), offset, size });
    }
    let path = folder.join(part_name(number, etag));
    path.is_file().then_some(Piece { path, offset: 0, size })
}

fn append(pieces: &[Piece], file: &mut File) -> io::Result<u64> {
    pieces.iter().try_fold(0, |size, piece| Ok(size + io::copy(&mut piece.open()?, file)?))
}

/// Reads pieces one after the other as a single file. Only one of them is open at a time.
struct Pieces<'a> {
    current: Option<io::Take<File>>,
    rest: std::slice::Iter<'a, Piece>,
}

impl<'a> Pieces<'a> {
    fn new(pieces: &'a [Piece]) -> Self {
        Self { current: None, rest: pieces.iter() }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.as_mut().map_or(Ok(0), |piece| piece.read(buffer))?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.rest.next() {
                Some(piece) => self.current = Some(piece.open()?),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLOAD: &str = "0123456789abcdef0123456789abcdef";
    /// Sizes of the parts and of the content in these tests.
    const SIZES: (u64, u64) = (3, 5);

    fn store(root: &tempfile::TempDir) -> LfsStore {
        LfsStore::new(root.path())
    }

    fn place(number: u64, size: u64) -> PartPlace<'static> {
        PartPlace { upload: UPLOAD, number, offset: (number - 1) * SIZES.0, size }
    }

    fn put(store: &LfsStore, number: u64, text: &str) -> String {
        let place = place(number, text.len() as u64);
        let mut part = store.receive_part(place).unwrap();
        text.bytes().for_each(|byte| part.take(&[byte]).unwrap());
        store.keep_part(place, part).unwrap().unwrap()
    }

    fn join(store: &LfsStore, etags: &[&String]) -> Option<Incoming> {
        let etags = etags.iter().map(|etag| (*etag).clone()).collect::<Vec<_>>();
        store.join_parts(UPLOAD, SIZES, &etags).unwrap()
    }

    fn stored(store: &LfsStore, incoming: Incoming) -> Vec<u8> {
        let pointer = store.keep(incoming).unwrap();
        fs::read(store.path(&pointer.oid)).unwrap()
    }

    #[test]
    fn joins_the_given_parts() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let (second, first, other) =
            (put(&store, 2, "lo"), put(&store, 1, "hel"), put(&store, 1, "HEL"));
        assert_ne!(first, other);

        let pointer = join(&store, &[&first, &second]).unwrap().pointer;
        assert_eq!(pointer, store.put(&b"hello"[..]).unwrap());
        let pointer = join(&store, &[&other, &second]).unwrap().pointer;
        assert_eq!(pointer, store.put(&b"HELlo"[..]).unwrap());
        assert!(join(&store, &[&second, &first]).is_none());
        assert!(join(&store, &[]).is_none());

        store.forget_upload(UPLOAD).unwrap();
        store.forget_upload(UPLOAD).unwrap();
        assert!(join(&store, &[&first, &second]).is_none());
        assert_eq!(fs::read_dir(root.path().join("lfs/incoming")).unwrap().count(), 0);
    }

    #[test]
    fn writes_each_part_once_and_to_its_place() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let etags = [put(&store, 1, "hel"), put(&store, 2, "lo")];
        let content = root.path().join("lfs/uploads").join(UPLOAD).join(CONTENT);
        assert_eq!(fs::read(&content).unwrap(), b"hello");
        let incoming = join(&store, &[&etags[0], &etags[1]]).unwrap();
        // Completed again, as after a crash.
        assert!(content.is_file());
        assert_eq!(stored(&store, incoming), b"hello");
        assert_eq!(stored(&store, join(&store, &[&etags[0], &etags[1]]).unwrap()), b"hello");
    }

    #[test]
    fn a_part_that_is_sent_again_does_not_touch_the_first_one() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let mut begun = store.receive_part(place(1, 3)).unwrap();
        begun.take(b"h").unwrap();
        let again = put(&store, 1, "HEL");
        begun.take(b"el").unwrap();
        let first = store.keep_part(place(1, 3), begun).unwrap().unwrap();
        let second = put(&store, 2, "lo");
        assert_eq!(stored(&store, join(&store, &[&first, &second]).unwrap()), b"hello");
        assert_eq!(stored(&store, join(&store, &[&again, &second]).unwrap()), b"HELlo");
    }

    #[test]
    fn a_part_that_was_cut_can_be_sent_again() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        store.receive_part(place(1, 3)).unwrap().take(b"HE").unwrap();
        let etags = [put(&store, 1, "hel"), put(&store, 2, "lo")];
        assert_eq!(stored(&store, join(&store, &[&etags[0], &etags[1]]).unwrap()), b"hello");
    }

    #[test]
    fn a_late_writer_cannot_change_completed_content() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let etags = [put(&store, 1, "hel"), put(&store, 2, "lo")];
        let mut late = store.receive_part(place(2, 2)).unwrap();
        let incoming = join(&store, &[&etags[0], &etags[1]]).unwrap();
        late.take(b"LO").unwrap();
        assert_eq!(stored(&store, incoming), b"hello");
    }

    #[test]
    fn another_process_can_complete_the_upload() {
        let root = tempfile::tempdir().unwrap();
        let first = put(&store(&root), 1, "hel");
        let second = put(&store(&root), 2, "lo");
        let store = store(&root);
        assert_eq!(stored(&store, join(&store, &[&first, &second]).unwrap()), b"hello");
    }

    #[test]
    fn an_upload_that_another_process_began_again_is_hashed_again() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) = (store(&root), store(&root));
        put(&one, 1, "hel");
        other.forget_upload(UPLOAD).unwrap();
        let etags = [put(&other, 1, "HEL"), put(&one, 2, "lo")];
        let pointer = join(&one, &[&etags[0], &etags[1]]).unwrap().pointer;
        assert_eq!(pointer, other.put(&b"HELlo"[..]).unwrap());
    }

    #[test]
    fn rejects_a_part_of_another_size() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        for (number, size) in [(1, 4), (1, 6), (2, 0), (2, 4)] {
            let mut part = store.receive_part(place(number, size)).unwrap();
            part.take(b"hello").unwrap();
            assert_eq!(part.size(), 5);
            assert_eq!(store.keep_part(place(number, size), part).unwrap(), None);
        }
        let none = String::new();
        assert!(join(&store, &[&none, &none]).is_none());
    }

    #[test]
    fn removes_only_old_uploads() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        store.sweep().unwrap();
        put(&store, 1, "hel");
        let folder = root.path().join("lfs/uploads").join(UPLOAD);
        fs::create_dir_all(root.path().join("lfs/incoming")).unwrap();
        let left = root.path().join("lfs/incoming/left");
        fs::write(&left, "x").unwrap();
        let long_ago = SystemTime::now() - ABANDONED * 2;
        let age = |path: &Path| File::open(path).unwrap().set_modified(long_ago).unwrap();
        age(&left);
        age(&folder);

        store.sweep().unwrap();
        assert!(!left.exists());
        assert!(folder.is_dir(), "its content is still being written");
        age(&folder.join(CONTENT));
        store.sweep().unwrap();
        assert!(!folder.exists());
    }
}

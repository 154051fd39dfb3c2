//! Packs of many new blobs: one file instead of one each, which file systems are slow to create.
//!
//! A pack is written beside the repository and gets its place when it is complete, so a commit that
//! fails leaves nothing behind.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use git2::{ObjectType, Oid};
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

use super::super::disk;

/// Size from which on a pack takes no more blobs: offsets in an index have 31 bits.
const MAX_SIZE: u64 = 1 << 30;
/// Length of a pack's header, and where it has the number of objects.
const HEADER: usize = 12;
const COUNT_AT: u64 = 8;
/// The type of a blob in a pack, at its place in an object's first byte.
const BLOB: u8 = 3 << 4;
/// Packs and their indices are read-only for git, too.
#[cfg(unix)]
const MODE: u32 = 0o444;
const CHUNK: usize = 128 << 10;
/// How much a compressed blob may be larger than its content, at first.
const ROOM: usize = 64;

/// A blob as it is in a pack.
#[derive(Debug)]
pub(crate) struct PackedBlob {
    oid: Oid,
    bytes: Vec<u8>,
    crc: u32,
}

impl PackedBlob {
    /// Returns its id.
    pub(crate) fn oid(&self) -> Oid {
        self.oid
    }
}

/// Compresses blobs one after the other: the compressor's memory is larger than most blobs.
#[derive(Debug)]
pub(crate) struct Packer {
    zlib: Compress,
}

impl Packer {
    /// Allocates the compressor.
    pub(crate) fn new() -> Self {
        Self { zlib: Compress::new(Compression::fast(), true) }
    }

    /// Compresses a blob.
    pub(crate) fn pack(&mut self, content: &[u8]) -> Result<PackedBlob> {
        let oid = Oid::hash_object(ObjectType::Blob, content)?;
        let mut bytes = Vec::with_capacity(content.len() + ROOM);
        push_header(&mut bytes, content.len());
        self.zlib.reset();
        loop {
            let taken = usize::try_from(self.zlib.total_in())?;
            let rest = content.get(taken..).unwrap_or_default();
            if self.zlib.compress_vec(rest, &mut bytes, FlushCompress::Finish)? == Status::StreamEnd
            {
                break;
            }
            bytes.reserve(ROOM);
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        Ok(PackedBlob { oid, bytes, crc: crc.sum() })
    }
}

/// The length, in groups of 4, 7, 7, … bits; all but the last have the highest bit set.
fn push_header(bytes: &mut Vec<u8>, length: usize) {
    let (mut byte, mut rest) = (BLOB | low_bits(length, 4), length >> 4);
    while rest > 0 {
        bytes.push(byte | 0x80);
        (byte, rest) = (low_bits(rest, 7), rest >> 7);
    }
    bytes.push(byte);
}

fn low_bits(number: usize, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).unwrap_or_default()
}

/// A pack that is being written; discarded when dropped.
#[derive(Debug)]
pub(crate) struct Pack {
    file: BufWriter<NamedTempFile>,
    size: u64,
    seen: HashSet<Oid>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    oid: Oid,
    crc: u32,
    offset: u32,
}

impl Pack {
    /// Starts a pack with a temporary file in `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let mut file = BufWriter::with_capacity(CHUNK, NamedTempFile::new_in(folder)?);
        file.write_all(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(Self { file, size: HEADER as u64, seen: HashSet::new(), entries: Vec::new() })
    }

    /// Whether no more blobs fit.
    pub(crate) fn is_full(&self) -> bool {
        self.size >= MAX_SIZE
    }

    /// Adds a blob.
    pub(crate) fn add(&mut self, blob: &PackedBlob) -> Result<()> {
        if !self.seen.insert(blob.oid) {
            return Ok(());
        }
        let offset = u32::try_from(self.size)?;
        self.file.write_all(&blob.bytes)?;
        self.size += blob.bytes.len() as u64;
        self.entries.push(Entry { oid: blob.oid, crc: blob.crc, offset });
        Ok(())
    }

    /// Moves the pack and its index into the repository at `git_dir`.
    pub(crate) fn publish(self, git_dir: &Path) -> Result<()> {
        let Self { file, mut entries, .. } = self;
        let mut pack = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let checksum = seal(&mut pack, u32::try_from(entries.len())?)?;
        entries.sort_unstable_by_key(|entry| entry.oid);
        let mut index = NamedTempFile::new_in(pack.path().parent().unwrap_or(Path::new(".")))?;
        index.write_all(&index_of(&entries, &checksum)?)?;
        let folder = git_dir.join("objects/pack");
        fs::create_dir_all(&folder)?;
        // The index last: it makes the pack visible.
        for (file, extension) in [(pack, "pack"), (index, "idx")] {
            #[cfg(unix)]
            {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(MODE);
                file.as_file().set_permissions(mode)?;
            }
            let name = format!("pack-{}.{extension}", hex::encode(checksum));
            file.persist(folder.join(name)).context("cannot keep a pack")?;
        }
        disk::sync_folder(&folder)
    }
}

/// Writes the number of objects and the checksum of a pack, and returns the checksum.
fn seal(pack: &mut NamedTempFile, count: u32) -> io::Result<[u8; 20]> {
    pack.seek(SeekFrom::Start(COUNT_AT))?;
    pack.write_all(&count.to_be_bytes())?;
    pack.rewind()?;
    let (mut hash, mut chunk) = (Sha1::new(), vec![0; CHUNK]);
    loop {
        let read = pack.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
    }
    let checksum: [u8; 20] = hash.finalize().into();
    pack.write_all(&checksum)?;
    Ok(checksum)
}

/// Returns the index of a pack with these entries, which are sorted: version 2 of git's format.
fn index_of(entries: &[Entry], checksum: &[u8; 20]) -> Result<Vec<u8>> {
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for byte in 0..=u8::MAX {
        let count = entries.partition_point(|entry| entry.oid.as_bytes()[0] <= byte);
        index.extend(u32::try_from(count)?.to_be_bytes());
    }
    index.extend(entries.iter().flat_map(|entry| entry.oid.as_bytes()));
    index.extend(entries.iter().flat_map(|entry| entry.crc.to_be_bytes()));
    index.extend(entries.iter().flat_map(|entry| entry.offset.to_be_bytes()));
    index.extend(checksum);
    let own = Sha1::digest(&index);
    index.extend(own);
    Ok(index)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::{Git, MAIN_REF};
    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        git_dir: std::path::PathBuf,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let (_, first) = Git::in_memory(&[("a", &b"x"[..])], "first", "me").unwrap();
        let git_dir = dir.path().join("x.git");
        Git::create(&git_dir, &first).unwrap();
        Fixture { dir, git_dir }
    }

    /// Contents whose lengths take one to four bytes in a pack.
    fn contents() -> Vec<Vec<u8>> {
        let sizes = [0, 1, 15, 16, 2047, 2048, 70_000, 300_000];
        sizes.iter().map(|size| (0..=u8::MAX).cycle().take(*size).collect()).collect()
    }

    #[test]
    fn git_reads_and_accepts_the_pack() {
        let it = fixture();
        let mut pack = Pack::new(it.dir.path()).unwrap();
        let mut oids = Vec::new();
        let mut packer = Packer::new();
        for content in contents().iter().chain(&contents()) {
            let blob = packer.pack(content).unwrap();
            pack.add(&blob).unwrap();
            oids.push(blob.oid());
        }
        pack.publish(&it.git_dir).unwrap();
        let git = Git::open(&it.git_dir).unwrap();
        for (oid, content) in oids.iter().zip(contents()) {
            assert_eq!(git.blob(*oid).unwrap(), content);
            assert_eq!(git.write_bytes(&content).unwrap(), *oid);
        }
        let run = |arguments: &[&str]| {
            let run =
                Command::new("git").arg("--git-dir").arg(&it.git_dir).args(arguments).output();
            let run = run.unwrap();
            assert!(run.status.success(), "{arguments:?}: {run:?}");
            String::from_utf8(run.stdout).unwrap()
        };
        run(&["fsck", "--strict", MAIN_REF]);
        let counted = run(&["count-objects", "-v"]);
        assert!(counted.contains("count: 0") && counted.contains("packs: 2"), "{counted}");
        assert!(counted.contains(&format!("in-pack: {}", 3 + contents().len())), "{counted}");
        for name in fs::read_dir(it.git_dir.join("objects/pack")).unwrap() {
            let path = name.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                run(&["verify-pack", path.to_str().unwrap()]);
            }
        }
        assert_eq!(fs::read_dir(it.dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pack_that_is_not_published_leaves_nothing() {
        let it = fixture();
        let mut pack = Pack::new(it.dir.path()).unwrap();
        let blob = Packer::new().pack(b"hello").unwrap();
        pack.add(&blob).unwrap();
        drop(pack);
        assert_eq!(fs::read_dir(it.dir.path()).unwrap().count(), 1);
        assert!(Git::open(&it.git_dir).unwrap().blob(blob.oid()).is_err());
    }

    #[test]
    fn the_same_pack_can_be_published_again() {
        let it = fixture();
        for _ in 0..2 {
            let mut pack = Pack::new(it.dir.path()).unwrap();
            pack.add(&Packer::new().pack(b"hello").unwrap()).unwrap();
            pack.publish(&it.git_dir).unwrap();
        }
        let oid = Packer::new().pack(b"hello").unwrap().oid();
        assert_eq!(Git::open(&it.git_dir).unwrap().blob(oid).unwrap(), b"hello");
    }
}

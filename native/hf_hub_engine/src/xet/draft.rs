//! A file that is being cut: which of its chunks the storage has, and the new ones, which become
//! objects.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use xet_core_structures::{
    merklehash::{ChunkHashList, MerkleHash, file_hash},
    metadata_shard::{
        chunk_verification::range_hash_from_chunks,
        file_structs::{
            FileDataSequenceEntry, FileDataSequenceHeader, FileMetadataExt, FileVerificationEntry,
            MDBFileInfo, Sha256,
        },
        hash_is_global_dedup_eligible,
    },
    xorb_object::{Chunk, RawXorbData},
};

/// Maximum number of chunks of an object.
const CHUNKS: usize = 8 << 10;

/// Number of chunks after a question to the storage without another one: 16 MiB on average.
const SPACING: usize = 256;

/// Chunks that are stored: their number, and where.
pub(super) type Hit = (usize, FileDataSequenceEntry);

/// What is stored of some chunks, by the index of the first one of a run.
pub(super) type Hits = Vec<Option<Hit>>;

/// New chunks that are not an object yet, and the files that end in them.
#[derive(Default)]
pub(super) struct Open {
    chunks: Vec<Chunk>,
    bytes: usize,
    /// Where the chunks of each file begin: each is compressed in its own way.
    starts: Vec<usize>,
    files: Vec<MDBFileInfo>,
}

/// New chunks that become an object, if there are any, and the files that are complete with it.
pub(super) struct Closed {
    pub(super) object: Option<RawXorbData>,
    pub(super) files: Vec<MDBFileInfo>,
}

impl Open {
    /// Whether this one has room for another one.
    pub(super) fn has_room(&self, other: &Self, size: usize) -> bool {
        self.bytes + other.bytes <= size && self.chunks.len() + other.chunks.len() <= CHUNKS
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the chunks and files of another one.
    pub(super) fn merge(&mut self, mut other: Self) {
        let shift = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        for entry in other.files.iter_mut().flat_map(|file| &mut file.segments) {
            if is_open(entry) {
                entry.chunk_index_start += shift;
                entry.chunk_index_end += shift;
            }
        }
        self.starts.extend(other.starts.iter().map(|start| start + shift as usize));
        self.chunks.append(&mut other.chunks);
        self.bytes += other.bytes;
        self.files.append(&mut other.files);
    }

    /// Makes an object of the chunks.
    pub(super) fn close(mut self) -> Closed {
        let object = (!self.chunks.is_empty())
            .then(|| RawXorbData::from_chunks(&self.chunks, std::mem::take(&mut self.starts)));
        if let Some(object) = &object {
            let entries = self.files.iter_mut().flat_map(|file| &mut file.segments);
            settle(entries, object.hash());
        }
        Closed { object, files: self.files }
    }
}

/// Whether an entry is about chunks that are not in an object yet.
fn is_open(entry: &FileDataSequenceEntry) -> bool {
    entry.xorb_hash == MerkleHash::marker()
}

fn settle<'a>(entries: impl Iterator<Item = &'a mut FileDataSequenceEntry>, hash: MerkleHash) {
    entries.filter(|entry| is_open(entry)).for_each(|entry| entry.xorb_hash = hash);
}

/// A file that is being cut.
pub(super) struct Draft {
    /// Number of bytes of an object.
    size: usize,
    hashes: ChunkHashList,
    entries: Vec<FileDataSequenceEntry>,
    new: Open,
    /// The places of new chunks.
    places: HashMap<MerkleHash, usize>,
    fragments: Fragments,
    /// The index of the first chunk that the storage may be asked for.
    next_question: usize,
    deduplicated: u64,
}

impl Draft {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            hashes: Vec::new(),
            entries: Vec::new(),
            new: Open::default(),
            places: HashMap::new(),
            fragments: Fragments::default(),
            next_question: 0,
            deduplicated: 0,
        }
    }

    /// Number of bytes of chunks that were stored before.
    pub(super) fn deduplicated(&self) -> u64 {
        self.deduplicated
    }

    /// Returns those of the next chunks, of which `hits` are known, that the storage is to be asked
    /// for: the first one of the file, and some others which all clients choose alike.
    pub(super) fn questions(&mut self, chunks: &[Chunk], hits: &Hits) -> Vec<MerkleHash> {
        let (mut questions, mut index) = (Vec::new(), 0);
        while let Some(chunk) = chunks.get(index) {
            if let Some((count, _)) = &hits[index] {
                index += count;
                continue;
            }
            let at = self.hashes.len() + index;
            let is_chosen = at == 0 || hash_is_global_dedup_eligible(&chunk.hash);
            if is_chosen && at >= self.next_question {
                questions.push(chunk.hash);
                self.next_question = at + SPACING;
            }
            index += 1;
        }
        questions
    }

    /// Adds the next chunks; returns the objects that are full.
    pub(super) fn add(&mut self, chunks: &[Chunk], mut hits: Hits) -> Vec<Closed> {
        let mut closed = Vec::new();
        let share = sharing(chunks, &hits);
        let mut index = 0;
        while let Some(chunk) = chunks.get(index) {
            let hit = hits[index].take().or_else(|| self.repeated(&chunks[index..]));
            match hit {
                Some((count, entry)) if self.continues(&entry) || self.fragments.allow(count) => {
                    self.deduplicated += u64::from(entry.unpacked_segment_bytes);
                    self.refer(entry, count);
                    index += count;
                }
                _ => {
                    closed.extend(self.close_if_full(chunk.data.len()));
                    self.append(share(chunk));
                    index += 1;
                }
            }
        }
        self.hashes.extend(chunks.iter().map(|chunk| (chunk.hash, chunk.data.len() as u64)));
        closed
    }

    /// Returns the new chunks of this object that the next ones repeat.
    fn repeated(&self, chunks: &[Chunk]) -> Option<Hit> {
        let first = *self.places.get(&chunks.first()?.hash)?;
        let is_next = |(index, chunk): &(usize, &Chunk)| {
            self.places.get(&chunk.hash) == Some(&(first + index))
        };
        let count = chunks.iter().enumerate().take_while(is_next).count();
        let bytes =
            self.new.chunks[first..first + count].iter().map(|chunk| chunk.data.len()).sum();
        let marker = MerkleHash::marker();
        Some((count, FileDataSequenceEntry::new(marker, bytes, first, first + count)))
    }

    /// Whether the chunks of an entry follow the last ones.
    fn continues(&self, entry: &FileDataSequenceEntry) -> bool {
        self.entries.last().is_some_and(|last| {
            last.xorb_hash == entry.xorb_hash && last.chunk_index_end == entry.chunk_index_start
        })
    }

    fn refer(&mut self, entry: FileDataSequenceEntry, count: usize) {
        if !self.continues(&entry) {
            self.fragments.push(count);
            return self.entries.push(entry);
        }
        self.fragments.extend(count);
        if let Some(last) = self.entries.last_mut() {
            let bytes = last.unpacked_segment_bytes;
            last.unpacked_segment_bytes = bytes.saturating_add(entry.unpacked_segment_bytes);
            last.chunk_index_end = entry.chunk_index_end;
        }
    }

    fn append(&mut self, chunk: Chunk) {
        let (place, bytes) = (self.new.chunks.len(), chunk.data.len());
        self.refer(FileDataSequenceEntry::new(MerkleHash::marker(), bytes, place, place + 1), 1);
        self.places.insert(chunk.hash, place);
        if place == 0 {
            self.new.starts.push(0);
        }
        self.new.bytes += bytes;
        self.new.chunks.push(chunk);
    }

    fn close_if_full(&mut self, more: usize) -> Option<Closed> {
        if self.new.bytes + more <= self.size && self.new.chunks.len() < CHUNKS {
            return None;
        }
        self.places.clear();
        let closed = std::mem::take(&mut self.new).close();
        if let Some(object) = &closed.object {
            settle(self.entries.iter_mut(), object.hash());
        }
        Some(closed)
    }

    /// Ends the file; returns its hash, and its new chunks that are in no object yet.
    pub(super) fn finish(mut self, sha256: Option<Sha256>) -> (MerkleHash, Open) {
        let hash = file_hash(&self.hashes);
        let metadata_ext = sha256.map(FileMetadataExt::new);
        let verification = self.verification();
        let metadata =
            FileDataSequenceHeader::new(hash, self.entries.len(), true, metadata_ext.is_some());
        let segments = self.entries;
        self.new.files.push(MDBFileInfo { metadata, segments, verification, metadata_ext });
        (hash, self.new)
    }

    /// Returns the proof of each entry that its chunks are known.
    fn verification(&self) -> Vec<FileVerificationEntry> {
        let mut hashes = self.hashes.iter().map(|(hash, _)| *hash);
        let of_entry = |entry: &FileDataSequenceEntry| {
            let count = entry.chunk_index_end - entry.chunk_index_start;
            let hashes: Vec<_> = hashes.by_ref().take(count as usize).collect();
            FileVerificationEntry::new(range_hash_from_chunks(&hashes))
        };
        self.entries.iter().map(of_entry).collect()
    }
}

/// Returns how to keep new chunks. They share the memory of the block that was read; where most of
/// it is stored already, they are copied, because all of it would stay in memory with them.
fn sharing(chunks: &[Chunk], hits: &Hits) -> fn(&Chunk) -> Chunk {
    let known: usize = hits.iter().flatten().map(|(count, _)| count).sum();
    if known * 4 < chunks.len() {
        return Chunk::clone;
    }
    |chunk| Chunk { hash: chunk.hash, data: Bytes::copy_from_slice(&chunk.data) }
}

/// The lengths of a file's last runs of chunks. A file of very short ones would be slow to download,
/// so where they are short already, even shorter ones are stored once more, as in other clients.
#[derive(Default)]
struct Fragments {
    runs: VecDeque<usize>,
    chunks: usize,
    /// Whether runs were refused, so that longer ones are wanted now.
    is_strict: bool,
}

impl Fragments {
    const RUNS: usize = 128;

    /// Number of chunks of a run that is long enough.
    const LEAST: usize = 8;

    fn push(&mut self, count: usize) {
        self.runs.push_back(count);
        self.chunks += count;
        if self.runs.len() > Self::RUNS {
            self.chunks -= self.runs.pop_front().unwrap_or_default();
        }
    }

    fn extend(&mut self, count: usize) {
        if let Some(last) = self.runs.back_mut() {
            *last += count;
            self.chunks += count;
        }
    }

    /// Whether a run of so many chunks may refer to what is stored.
    fn allow(&mut self, count: usize) -> bool {
        if self.runs.len() < Self::RUNS {
            return true;
        }
        let least = if self.is_strict { Self::LEAST } else { Self::LEAST / 2 };
        let is_short = self.chunks < least * Self::RUNS;
        self.is_strict &= is_short;
        let is_refused = is_short && count * Self::RUNS < self.chunks;
        self.is_strict |= is_refused;
        !is_refused
    }
}

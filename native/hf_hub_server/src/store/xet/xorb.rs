//! A xorb: a sequence of compressed chunks, which are the units of deduplication.
//!
//! The file of a stored xorb is what the client sent, followed by our own index: the hash of each
//! chunk and where it ends, packed and unpacked. A xorb is stored only after every chunk was
//! unpacked and hashed, so its index can be trusted.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use anyhow::{Context, Result, bail};
use xet_core_structures::merklehash::{MerkleHash, compute_data_hash, xorb_hash};
use xet_core_structures::xorb_object::{
    CompressionScheme, XORB_CHUNK_HEADER_LENGTH, parse_chunk_header,
};

use super::Invalid;

/// Maximum size of a xorb as it is sent.
pub(crate) const MAX_XORB: u64 = (64 << 20) + (1 << 20);
/// Maximum size of its unpacked chunks.
const MAX_UNPACKED: u64 = 64 << 20;
/// Maximum number of its chunks.
const MAX_CHUNKS: usize = 8 << 10;
/// How the metadata begins that some clients send after the chunks.
const FOOTER: &[u8] = b"XETBLOB";
/// The end of the index.
const MAGIC: [u8; 8] = *b"xorbidx1";
const RECORD: usize = 40;
const READ_AHEAD: usize = 256 << 10;

/// A chunk of a xorb.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// The hash of its content.
    pub(crate) hash: MerkleHash,
    /// Where it ends in the xorb.
    packed_end: u32,
    /// Where its content ends in the content of the xorb.
    end: u32,
}

/// The chunks of a xorb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    chunks: Vec<Chunk>,
}

impl Index {
    /// Unpacks and hashes everything `file` has, from its start. Fails with [`Invalid`] if that is
    /// not a xorb.
    pub(super) fn compute(file: &File) -> Result<Self> {
        let mut file = file;
        file.rewind()?;
        let mut reader = BufReader::with_capacity(READ_AHEAD, file);
        let (mut index, mut packed) = (Self::default(), Vec::new());
        while let Some(scheme) = read_chunk(&mut reader, &mut packed)? {
            let content = unpack(scheme, &packed)?;
            let (packed_end, end) = index.ends();
            let packed_end = packed_end + (XORB_CHUNK_HEADER_LENGTH + packed.len()) as u64;
            let end = end + content.len() as u64;
            if packed_end > MAX_XORB || end > MAX_UNPACKED || index.chunks.len() == MAX_CHUNKS {
                bail!(Invalid("the xorb is too large".into()));
            }
            let hash = compute_data_hash(&content);
            index.chunks.push(Chunk { hash, packed_end: narrow(packed_end)?, end: narrow(end)? });
        }
        if index.chunks.is_empty() {
            bail!(Invalid("the xorb has no chunks".into()));
        }
        Ok(index)
    }

    /// Reads the index of a stored xorb.
    pub(super) fn read(mut file: &File) -> Result<Self> {
        let mut tail = [0; 4 + MAGIC.len()];
        let size = file.metadata()?.len();
        let tail_at = size.checked_sub(tail.len() as u64).context("the index is cut")?;
        file.seek(SeekFrom::Start(tail_at))?;
        file.read_exact(&mut tail)?;
        let (count, magic) = tail.split_at(4);
        let count = u32_at(count, 0)? as usize;
        if magic != MAGIC || count == 0 || count > MAX_CHUNKS {
            bail!("the xorb has no index");
        }
        let start = tail_at.checked_sub((count * RECORD) as u64).context("the index is cut")?;
        file.seek(SeekFrom::Start(start))?;
        let mut records = vec![0; count * RECORD];
        file.read_exact(&mut records)?;
        let chunks = records.chunks_exact(RECORD).map(|record| {
            let hash = MerkleHash::from_slice(&record[..32])?;
            Ok(Chunk { hash, packed_end: u32_at(record, 32)?, end: u32_at(record, 36)? })
        });
        Ok(Self { chunks: chunks.collect::<Result<_>>()? })
    }

    /// Replaces what follows the chunks by the index.
    pub(super) fn append_to(&self, mut file: &File) -> Result<()> {
        file.set_len(self.packed_size())?;
        file.seek(SeekFrom::End(0))?;
        let mut records = Vec::with_capacity(self.chunks.len() * RECORD + 12);
        for chunk in &self.chunks {
            records.extend_from_slice(chunk.hash.as_bytes());
            records.extend_from_slice(&chunk.packed_end.to_le_bytes());
            records.extend_from_slice(&chunk.end.to_le_bytes());
        }
        records.extend_from_slice(&narrow(self.chunks.len() as u64)?.to_le_bytes());
        records.extend_from_slice(&MAGIC);
        Ok(file.write_all(&records)?)
    }

    /// Returns the hash of the xorb.
    pub(super) fn hash(&self) -> MerkleHash {
        xorb_hash(&self.sized(0..self.count()))
    }

    /// Returns the number of chunks.
    pub(crate) fn count(&self) -> usize {
        self.chunks.len()
    }

    /// Returns the chunks.
    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Returns the size of the chunks as they were sent.
    pub(crate) fn packed_size(&self) -> u64 {
        self.ends().0
    }

    /// Returns the size of their content.
    pub(crate) fn size(&self) -> u64 {
        self.ends().1
    }

    fn ends(&self) -> (u64, u64) {
        let end = |chunk: &Chunk| (chunk.packed_end.into(), chunk.end.into());
        self.chunks.last().map_or((0, 0), end)
    }

    /// Returns where chunks are in the xorb.
    pub(crate) fn packed(&self, chunks: &Range<usize>) -> Range<u64> {
        let ends = |count: usize| match count {
            0 => 0,
            _ => self.chunks[count - 1].packed_end.into(),
        };
        ends(chunks.start)..ends(chunks.end)
    }

    /// Returns where the content of chunks is in the content of the xorb.
    pub(crate) fn unpacked(&self, chunks: &Range<usize>) -> Range<u64> {
        self.start(chunks.start)..self.start(chunks.end)
    }

    fn start(&self, chunk: usize) -> u64 {
        if chunk == 0 { 0 } else { self.chunks[chunk - 1].end.into() }
    }

    /// Returns the chunk with this byte of the content of the xorb.
    pub(crate) fn chunk_at(&self, position: u64) -> usize {
        self.chunks.partition_point(|chunk| u64::from(chunk.end) <= position)
    }

    /// Returns the hashes of chunks with the sizes of their content.
    pub(super) fn sized(&self, chunks: Range<usize>) -> Vec<(MerkleHash, u64)> {
        chunks.map(|at| (self.chunks[at].hash, self.start(at + 1) - self.start(at))).collect()
    }
}

/// Reads the next chunk into `packed`, and returns how it is compressed; `None` at the end.
pub(super) fn read_chunk(
    reader: &mut impl Read,
    packed: &mut Vec<u8>,
) -> Result<Option<(CompressionScheme, usize)>> {
    let mut header = [0; XORB_CHUNK_HEADER_LENGTH];
    match read_all(reader, &mut header)? {
        0 => return Ok(None),
        read if read >= FOOTER.len() && header.starts_with(FOOTER) => return Ok(None),
        read if read < header.len() => bail!(Invalid("the xorb is cut".into())),
        _ => {}
    }
    let header = parse_chunk_header(header).map_err(|err| Invalid(err.to_string()))?;
    let scheme = header.get_compression_scheme().map_err(|err| Invalid(err.to_string()))?;
    let size = header.get_uncompressed_length() as usize;
    packed.resize(header.get_compressed_length() as usize, 0);
    if read_all(reader, packed)? < packed.len() {
        bail!(Invalid("the xorb is cut".into()));
    }
    Ok(Some((scheme, size)))
}

/// Returns the content of a chunk.
pub(super) fn unpack(
    (scheme, size): (CompressionScheme, usize),
    packed: &[u8],
) -> Result<std::borrow::Cow<'_, [u8]>> {
    let content = scheme.decompress_from_slice(packed);
    let content = content.map_err(|err| Invalid(format!("a chunk cannot be unpacked: {err}")))?;
    if content.is_empty() || content.len() != size {
        let message = format!("a chunk has the size {}, its header has {size}", content.len());
        bail!(Invalid(message));
    }
    Ok(content)
}

fn read_all(reader: &mut impl Read, mut buffer: &mut [u8]) -> Result<usize> {
    let wanted = buffer.len();
    while !buffer.is_empty() {
        match reader.read(buffer) {
            Ok(0) => break,
            Ok(read) => buffer = &mut buffer[read..],
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err.into()),
        }
    }
    Ok(wanted - buffer.len())
}

fn narrow(number: u64) -> Result<u32> {
    Ok(u32::try_from(number)?)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 4).context("the index is cut")?;
    Ok(u32::from_le_bytes(bytes.try_into()?))
}

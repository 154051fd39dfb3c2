//! Shards: which chunks make up files, and which are in xorbs, as clients send and read it.

use std::io::{Cursor, Read, Seek};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use xet_core_structures::metadata_shard::file_structs::{FileDataSequenceHeader, MDBFileInfoView};
use xet_core_structures::metadata_shard::streaming_shard::{
    process_shard_file_info_section, process_shard_xorb_info_section,
};
use xet_core_structures::metadata_shard::xorb_structs::{
    MDBXorbInfo, MDBXorbInfoView, XorbChunkSequenceEntry, XorbChunkSequenceHeader,
};
use xet_core_structures::metadata_shard::{MDBShardFileFooter, MDBShardFileHeader};

use super::{Invalid, XetHash, XetStore, XorbIndex};

/// Maximum size of a shard.
pub(crate) const MAX_SHARD: u64 = 64 << 20;
/// Maximum number of xorbs in a response to a question about a chunk; 64 MiB of content each.
const MAX_NEIGHBORS: usize = 128;
/// How long a client may use a response to such a question, in seconds: as long as it keeps the
/// shards that it has uploaded itself.
const VALIDITY: u64 = 21 * 24 * 3600;

/// A shard that a client has sent.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(super) files: Vec<MDBFileInfoView>,
    pub(super) xorbs: Vec<MDBXorbInfoView>,
}

impl Shard {
    /// Parses a shard of `size` bytes. Its claims are not checked yet.
    pub(crate) fn parse(mut reader: impl Read, size: u64) -> Result<Self> {
        let mut shard = Self::default();
        let header = size_of::<MDBShardFileHeader>() as u64;
        let invalid =
            |err: xet_core_structures::CoreError| Invalid(format!("invalid shard: {err}"));
        let Some(limit) = size.checked_sub(header) else {
            bail!(Invalid("invalid shard: it is cut".into()));
        };
        MDBShardFileHeader::deserialize(&mut reader).map_err(invalid)?;
        let keep = |file| {
            shard.files.push(file);
            Ok(())
        };
        let limit =
            process_shard_file_info_section(&mut reader, keep, Some(limit)).map_err(invalid)?;
        let keep = |xorb| {
            shard.xorbs.push(xorb);
            Ok(())
        };
        process_shard_xorb_info_section(&mut reader, keep, limit).map_err(invalid)?;
        Ok(shard)
    }

    /// Returns the number of files.
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }
}

impl XetStore {
    /// Returns a shard with the xorb that has a chunk, and with those around it in files; `None` if
    /// no xorb has it. Hashes of chunks are keyed: they identify content only for a client that has
    /// this content itself.
    pub(crate) fn shard_with(&self, chunk: &XetHash) -> Result<Option<Vec<u8>>> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let key = XetHash::from(key);
        let mut body = Cursor::new(Vec::new());
        MDBShardFileHeader::default().serialize(&mut body)?;
        let file_info_offset = body.stream_position()?;
        FileDataSequenceHeader::bookend().serialize(&mut body)?;
        let mut footer = MDBShardFileFooter {
            file_info_offset,
            xorb_info_offset: body.stream_position()?,
            chunk_hash_hmac_key: key,
            shard_creation_timestamp: now(),
            shard_key_expiry: now() + VALIDITY,
            ..Default::default()
        };
        for hash in self.neighbors(chunk, MAX_NEIGHBORS)? {
            // Clients may refer to it from now on.
            if !self.renew(&hash)? {
                continue;
            }
            let Some((_, index)) = self.xorb(&hash)? else { continue };
            footer.stored_bytes += index.size();
            footer.stored_bytes_on_disk += index.packed_size();
            describe(hash, &index, key)?.serialize(&mut body)?;
        }
        if footer.stored_bytes == 0 {
            return Ok(None);
        }
        XorbChunkSequenceHeader::bookend().serialize(&mut body)?;
        let end = body.stream_position()?;
        (footer.file_lookup_offset, footer.xorb_lookup_offset) = (end, end);
        (footer.chunk_lookup_offset, footer.footer_offset) = (end, end);
        footer.serialize(&mut body)?;
        Ok(Some(body.into_inner()))
    }
}

fn describe(hash: XetHash, index: &XorbIndex, key: XetHash) -> Result<MDBXorbInfo> {
    let (size, count) = (u32::try_from(index.size())?, u32::try_from(index.count())?);
    let mut metadata = XorbChunkSequenceHeader::new(hash, count, size);
    metadata.num_bytes_on_disk = u32::try_from(index.packed_size())?;
    let mut start = 0;
    let chunks = index.sized(0..index.count()).into_iter().map(|(chunk, size)| {
        let size = u32::try_from(size)?;
        let entry = XorbChunkSequenceEntry::new(chunk.hmac(key), size, start);
        start += size;
        Ok(entry)
    });
    Ok(MDBXorbInfo { metadata, chunks: chunks.collect::<Result<_>>()? })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

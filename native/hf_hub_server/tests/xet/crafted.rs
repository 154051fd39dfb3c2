//! Xorbs and shards, right or wrong, and the requests with them.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use xet_core_structures::merklehash::{MerkleHash, compute_data_hash, file_hash, xorb_hash};
use xet_core_structures::metadata_shard::MDBShardFileHeader;
use xet_core_structures::metadata_shard::chunk_verification::range_hash_from_chunks;
use xet_core_structures::metadata_shard::file_structs::{
    FileDataSequenceEntry, FileDataSequenceHeader, FileMetadataExt, FileVerificationEntry,
    MDBFileInfo,
};
use xet_core_structures::metadata_shard::xorb_structs::{
    MDBXorbInfo, XorbChunkSequenceEntry, XorbChunkSequenceHeader,
};
use xet_core_structures::xorb_object::{CompressionScheme, serialize_chunk};

use crate::hub::{ANN, Hub, oid};

/// Bytes that look random, different for each seed.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// A xorb with its chunks.
#[derive(Clone)]
pub(crate) struct Xorb {
    pub(crate) hash: MerkleHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunks: Vec<(MerkleHash, u64)>,
    pub(crate) contents: Vec<Vec<u8>>,
}

impl Xorb {
    /// Packs chunks, one after the other in a different way.
    pub(crate) fn of(contents: &[Vec<u8>]) -> Self {
        let schemes =
            [CompressionScheme::None, CompressionScheme::LZ4, CompressionScheme::ByteGrouping4LZ4];
        let (mut bytes, mut chunks) = (Vec::new(), Vec::new());
        for (content, scheme) in contents.iter().zip(schemes.iter().cycle()) {
            serialize_chunk(content, &mut bytes, *scheme).unwrap();
            chunks.push((compute_data_hash(content), content.len() as u64));
        }
        Self { hash: xorb_hash(&chunks), bytes, chunks, contents: contents.to_vec() }
    }

    /// Returns chunks as a part of a file.
    pub(crate) fn part(&self, start: usize, end: usize) -> Part {
        let chunks = self.chunks[start..end].to_vec();
        let hashes = chunks.iter().map(|(hash, _)| *hash).collect::<Vec<_>>();
        let size = chunks.iter().map(|(_, size)| size).sum::<u64>();
        Part {
            entry: FileDataSequenceEntry::new(
                self.hash,
                u32::try_from(size).unwrap(),
                u32::try_from(start).unwrap(),
                u32::try_from(end).unwrap(),
            ),
            verification: range_hash_from_chunks(&hashes),
            chunks,
            content: self.contents[start..end].concat(),
        }
    }

    fn info(&self) -> MDBXorbInfo {
        let size = self.chunks.iter().map(|(_, size)| size).sum::<u64>();
        let count = u32::try_from(self.chunks.len()).unwrap();
        let metadata = XorbChunkSequenceHeader::new(self.hash, count, u32::try_from(size).unwrap());
        let mut start = 0;
        let chunks = self.chunks.iter().map(|(hash, size)| {
            let size = u32::try_from(*size).unwrap();
            let entry = XorbChunkSequenceEntry::new(*hash, size, start);
            start += size;
            entry
        });
        MDBXorbInfo { metadata, chunks: chunks.collect() }
    }
}

/// A part of a file.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) entry: FileDataSequenceEntry,
    pub(crate) verification: MerkleHash,
    chunks: Vec<(MerkleHash, u64)>,
    content: Vec<u8>,
}

/// A file.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) info: MDBFileInfo,
    pub(crate) content: Vec<u8>,
}

impl File {
    /// Makes up a file of parts.
    pub(crate) fn of(parts: &[Part]) -> Self {
        let chunks = parts.iter().flat_map(|part| part.chunks.clone()).collect::<Vec<_>>();
        let content = parts.iter().flat_map(|part| part.content.clone()).collect::<Vec<_>>();
        let segments = parts.iter().map(|part| part.entry.clone()).collect::<Vec<_>>();
        let verification = parts.iter().map(|part| FileVerificationEntry::new(part.verification));
        let sha256 = MerkleHash::from_hex(&oid(&content)).unwrap();
        let info = MDBFileInfo {
            metadata: FileDataSequenceHeader::new(file_hash(&chunks), segments.len(), true, true),
            segments,
            verification: verification.collect(),
            metadata_ext: Some(FileMetadataExt::new(sha256)),
        };
        Self { info, content }
    }

    /// Returns the Xet hash.
    pub(crate) fn hash(&self) -> String {
        self.info.metadata.file_hash.hex()
    }
}

/// Returns a shard.
pub(crate) fn shard(files: &[&File], xorbs: &[&Xorb]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MDBShardFileHeader::default().serialize(&mut bytes).unwrap();
    for file in files {
        file.info.serialize(&mut bytes).unwrap();
    }
    FileDataSequenceHeader::bookend().serialize(&mut bytes).unwrap();
    for xorb in xorbs {
        xorb.info().serialize(&mut bytes).unwrap();
    }
    XorbChunkSequenceHeader::bookend().serialize(&mut bytes).unwrap();
    bytes
}

impl Hub {
    /// Returns a token for Xet storage.
    pub(crate) async fn xet_token(&self, right: &str, id: &str) -> String {
        let path = format!("/api/models/{id}/xet-{right}-token/main");
        let response = self.server.get_as(ANN, &path).await;
        assert_eq!(response.status(), 200, "{path}");
        let json: Value = response.json().await.unwrap();
        json["accessToken"].as_str().unwrap().to_owned()
    }

    /// Sends a request to Xet storage.
    pub(crate) async fn xet(
        &self,
        method: Method,
        token: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Response {
        let request = self.server.request(method, &format!("{}{path}", self.server.cdn));
        request.bearer_auth(token).body(body).send().await.unwrap()
    }

    /// Uploads a xorb without a grant.
    pub(crate) async fn send_xorb(&self, token: &str, xorb: &Xorb) -> Response {
        let path = format!("/v1/xorbs/default/{}", xorb.hash.hex());
        self.xet(Method::POST, token, &path, xorb.bytes.clone()).await
    }

    /// Uploads a shard.
    pub(crate) async fn send_shard(&self, token: &str, shard: Vec<u8>) -> Response {
        self.xet(Method::POST, token, "/v1/shards", shard).await
    }

    /// Uploads a file whose xorbs these are to a repository.
    pub(crate) async fn send_file(&self, id: &str, file: &File, xorbs: &[&Xorb]) {
        let token = self.xet_token("write", id).await;
        for xorb in xorbs {
            assert_eq!(self.send_xorb(&token, xorb).await.status(), 200);
        }
        let response = self.send_shard(&token, shard(&[file], xorbs)).await;
        let (status, body) = (response.status(), response.text().await.unwrap());
        assert_eq!((status.as_u16(), body.as_str()), (200, "{\"result\":1}"));
    }

    /// Returns how to make up a file, in the newer form.
    pub(crate) async fn reconstruction(&self, token: &str, hash: &str, range: &str) -> Response {
        let path = format!("{}/v2/reconstructions/{hash}", self.server.cdn);
        let mut request = self.server.request(Method::GET, &path).bearer_auth(token);
        if !range.is_empty() {
            request = request.header("range", range);
        }
        request.send().await.unwrap()
    }

    /// Reads bytes by a link to a xorb.
    pub(crate) async fn fetch(&self, url: &str, range: &str) -> Response {
        let request = self.server.request(Method::GET, url);
        let request = if range.is_empty() { request } else { request.header("range", range) };
        request.send().await.unwrap()
    }

    /// Returns the link to a file, and the headers with it.
    pub(crate) async fn resolve(&self, path: &str) -> Response {
        let response = self.server.get_as(ANN, path).await;
        assert_eq!(response.status(), 302, "{path}");
        response
    }

    /// Returns the number of xorbs that are stored.
    pub(crate) fn xorbs(&self) -> usize {
        let files = walkdir::WalkDir::new(self.root.path().join("xet")).into_iter();
        files.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_type().is_file())).count()
    }
}

/// Returns a line that commits a file.
pub(crate) fn committed(path: &str, file: &File) -> Value {
    let (oid, size) = (oid(&file.content), file.content.len());
    json!({ "key": "lfsFile", "value": { "path": path, "algo": "sha256", "oid": oid, "size": size } })
}

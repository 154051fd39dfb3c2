//! Which chunks a storage has: lists of them on disk, of this upload, of interrupted ones, of
//! earlier ones and of others. The folders are those of the Python client.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Handle;
use xet_core_structures::{
    CoreError,
    merklehash::{MerkleHash, compute_data_hash},
    metadata_shard::{
        ChunkIndexSizeEnforcement, MDB_SHARD_LOCAL_CACHE_EXPIRATION, MDB_SHARD_TARGET_SIZE,
        MDBShardFile, ShardFileManager,
        file_structs::MDBFileInfo,
        get_shard_file_cache,
        session_directory::{consolidate_shards_in_directory, merge_shards},
        shard_in_memory::MDBInMemoryShard,
        xorb_structs::MDBXorbInfo,
    },
    xorb_object::Chunk,
};
use xet_runtime::{config::XetConfig, core::XetContext};

use super::draft::{Hit, Hits};
use crate::base::{
    blocking,
    error::{Error, ErrorKind, Result},
};

/// Settings of the crate: how much lists may take on disk, and how many chunks of them are found, at
/// about 20 bytes of memory.
const SETTINGS: [(&str, &str); 2] =
    [("shard.cache_size_limit", "1gb"), ("shard.chunk_index_table_max_size", "2097152")];

/// What is known during one upload.
pub(super) struct Known {
    context: XetContext,
    /// Of earlier uploads and of others.
    cache: Arc<ShardFileManager>,
    /// Of this upload.
    session: Arc<ShardFileManager>,
    /// Of uploads that were interrupted.
    interrupted: Option<Arc<ShardFileManager>>,
    /// The lists of interrupted uploads, which this one replaces.
    obsolete: Vec<PathBuf>,
    /// Where this upload keeps its lists until it has ended.
    staging: PathBuf,
    /// The folder of this upload.
    _dir: TempDir,
}

impl Known {
    /// Reads the lists of a storage in `cache_dir`.
    pub(super) async fn open(cache_dir: &Path, storage: &str) -> Result<Self> {
        let dir = cache_dir.join(folder(storage));
        in_blocking(async move { Self::read(&dir).await }).await
    }

    async fn read(dir: &Path) -> std::result::Result<Self, CoreError> {
        let context = XetContext::from_external(Handle::current(), settings());
        let sessions = dir.join("staging/shard-session");
        let staging = sessions.join("xorb_metadata");
        std::fs::create_dir_all(&staging)?;
        let own = TempDir::new_in(&sessions)?;
        let files = get_shard_file_cache(&context.common);
        let size = *MDB_SHARD_TARGET_SIZE;
        let merged = merge_shards(&context.runtime, &staging, own.path(), size, true, &files)?;
        let session = ShardFileManager::new_in_session_directory(&context, own.path(), false);
        let session = session.await?;
        let mut interrupted = None;
        if !merged.merged_shards.is_empty() {
            let manager = ShardFileManager::new_in_session_directory(&context, own.path(), false);
            let manager = manager.await?;
            let stop = ChunkIndexSizeEnforcement::StopAtCap;
            manager.register_shards(&merged.merged_shards, stop).await?;
            interrupted = Some(manager);
        }
        let cache = dir.join("shard-cache");
        std::fs::create_dir_all(&cache)?;
        let cache = ShardFileManager::new_in_cache_directory(&context, cache).await?;
        let obsolete = merged.obsolete_shards.iter().map(|list| list.path.clone()).collect();
        Ok(Self { context, cache, session, interrupted, obsolete, staging, _dir: own })
    }

    /// Adds to `hits` which of the chunks are stored.
    pub(super) async fn find(&self, chunks: &[Chunk], hits: &mut Hits) -> Result<()> {
        let hashes: Vec<_> = chunks.iter().map(|chunk| chunk.hash).collect();
        let mut index = 0;
        while index < chunks.len() {
            if hits[index].is_none() {
                let found = self.first(&hashes[index..]).await.map_err(unreadable)?;
                hits[index] = found.filter(|(count, _)| *count > 0);
            }
            index += hits[index].as_ref().map_or(1, |(count, _)| *count);
        }
        Ok(())
    }

    async fn first(&self, hashes: &[MerkleHash]) -> std::result::Result<Option<Hit>, CoreError> {
        for lists in self.interrupted.iter().chain([&self.session, &self.cache]) {
            if let Some(hit) = lists.chunk_hash_dedup_query(hashes).await? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// Adds a list that the storage has sent; returns whether it can be read.
    pub(super) async fn import(self: &Arc<Self>, list: Bytes) -> bool {
        let cache = self.cache.clone();
        let imported = tokio::task::spawn_blocking(move || {
            let evict = ChunkIndexSizeEnforcement::Eviction;
            Handle::current().block_on(cache.import_shard_from_bytes(&list, evict))
        });
        // The crate may panic over a malformed one.
        matches!(imported.await, Ok(Ok(())))
    }

    /// Adds an object of this upload.
    pub(super) async fn add_object(&self, object: Arc<MDBXorbInfo>) -> Result<()> {
        self.session.add_xorb_block(object).await.map_err(unreadable)
    }

    /// Keeps for other uploads that an object is stored, whatever becomes of this one.
    pub(super) async fn keep(&self, object: Arc<MDBXorbInfo>) -> Result<()> {
        let staging = self.staging.clone();
        in_blocking(async move {
            let mut list = MDBInMemoryShard::default();
            list.add_xorb_block(object)?;
            list.write_to_directory(&staging, Some(*MDB_SHARD_LOCAL_CACHE_EXPIRATION)).map(drop)
        })
        .await
    }

    /// Adds a file of this upload.
    pub(super) async fn add_file(&self, file: MDBFileInfo) -> Result<()> {
        self.session.add_file_reconstruction_info(file).await.map_err(unreadable)
    }

    /// Returns the lists of this upload, as files.
    pub(super) async fn lists(self: &Arc<Self>) -> Result<Vec<Arc<MDBShardFile>>> {
        let known = self.clone();
        in_blocking(async move {
            known.session.flush().await?;
            let (runtime, dir) = (&known.context.runtime, known.session.shard_directory());
            let files = known.session.shard_file_cache();
            consolidate_shards_in_directory(runtime, dir, *MDB_SHARD_TARGET_SIZE, false, files)
        })
        .await
    }

    /// Returns a list as it is sent.
    pub(super) async fn packed(list: &Arc<MDBShardFile>) -> Result<Bytes> {
        let list = list.clone();
        in_blocking(async move { list.read_shard_to_bytes_remove_footer() }).await
    }

    /// Keeps a list of this upload, which the storage has registered.
    pub(super) async fn registered(self: &Arc<Self>, list: Arc<MDBShardFile>) -> Result<()> {
        let cache = self.cache.clone();
        in_blocking(async move {
            let (dir, files) = (cache.shard_directory(), cache.shard_file_cache());
            let kept =
                list.export_with_expiration(dir, *MDB_SHARD_LOCAL_CACHE_EXPIRATION, files)?;
            cache.register_shards(&[kept], ChunkIndexSizeEnforcement::Eviction).await
        })
        .await
    }

    /// Removes the lists that all registered ones replace.
    pub(super) async fn finish(&self) {
        let obsolete = self.obsolete.clone();
        // They do no harm.
        blocking::run(move || obsolete.iter().for_each(|path| drop(std::fs::remove_file(path))))
            .await;
    }
}

fn settings() -> XetConfig {
    // Not `XetConfig::new`, which reads the environment.
    SETTINGS.iter().fold(XetConfig::default(), |config, (name, value)| {
        config.clone().with_config(name, value).unwrap_or(config)
    })
}

/// Returns the folder of a storage, by the rule of the Python client.
fn folder(storage: &str) -> String {
    let name = storage.chars().take(16);
    let name: String = name.map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let hash = compute_data_hash(storage.as_bytes()).base64();
    format!("{name}-{}", &hash[..16])
}

/// Runs work of the crate that reads or writes files.
async fn in_blocking<T: Send + 'static>(
    work: impl Future<Output = std::result::Result<T, CoreError>> + Send + 'static,
) -> Result<T> {
    blocking::run(move || Handle::current().block_on(work)).await.map_err(unreadable)
}

fn unreadable(error: CoreError) -> Error {
    let message = "cannot read or write what is known about Xet storage, in the folder of Xet";
    let error = std::io::Error::other(error);
    Error::new(ErrorKind::Io, message).with_source(error).from_a_store()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_settings_are_known_to_the_crate() {
        let config = settings();
        for (name, value) in SETTINGS {
            assert!(XetConfig::default().with_config(name, value).is_ok(), "{name}");
        }
        assert_eq!(config.get("shard.chunk_index_table_max_size").unwrap(), "2097152");
    }
}

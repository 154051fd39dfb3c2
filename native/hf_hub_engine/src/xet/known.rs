//! Which chunks a storage has: lists of them on disk, of this upload, of interrupted ones, of
//! earlier ones and of others. The folders are those of the Python client.

use std::{
    collections::HashSet,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Handle;
use xet_core_structures::{
    CoreError,
    merklehash::{MerkleHash, compute_data_hash},
    metadata_shard::{
        ChunkIndexSizeEnforcement, MDB_SHARD_LOCAL_CACHE_EXPIRATION, MDB_SHARD_TARGET_SIZE,
        MDBShardFile, MDBShardFileFooter, MDBShardFileHeader, MDBShardInfo, ShardFileManager,
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
    /// The lists of this one, until it has ended.
    kept: Mutex<Vec<PathBuf>>,
    /// The objects of this one, and those that its files are made of.
    objects: Mutex<Objects>,
    /// Where this upload keeps its lists until it has ended.
    staging: PathBuf,
    /// The folder of this upload.
    _dir: TempDir,
}

#[derive(Default)]
struct Objects {
    own: HashSet<MerkleHash>,
    used: HashSet<MerkleHash>,
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
        fs::create_dir_all(&staging)?;
        sweep(&sessions, &staging);
        remove_unsound(&staging);
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
        fs::create_dir_all(&cache)?;
        remove_unsound(&cache);
        let cache = ShardFileManager::new_in_cache_directory(&context, cache).await?;
        let obsolete = merged.obsolete_shards.iter().map(|list| list.path.clone()).collect();
        let (kept, objects) = (Mutex::default(), Mutex::default());
        Ok(Self {
            context,
            cache,
            session,
            interrupted,
            obsolete,
            kept,
            objects,
            staging,
            _dir: own,
        })
    }

    /// Adds to `hits` which of the chunks are stored.
    pub(super) async fn find(&self, chunks: &[Chunk], hits: &mut Hits) -> Result<()> {
        let hashes: Vec<_> = chunks.iter().map(|chunk| chunk.hash).collect();
        let mut index = 0;
        while index < chunks.len() {
            if hits[index].is_none() {
                let found = self.first(&chunks[index..], &hashes[index..]).await;
                hits[index] = found.map_err(unreadable)?;
            }
            index += hits[index].as_ref().map_or(1, |(count, _)| *count);
        }
        Ok(())
    }

    async fn first(
        &self,
        chunks: &[Chunk],
        hashes: &[MerkleHash],
    ) -> std::result::Result<Option<Hit>, CoreError> {
        for lists in self.interrupted.iter().chain([&self.session, &self.cache]) {
            let found = match lists.chunk_hash_dedup_query(hashes).await {
                // Others may have removed a list of theirs, or it is broken.
                Err(_) if !Arc::ptr_eq(lists, &self.session) => None,
                found => found?,
            };
            let found = found.filter(|hit| is_right(hit, chunks));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Adds a list that the storage has sent; returns whether it can be read.
    pub(super) async fn import(self: &Arc<Self>, list: Bytes) -> bool {
        let read = MDBShardInfo::load_from_reader(&mut Cursor::new(&list));
        if !read.is_ok_and(|read| is_sound(&read.metadata, list.len() as u64)) {
            return false;
        }
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
        self.objects().own.insert(object.metadata.xorb_hash);
        self.session.add_xorb_block(object).await.map_err(unreadable)
    }

    /// Keeps for other uploads that an object is stored, whatever becomes of this one.
    pub(super) async fn keep(&self, object: Arc<MDBXorbInfo>) -> Result<()> {
        let staging = self.staging.clone();
        let kept = in_blocking(async move {
            let mut list = MDBInMemoryShard::default();
            list.add_xorb_block(object)?;
            list.write_to_directory(&staging, Some(*MDB_SHARD_LOCAL_CACHE_EXPIRATION))
        });
        let kept = kept.await?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        Ok(())
    }

    /// Adds a file of this upload.
    pub(super) async fn add_file(&self, file: MDBFileInfo) -> Result<()> {
        self.objects().used.extend(file.segments.iter().map(|segment| segment.xorb_hash));
        self.session.add_file_reconstruction_info(file).await.map_err(unreadable)
    }

    /// Whether files of this upload are made of objects that it has not sent.
    pub(super) fn is_relied_on(&self) -> bool {
        let objects = self.objects();
        !objects.used.is_subset(&objects.own)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.remove(None).await;
    }

    /// Removes all lists of the storage, but for those of other uploads that are running.
    pub(super) async fn forget(&self) {
        self.remove(Some(self.cache.shard_directory().to_owned())).await;
    }

    async fn remove(&self, dir: Option<PathBuf>) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let obsolete = self.obsolete.clone();
        blocking::run(move || {
            let others = dir.iter().flat_map(|dir| lists(dir));
            // Those that stay are found again.
            obsolete.into_iter().chain(kept).chain(others).for_each(|list| {
                let _ = fs::remove_file(list);
            });
        })
        .await;
    }
}

/// Whether a hit has the length that it claims: the storage, which sends lists, is not trusted.
fn is_right((count, entry): &Hit, chunks: &[Chunk]) -> bool {
    let bytes = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.data.len() as u64).sum();
    *count > 0
        && entry.xorb_hash != MerkleHash::marker()
        && chunks.get(..*count).map(bytes) == Some(u64::from(entry.unpacked_segment_bytes))
}

/// Whether all parts of a list lie within it, in order: the crate allocates as much as it names.
fn is_sound(list: &MDBShardFileFooter, length: u64) -> bool {
    let parts = [
        size_of::<MDBShardFileHeader>() as u64,
        list.file_info_offset,
        list.xorb_info_offset,
        list.file_lookup_offset,
        list.xorb_lookup_offset,
        list.chunk_lookup_offset,
        list.footer_offset,
        length.saturating_sub(size_of::<MDBShardFileFooter>() as u64),
    ];
    // Each with the size of an entry.
    let tables = [
        (list.file_lookup_offset, list.file_lookup_num_entry, 12),
        (list.xorb_lookup_offset, list.xorb_lookup_num_entry, 12),
        (list.chunk_lookup_offset, list.chunk_lookup_num_entry, 16),
    ];
    parts.is_sorted()
        && tables.iter().all(|(start, count, size)| {
            let end = count.checked_mul(*size).and_then(|bytes| bytes.checked_add(*start));
            end.is_some_and(|end| end <= list.footer_offset)
        })
}

/// Removes lists that the crate would trust although they are broken.
fn remove_unsound(dir: &Path) {
    for path in lists(dir) {
        let read = fs::File::open(&path).map_err(CoreError::from).and_then(|mut file| {
            let length = file.metadata()?.len();
            Ok(is_sound(&MDBShardInfo::load_from_reader(&mut file)?.metadata, length))
        });
        if matches!(read, Ok(false)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns the paths of the lists in a folder.
fn lists(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|name| name == "mdb")).collect()
}

/// Removes what was left long ago by uploads that were killed: lists in `staging` are not read any
/// longer by then.
fn sweep(sessions: &Path, staging: &Path) {
    let entries = [sessions, staging].into_iter().flat_map(fs::read_dir).flatten().flatten();
    for entry in entries.filter(is_old) {
        let path = entry.path();
        if path != staging {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // What stays does no harm.
            let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|data| data.modified());
    let age = modified.ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > *MDB_SHARD_LOCAL_CACHE_EXPIRATION)
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
mod tests;

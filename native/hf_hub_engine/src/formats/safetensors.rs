//! Reads the headers of safetensors files: a few kilobytes of gigabytes.
//!
//! A header announces its own length and contents, so nothing in it is trusted: lengths are
//! limited, sizes have to match, sums must not overflow. The tensor data is never requested.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    base::{
        blocking::{self, Watch},
        error::{Error, ErrorKind, Result},
        ids::{RepoPath, RepoRevision},
        input,
        progress::Progress,
        scrub::Shown,
        sizes,
    },
    download::stream::{FileStream, Part, Spec},
    hub::client::{ByteRange, Hub},
};

mod header;
mod summary;

pub use header::{Header, Tensor};

/// The file of a model that is not sharded.
pub const SINGLE_FILE: &str = "model.safetensors";
/// The file that maps tensors to shards.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// Maximum size of a header in the format.
const MAX_HEADER: u64 = 100_000_000;
/// Maximum total size of the headers of a repository.
const MAX_HEADERS: u64 = 256 << 20;
/// Maximum size of an index.
const MAX_INDEX: usize = 64 << 20;
/// Nearly all headers are shorter, and so cost one request.
const FIRST_READ: u64 = 100_001;
/// Number of headers read concurrently.
const AT_ONCE: usize = 8;

/// The headers of a repository's safetensors files.
#[derive(Debug, Serialize)]
pub struct Repository {
    /// Whether there are several files and an index.
    pub sharded: bool,
    /// The metadata of the index.
    pub metadata: Option<Value>,
    /// The file of each tensor.
    pub weight_map: BTreeMap<String, String>,
    /// The header of each file.
    pub files: BTreeMap<String, Header>,
    /// Number of parameters of each data type in all files.
    pub parameter_count: BTreeMap<String, u64>,
}

/// The headers of one file, or of a repository.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Headers {
    /// Of one file.
    File(Header),
    /// Of a repository.
    Repository(Repository),
}

impl Shown for Headers {}

/// Which headers to read.
#[derive(Clone, Debug, Deserialize)]
pub struct Wanted {
    /// Where the files are.
    pub place: RepoRevision,
    /// One file; `None` for all of a model.
    pub filename: Option<RepoPath>,
    /// An index, whose files are read by the Hub, in one request.
    pub index: Option<RepoPath>,
}

/// The header of a file on this machine, the number of bytes behind it, and how many values it may
/// have, unless it is the first one of a model.
#[derive(Debug, Deserialize)]
pub struct Unparsed {
    #[serde(deserialize_with = "input::bytes")]
    text: Bytes,
    content: u64,
    left: Option<u64>,
}

/// A header, and how many values the next ones of the model may have.
#[derive(Debug, Serialize)]
pub struct Parsed {
    header: Header,
    left: u64,
}

/// Parses a header, whose tensors must cover the data of the file.
pub async fn parse(of: Unparsed, _: Watch) -> Result<Parsed> {
    let parse = move || {
        let left = of.left.unwrap_or(header::MAX_MARKS).checked_sub(header::marks(&of.text));
        let left = left.ok_or(header::TOO_MANY)?;
        let header = header::parse(&of.text, Some(of.content))?;
        header::cover(&header, of.content).map(|()| Parsed { header, left })
    };
    blocking::run(parse).await.map_err(|why| Error::new(ErrorKind::InvalidResponse, why))
}

/// What the headers of a model may still take.
struct Budget {
    bytes: AtomicU64,
    marks: AtomicU64,
}

impl Budget {
    fn new(bytes: u64) -> Self {
        Self { bytes: AtomicU64::new(bytes), marks: AtomicU64::new(header::MAX_MARKS) }
    }
}

fn spend(budget: &AtomicU64, amount: u64) -> bool {
    budget.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(amount)).is_ok()
}

/// Reads the wanted headers.
pub async fn headers(hub: &Hub, wanted: Wanted, progress: &Progress) -> Result<Headers> {
    let Wanted { place, filename, index } = wanted;
    let work = async {
        match (filename, index) {
            (Some(path), _) => file(hub, &place, path).await.map(Headers::File),
            (None, Some(index)) => {
                summary::read(hub, &place, &index, progress).await.map(Headers::Repository)
            }
            (None, None) => repository(hub, &place).await.map(Headers::Repository),
        }
    };
    hub.within_deadline(progress, Box::pin(work)).await
}

fn at(place: &RepoRevision, path: RepoPath, part: Part) -> Spec {
    Spec { repo: place.repo.clone(), revision: place.revision.clone(), path, part }
}

/// Reads the headers of all safetensors files of a model.
pub async fn repository(hub: &Hub, place: &RepoRevision) -> Result<Repository> {
    match file(hub, place, RepoPath::parse(SINGLE_FILE)?).await {
        Ok(header) => {
            let tensors = header.tensors.keys();
            let weight_map = tensors.map(|name| (name.clone(), SINGLE_FILE.to_owned())).collect();
            whole(false, None, weight_map, [(SINGLE_FILE.to_owned(), header)].into())
        }
        Err(error) if error.kind() == ErrorKind::EntryNotFound => sharded(hub, place).await,
        Err(error) => Err(error),
    }
}

/// Reads the header of one file.
pub async fn file(hub: &Hub, place: &RepoRevision, path: RepoPath) -> Result<Header> {
    header_within(hub, place, path, &Budget::new(MAX_HEADER)).await
}

async fn sharded(hub: &Hub, place: &RepoRevision) -> Result<Repository> {
    let index = index(hub, place).await?;
    let shards = index.weight_map.values().cloned().collect::<BTreeSet<_>>();
    let paths = shards.into_iter().map(|name| shard(&name).map(|path| (name, path)));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let budget = Budget::new(MAX_HEADERS);
    let files = futures_util::stream::iter(paths)
        .map(|(name, path)| {
            let header = header_within(hub, place, path, &budget);
            async move { header.await.map(|header| (name, header)) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    whole(true, index.metadata, index.weight_map, files)
}

/// Returns the path of a file in an index; `./x` means `x`, as in a URL.
fn shard(name: &str) -> Result<RepoPath> {
    let parts: Vec<&str> = name.split('/').filter(|part| *part != ".").collect();
    RepoPath::parse(&parts.join("/"))
}

fn whole(
    sharded: bool,
    metadata: Option<Value>,
    weight_map: BTreeMap<String, String>,
    files: BTreeMap<String, Header>,
) -> Result<Repository> {
    let mut parameter_count = BTreeMap::new();
    for (dtype, count) in files.values().flat_map(|header| &header.parameter_count) {
        header::add(&mut parameter_count, dtype, *count)?;
    }
    Ok(Repository { sharded, metadata, weight_map, files, parameter_count })
}

#[derive(serde::Deserialize)]
struct Index {
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    weight_map: BTreeMap<String, String>,
}

async fn index(hub: &Hub, place: &RepoRevision) -> Result<Index> {
    let spec = at(place, RepoPath::parse(INDEX_FILE)?, Part::Whole);
    let text = match read(hub, spec, MAX_INDEX).await {
        Err(error) if error.kind() == ErrorKind::EntryNotFound => {
            let message = format!(
                "{} has no safetensors model: neither {SINGLE_FILE} nor {INDEX_FILE} exists",
                place.repo.id()
            );
            return Err(error.with_message(message));
        }
        text => text?,
    };
    let invalid = |why: String| {
        let message = format!("invalid {INDEX_FILE} of {}: {why}", place.repo.id());
        Error::new(ErrorKind::InvalidResponse, message)
    };
    if header::marks(&text) > header::MAX_MARKS {
        return Err(invalid(header::TOO_MANY.to_owned()));
    }
    let parse = move || serde_json::from_slice(&text).map_err(|error| error.to_string());
    blocking::run(parse).await.map_err(invalid)
}

/// Reads a header whose length and values are subtracted from `budget`.
async fn header_within(
    hub: &Hub,
    place: &RepoRevision,
    path: RepoPath,
    budget: &Budget,
) -> Result<Header> {
    let first = Part::Range(ByteRange { first: 0, end: Some(FIRST_READ) });
    let file =
        FileStream::open(hub.clone(), at(place, path.clone(), first), Progress::default()).await?;
    let size = file.size();
    let start = file.collect(usize::try_from(FIRST_READ).unwrap_or(usize::MAX)).await?;
    let broken = |what: String| {
        let message = format!("invalid safetensors file `{path}` of {}: {what}", place.repo.id());
        Error::new(ErrorKind::InvalidResponse, message)
    };
    let length = start.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let length = length.ok_or_else(|| broken("it is shorter than 8 bytes".to_owned()))?;
    let end = length.saturating_add(8);
    if length > MAX_HEADER || size.is_some_and(|size| end > size) {
        let announced = sizes::counted(length, "bytes");
        return Err(broken(format!("its header has an announced length of {announced}")));
    }
    if !spend(&budget.bytes, length) {
        return Err(broken("the headers together are too large".to_owned()));
    }
    let text = if end <= start.len() as u64 {
        start.slice(8..usize::try_from(end).unwrap_or(start.len()))
    } else {
        let rest = at(place, path.clone(), Part::Range(ByteRange { first: 8, end: Some(end) }));
        read(hub, rest, usize::try_from(length).unwrap_or(usize::MAX)).await?
    };
    if text.len() as u64 != length {
        return Err(broken("its header is truncated".to_owned()));
    }
    if !spend(&budget.marks, header::marks(&text)) {
        return Err(broken(header::TOO_MANY.to_owned()));
    }
    let content = size.map(|size| size - end);
    blocking::run(move || header::parse(&text, content)).await.map_err(broken)
}

async fn read(hub: &Hub, spec: Spec, most: usize) -> Result<Bytes> {
    FileStream::open(hub.clone(), spec, Progress::default()).await?.collect(most).await
}

#[cfg(test)]
mod tests;

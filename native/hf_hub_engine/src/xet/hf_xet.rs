//! The storage, by the crate `hf-xet`. No other file knows that crate.
//!
//! It verifies no content: the caller has to. It counts on HTTP as the way out of an outage, so it
//! retries for some seconds only.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use xet::{
    XetError,
    xet_session::{
        Sha256Policy, XetConfig, XetDownloadStream, XetDownloadStreamGroup, XetFileInfo,
        XetSession, XetSessionBuilder, XetStreamUpload, XetUploadCommit, header::USER_AGENT,
    },
};

use crate::{
    base::error::{Error, ErrorKind, Result},
    xet::{
        Access, Download, File, Running, Sent, Storage, Stored, Tuning, Upload, Writing,
        runtime::Threads,
    },
};

/// Bytes of the largest object of a storage, which is sent and received in one request.
const OBJECT: u64 = 64 << 20;

/// Bytes of a download from which it does not matter that a session takes some milliseconds.
const LARGE: u64 = 16 << 20;

/// Settings that do not depend on the call: how often and how long to retry; how much to remember
/// on disk; what is sent to whom; and how much of an upload a crash can cost.
const FIXED: [(&str, &str); 6] = [
    ("client.retry_max_attempts", "3"),
    ("client.retry_base_delay", "1s"),
    ("client.retry_max_duration", "12s"),
    ("shard.cache_size_limit", "1gb"),
    ("telemetry.enabled", "false"),
    ("data.session_xorb_metadata_flush_max_count", "1"),
];

/// Sets the storage and the tokens. The token for the Hub is sent to the Hub only. A macro, because
/// the type of all builders is private.
macro_rules! with_access {
    ($builder:expr, $access:expr) => {{
        let (builder, access) = ($builder, $access);
        let agent = access.headers.get(USER_AGENT).map(|agent| (USER_AGENT, agent.clone()));
        builder
            .with_endpoint(access.storage.as_str().trim_end_matches('/'))
            .with_custom_headers(agent.into_iter().collect())
            .with_token_info(&access.token, access.expires)
            .with_token_refresh_url(access.route.as_str(), access.headers.clone())
    }};
}

/// A client of storages.
pub(super) struct Client {
    tuning: Tuning,
    session: XetSession,
    runtime: Handle,
    /// For a download that has threads, and half of the memory, of its own.
    alone: Arc<Semaphore>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Opens a client whose downloads work on the threads of `runtime`.
    pub(super) fn open(tuning: &Tuning, runtime: Handle) -> Result<Self> {
        // Fails only if a provider is already installed, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let session = session(tuning, runtime.clone())?;
        let alone = Arc::new(Semaphore::new(1));
        Ok(Self { tuning: tuning.clone(), session, runtime, alone })
    }

    /// Returns a session for a download of so many bytes. A large one has threads of its own:
    /// cancelling a download does not stop its requests, ending its threads does. There is memory
    /// for one of them at a time; others use the common session.
    fn for_download(&self, bytes: u64) -> Result<(Option<Own>, XetSession)> {
        let permit = self.alone.clone().try_acquire_owned().ok().filter(|_| bytes >= LARGE);
        let Some(permit) = permit else { return Ok((None, self.session.clone())) };
        let threads = Threads::start()?;
        let session = session(&self.tuning, threads.handle()?)?;
        Ok((Some(Own { threads, _permit: permit }), session))
    }
}

fn session(tuning: &Tuning, runtime: Handle) -> Result<XetSession> {
    let config = config(tuning).map_err(|why| {
        let error = Error::new(ErrorKind::Internal, "cannot set up Xet").from_a_store();
        error.with_source(std::io::Error::other(why))
    })?;
    XetSessionBuilder::new_with_config(config)
        .with_cache_dir(&tuning.cache_dir)
        .with_tokio_handle(runtime)
        .build()
        .map_err(|error| failure("set up Xet", &error, None))
}

/// Runs work of the crate on its own threads: it works, and spawns, wherever it is polled. Dropping
/// this stops it.
async fn on<T: Send + 'static>(
    runtime: &Handle,
    doing: &'static str,
    access: &Access,
    work: impl Future<Output = std::result::Result<T, XetError>> + Send + 'static,
) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn_on(work, runtime);
    if let Some(Ok(result)) = task.join_next().await {
        return result.map_err(|error| failure(doing, &error, Some(access)));
    }
    let message = format!("cannot {doing}: the client of the storage has failed");
    Err(Error::new(ErrorKind::Internal, message).from_a_store())
}

/// Not `XetConfig::new`, which reads the environment.
fn config(tuning: &Tuning) -> std::result::Result<XetConfig, String> {
    let Tuning { buffer, connections, connect, silence, .. } = tuning;
    let uploads = usize::try_from(buffer / OBJECT).unwrap_or(1).clamp(1, *connections);
    let bytes = |bytes: u64| format!("{bytes}b");
    let own = [
        // Of each of the two sessions that downloads can have.
        ("reconstruction.download_buffer_size", bytes(buffer / 2)),
        ("reconstruction.download_buffer_perfile_size", bytes(buffer / 8)),
        ("reconstruction.download_buffer_limit", bytes(buffer / 2)),
        ("client.connect_timeout", format!("{}ms", connect.as_millis())),
        ("client.read_timeout", format!("{}ms", silence.as_millis())),
        ("client.ac_max_upload_concurrency", uploads.to_string()),
        ("client.ac_initial_upload_concurrency", uploads.min(2).to_string()),
        ("client.ac_max_download_concurrency", connections.to_string()),
        ("client.ac_initial_download_concurrency", (*connections).min(4).to_string()),
    ];
    let fixed = FIXED.into_iter().map(|(name, value)| (name, value.to_owned()));
    fixed.chain(own).try_fold(XetConfig::default(), |config, (name, value)| {
        config.with_config(name, &value).map_err(|error| format!("{name} = {value}: {error}"))
    })
}

impl Storage for Client {
    fn upload<'a>(&'a self, access: &'a Access) -> Running<'a, Box<dyn Upload>> {
        Box::pin(async move {
            // Aborting an upload does not stop its requests; ending its threads does.
            let threads = Threads::start()?;
            let runtime = threads.handle()?;
            let commit = session(&self.tuning, runtime.clone())?.new_upload_commit();
            let commit = with_access!(commit.map_err(refused(access))?, access);
            let commit = on(&runtime, UPLOADING, access, async { commit.build().await }).await?;
            let access = access.clone();
            let upload = Session { commit, access, runtime, _threads: threads };
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }

    fn download<'a>(
        &'a self,
        access: &'a Access,
        file: &'a File,
        size: u64,
        range: Range<u64>,
    ) -> Running<'a, Box<dyn Download>> {
        Box::pin(async move {
            let (own, session) = self.for_download(range.end - range.start)?;
            let group = session.new_download_stream_group();
            let group = with_access!(group.map_err(refused(access))?, access);
            let runtime = match &own {
                Some(own) => own.threads.handle()?,
                None => self.runtime.clone(),
            };
            let file = XetFileInfo::new(file.hash().to_owned(), size);
            let open = async move {
                let group = group.build().await?;
                let stream = group.download_stream(file, Some(range)).await?;
                Ok((group, stream))
            };
            let (group, pieces) = on(&runtime, DOWNLOADING, access, open).await?;
            let access = access.clone();
            Ok(Box::new(Stream { pieces, group, access, _own: own }) as Box<dyn Download>)
        })
    }
}

fn refused(access: &Access) -> impl Fn(XetError) -> Error + '_ {
    |error| failure("begin a transfer by Xet", &error, Some(access))
}

struct Session {
    commit: XetUploadCommit,
    access: Access,
    runtime: Handle,
    _threads: Threads,
}

impl Upload for Session {
    fn file<'a>(&'a self, name: &'a str) -> Running<'a, Box<dyn Writing>> {
        Box::pin(async move {
            let (commit, name) = (self.commit.clone(), Some(name.to_owned()));
            let begin = async move { commit.upload_stream(name, Sha256Policy::Compute).await };
            let stream = on(&self.runtime, UPLOADING, &self.access, begin).await?;
            let (access, runtime) = (self.access.clone(), self.runtime.clone());
            Ok(Box::new(Item { stream, access, runtime }) as Box<dyn Writing>)
        })
    }

    fn finish(&self) -> Running<'_, ()> {
        let commit = self.commit.clone();
        let finish = async move { commit.commit().await.map(drop) };
        Box::pin(on(&self.runtime, UPLOADING, &self.access, finish))
    }

    fn sent(&self) -> Sent {
        let report = self.commit.progress();
        Sent {
            done: report.total_bytes_completed,
            transferred: report.total_transfer_bytes_completed,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.commit.abort();
    }
}

struct Item {
    stream: XetStreamUpload,
    access: Access,
    runtime: Handle,
}

impl Writing for Item {
    fn write(&mut self, bytes: Bytes) -> Running<'_, ()> {
        let stream = self.stream.clone();
        let write = async move { stream.write(bytes).await };
        Box::pin(on(&self.runtime, UPLOADING, &self.access, write))
    }

    fn finish(&mut self) -> Running<'_, Stored> {
        Box::pin(async move {
            let stream = self.stream.clone();
            let finish = async move { stream.finish().await };
            let file = on(&self.runtime, UPLOADING, &self.access, finish).await?;
            let sha256 = file.xet_info.sha256.ok_or_else(|| {
                Error::new(ErrorKind::Internal, "Xet computed no SHA-256 of a file").from_a_store()
            })?;
            let deduplicated = file.dedup_metrics.deduped_bytes;
            Ok(Stored { sha256, hash: file.xet_info.hash, deduplicated })
        })
    }
}

struct Stream {
    pieces: XetDownloadStream,
    group: XetDownloadStreamGroup,
    access: Access,
    _own: Option<Own>,
}

/// The threads of one download.
struct Own {
    threads: Threads,
    _permit: OwnedSemaphorePermit,
}

impl Download for Stream {
    fn next(&mut self) -> Running<'_, Option<Bytes>> {
        Box::pin(async move {
            let next = self.pieces.next().await;
            next.map_err(|error| failure(DOWNLOADING, &error, Some(&self.access)))
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pieces.cancel();
        // An error means that it has ended already.
        let _ = self.group.abort();
    }
}

const UPLOADING: &str = "upload to Xet storage";
const DOWNLOADING: &str = "download from Xet storage";

/// Returns the error of a storage. The crate keeps the category of some failures only.
fn failure(doing: &str, error: &XetError, access: Option<&Access>) -> Error {
    let (kind, why) = match error {
        XetError::Authentication(_) => (ErrorKind::Unauthorized, "the storage rejects the token"),
        XetError::RateLimited(_) => (ErrorKind::RateLimited, "the storage asks for a pause"),
        XetError::ServerError(_) => (ErrorKind::Server, "the storage has failed"),
        XetError::Timeout(_) => (ErrorKind::Timeout, "the storage does not respond"),
        XetError::NotFound(_) => (ErrorKind::NotFound, "the storage does not have the content"),
        XetError::DataIntegrity(_) => (ErrorKind::InvalidResponse, "the storage's data is corrupt"),
        XetError::Io(_) => (ErrorKind::Io, "a local file cannot be read or written"),
        XetError::UserCancelled(_) | XetError::Cancelled(_) => (ErrorKind::Cancelled, "cancelled"),
        XetError::Configuration(_) => (ErrorKind::InvalidResponse, "its response is invalid"),
        _ => (ErrorKind::Transport, "the connection to the storage has failed"),
    };
    let reason = error.to_string();
    let reason = access.map_or_else(|| reason.clone(), |access| access.hide(&reason));
    let failed = Error::new(kind, format!("cannot {doing}: {why}")).from_a_store();
    let failed = failed.with_source(std::io::Error::other(reason));
    match access {
        Some(access) => failed.with_url(&access.storage),
        None => failed,
    }
}

#[cfg(test)]
mod tests;

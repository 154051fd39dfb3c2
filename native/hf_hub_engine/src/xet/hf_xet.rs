//! The storage. Uploads are by the crate `hf-xet`, which no other file knows.
//!
//! Content is not verified: the caller has to. HTTP is the way out of an outage, so requests are
//! repeated for some seconds only.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinSet};
use xet::{
    XetError,
    xet_session::{
        Sha256Policy, XetConfig, XetSession, XetSessionBuilder, XetStreamUpload, XetUploadCommit,
        header::USER_AGENT,
    },
};

use crate::{
    base::error::{Error, ErrorKind, Result},
    transport::{self, Timeouts},
    xet::{
        Access, Download, File, Running, Sent, Storage, Stored, Tuning, Upload, Writing,
        reconstruction::{Memory, Reconstruction},
        requests::Requests,
        runtime::Threads,
    },
};

/// Bytes of the largest object of a storage, which is sent and received in one request.
const OBJECT: u64 = 64 << 20;

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
#[derive(Debug)]
pub(super) struct Client {
    tuning: Tuning,
    http: transport::Client,
    /// For all downloads.
    memory: Memory,
}

impl Client {
    /// Creates a client. Downloads use `http`, uploads the crate's own.
    pub(super) fn new(tuning: Tuning, http: transport::Client) -> Self {
        let memory = Memory::new(tuning.buffer);
        Self { tuning, http, memory }
    }
}

fn session(tuning: &Tuning, runtime: Handle) -> Result<XetSession> {
    // Fails only if a provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
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
    let own = [
        ("client.connect_timeout", format!("{}ms", connect.as_millis())),
        ("client.read_timeout", format!("{}ms", silence.as_millis())),
        ("client.ac_max_upload_concurrency", uploads.to_string()),
        ("client.ac_initial_upload_concurrency", uploads.min(2).to_string()),
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
        plan_timeout: Duration,
    ) -> Running<'a, Box<dyn Download>> {
        let Tuning { connections, silence, .. } = self.tuning;
        let requests = Requests {
            client: self.http.clone(),
            timeouts: Timeouts { headers: silence, idle: silence },
            plan_timeout,
            token: access.token.clone().into(),
            access: access.clone(),
            hash: file.hash().to_owned(),
        };
        let range = range.start..range.end.min(size);
        let download = Reconstruction::new(requests, self.memory.clone(), connections, range);
        Box::pin(async { Ok(Box::new(download) as Box<dyn Download>) })
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
        let registered = report.shard.map_or(0, |shard| {
            let shards = shard.total_shards_uploaded_to_store + shard.total_shards_synced;
            shard.total_shard_validation_entries_completed + u64::from(shards)
        });
        Sent {
            registered,
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

const UPLOADING: &str = "upload to Xet storage";

/// What the crate shows of the status of a request whose token is invalid.
const REJECTED: &str = "401 Unauthorized";

/// Returns the error of a storage. The crate keeps the category of some failures only.
fn failure(doing: &str, error: &XetError, access: Option<&Access>) -> Error {
    let reason = error.to_string();
    let (kind, why) = match error {
        XetError::Network(_) if reason.contains(REJECTED) => {
            (ErrorKind::Unauthorized, "the storage rejects the token")
        }
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

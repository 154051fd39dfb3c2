//! Elixir maps into the engine's inputs. Each function takes one map with all keys present.

use std::{
    ops::Deref,
    panic::AssertUnwindSafe,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use hf_hub_engine::{
    api::{
        Answer, Call,
        pages::{Limits, Pages},
    },
    bandwidth::Bandwidth,
    cache::layout::{CacheDir, LocalDir},
    card,
    download::{self, Destination, Mode},
    error::{Error, ErrorKind, Result},
    flow::Flow,
    hub::{Hub, Span, Token},
    names::{EntryPath, Proof, Repo, Revision},
    pattern::Filter,
    progress::Progress,
    retry::Policy,
    safetensors::Place,
    snapshot,
    stream::{self, Part},
    transport::{ClientConfig, Timeouts},
};
use rustler::{Decoder, NifMap, NifResult, OwnedEnv, Resource, ResourceArc, Term, env::SavedTerm};

use crate::{json::Json, pool};

/// A file system path: any bytes on Unix.
#[derive(Clone, Debug)]
pub(crate) struct Path(pub(crate) PathBuf);

impl Deref for Path {
    type Target = std::path::Path;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Decoder<'a> for Path {
    #[cfg(unix)]
    fn decode(term: Term<'a>) -> NifResult<Self> {
        use std::os::unix::ffi::OsStrExt;
        let binary: rustler::Binary = term.decode()?;
        Ok(Self(std::ffi::OsStr::from_bytes(&binary).into()))
    }

    #[cfg(not(unix))]
    fn decode(term: Term<'a>) -> NifResult<Self> {
        term.decode::<String>().map(|path| Self(path.into()))
    }
}

/// Which Hub and how to talk to it. All times in milliseconds.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct HubArgs {
    endpoint: String,
    token: Option<ResourceArc<Secret>>,
    token_source: Option<String>,
    allow_http_token: Vec<String>,
    user_agent: String,
    offline: bool,
    connect_timeout: u64,
    header_timeout: u64,
    idle_timeout: u64,
    timeout: Option<u64>,
    retries: u32,
    retry_delay: u64,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    ca_files: Vec<Path>,
    max_connections: u32,
    max_bandwidth: Option<ResourceArc<Limit>>,
}

/// A token in a term that shows nothing of it: stack traces and crash reports print arguments.
pub(crate) struct Secret(pub(crate) String);

#[rustler::resource_impl]
impl Resource for Secret {}

/// A limit on bytes a second that Elixir holds.
pub(crate) struct Limit(pub(crate) Bandwidth);

#[rustler::resource_impl]
impl Resource for Limit {}

impl HubArgs {
    /// The hub, with the connections that its proxies and certificates need. `watch` shows
    /// when it makes the call wait.
    pub(crate) fn open(&self, watch: &Progress) -> Result<Hub> {
        let config = ClientConfig {
            http_proxy: self.http_proxy.clone(),
            https_proxy: self.https_proxy.clone(),
            no_proxy: self.no_proxy.clone(),
            ca_files: self.ca_files.iter().map(|file| (file.0.clone(), modified(file))).collect(),
            connect_timeout: Some(Duration::from_millis(self.connect_timeout)),
        };
        let user_agent = self.user_agent.parse();
        let base = Duration::from_millis(self.retry_delay);
        Ok(Hub {
            client: pool::client(config),
            endpoint: Hub::parse_endpoint(&self.endpoint)?,
            token: self.token.as_ref().map(|secret| Token::new(&secret.0)).transpose()?,
            token_source: self.token_source.clone(),
            http_origins: Hub::parse_origins(&self.allow_http_token)?,
            user_agent: user_agent
                .map_err(|_| Error::new(ErrorKind::InvalidName, "the user agent cannot be sent"))?,
            timeouts: Timeouts {
                headers: Duration::from_millis(self.header_timeout),
                idle: Duration::from_millis(self.idle_timeout),
            },
            retry: Policy {
                retries: self.retries,
                base,
                cap: base.saturating_mul(8),
                ..Policy::STANDARD
            },
            deadline: self.timeout.map(Duration::from_millis),
            offline: self.offline,
            flow: Flow::new(self.max_connections as usize, self.bandwidth()),
            governor: pool::governor(),
            watch: watch.clone(),
        })
    }

    /// How many connections the call may have.
    pub(crate) fn connections(&self) -> usize {
        self.max_connections as usize
    }

    fn bandwidth(&self) -> Vec<Bandwidth> {
        let own = self.max_bandwidth.as_ref().map(|limit| limit.0.clone());
        own.into_iter().chain([pool::bandwidth()]).collect()
    }
}

/// A request to an API.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct RequestArgs {
    pub(crate) hub: HubArgs,
    method: String,
    url: String,
    content_type: Option<String>,
    body: Option<Bytes>,
    json: Option<Json>,
    /// Whether the answer is JSON whatever its content type says.
    pub(crate) parse: bool,
    /// Whether the body holds a secret.
    secret: bool,
    repo: Option<RepoArgs>,
    /// The list that a page is asked of.
    list: Option<ResourceArc<List>>,
}

/// How far a list of pages has been read.
pub(crate) struct List(AssertUnwindSafe<tokio::sync::Mutex<Pages>>);

#[rustler::resource_impl]
impl Resource for List {}

impl List {
    /// A list of which nothing has been read.
    pub(crate) fn new(pages: usize, bytes: Option<u64>) -> Self {
        let limits = Limits { pages, bytes: bytes.unwrap_or(u64::MAX) };
        Self(AssertUnwindSafe(tokio::sync::Mutex::new(Pages::new(limits))))
    }
}

impl RequestArgs {
    fn call(&self) -> Result<Call> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidName, format!("the {what} of a request cannot be used"))
        };
        let kind = self.content_type.as_deref().unwrap_or("application/json").parse();
        let kind = kind.map_err(|_| wrong("content type"))?;
        let json = self.json.as_ref().map(|json| bytes::Bytes::from(json.0.clone()));
        let body = json.or_else(|| self.body.as_ref().map(|body| body.0.clone()));
        Ok(Call {
            method: self.method.parse().map_err(|_| wrong("method"))?,
            body: body.map(|body| (kind, body)),
            secret: self.secret,
            ..Call::get(self.url.parse().map_err(|_| wrong("URL"))?)
        })
    }

    /// Sends the request, or the one for the next page of the list.
    pub(crate) async fn send(&self, hub: &Hub, progress: &Progress) -> Result<Answer> {
        let call = self.call()?;
        let Some(list) = &self.list else { return hub.exchange(&call, progress).await };
        let page = async { list.0.lock().await.next(hub, &call, progress).await };
        let page = hub.within_deadline(progress, page).await?;
        page.ok_or_else(|| Error::new(ErrorKind::Internal, "the list has no further page"))
    }

    /// What an error of the exchange is about.
    pub(crate) fn subject(&self) -> Result<Option<(Repo, Revision)>> {
        self.repo.as_ref().map(RepoArgs::names).transpose()
    }
}

/// The content of a binary.
pub(crate) struct Bytes(bytes::Bytes);

impl<'a> Decoder<'a> for Bytes {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let binary: rustler::Binary = term.decode()?;
        Ok(Self(bytes::Bytes::copy_from_slice(&binary)))
    }
}

/// A binary that is copied only where that keeps no scheduler busy.
pub(crate) struct Held {
    env: OwnedEnv,
    term: SavedTerm,
}

impl<'a> Decoder<'a> for Held {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let _: rustler::Binary = term.decode()?;
        let env = OwnedEnv::new();
        let term = env.save(term);
        Ok(Self { env, term })
    }
}

impl Held {
    /// The content.
    pub(crate) fn bytes(&self) -> bytes::Bytes {
        self.env.run(|env| {
            let binary = self.term.load(env).decode::<rustler::Binary>();
            binary.map(|binary| bytes::Bytes::copy_from_slice(&binary)).unwrap_or_default()
        })
    }
}

/// Which repository, at which revision.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct RepoArgs {
    repo_type: String,
    id: String,
    revision: String,
}

impl RepoArgs {
    pub(crate) fn names(&self) -> Result<(Repo, Revision)> {
        Ok((Repo::new(self.repo_type.parse()?, &self.id)?, Revision::parse(&self.revision)?))
    }
}

/// Where files go.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct DestinationArgs {
    cache_dir: Path,
    local_dir: Option<Path>,
}

impl DestinationArgs {
    fn destination(&self) -> Destination {
        let cache = CacheDir::new(&self.cache_dir.0);
        match &self.local_dir {
            Some(folder) => Destination::Folder(LocalDir::new(&folder.0), cache),
            None => Destination::Cache(cache),
        }
    }
}

/// Switches of a download.
#[derive(NifMap)]
#[rustler(decode)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as users set them")]
pub(crate) struct ModeArgs {
    force_download: bool,
    local_files_only: bool,
    dry_run: bool,
    symlinks: bool,
}

impl ModeArgs {
    fn mode(&self) -> Mode {
        Mode {
            force: self.force_download,
            local_files_only: self.local_files_only,
            dry_run: self.dry_run,
            symlinks: self.symlinks,
        }
    }
}

/// One file.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct DownloadArgs {
    pub(crate) hub: HubArgs,
    pub(crate) progress: bool,
    repo: RepoArgs,
    filename: String,
    destination: DestinationArgs,
    mode: ModeArgs,
    expected_sha256: Option<String>,
}

impl DownloadArgs {
    pub(crate) fn spec(&self) -> Result<download::Spec> {
        let (repo, revision) = self.repo.names()?;
        Ok(download::Spec {
            repo,
            revision,
            path: EntryPath::parse(&self.filename)?,
            destination: self.destination.destination(),
            mode: self.mode.mode(),
            known: None,
            sha256: self.expected_sha256.clone(),
            partials: None,
            flights: pool::flights(),
        })
    }
}

/// Many files.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct SnapshotArgs {
    pub(crate) hub: HubArgs,
    pub(crate) progress: bool,
    repo: RepoArgs,
    destination: DestinationArgs,
    mode: ModeArgs,
    allow_patterns: Option<Vec<String>>,
    ignore_patterns: Vec<String>,
    max_workers: u32,
}

impl SnapshotArgs {
    pub(crate) fn spec(&self) -> Result<snapshot::Spec> {
        let (repo, revision) = self.repo.names()?;
        Ok(snapshot::Spec {
            repo,
            revision,
            destination: self.destination.destination(),
            mode: self.mode.mode(),
            filter: Filter {
                allow: self.allow_patterns.clone(),
                ignore: self.ignore_patterns.clone(),
            },
            max_workers: self.max_workers as usize,
            flights: pool::flights(),
        })
    }
}

/// One file, not to disk.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct StreamArgs {
    pub(crate) hub: HubArgs,
    repo: RepoArgs,
    filename: String,
    first: Option<u64>,
    end: Option<u64>,
    last: Option<u64>,
}

impl StreamArgs {
    pub(crate) fn spec(&self) -> Result<stream::Spec> {
        let (repo, revision) = self.repo.names()?;
        let part = match (self.last, self.first) {
            (Some(bytes), _) => Part::Last(bytes),
            (None, Some(first)) => Part::Span(Span { first, end: self.end }),
            (None, None) => Part::Whole,
        };
        Ok(stream::Spec { repo, revision, path: EntryPath::parse(&self.filename)?, part })
    }
}

/// The safetensors files of a repository, or one of them.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct SafetensorsArgs {
    pub(crate) hub: HubArgs,
    repo: RepoArgs,
    filename: Option<String>,
}

impl SafetensorsArgs {
    pub(crate) fn place(&self) -> Result<(Place, Option<EntryPath>)> {
        let (repo, revision) = self.repo.names()?;
        let path = self.filename.as_deref().map(EntryPath::parse).transpose()?;
        Ok((Place { repo, revision }, path))
    }
}

/// Metadata of a card, and the YAML that it was made of.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct CardArgs {
    data: Json,
    source: String,
}

impl CardArgs {
    pub(crate) fn render(&self) -> Result<String> {
        let data = serde_json::from_slice(&self.data.0).map_err(|source| {
            Error::new(ErrorKind::InvalidCard, "the metadata is no map of names to values")
                .with_source(source)
        })?;
        card::render(&data, &self.source)
    }
}

/// A question to the cache.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct LookUpArgs {
    repo: RepoArgs,
    filename: String,
    cache_dir: Path,
}

impl LookUpArgs {
    pub(crate) fn names(&self) -> Result<(Repo, Revision, EntryPath)> {
        let (repo, revision) = self.repo.names()?;
        Ok((repo, revision, EntryPath::parse(&self.filename)?))
    }

    pub(crate) fn cache(&self) -> CacheDir {
        CacheDir::new(&self.cache_dir.0)
    }
}

/// Names to check.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct NameArgs {
    repo: RepoArgs,
    filename: Option<String>,
}

impl NameArgs {
    pub(crate) fn check(&self) -> Result<()> {
        self.repo.names()?;
        self.filename.as_deref().map(EntryPath::parse).transpose()?;
        Ok(())
    }
}

/// A file to hash: `sha256` or `git-sha1`.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct HashArgs {
    pub(crate) path: Path,
    algorithm: String,
}

impl HashArgs {
    pub(crate) fn proof(&self) -> Proof {
        match self.algorithm.as_str() {
            "git-sha1" => Proof::GitSha1,
            _ => Proof::Sha256,
        }
    }
}

/// An archive to unpack.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct ExtractArgs {
    pub(crate) archive: Path,
    pub(crate) destination: Path,
    pub(crate) max_size: Option<u64>,
    pub(crate) max_entries: u64,
}

fn modified(file: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

//! Decodes Elixir maps into the engine's inputs. Each function takes one map with all keys present.

mod hub;
mod yaml;

use std::{ops::Deref, panic::AssertUnwindSafe, path::PathBuf, time::Duration};

use hf_hub_engine::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::Proof,
        fnmatch::Filter,
        ids::{EntryPath, Repo, Revision},
        progress::Progress,
    },
    cache::layout::{CacheDir, LocalDir},
    download::{
        self, snapshot,
        spec::{Destination, Mode},
        stream::{self, Part},
    },
    formats::{card, safetensors::Place},
    hub::{
        api::{
            ApiResponse, Call, Segment,
            pages::{Limits, Pages},
        },
        client::{ByteRange, Hub},
        events,
    },
    upload::RepoPath,
};
use rustler::{
    Atom, Decoder, NifMap, NifResult, OwnedEnv, Resource, ResourceArc, Term, env::SavedTerm,
};

use crate::{job::Consumer, json::Json, pool};

pub(crate) use hub::{HubArgs, Limit, Secret};
use yaml::Metadata;

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

/// A request to an API route.
#[derive(NifMap)]
#[rustler(decode)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of a request")]
pub(crate) struct RequestArgs {
    pub(crate) hub: HubArgs,
    method: String,
    url: String,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    /// The parts of the body, in order.
    body: Option<Vec<SegmentArg>>,
    json: Option<Json>,
    /// Whether the request may be repeated.
    repeatable: bool,
    /// Whether the response is JSON, whatever its content type is.
    pub(crate) parse: bool,
    /// Whether the body contains a secret.
    secret: bool,
    /// Whether an error may cost another request, to suggest what was meant.
    pub(crate) suggest: bool,
    /// Secrets in the body, which must not be shown.
    hidden: Vec<ResourceArc<Secret>>,
    repo: Option<RepoArgs>,
    /// The list whose next page is requested.
    list: Option<ResourceArc<List>>,
}

#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct EventsArgs {
    pub(crate) request: RequestArgs,
    reconnect: bool,
    /// In milliseconds.
    quiet: Option<u64>,
}

impl EventsArgs {
    /// Returns the specification of the requested stream.
    pub(crate) fn spec(&self) -> Result<events::Spec> {
        let quiet = self.quiet.map(Duration::from_millis);
        Ok(events::Spec { call: self.request.call()?, reconnect: self.reconnect, quiet })
    }
}

/// The position in a list of pages.
pub(crate) struct List {
    pages: AssertUnwindSafe<tokio::sync::Mutex<Pages>>,
    /// Whether the URL of each request names its page, because the pages have no links.
    named: bool,
}

#[rustler::resource_impl]
impl Resource for List {}

impl List {
    /// Creates the position at the start of a list.
    pub(crate) fn new(pages: usize, bytes: Option<u64>, named: bool) -> Self {
        let limits = Limits { pages, bytes: bytes.unwrap_or(u64::MAX) };
        Self { pages: AssertUnwindSafe(tokio::sync::Mutex::new(Pages::new(limits))), named }
    }
}

impl RequestArgs {
    /// Opens the hub; `job` hides the secrets of the body.
    pub(crate) fn open(&self, progress: &Progress, job: &Consumer) -> Result<Hub> {
        job.hide(|scrub| self.hidden.iter().for_each(|secret| scrub.add(&secret.0)));
        self.hub.open(progress, job)
    }

    fn call(&self) -> Result<Call> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidName, format!("the {what} of a request cannot be used"))
        };
        let kind = self.content_type.as_deref().unwrap_or("application/json").parse();
        let kind = kind.map_err(|_| wrong("content type"))?;
        let json = self.json.as_ref().map(|json| vec![Segment::Bytes(json.0.clone().into())]);
        let body = json.or_else(|| {
            self.body.as_ref().map(|body| body.iter().map(|it| it.0.clone()).collect())
        });
        let header =
            |(name, value): &(String, String)| Some((name.parse().ok()?, value.parse().ok()?));
        let headers = self.headers.iter().map(header).collect::<Option<_>>();
        Ok(Call {
            headers: headers.ok_or_else(|| wrong("headers"))?,
            method: self.method.parse().map_err(|_| wrong("method"))?,
            body: body.map(|body| (kind, body)),
            secret: self.secret,
            repeatable: self.repeatable,
            ..Call::get(self.url.parse().map_err(|_| wrong("URL"))?)
        })
    }

    /// Sends the request, or the one for the next page of the list.
    pub(crate) async fn send(&self, hub: &Hub, progress: &Progress) -> Result<ApiResponse> {
        let call = self.call()?;
        let Some(list) = &self.list else { return hub.exchange(&call, progress).await };
        let page = async {
            let mut pages = list.pages.lock().await;
            if list.named {
                return pages.named(hub, &call, progress).await.map(Some);
            }
            pages.next(hub, &call, progress).await
        };
        let page = hub.within_deadline(progress, page).await?;
        page.ok_or_else(|| Error::new(ErrorKind::Internal, "the list has no further page"))
    }

    /// Returns the repository and revision that an error is about.
    pub(crate) fn subject(&self) -> Result<Option<(Repo, Revision)>> {
        self.repo.as_ref().map(RepoArgs::names).transpose()
    }
}

/// A part of a body: a binary, or `{:path, path}`.
struct SegmentArg(Segment);

impl<'a> Decoder<'a> for SegmentArg {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        if let Ok(Bytes(bytes)) = term.decode() {
            return Ok(Self(Segment::Bytes(bytes)));
        }
        let (_kind, path): (Atom, Path) = term.decode()?;
        Ok(Self(Segment::File(path.0)))
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

/// A binary that is copied only if that does not keep a scheduler busy.
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
    /// Returns the content.
    pub(crate) fn bytes(&self) -> bytes::Bytes {
        self.env.run(|env| {
            let binary = self.term.load(env).decode::<rustler::Binary>();
            binary.map(|binary| bytes::Bytes::copy_from_slice(&binary)).unwrap_or_default()
        })
    }
}

/// A repository and a revision.
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

/// The destination of a download.
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

/// Arguments of the download of one file.
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
    pub(crate) fn spec(&self) -> Result<download::spec::Spec> {
        let (repo, revision) = self.repo.names()?;
        Ok(download::spec::Spec {
            repo,
            revision,
            path: EntryPath::parse(&self.filename)?,
            destination: self.destination.destination(),
            mode: self.mode.mode(),
            known: None,
            ask: false,
            sha256: self.expected_sha256.clone(),
            partials: None,
            shared: pool::shared(),
        })
    }
}

/// Arguments of the download of a snapshot.
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
            shared: pool::shared(),
        })
    }
}

/// Arguments of a stream.
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
            (None, Some(first)) => Part::Range(ByteRange { first, end: self.end }),
            (None, None) => Part::Whole,
        };
        Ok(stream::Spec { repo, revision, path: RepoPath::parse(&self.filename)?, part })
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
    pub(crate) fn place(&self) -> Result<(Place, Option<RepoPath>)> {
        let (repo, revision) = self.repo.names()?;
        let path = self.filename.as_deref().map(RepoPath::parse).transpose()?;
        Ok((Place { repo, revision }, path))
    }
}

/// The metadata of a card, and the original YAML.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct CardArgs {
    data: Metadata,
    source: String,
}

impl CardArgs {
    pub(crate) fn render(&self) -> Result<String> {
        card::render(&self.data.0, &self.source)
    }
}

/// Arguments of a cache lookup.
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
    /// A path in the repository that is only read.
    path: Option<String>,
    /// A file to be written on this machine.
    filename: Option<String>,
}

impl NameArgs {
    pub(crate) fn check(&self) -> Result<()> {
        self.repo.names()?;
        self.path.as_deref().map(RepoPath::parse).transpose()?;
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

/// An archive to extract.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct ExtractArgs {
    pub(crate) archive: Path,
    pub(crate) destination: Path,
    pub(crate) max_size: Option<u64>,
    pub(crate) max_entries: u64,
}

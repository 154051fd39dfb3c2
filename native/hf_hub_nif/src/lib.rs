//! The boundary between the BEAM and `hf_hub_engine`: decode, spawn, encode, and nothing else.
//!
//! Every function returns within microseconds. Longer work is a [`job`]: it runs on the single
//! tokio runtime and replies by messages. No function blocks a scheduler, normal or dirty, and none
//! reads the environment.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the parameters of a NIF are freshly decoded values"
)]

mod cache_jobs;
mod decode;
mod encode;
mod job;
mod json;
mod map;
mod pool;
mod serial;
mod upload_jobs;

use hf_hub_engine::{
    base::{
        bandwidth::Bandwidth,
        blocking,
        error::{Error, ErrorKind, Result},
        hash,
        ids::{Repo, Revision},
        private_file,
        progress::{Activity, Progress},
        scrub::Scrub,
    },
    cache,
    download::{self, snapshot, stream},
    extract,
    formats::{card, safetensors},
    hub::{
        client::{self, Hub},
        events::Events,
        hints,
    },
};
use rustler::{Atom, Env, NifResult, Reference, ResourceArc, Term};

use crate::{
    decode::{
        CardArgs, DownloadArgs, EventsArgs, ExtractArgs, HashArgs, Limit, List, LookUpArgs,
        RequestArgs, SafetensorsArgs, Secret, SnapshotArgs, StreamArgs,
    },
    encode::{LookedUp, Piece, Reply, ReportTerm, SnapshotTerm},
    job::{Job, Watch},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod atoms {
    rustler::atoms! { ok, error, hf_hub, progress, waiting, chunk, done, known_absent, unknown }
}

/// Downloads one file; ends with `{:ok, report}`.
#[rustler::nif]
fn download<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: DownloadArgs,
) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    job::spawn(env, tag, Watch::new(&progress, spec.progress), move |consumer| async move {
        let (hub, spec) = (spec.hub.open(&progress, &consumer)?, spec.spec()?);
        let report = download::file::run(&hub, &spec, &progress).await;
        let report = suggesting(&hub, (&spec.repo, &spec.revision), report).await?;
        Ok(Reply::Report(ReportTerm::from(report)))
    })
}

/// Downloads the missing files of a snapshot; ends with `{:ok, snapshot}`.
#[rustler::nif]
fn snapshot<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: SnapshotArgs,
) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    job::spawn(env, tag, Watch::new(&progress, spec.progress), move |consumer| async move {
        let (hub, spec) = (spec.hub.open(&progress, &consumer)?, spec.spec()?);
        let snapshot = Box::pin(snapshot::run(&hub, &spec, &progress)).await;
        let snapshot = suggesting(&hub, (&spec.repo, &spec.revision), snapshot).await?;
        Ok(Reply::Snapshot(SnapshotTerm::from(snapshot)))
    })
}

/// Streams one file: a `{:chunk, binary}` for each unit of demand from `ask/2`, then `{:ok,
/// :done}`.
#[rustler::nif]
fn open_stream<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: StreamArgs,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |mut consumer| async move {
        let progress = Progress::default();
        let (hub, spec) = (spec.hub.open(&progress, &consumer)?, spec.spec()?);
        consumer.wait_for_demand().await;
        let (asked, place) = (hub.clone(), (spec.repo.clone(), spec.revision.clone()));
        let file = stream::FileStream::open(hub, spec, progress).await;
        let mut file = suggesting(&asked, (&place.0, &place.1), file).await?;
        while let Some(chunk) = file.next().await? {
            consumer.send(Piece::Bytes(chunk)).await;
        }
        Ok(Reply::Done)
    })
}

/// Streams the events of an API route: a `{:chunk, event}` for each unit of demand from `ask/2`,
/// then `{:ok, :done}`.
#[rustler::nif]
fn open_events<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: EventsArgs,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |mut consumer| async move {
        let progress = Progress::default();
        let (hub, subject) = (spec.request.open(&progress, &consumer)?, spec.request.subject()?);
        let words = |error| explained(&hub, subject.as_ref(), error);
        consumer.wait_for_demand().await;
        let mut events = Events::open(hub.clone(), spec.spec()?, progress).await.map_err(words)?;
        while let Some(event) = events.next().await.map_err(words)? {
            consumer.send(Piece::Event(event)).await;
        }
        Ok(Reply::Done)
    })
}

/// Sends a request to an API route; ends with `{:ok, %{status, headers, body, more}}`.
#[rustler::nif]
fn request<'a>(env: Env<'a>, tag: Reference<'a>, spec: RequestArgs) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    job::spawn(env, tag, Watch::new(&progress, false), move |consumer| async move {
        let (hub, subject) = (spec.open(&progress, &consumer)?, spec.subject()?);
        let answer = spec.send(&hub, &progress).await;
        let answer = answer.map_err(|error| explained(&hub, subject.as_ref(), error));
        let answer = match subject.as_ref().filter(|_| spec.suggest) {
            Some((repo, revision)) => suggesting(&hub, (repo, revision), answer).await?,
            None => answer?,
        };
        Ok(Reply::Answer(answer, spec.parse))
    })
}

/// Adds a suggestion of what was meant to an error, if the Hub knows it.
async fn suggesting<T>(hub: &Hub, place: (&Repo, &Revision), result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => Err(hints::suggesting(hub, place.0, place.1, error).await),
    }
}

/// Explains the error of a request.
fn explained(hub: &Hub, subject: Option<&(Repo, Revision)>, error: Error) -> Error {
    match subject {
        Some((repo, revision)) => hints::repository(hub, repo, revision, error),
        None => hints::request(hub, error),
    }
}

/// Reads the headers of a model's safetensors files, or of one file; ends with `{:ok, report}`.
#[rustler::nif]
fn safetensors<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: SafetensorsArgs,
) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    job::spawn(env, tag, Watch::new(&progress, false), move |consumer| async move {
        let (hub, (place, path)) = (spec.hub.open(&progress, &consumer)?, spec.place()?);
        let work = async {
            Ok(match path {
                Some(path) => Reply::value(safetensors::file(&hub, &place, path).await?),
                None => Reply::value(safetensors::repository(&hub, &place).await?),
            })
        };
        hub.within_deadline(&progress, Box::pin(work)).await
    })
}

/// Parses a README; ends with `{:ok, card}`.
#[rustler::nif]
fn parse_card<'a>(env: Env<'a>, tag: Reference<'a>, text: String) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        Ok(Reply::value(blocking::run(move || card::parse(&text)).await?))
    })
}

/// Renders a card's metadata; ends with `{:ok, yaml}`.
#[rustler::nif]
fn render_card<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: CardArgs,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        Ok(Reply::Text(blocking::run(move || spec.render()).await?))
    })
}

/// Looks a file up in the cache; ends with `{:ok, path | :known_absent | :unknown}`.
#[rustler::nif]
fn look_up<'a>(env: Env<'a>, tag: Reference<'a>, spec: LookUpArgs) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        let (repo, revision, path) = spec.names()?;
        let found = blocking::run(move || spec.cache().repo(&repo).look_up(&revision, &path)).await;
        Ok(Reply::LookedUp(match found {
            cache::Lookup::Found(path) => LookedUp::Path(path),
            cache::Lookup::KnownAbsent => LookedUp::KnownAbsent,
            cache::Lookup::Unknown => LookedUp::Unknown,
        }))
    })
}

/// Hashes a file; ends with `{:ok, hex}`.
#[rustler::nif]
fn hash_file<'a>(env: Env<'a>, tag: Reference<'a>, spec: HashArgs) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        let hex = blocking::run(move || hash::file(&spec.path, spec.proof())).await?;
        Ok(Reply::Text(hex.unwrap_or_default()))
    })
}

/// Extracts an archive; ends with `{:ok, path}`.
#[rustler::nif]
fn extract<'a>(env: Env<'a>, tag: Reference<'a>, spec: ExtractArgs) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |consumer| async move {
        let destination = spec.destination.clone();
        let stop = consumer.cancelled();
        blocking::run(move || {
            let limits = extract::Limits { max_size: spec.max_size, max_entries: spec.max_entries };
            extract::run(&spec.archive, &spec.destination, limits, &|| stop.is_cancelled())
        })
        .await?;
        Ok(Reply::Path(destination.0))
    })
}

/// Replaces a file of secrets, or removes it if there is no content; ends with `{:ok, :done}`.
#[rustler::nif]
fn write_secret<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    path: decode::Path,
    content: Option<ResourceArc<Secret>>,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        let content = content.map(|secret| secret.0.clone().into_bytes());
        blocking::run(move || private_file::write(&path, content.as_deref())).await?;
        Ok(Reply::Done)
    })
}

/// Panics in the given place, to test that there is still exactly one result.
#[rustler::nif]
fn panic<'a>(env: Env<'a>, tag: Reference<'a>, place: Atom) -> NifResult<ResourceArc<Job>> {
    let place = place.to_term(env).atom_to_string()?;
    assert!(place != "nif", "a panic on a scheduler thread, as asked");
    job::spawn(env, tag, Watch::default(), move |_| async move {
        if place == "blocking" {
            blocking::run(|| panic!("a panic on a blocking thread, as asked")).await;
        }
        panic!("a panic on a runtime thread, as asked");
    })
}

/// Allows a stream to send `chunks` more pieces.
#[rustler::nif]
fn ask(job: ResourceArc<Job>, chunks: u32) -> Atom {
    job.add_demand(chunks);
    atoms::ok()
}

/// Acknowledges the last progress message; only then the next one is sent.
#[rustler::nif]
fn acknowledge(job: ResourceArc<Job>) -> Atom {
    job.acknowledge();
    atoms::ok()
}

/// Cancels a job. Its result is still sent, once.
#[rustler::nif]
fn cancel(job: ResourceArc<Job>) -> Atom {
    job.cancel();
    atoms::ok()
}

/// Returns a token as an opaque term.
#[rustler::nif]
fn secret(text: String) -> ResourceArc<Secret> {
    ResourceArc::new(Secret(text))
}

/// Returns why a token is not sent to an endpoint, and which setting changes that; `nil` if it is
/// sent.
#[rustler::nif]
fn withheld(endpoint: &str, allowed: Vec<String>) -> Option<String> {
    client::withheld_from(endpoint, &allowed)
}

/// Creates an unread list of pages, with the maximum number of pages and bytes, and whether
/// requests name its pages.
#[rustler::nif]
fn new_list(pages: usize, bytes: Option<u64>, named: bool) -> ResourceArc<List> {
    ResourceArc::new(List::new(pages, bytes, named))
}

/// Returns a text without the token, and without anything that looks like one.
#[rustler::nif]
fn shown(text: rustler::Binary, token: Option<ResourceArc<Secret>>) -> String {
    let scrub = Scrub::new(token.iter().map(|token| token.0.as_str()));
    scrub.text(&String::from_utf8_lossy(&text)).into_owned()
}

/// Creates a bandwidth limit in bytes per second; `nil` for none.
#[rustler::nif]
fn new_bandwidth(limit: Option<u64>) -> ResourceArc<Limit> {
    ResourceArc::new(Limit(Bandwidth::new(limit)))
}

/// Returns the limit that all downloads of the VM share.
#[rustler::nif]
fn vm_bandwidth() -> ResourceArc<Limit> {
    ResourceArc::new(Limit(pool::bandwidth()))
}

/// Changes a limit, also for transfers in progress.
#[rustler::nif]
fn set_bandwidth(limit: ResourceArc<Limit>, bytes: Option<u64>) -> Atom {
    limit.0.set(bytes);
    atoms::ok()
}

/// Returns a limit in bytes per second, or `nil`.
#[rustler::nif]
fn bandwidth(limit: ResourceArc<Limit>) -> Option<u64> {
    limit.0.limit()
}

/// Returns the archive format of a file name, and the name without its extension; does not access
/// the disk.
#[rustler::nif]
fn archive_format(path: decode::Path) -> Option<(&'static str, encode::Path)> {
    let (format, stem) = extract::Format::of(&path)?;
    Some((encode::format_name(format), encode::Path(stem)))
}

/// Encodes a term as JSON text.
#[rustler::nif]
fn to_json(value: json::Json) -> String {
    String::from_utf8(value.0).unwrap_or_default()
}

/// Checks names as every download does; returns `nil` or an error.
#[rustler::nif]
fn check_names(env: Env<'_>, spec: decode::NameArgs) -> Option<Term<'_>> {
    spec.check().err().map(|error| encode::error(env, &error, &Scrub::default()))
}

/// Returns all error kinds, for the test that compares them with the documentation.
#[rustler::nif]
fn error_kinds() -> Vec<&'static str> {
    ErrorKind::ALL.iter().map(|kind| kind.name()).collect()
}

/// Returns all activities of progress.
#[rustler::nif]
fn activities() -> Vec<&'static str> {
    Activity::ALL.iter().map(|activity| activity.name()).collect()
}

/// Returns the version of the engine, which has to match the library's.
#[rustler::nif]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn load(_env: Env, _info: Term) -> bool {
    // A backtrace of this library's frames is of no use and takes over 100 ms; the panic itself is
    // returned as an error.
    std::panic::set_hook(Box::new(|_| {}));
    // A resource that lives for ever prevents the VM from unmapping code that threads of the
    // runtime execute.
    std::mem::forget(ResourceArc::new(Job::new()));
    true
}

rustler::init!("Elixir.HfHub.Native.Nif", load = load);

//! Encodes the engine's results as Elixir terms. The only file that builds terms.

use std::path::PathBuf;

use bytes::Bytes;
use hf_hub_engine::{
    base::{error::Error, progress::Snapshot as ProgressSnapshot, scrub::Scrub},
    download::{report::Report, snapshot::Snapshot},
    extract::Format,
    hub::{api::ApiResponse, events::Event},
};
use rustler::{Atom, Encoder, Env, NewBinary, NifMap, Term};
use serde::Serialize;

use crate::{atoms, json, serial};

/// Maximum length of an error's message, in characters.
const LONGEST_MESSAGE: usize = 4000;

/// Maximum length of each other text of an error, in characters.
const LONGEST_FACT: usize = 1000;

/// The result of a job.
pub(crate) enum Reply {
    Report(ReportTerm),
    Snapshot(SnapshotTerm),
    LookedUp(LookedUp),
    Path(PathBuf),
    Text(String),
    /// The response of an API route, and whether it is JSON whatever its content type says.
    Answer(ApiResponse, bool),
    /// A report of the engine, built when it is sent.
    Value(Box<dyn for<'a> Fn(Env<'a>) -> Term<'a> + Send>),
    Done,
}

impl Reply {
    /// Creates a reply with a report of the engine.
    pub(crate) fn value(value: impl Serialize + Send + 'static) -> Self {
        Self::Value(Box::new(move |env| serial::term(env, &value)))
    }
}

/// What a stream sends for each unit of demand.
pub(crate) enum Piece {
    Bytes(Bytes),
    Event(Event),
}

/// An event; its text parsed as JSON if possible.
#[derive(NifMap)]
#[rustler(encode)]
struct EventTerm<'a> {
    id: Option<String>,
    event: Option<String>,
    data: Term<'a>,
}

/// What a cache knows about a file.
pub(crate) enum LookedUp {
    Path(PathBuf),
    KnownAbsent,
    Unknown,
}

/// A file system path: any bytes on Unix.
#[derive(Clone)]
pub(crate) struct Path(pub(crate) PathBuf);

/// One file of a download or a dry run.
#[derive(NifMap)]
#[rustler(encode)]
pub(crate) struct ReportTerm {
    path: Path,
    filename: String,
    commit: Option<String>,
    size: Option<u64>,
    cached: bool,
    will_download: bool,
    stale: Option<String>,
}

/// A snapshot, or the result of a dry run.
#[derive(NifMap)]
#[rustler(encode)]
pub(crate) struct SnapshotTerm {
    path: Path,
    commit: Option<String>,
    files: Vec<ReportTerm>,
    matched: usize,
    stale: Option<String>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct AnswerTerm<'a> {
    status: u16,
    headers: Term<'a>,
    body: Term<'a>,
    /// Why the body could not be parsed, if it claims to be JSON.
    broken: Option<String>,
    /// Whether there is another page.
    more: bool,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ErrorTerm<'a> {
    kind: Atom,
    message: String,
    status: Option<u16>,
    url: Option<String>,
    request_id: Option<String>,
    repo_id: Option<String>,
    path: Option<String>,
    revision: Option<String>,
    retry_after: Option<u64>,
    reason: Option<String>,
    details: Option<Term<'a>>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ProgressTerm {
    activity: Atom,
    wait: Option<u64>,
    file: Option<String>,
    bytes_done: u64,
    bytes_total: Option<u64>,
    bytes_resumed: u64,
    bytes_received: u64,
    bytes_hashed: u64,
    files_done: u64,
    files_total: u64,
}

impl From<Report> for ReportTerm {
    fn from(report: Report) -> Self {
        Self {
            path: Path(report.path),
            filename: report.filename.to_string(),
            commit: report.commit.map(|commit| commit.to_string()),
            size: report.size,
            cached: report.cached,
            will_download: report.will_download,
            stale: report.stale,
        }
    }
}

impl From<Snapshot> for SnapshotTerm {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            path: Path(snapshot.path),
            commit: snapshot.commit.map(|commit| commit.to_string()),
            files: snapshot.files.into_iter().map(ReportTerm::from).collect(),
            matched: snapshot.matched,
            stale: snapshot.stale,
        }
    }
}

impl Reply {
    /// Removes secrets from the error of a reply.
    pub(crate) fn scrubbed(mut self, scrub: &Scrub) -> Self {
        let stale = match &mut self {
            Self::Report(report) => &mut report.stale,
            Self::Snapshot(snapshot) => &mut snapshot.stale,
            _ => return self,
        };
        *stale = stale.take().map(|text| scrub.text(&text).into_owned());
        self
    }
}

impl Encoder for Reply {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Self::Report(report) => report.encode(env),
            Self::Snapshot(snapshot) => snapshot.encode(env),
            Self::LookedUp(LookedUp::Path(path)) | Self::Path(path) => {
                Path(path.clone()).encode(env)
            }
            Self::LookedUp(LookedUp::KnownAbsent) => atoms::known_absent().encode(env),
            Self::LookedUp(LookedUp::Unknown) => atoms::unknown().encode(env),
            Self::Text(text) => text.encode(env),
            Self::Answer(answer, parse) => self::answer(env, answer, *parse),
            Self::Value(build) => build(env),
            Self::Done => atoms::done().encode(env),
        }
    }
}

impl Encoder for Piece {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Self::Bytes(bytes) => binary(env, bytes),
            Self::Event(event) => EventTerm {
                id: event.id.clone(),
                event: event.name.clone(),
                data: json::term(env, event.data.as_bytes())
                    .unwrap_or_else(|_| binary(env, event.data.as_bytes())),
            }
            .encode(env),
        }
    }
}

impl Encoder for Path {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        binary(env, self.0.as_os_str().as_encoded_bytes())
    }
}

/// Copies bytes to a binary of the BEAM: measured to be cheaper for streams than sharing.
pub(crate) fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// Encodes the response of an API route: JSON as terms, anything else as a binary.
fn answer<'a>(env: Env<'a>, answer: &ApiResponse, parse: bool) -> Term<'a> {
    let headers = answer.joined_headers();
    let is_json = parse || headers.get("content-type").is_some_and(|kind| kind.contains("json"));
    let has_body = !answer.body.is_empty();
    let (body, broken) = match (is_json && has_body).then(|| json::term(env, &answer.body)) {
        Some(Ok(term)) => (term, None),
        Some(Err(error)) => (binary(env, b""), Some(error.to_string())),
        None => (binary(env, &answer.body), None),
    };
    AnswerTerm {
        status: answer.status,
        headers: serial::term(env, &headers),
        body,
        broken,
        more: answer.next.is_some(),
    }
    .encode(env)
}

/// Encodes an error as a map of `HfHub.Error`'s fields. Kinds are a closed list, so these atoms are
/// bounded. All texts pass `scrub` and are shortened: this is where errors leave native code.
pub(crate) fn error<'a>(env: Env<'a>, error: &Error, scrub: &Scrub) -> Term<'a> {
    let owned = |text: Option<&str>| text.map(|text| shortened(&scrub.text(text), LONGEST_FACT));
    ErrorTerm {
        kind: atom(env, error.kind().name()),
        message: shortened(&scrub.text(error.message()), LONGEST_MESSAGE),
        status: error.status(),
        url: owned(error.url()),
        request_id: owned(error.request_id()),
        repo_id: owned(error.repo_id()),
        path: owned(error.path()),
        revision: owned(error.revision()),
        retry_after: error.retry_after().map(milliseconds),
        reason: owned(error.reason().as_deref()),
        details: error
            .details()
            .and_then(|details| json::term(env, scrub.json(details).to_string().as_bytes()).ok()),
    }
    .encode(env)
}

/// Shortens a text: a server may send names and URLs of any length.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Encodes progress as a map of `HfHub.Progress`'s fields.
pub(crate) fn progress<'a>(env: Env<'a>, now: &ProgressSnapshot, scrub: &Scrub) -> Term<'a> {
    ProgressTerm {
        activity: atom(env, now.activity.name()),
        wait: now.wait.map(milliseconds),
        file: now.file.as_deref().map(|file| scrub.text(file).into_owned()),
        bytes_done: now.bytes_done,
        bytes_total: now.bytes_total,
        bytes_resumed: now.bytes_resumed,
        bytes_received: now.bytes_received,
        bytes_hashed: now.bytes_hashed,
        files_done: now.files_done,
        files_total: now.files_total,
    }
    .encode(env)
}

/// Returns the name of a format in Elixir.
pub(crate) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Zip => "zip",
        Format::Tar => "tar",
        Format::TarGz => "tar_gz",
        Format::TarXz => "tar_xz",
        Format::Gz => "gz",
    }
}

/// Returns an atom of a closed list of names.
pub(crate) fn atom(env: Env, name: &str) -> Atom {
    Atom::from_str(env, name).unwrap_or_else(|_| atoms::error())
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

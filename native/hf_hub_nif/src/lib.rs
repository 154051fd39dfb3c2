//! The boundary between the BEAM and `hf_hub_engine`: decode, spawn, encode, and nothing else.
//!
//! Every function returns within microseconds, of which only [`look_up`] asks the disk; [`parse`] only computes, on a
//! dirty scheduler. Longer work is a [`job`]: it runs on the tokio runtime and replies by messages. None reads the
//! environment.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the parameters of a NIF are freshly decoded values"
)]

mod decode;
mod encode;
mod job;
mod jobs;
mod map;
mod serial;
mod structs;
mod term;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use hf_hub_engine::{
    base::{
        bandwidth::Bandwidth,
        error::{Error, ErrorKind},
        ids::Names,
        input::RawPath,
        progress::Activity,
        random_access::{Contents, RandomAccess},
        scrub::Scrub,
    },
    cache::care::{self, In, Question},
    download::shared::Shared,
    extract::Format,
    hub::{
        api::pages::{self, Limits},
        client,
        settings::Process,
    },
};
use once_cell::sync::Lazy;
use rustler::{Atom, Env, NifResult, Reference, Resource, ResourceArc, Term};
use serde::de::DeserializeOwned;

use crate::job::Job;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod atoms {
    rustler::atoms! {
        ok, error, refused, hf_hub, progress, waiting, chunk, done, hub, token, max_bandwidth, hidden, list, content,
        data, body, broken, structs, name, datetime, microseconds, is, as_is, enum_ = "enum", struct_ = "struct", in_ = "in", file
    }
}

/// What all calls of this VM share: connections, and limits on requests, open files and bytes a second.
static PROCESS: Lazy<Process> = Lazy::new(Process::default);
/// The transfers in progress, which they share too.
static SHARED: Lazy<Shared> = Lazy::new(Shared::default);

/// A token in a term that does not show it: stack traces and crash reports print arguments.
struct Secret(String);

/// A limit on bytes a second that Elixir holds.
struct Limit(Bandwidth);

/// How far a list of pages has been read.
struct List(AssertUnwindSafe<tokio::sync::Mutex<pages::List>>);

/// A file that is read at positions.
struct OpenFile(Arc<RandomAccess>);

/// Bytes that a binary refers to.
struct Held(Option<Contents>);

impl Held {
    fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], AsRef::as_ref)
    }
}

/// A JSON text that is not parsed yet.
struct Text(Mutex<Option<Bytes>>);

/// Not on a scheduler: the system may take long to free the blocks of a file, or large memory.
impl Drop for OpenFile {
    fn drop(&mut self) {
        job::drop_later(self.0.close());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        job::drop_later(self.0.take());
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        job::drop_later(job::lock(&self.0).take());
    }
}

/// Terms that Elixir can hold and pass, but not see into.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[rustler::resource_impl] impl Resource for $name {})* };
}
opaque!(Secret, Limit, List, OpenFile, Held, Text);

/// Starts the named job, which sends messages with the tag.
#[rustler::nif]
fn start<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    name: Atom,
    spec: Term<'a>,
) -> NifResult<ResourceArc<Job>> {
    let work = jobs::named(&name.to_term(env).atom_to_string()?);
    job::spawn(env, tag, spec, work.ok_or(rustler::Error::BadArg)?)
}

/// Panics on a scheduler thread, to show that this raises.
#[rustler::nif]
fn panic() -> bool {
    panic!("a panic on a scheduler thread, as asked")
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

/// Cancels a job, whose result is still sent, once; releases the lock that it holds after that.
/// Returns whether it held one.
#[rustler::nif]
fn cancel(job: ResourceArc<Job>) -> bool {
    job.cancel()
}

/// Returns a token as an opaque term.
#[rustler::nif]
fn secret(text: String) -> ResourceArc<Secret> {
    ResourceArc::new(Secret(text))
}

/// Returns the origin of an endpoint if a token is not sent to it; `nil` if it is sent.
#[rustler::nif]
fn withheld(endpoint: &str, allowed: Vec<String>) -> Option<String> {
    client::withheld_from(endpoint, &allowed)
}

/// Creates an unread list of pages, with the maximum number of pages and bytes, and whether
/// requests name its pages.
#[rustler::nif]
fn new_list(pages: usize, bytes: Option<u64>, named: bool) -> ResourceArc<List> {
    let limits = Limits { pages, bytes: bytes.unwrap_or(u64::MAX) };
    let list = tokio::sync::Mutex::new(pages::List::new(limits, named));
    ResourceArc::new(List(AssertUnwindSafe(list)))
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
    ResourceArc::new(Limit(PROCESS.bandwidth.clone()))
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

/// Returns the archive format of a file name, and the name without its extension; does not access the disk.
#[rustler::nif]
fn archive_format<'a>(env: Env<'a>, path: Term<'a>) -> NifResult<Term<'a>> {
    let path: RawPath = decode::read(path).map_err(|_| rustler::Error::BadArg)?;
    Ok(serial::term(env, &Format::of(&path.0).map(|(format, stem)| (format, RawPath(stem)))))
}

/// Closes a file, as soon as no read needs it.
#[rustler::nif]
fn close_file(file: ResourceArc<OpenFile>) -> Atom {
    job::drop_later(file.0.close());
    atoms::ok()
}

/// Encodes a term as JSON text.
#[rustler::nif(schedule = "DirtyCpu")]
fn to_json(value: Term) -> NifResult<String> {
    let value: serde_json::Value = decode::read(value).map_err(|_| rustler::Error::BadArg)?;
    Ok(value.to_string())
}

/// Parses a JSON text on the heap of the calling process, and frees the text: only once. Returns why it is not valid,
/// too.
#[rustler::nif(schedule = "DirtyCpu")]
fn parse(text: ResourceArc<Text>, tables: Term<'_>) -> (Term<'_>, Option<String>) {
    let text = job::lock(&text.0).take().unwrap_or_default();
    encode::json(tables.get_env(), &text, Some(tables))
}

/// Reads a spec; invalid names in it are an error for the user.
fn spec<T: DeserializeOwned>(spec: Term) -> NifResult<Result<T, Error>> {
    decode::read(spec).map_or_else(
        |wrong| wrong.into_error().map(Err).map_err(|_| rustler::Error::BadArg),
        |spec| Ok(Ok(spec)),
    )
}

/// Checks names as every download does; returns `nil` or an error.
#[rustler::nif]
fn check_names<'a>(env: Env<'a>, names: Term<'a>) -> NifResult<Option<Term<'a>>> {
    let checked = spec::<Names>(names)?.and_then(Names::check);
    Ok(checked.err().map(|error| serial::term(env, &error.shown(&Scrub::default()))))
}

/// Looks a file up in a cache.
#[rustler::nif(schedule = "DirtyIo")]
fn look_up<'a>(env: Env<'a>, question: Term<'a>) -> NifResult<(Atom, Term<'a>)> {
    Ok(match spec::<In<Question>>(question)? {
        Ok(question) => (atoms::ok(), serial::term(env, &care::look_up(&question))),
        Err(error) => (atoms::error(), serial::term(env, &error.shown(&Scrub::default()))),
    })
}

/// Returns all error kinds and all activities of progress, for the tests that compare them with the docs.
#[rustler::nif]
fn vocabulary() -> (Vec<&'static str>, Vec<&'static str>) {
    (ErrorKind::NAMES.to_vec(), Activity::ALL.iter().map(|activity| activity.name()).collect())
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
    std::mem::forget(ResourceArc::new(Secret(String::new())));
    true
}

rustler::init!("Elixir.HfHub.Native.Nif", load = load);

//! The server: two listeners on one store.
//!
//! The hub listener serves the API and file routes; the content listener stands for the object
//! store for large files. This module handles starting and stopping, not responses.

mod access;
mod action;
mod call;
mod clock;
mod content;
mod control;
mod courier;
mod deliver;
mod endpoints;
mod error;
mod events;
mod faults;
mod follow;
mod hub;
mod idle;
mod intake;
mod jobs;
mod journal;
mod linger;
mod listener;
mod lookup;
mod markdown;
mod origins;
mod pages;
mod payload;
mod query;
mod rate_limit;
mod response;
mod routes;
mod sign;
mod slot;
mod target;
mod tls;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::store::Store;
use clock::Clock;
use control::Control;
use courier::{Courier, WebhookArgs};
use endpoints::EndpointArgs;
use faults::Faults;
use hub::{Hub, Options};
use jobs::{JobArgs, Jobs};
use journal::Journal;
use listener::Gauge;
use origins::{Origin, Origins, base_url};
use routes::router;
use tls::Tls;

/// A pause between looks for changes is at least this many times as long as a look.
const REST: u32 = 50;

/// The options of `serve`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Spec {
    /// Folder with all data of the Hub
    #[arg(long)]
    root: PathBuf,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port of the Hub; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port for large files; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    cdn_port: u16,
    #[command(flatten)]
    tls: tls::Args,
    /// URL at which clients reach the Hub, if it differs from the requested address
    #[arg(long, value_parser = base_url)]
    public_url: Option<String>,
    /// URL at which clients reach the large files
    #[arg(long, value_parser = base_url)]
    cdn_url: Option<String>,
    /// Validity of links to large files, in seconds
    #[arg(long, default_value_t = 3600)]
    link_ttl: u64,
    /// Minimum size in bytes of large files that are uploaded in parts
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    multipart_threshold: u64,
    /// Size in bytes of these parts
    #[arg(
        long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1..)
    )]
    part_size: u64,
    /// Maximum size of a file, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 5 << 40)]
    max_file_size: u64,
    /// Maximum size in bytes of the large files of a user or organization in private repositories
    #[arg(long, value_name = "BYTES")]
    private_quota: Option<u64>,
    /// Maximum number of entries on a page of a listing
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    page_size: u64,
    /// Send small files directly instead of redirecting to the resolve cache
    #[arg(long)]
    direct: bool,
    /// Rate limit per token, announced in headers
    #[arg(long, value_name = "REQUESTS/SECONDS")]
    rate_limit: Option<rate_limit::Quota>,
    /// Seconds without a byte after which an incomplete request is aborted
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
    #[command(flatten)]
    webhooks: WebhookArgs,
    #[command(flatten)]
    jobs: JobArgs,
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Seconds between two looks for repositories that another program has changed
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    rescan: u64,
    /// Exit as soon as standard input is closed
    #[arg(long)]
    stop_on_stdin_close: bool,
    /// Store new large files as they are: clients upload through LFS and download over HTTP
    #[arg(long)]
    no_xet: bool,
    /// Offer the `/_test` routes: request log and fault injection
    #[arg(long)]
    test_control: bool,
    /// Print one line per request to standard error
    #[arg(long)]
    log: bool,
}

/// Raises the limit of open files to the maximum: each connection needs some, and the usual limit
/// is low.
#[cfg(unix)]
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If this fails, the server runs with the current limit.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(not(unix))]
fn raise_file_limit() {}

/// The line that reports to the starting process where the server is, and what clients need.
#[derive(Serialize)]
struct Ready {
    endpoint: String,
    cdn: String,
    /// Environment variables for a client, in shell syntax.
    client: String,
    /// Whether clients can use Xet storage.
    xet: bool,
    /// The certificate file that clients have to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    /// SHA-256 of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

/// Serves until stopped.
pub(crate) fn run(spec: Spec) -> Result<()> {
    raise_file_limit();
    let store = Store::open(&spec.root)?;
    store.lfs().sweep()?;
    store.attachments().sweep()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(store, spec));
    // A client that does not read its response must not keep the process alive.
    runtime.shutdown_background();
    result
}

async fn serve(store: Store, spec: Spec) -> Result<()> {
    let key = store.signing_key()?;
    let stop = stop_requested(spec.stop_on_stdin_close)?;
    let hub_socket = bind(&spec.host, spec.port).await?;
    let cdn_socket = bind(&spec.host, spec.cdn_port).await?;
    let addresses = (hub_socket.local_addr()?, cdn_socket.local_addr()?);
    let urls = spec.public_url.iter().chain(&spec.cdn_url).map(String::as_str);
    let tls = spec.tls.load(&store, &tls::names(&spec.host, urls))?;
    let has_xet = cfg!(feature = "xet") && !spec.no_xet;
    let origins = Origins::new(tls.is_some(), spec.public_url, spec.cdn_url, addresses);
    print_ready(&origins, tls.as_ref(), has_xet)?;

    let options = Options {
        direct: spec.direct,
        page_size: usize::try_from(spec.page_size)?,
        link_ttl: Duration::from_secs(spec.link_ttl),
        multipart_threshold: spec.multipart_threshold,
        part_size: spec.part_size,
        max_file_size: spec.max_file_size,
        private_quota: spec.private_quota,
        #[cfg(feature = "xet")]
        xet: has_xet,
        // Clients give up as slowly as this server.
        endpoints: spec.endpoints,
        keep_alive: Duration::from_secs(spec.idle_timeout) / 4,
    };
    let watched = store.clone();
    let courier = Courier::new(spec.webhooks, [addresses.0, addresses.1])?;
    let clock = Arc::new(Clock::default());
    let jobs = Jobs::new(&spec.jobs, &store, origins.hub(None), &clock)?;
    if let Some(jobs) = &jobs {
        tokio::spawn(jobs::schedule(jobs.clone()));
    }
    let hub = Arc::new(Hub::new(store, &key, origins, options, courier, jobs, clock.clone())?);
    tokio::spawn(deliver::run(hub.clone()));
    // While requests are served already: lists are right without it, unless another program has
    // changed a repository or a process was killed.
    tokio::spawn(watch(watched, Duration::from_secs(spec.rescan)));
    let journal = Arc::new(Journal::new(spec.test_control, spec.log));
    let faults = Arc::new(Faults::default());
    let gauges = [Origin::Hub, Origin::Cdn].map(|_| Arc::new(Gauge::default()));

    let mut hub_app = router::hub(hub.clone());
    let mut cdn_app = router::cdn(hub);
    if spec.test_control {
        hub_app = faults::layer(hub_app, &faults, Origin::Hub);
        cdn_app = faults::layer(cdn_app, &faults, Origin::Cdn);
    }
    if let Some(quota) = spec.rate_limit {
        hub_app = rate_limit::layer(hub_app, quota);
    }
    [hub_app, cdn_app] = [hub_app, cdn_app].map(|app| response::layer(linger::layer(app)));
    hub_app = journal::layer(hub_app, &journal, Origin::Hub);
    cdn_app = journal::layer(cdn_app, &journal, Origin::Cdn);
    if spec.test_control {
        hub_app = hub_app.merge(control::routes(Control {
            journal,
            faults,
            clock,
            gauges: gauges.clone(),
        }));
    }
    let idle = Duration::from_secs(spec.idle_timeout);
    [hub_app, cdn_app] = [hub_app, cdn_app].map(|app| idle::layer(app, idle));
    let [hub_gauge, cdn_gauge] = gauges;
    let tls = tls.map(|tls| tls.acceptor);
    tokio::select! {
        () = listener::listen(hub_socket, hub_gauge, hub_app, tls.clone(), idle) => {}
        () = listener::listen(cdn_socket, cdn_gauge, cdn_app, tls, idle) => {}
        () = stop => {}
    }
    Ok(())
}

/// Looks for repositories that another program has changed, such as git in their folders.
async fn watch(store: Store, pause: Duration) {
    loop {
        let begun = Instant::now();
        let looked = store.clone();
        // What cannot be read now may be readable the next time.
        let _ = spawn_blocking(move || looked.find_changes().and_then(|()| looked.refresh())).await;
        // A root with many repositories is looked at less often.
        sleep(pause.max(REST * begun.elapsed())).await;
    }
}

async fn bind(host: &str, port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind((host, port)).await;
    listener.with_context(|| format!("cannot listen on {host}:{port}"))
}

fn print_ready(origins: &Origins, tls: Option<&Tls>, has_xet: bool) -> Result<()> {
    let (endpoint, cdn) = (origins.hub(None), origins.cdn(None));
    let certificate = tls.and_then(|tls| tls.made.clone());
    let mut client = format!("HF_ENDPOINT={endpoint}");
    if !has_xet {
        client.push_str(" HF_HUB_DISABLE_XET=1");
    }
    if let Some(file) = &certificate {
        let path = file.display().to_string().replace('\'', "'\\''");
        // The second variable is for clients that use Python's `requests`, the first for all
        // others.
        let _ = write!(client, " SSL_CERT_FILE='{path}' REQUESTS_CA_BUNDLE='{path}'");
    }
    let fingerprint = tls.map(|tls| tls.fingerprint.clone());
    let ready = Ready { endpoint, cdn, client, xet: has_xet, certificate, fingerprint };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(&ready)?)?;
    stdout.flush()?;
    Ok(())
}

/// Resolves on SIGTERM, SIGINT and, if enabled, the end of standard input.
fn stop_requested(on_stdin_close: bool) -> Result<impl Future<Output = ()>> {
    let stdin_closed = on_stdin_close.then(watch_stdin);
    let signal = signal()?;
    Ok(async move {
        let stdin_closed = async {
            match stdin_closed {
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stdin_closed => {}
            () = signal => {}
        }
    })
}

/// Uses a thread of its own: the runtime would wait for a pending read when it shuts down.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (sender, closed) = oneshot::channel();
    std::thread::spawn(move || {
        let mut sink = [0; 4096];
        while std::io::stdin().read(&mut sink).is_ok_and(|read| read > 0) {}
        let _ = sender.send(());
    });
    closed
}

#[cfg(unix)]
fn signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

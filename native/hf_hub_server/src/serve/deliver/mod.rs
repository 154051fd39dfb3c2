//! Sends what waits for webhooks.
//!
//! The queues are in the database, so nothing is lost when the server stops. One process on a root
//! sends; within a webhook, one delivery after the other. A receiver may get one twice: if the
//! server stops between its response and the record of it.

mod network;
mod post;

pub(super) use network::Network;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::StatusCode;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::access;
use super::hub::Hub;
use crate::store::{Attempt, Due, Outgoing, Verdict};
use post::{Post, Received};

/// Maximum number of requests at a time.
const MOST_AT_A_TIME: usize = 16;
/// The pause before the first repetition; each further one is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long another process's events may wait until they are noticed.
const POLL: Duration = Duration::from_secs(2);

/// The options about webhooks.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WebhookArgs {
    /// Addresses that webhooks may be sent to: `loopback`, IP addresses, networks like 10.0.0.0/8
    #[arg(
        long = "webhook-networks",
        value_name = "NETWORKS",
        value_delimiter = ',',
        default_value = "loopback"
    )]
    networks: Vec<Network>,
    /// Seconds after which a request to a webhook is aborted
    #[arg(
        long = "webhook-timeout", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60)
    )]
    timeout: u64,
    /// Number of times that a failed request to a webhook is repeated
    #[arg(
        long = "webhook-retries", value_name = "TIMES", default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=20)
    )]
    retries: u32,
    /// File with certificates (PEM) that receivers of webhooks may have, besides those of public ones
    #[arg(long = "webhook-certificates", value_name = "FILE")]
    certificates: Option<std::path::PathBuf>,
}

/// Sends deliveries.
#[derive(Debug)]
pub(super) struct Courier {
    post: Post,
    retries: u32,
    wake: Notify,
    /// Permits for repetitions that a user has asked for.
    replays: Semaphore,
}

impl Courier {
    pub(super) fn new(args: WebhookArgs, own: [SocketAddr; 2]) -> Result<Self> {
        let roots = roots(args.certificates.as_deref())?;
        let timeout = Duration::from_secs(args.timeout);
        Ok(Self {
            post: Post::new(args.networks, own, timeout, roots)?,
            retries: args.retries,
            wake: Notify::new(),
            replays: Semaphore::new(MOST_AT_A_TIME),
        })
    }

    /// Announces that something waits.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns why nothing may be sent to a URL with this address as its host.
    pub(super) fn check(&self, address: SocketAddr) -> Result<(), String> {
        self.post.check(address)
    }

    /// Sends a delivery once and returns what follows from it.
    async fn attempt(&self, outgoing: &Outgoing) -> Attempt {
        let (spec, delivery) = (&outgoing.webhook.spec, &outgoing.delivery);
        let received =
            self.post.send(&spec.url, spec.secret.as_deref(), delivery.payload.clone()).await;
        let again = self.pause(delivery.tries).map_or(Verdict::Failed, Verdict::Again);
        let (status, note, verdict) = match received {
            Ok(Received { status, head }) => (Some(status), head, judge(status, again)),
            Err(reason) => (None, reason, again),
        };
        let status = status.map(|status| status.as_u16());
        Attempt { url: Some(spec.url.clone()), status, note, verdict }
    }

    /// Returns the pause after a failed attempt; `None` after the last one.
    fn pause(&self, tries_before: u32) -> Option<Duration> {
        let pause = || FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(tries_before));
        (tries_before < self.retries).then(|| pause().min(LONGEST_PAUSE))
    }
}

/// A receiver that rejects the request would do so again.
fn judge(status: StatusCode, again: Verdict) -> Verdict {
    let is_temporary = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    match status {
        _ if status.is_success() => Verdict::Delivered,
        _ if is_temporary => again,
        _ => Verdict::Failed,
    }
}

fn roots(more: Option<&std::path::Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let Some(file) = more else { return Ok(roots) };
    let context = || format!("cannot read certificates from {}", file.display());
    for certificate in CertificateDer::pem_file_iter(file).with_context(context)? {
        roots.add(certificate.with_context(context)?).with_context(context)?;
    }
    Ok(roots)
}

/// Sends what waits, until the server stops.
pub(super) async fn run(hub: Arc<Hub>) {
    let store = hub.store.clone();
    let Ok(_lock) = blocking(move || store.delivery_lock()).await.inspect_err(report) else {
        return;
    };
    let mut running = JoinSet::new();
    let mut busy: HashMap<Id, Due> = HashMap::new();
    loop {
        let next = start_due(&hub, &mut running, &mut busy).await;
        let next = next.inspect_err(report).unwrap_or_default();
        tokio::select! {
            Some(done) = running.join_next_with_id(), if !running.is_empty() => {
                let id = done.map_or_else(|err| err.id(), |(id, ())| id);
                busy.remove(&id);
            }
            () = hub.courier.wake.notified() => {}
            () = tokio::time::sleep(until(next)) => {}
        }
    }
}

/// Starts the requests whose time has come, and returns when that of the next one comes.
async fn start_due(
    hub: &Arc<Hub>,
    running: &mut JoinSet<()>,
    busy: &mut HashMap<Id, Due>,
) -> Result<Option<Timestamp>> {
    let (store, room) = (hub.store.clone(), MOST_AT_A_TIME - busy.len());
    let owners = busy.values().map(|due| (due.webhook, due.owner)).collect::<HashMap<_, _>>();
    let schedule = blocking(move || store.webhooks().schedule(&owners, room)).await?;
    for due in schedule.due {
        let task = running.spawn(deliver(hub.clone(), due));
        busy.insert(task.id(), due);
    }
    Ok(schedule.next)
}

fn until(next: Option<Timestamp>) -> Duration {
    let pause = next.map(|next| next.duration_since(Timestamp::now()));
    pause.and_then(|pause| Duration::try_from(pause).ok()).unwrap_or(POLL).min(POLL)
}

async fn deliver(hub: Arc<Hub>, due: Due) {
    let _ = try_deliver(&hub, due).await.inspect_err(report);
}

async fn try_deliver(hub: &Arc<Hub>, due: Due) -> Result<()> {
    let store = hub.store.clone();
    let Some(outgoing) = blocking(move || store.outgoing(due)).await? else { return Ok(()) };
    let attempt = match obstacle(&outgoing).await? {
        Some(reason) => {
            Attempt { url: None, status: None, note: reason.into(), verdict: Verdict::Failed }
        }
        None => hub.courier.attempt(&outgoing).await,
    };
    let store = hub.store.clone();
    blocking(move || store.webhooks().record(due, &attempt)).await
}

/// Returns why a delivery must not be sent: its owner may have lost access since the event.
async fn obstacle(outgoing: &Outgoing) -> Result<Option<&'static str>> {
    #[cfg(feature = "xet")]
    if let Some(bucket) = &outgoing.bucket
        && bucket.private
        && !outgoing.owner.belongs_to(&bucket.namespace)
    {
        return Ok(Some("not sent: the owner of the webhook does not see the bucket any more"));
    }
    let Some(repo) = outgoing.repo.clone() else { return Ok(None) };
    let owner = outgoing.owner.clone();
    let sees = blocking(move || access::user_may_see(&owner, &repo)).await?;
    Ok((!sees).then_some("not sent: the owner of the webhook does not see the repository any more"))
}

/// The repetition of a logged delivery.
#[derive(Debug)]
pub(super) enum Replay {
    /// The status of the response.
    Status(u16),
    /// There was none.
    Failed(String),
    /// Too many repetitions are running.
    Busy,
}

/// Sends a logged delivery once more. It does not wait for the queue of its webhook.
pub(super) async fn replay(hub: &Hub, outgoing: &Outgoing) -> Replay {
    match obstacle(outgoing).await.inspect_err(report) {
        Ok(None) => {}
        Ok(Some(reason)) => return Replay::Failed(reason.into()),
        Err(_) => return Replay::Failed("not sent: the owner's access is unknown".into()),
    }
    let Ok(_permit) = hub.courier.replays.try_acquire() else { return Replay::Busy };
    let attempt = hub.courier.attempt(outgoing).await;
    match attempt.status {
        Some(status) => Replay::Status(status),
        None => Replay::Failed(attempt.note),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn report(err: &anyhow::Error) {
    crate::cli::complain(&anyhow::anyhow!("webhooks: {err:#}"));
}

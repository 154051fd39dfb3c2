//! Sends one delivery to a webhook, and judges the response.

mod network;
mod post;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::StatusCode;
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::store::{Attempt, Outgoing, Verdict};
use network::Network;
use post::{Post, Received};

/// Maximum number of requests at a time.
pub(super) const MOST_AT_A_TIME: usize = 16;
/// The pause before the first repetition; each further one is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

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
    pub(super) wake: Notify,
    /// Permits for repetitions that a user has asked for.
    pub(super) replays: Semaphore,
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
    pub(super) async fn attempt(&self, outgoing: &Outgoing) -> Attempt {
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

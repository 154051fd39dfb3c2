//! The log of a job and what it uses, as server-sent events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use futures_util::Stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::super::super::access::Caller;
use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::follow::{self, Gate, Source};
use super::super::super::hub::Hub;
use super::super::super::jobs::Usage;
use super::{of, runner};
use crate::store::Job;

/// Time between two samples, as on the Hub.
const PAUSE: Duration = Duration::from_secs(1);
/// What the Hub sends to keep a connection open.
const SILENCE: &str = ": keep-alive\n\n";

/// Handles `GET /api/jobs/{namespace}/{id}/logs`. The stream ends with the job.
pub(super) fn logs(call: &Call) -> Reply {
    let job = of(call)?;
    let log = call.hub.store.jobs().log(&job.id);
    let tail = match call.query.number("tail") {
        Some(lines) => log.last(lines)?,
        None => log.tail(),
    };
    let reader = Reader { hub: call.hub.clone(), headers: call.headers.clone(), job };
    Ok(follow::log(call, tail, reader))
}

/// A job and a reader of its log or samples.
#[derive(Clone)]
struct Reader {
    hub: Arc<Hub>,
    headers: HeaderMap,
    job: Job,
}

impl Source for Reader {
    const SILENCE: &'static str = SILENCE;

    fn is_open(&self) -> Result<bool, ApiError> {
        let caller = Caller::identify(&self.hub.store, &Method::GET, &self.headers)?;
        Ok(caller.may_read_in(&self.job.namespace))
    }

    fn is_complete(&self) -> Result<bool, ApiError> {
        // A canceled job may print more until its processes have ended.
        let runs = self.hub.jobs.as_ref().is_some_and(|jobs| jobs.usage(&self.job.id).is_some());
        Ok(!runs)
    }
}

/// Handles `GET /api/jobs/{namespace}/{id}/metrics`. The stream ends with the job.
pub(super) fn metrics(call: &Call) -> Reply {
    let job = of(call)?;
    let jobs = runner(call)?;
    let usage = jobs.usage(&job.id).filter(|_| job.finished_at.is_none());
    let usage = usage.ok_or_else(ApiError::job_has_ended)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let about = About { cores, memory: jobs.memory(), replica: job.id[..5].to_owned() };
    let reader = Reader { hub: call.hub.clone(), headers: call.headers.clone(), job };
    Ok(follow::response(call, samples(usage, about, reader)))
}

struct About {
    cores: usize,
    memory: u64,
    replica: String,
}

impl About {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    fn event(&self, usage: Usage) -> Bytes {
        let share = usage.processor / self.cores as f64;
        let data = json!({
            "cpu_usage_pct": (share * 100.0).round() / 100.0,
            "cpu_millicores": self.cores * 1000,
            "memory_used_bytes": usage.memory,
            "memory_total_bytes": self.memory,
            "rx_bps": 0,
            "tx_bps": 0,
            "gpus": {},
            "replica": self.replica,
        });
        Bytes::from(format!("event: metric\ndata: {data}\n\n"))
    }
}

fn samples(
    mut usage: watch::Receiver<Option<Usage>>,
    about: About,
    reader: Reader,
) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let (mut gate, mut next) = (Gate::new(reader.hub.options.keep_alive), Instant::now());
        'job: loop {
            let asked = reader.clone();
            if !gate.is_open(move || asked.is_open()).await? {
                break;
            }
            // A job that waits for its turn has no samples yet.
            let sample = *usage.borrow_and_update();
            let event = sample.map_or_else(|| Bytes::from_static(SILENCE.as_bytes()), |usage| about.event(usage));
            yield event;
            next += PAUSE;
            while Instant::now() < next {
                tokio::select! {
                    () = sleep_until(next) => {}
                    changed = usage.changed() => if changed.is_err() { break 'job },
                }
                // The first sample is not waited for any longer.
                if sample.is_none() && usage.borrow().is_some() {
                    next = Instant::now();
                }
            }
        }
    }
}

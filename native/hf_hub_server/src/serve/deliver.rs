//! Sends what waits for webhooks.
//!
//! The queues are in the database, so nothing is lost when the server stops. One process on a root
//! sends; within a webhook, one delivery after the other. A receiver may get one twice: if the
//! server stops between its response and the record of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::task::{Id, JoinSet};

use super::access;
use super::courier::MOST_AT_A_TIME;
use super::hub::Hub;
use crate::store::{Attempt, Due, Outgoing, Verdict};

/// How long another process's events may wait until they are noticed.
const POLL: Duration = Duration::from_secs(2);

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
    crate::console::complain(&anyhow::anyhow!("webhooks: {err:#}"));
}

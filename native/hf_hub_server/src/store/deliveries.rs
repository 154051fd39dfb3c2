//! What is sent to webhooks: a queue for each of them, and a log.
//!
//! Deliveries stay in the queue until the receiver has accepted them or they are given up, so a
//! restart loses none. Queues and logs are bounded: a receiver that is gone fills nothing.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};
use serde_json::Value;

use super::about::About;
use super::db;
use super::delivery_log;
use super::repo::{self, Repo};
use super::users::User;
use super::webhooks::{self, Webhook, WebhookState, Webhooks};
use super::{Store, disk};

/// Maximum number of waiting deliveries of a webhook; more events are logged, but not sent.
const MOST_WAITING: i64 = 500;
/// Number of deliveries given up in a row after which a webhook is suspended.
const MOST_FAILURES: i64 = 10;
/// Maximum number of requests to the webhooks of one user at a time.
const MOST_OF_USER: usize = 4;
const FULL: &str = "not sent: too many deliveries are waiting";

/// A delivery in the log.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Its id: 24 hex digits.
    pub(crate) object_id: String,
    /// Scope and action of the event.
    pub(crate) event: String,
    /// The payload.
    pub(crate) payload: String,
    /// Whether it is waiting, delivered or failed.
    pub(crate) state: String,
    /// When the event happened.
    pub(crate) created_at: Timestamp,
    /// The number of requests so far.
    pub(crate) tries: u32,
    /// When it was delivered or given up.
    pub(crate) finished_at: Option<Timestamp>,
    /// The URL of the last request.
    pub(crate) url: Option<String>,
    /// The status of the last response.
    pub(crate) status: Option<u16>,
    /// The start of the last response, or why there was none.
    pub(crate) note: Option<String>,
}

/// A delivery at the head of its queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    delivery: i64,
    /// Identifies the webhook.
    pub(crate) webhook: i64,
    /// Identifies its owner.
    pub(crate) owner: i64,
}

/// What has to be sent now.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// The heads of queues whose time has come.
    pub(crate) due: Vec<Due>,
    /// When the time of the next one comes.
    pub(crate) next: Option<Timestamp>,
}

/// Everything that a request to a webhook needs.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The webhook.
    pub(crate) webhook: Webhook,
    /// Its owner.
    pub(crate) owner: User,
    /// The repository of the event, unless it was deleted.
    pub(crate) repo: Option<Repo>,
    /// The bucket of the event, unless it was deleted.
    #[cfg(feature = "xet")]
    pub(crate) bucket: Option<super::Bucket>,
    /// The delivery.
    pub(crate) delivery: Delivery,
}

/// The result of a request to a webhook.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The URL; none if there was no request.
    pub(crate) url: Option<String>,
    /// The status of the response.
    pub(crate) status: Option<u16>,
    /// The start of the response, or why there is none.
    pub(crate) note: String,
    /// What follows.
    pub(crate) verdict: Verdict,
}

/// What follows from a request to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver has accepted it.
    Delivered,
    /// Another attempt, after this pause.
    Again(Duration),
    /// No further attempt.
    Failed,
}

impl Webhooks {
    /// Adds an event to the queues of webhooks, each with its own payload.
    pub(crate) fn enqueue(
        &self,
        about: impl Into<About>,
        event: &str,
        payloads: &[(&Webhook, Value)],
    ) -> Result<()> {
        let now = Timestamp::now().as_microsecond();
        let (repository, bucket) = about.into().rows();
        self.db.note(|tx| {
            for (webhook, payload) in payloads {
                let trigger = tx.execute(
                    "UPDATE webhooks SET triggered_at = ?2 WHERE id = ?1 AND state = 'enabled'",
                    (webhook.row, now),
                );
                // Deleted or disabled meanwhile.
                if trigger? == 0 {
                    continue;
                }
                let is_full = waiting(tx, webhook.row)? >= MOST_WAITING;
                tx.execute(
                    "INSERT INTO webhook_deliveries (object_id, webhook_id, repository_id, event,
                       payload, state, created_at, due_at, finished_at, note, bucket_id)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10)",
                    (
                        db::new_object_id()?,
                        webhook.row,
                        repository,
                        event,
                        serde_json::to_string(payload)?,
                        if is_full { "failed" } else { "waiting" },
                        now,
                        is_full.then_some(now),
                        is_full.then_some(FULL),
                        bucket,
                    ),
                )?;
                delivery_log::prune(tx, webhook.row)?;
            }
            Ok(())
        })
    }

    /// Returns what has to be sent now, but nothing to the webhooks in `busy`, whose values are
    /// their owners: the order within a webhook is kept.
    pub(crate) fn schedule(&self, busy: &HashMap<i64, i64>, room: usize) -> Result<Schedule> {
        let now = Timestamp::now().as_microsecond();
        let mut load: HashMap<i64, usize> = HashMap::new();
        for owner in busy.values() {
            *load.entry(*owner).or_default() += 1;
        }
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT d.id, d.webhook_id, w.user_id, d.due_at FROM webhook_deliveries d
                 JOIN webhooks w ON w.id = d.webhook_id
                 WHERE d.id IN (SELECT min(id) FROM webhook_deliveries WHERE state = 'waiting'
                                GROUP BY webhook_id)
                 ORDER BY d.due_at, d.id",
            )?;
            let mut rows = query.query([])?;
            let mut schedule = Schedule::default();
            while let Some(row) = rows.next()? {
                let due = Due { delivery: row.get(0)?, webhook: row.get(1)?, owner: row.get(2)? };
                let due_at: i64 = row.get(3)?;
                if due_at > now {
                    schedule.next = Some(db::time(due_at)?);
                    break;
                }
                let load = load.entry(due.owner).or_default();
                let is_free = !busy.contains_key(&due.webhook) && *load < MOST_OF_USER;
                if is_free && schedule.due.len() < room {
                    *load += 1;
                    schedule.due.push(due);
                }
            }
            Ok(schedule)
        })
    }

    /// Stores the result of a request.
    pub(crate) fn record(&self, due: Due, attempt: &Attempt) -> Result<()> {
        let now = Timestamp::now();
        self.db.note(|tx| {
            let (state, due_at, finished_at) = match attempt.verdict {
                Verdict::Delivered => ("delivered", now, Some(now)),
                Verdict::Failed => ("failed", now, Some(now)),
                Verdict::Again(pause) => ("waiting", now.checked_add(pause)?, None),
            };
            let changed = tx.execute(
                "UPDATE webhook_deliveries
                 SET state = ?2, due_at = ?3, finished_at = ?4, tries = tries + ?5,
                     url = coalesce(?6, url), status = ?7, note = ?8
                 WHERE id = ?1 AND state = 'waiting'",
                (
                    due.delivery,
                    state,
                    due_at.as_microsecond(),
                    finished_at.map(Timestamp::as_microsecond),
                    i64::from(attempt.url.is_some()),
                    &attempt.url,
                    attempt.status,
                    &attempt.note,
                ),
            )?;
            // Given up or deleted meanwhile.
            if changed == 0 || finished_at.is_none() {
                return Ok(());
            }
            if attempt.url.is_some() {
                count_failure(tx, due.webhook, attempt.verdict == Verdict::Failed)?;
            }
            delivery_log::prune(tx, due.webhook)
        })
    }

    /// Returns the log of a webhook and what waits, newest first.
    pub(crate) fn log(&self, webhook: &Webhook) -> Result<Vec<Delivery>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM webhook_deliveries WHERE webhook_id = ?1 ORDER BY id DESC"
            ))?;
            let mut rows = query.query([webhook.row])?;
            let mut log = Vec::new();
            while let Some(row) = rows.next()? {
                log.push(read(row)?);
            }
            Ok(log)
        })
    }
}

impl Store {
    /// Waits until no other process on this root sends anything to webhooks. Released when dropped.
    pub(crate) fn delivery_lock(&self) -> Result<disk::Lock> {
        disk::Lock::acquire(&self.root.join("webhooks.lock"))
    }

    /// Returns what a due delivery needs; `None` if it is not waiting any more.
    pub(crate) fn outgoing(&self, due: Due) -> Result<Option<Outgoing>> {
        let waits = |delivery: &Delivery| delivery.state == "waiting";
        Ok(self.load(due.webhook, "id = ?2", due.delivery)?.filter(|found| waits(&found.delivery)))
    }

    /// Returns what a repeated delivery needs; `None` if it is not in the log.
    pub(crate) fn logged(&self, webhook: &Webhook, id: &str) -> Result<Option<Outgoing>> {
        self.load(webhook.row, "object_id = ?2", id)
    }

    fn load(
        &self,
        webhook: i64,
        condition: &str,
        id: impl rusqlite::ToSql,
    ) -> Result<Option<Outgoing>> {
        let found = self.db.read(|tx| {
            let Some((webhook, owner)) = Webhooks::by_row(tx, webhook)? else { return Ok(None) };
            let mut query = tx.prepare_cached(&format!(
                "SELECT {COLUMNS}, repository_id, bucket_id FROM webhook_deliveries
                 WHERE webhook_id = ?1 AND {condition}"
            ))?;
            let mut rows = query.query(rusqlite::params![webhook.row, id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let (delivery, repository) = (read(row)?, row.get::<_, i64>(10)?);
            let bucket = row.get::<_, Option<i64>>(11)?;
            Ok(Some((webhook, owner, delivery, repo::key_of(tx, repository)?, bucket)))
        })?;
        let Some((mut webhook, owner, delivery, key, bucket)) = found else { return Ok(None) };
        self.open_secret(&mut webhook)?;
        let repo = key.map(|key| self.locate(&key)).transpose()?.and_then(super::Lookup::found);
        #[cfg(feature = "xet")]
        let bucket = bucket.map(|row| self.buckets().by_row(row)).transpose()?.flatten();
        #[cfg(not(feature = "xet"))]
        let _ = bucket;
        Ok(Some(Outgoing {
            webhook,
            owner,
            repo,
            #[cfg(feature = "xet")]
            bucket,
            delivery,
        }))
    }
}

const COLUMNS: &str =
    "object_id, event, payload, state, created_at, tries, finished_at, url, status, note";

fn read(row: &Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        object_id: row.get(0)?,
        event: row.get(1)?,
        payload: row.get(2)?,
        state: row.get(3)?,
        created_at: db::time(row.get(4)?)?,
        tries: row.get(5)?,
        finished_at: row.get::<_, Option<i64>>(6)?.map(db::time).transpose()?,
        url: row.get(7)?,
        status: row.get(8)?,
        note: row.get(9)?,
    })
}

/// Counts the deliveries given up in a row, and suspends a webhook with too many of them.
fn count_failure(tx: &Transaction<'_>, webhook: i64, has_failed: bool) -> Result<()> {
    let failures = tx
        .query_row(
            "UPDATE webhooks SET failures = iif(?2, failures + 1, 0) WHERE id = ?1
             RETURNING failures",
            (webhook, has_failed),
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    if failures.is_some_and(|failures| failures >= MOST_FAILURES) {
        webhooks::set_state(tx, webhook, WebhookState::Suspended)?;
        delivery_log::give_up(tx, webhook, "the webhook was suspended after failures")?;
    }
    Ok(())
}

fn waiting(tx: &Transaction<'_>, webhook: i64) -> Result<i64> {
    let mut query = tx.prepare_cached(
        "SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ?1 AND state = 'waiting'",
    )?;
    Ok(query.query_row([webhook], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::super::{Domain, RepoKey, RepoKind, Settings, Watched, WatchedKind, WebhookSpec};
    use super::*;

    struct Fixture {
        root: tempfile::TempDir,
        webhooks: Webhooks,
        webhook: Webhook,
        repo: Repo,
    }

    fn fixture() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let token = super::super::Token::new("hf_me", super::super::Role::Write).unwrap();
        store.users().add("me", &[], &token).unwrap();
        let key = RepoKey::new(RepoKind::Model, "me/m".parse().unwrap());
        let repo = store.create_repo(&key, Settings::new(&key), &[], "me").unwrap().unwrap();
        let watched = vec![Watched { kind: WatchedKind::User, name: "me".into() }];
        let domains = vec![Domain::Repo];
        let url = "http://localhost/".to_owned();
        let spec = WebhookSpec { url, watched, domains, secret: None };
        let webhooks = store.webhooks();
        let webhook = webhooks.create("me", &spec).unwrap();
        Fixture { root, webhooks, webhook, repo }
    }

    impl Fixture {
        fn enqueue(&self, count: usize) {
            let payload = [(&self.webhook, Value::Null)];
            for _ in 0..count {
                self.webhooks.enqueue(&self.repo, "repo:update", &payload).unwrap();
            }
        }

        fn due(&self) -> Vec<Due> {
            self.webhooks.schedule(&HashMap::new(), 16).unwrap().due
        }

        fn finish(&self, verdict: Verdict) {
            let (status, note) = (Some(500), String::new());
            let attempt = Attempt { url: Some("x".into()), status, note, verdict };
            self.webhooks.record(self.due()[0], &attempt).unwrap();
        }

        fn log(&self, state: &str) -> usize {
            let log = self.webhooks.log(&self.webhook).unwrap();
            log.iter().filter(|delivery| delivery.state == state).count()
        }

        fn state(&self) -> WebhookState {
            self.webhooks.get("me", &self.webhook.object_id).unwrap().unwrap().state
        }
    }

    #[test]
    fn a_queue_and_its_log_are_bounded() {
        let hub = fixture();
        hub.enqueue(505);
        assert_eq!((hub.log("waiting"), hub.log("failed")), (500, 5));
        (0..110).for_each(|_| hub.finish(Verdict::Delivered));
        assert_eq!((hub.log("waiting"), hub.log("delivered"), hub.log("failed")), (390, 95, 5));
    }

    #[test]
    fn failures_in_a_row_suspend_a_webhook_until_it_is_enabled() {
        let hub = fixture();
        hub.enqueue(20);
        (0..9).for_each(|_| hub.finish(Verdict::Failed));
        hub.finish(Verdict::Delivered);
        (0..9).for_each(|_| hub.finish(Verdict::Failed));
        assert_eq!(hub.state(), WebhookState::Enabled);
        hub.enqueue(1);
        hub.finish(Verdict::Failed);
        assert_eq!((hub.state(), hub.log("waiting")), (WebhookState::Suspended, 0));
        hub.enqueue(1);
        assert_eq!(hub.log("waiting"), 0);
        hub.webhooks.set_enabled(&hub.webhook, true).unwrap();
        hub.enqueue(1);
        assert_eq!(hub.log("waiting"), 1);
    }

    #[test]
    fn a_repetition_waits_and_holds_back_what_follows() {
        let hub = fixture();
        hub.enqueue(2);
        hub.finish(Verdict::Again(Duration::from_mins(1)));
        let schedule = hub.webhooks.schedule(&HashMap::new(), 16).unwrap();
        assert!(schedule.due.is_empty() && schedule.next.is_some());
        assert_eq!(hub.log("waiting"), 2);
    }

    #[test]
    fn gives_each_owner_a_share_of_the_requests() {
        let hub = fixture();
        let mine = (0..6).map(|_| hub.webhooks.create("me", &hub.webhook.spec).unwrap());
        let mine = mine.collect::<Vec<_>>();
        let payloads = mine.iter().map(|webhook| (webhook, Value::Null)).collect::<Vec<_>>();
        hub.webhooks.enqueue(&hub.repo, "repo:update", &payloads).unwrap();
        let due = hub.due();
        assert_eq!(due.len(), MOST_OF_USER);
        let busy = due.iter().take(3).map(|due| (due.webhook, due.owner)).collect();
        assert_eq!(hub.webhooks.schedule(&busy, 16).unwrap().due.len(), 1);
    }

    #[test]
    fn a_secret_is_stored_encrypted_and_sent_as_it_was() {
        let hub = fixture();
        let spec = WebhookSpec { secret: Some("s3cret".into()), ..hub.webhook.spec.clone() };
        hub.webhooks.update(&hub.webhook, &spec).unwrap();
        let column = "SELECT secret FROM webhooks";
        let stored = |tx: &Transaction<'_>| Ok(tx.query_row(column, [], |row| row.get(0))?);
        let stored: String = hub.webhooks.db.read(stored).unwrap();
        assert!(!stored.contains("s3cret") && !stored.contains(&hex::encode("s3cret")));
        hub.enqueue(1);
        let store = Store::open(hub.root.path()).unwrap();
        let sent = store.outgoing(hub.due()[0]).unwrap().unwrap().webhook.spec;
        assert_eq!(sent.secret.as_deref(), Some("s3cret"));
        assert!(!format!("{sent:?}").contains("s3cret"));
    }

    #[test]
    fn disabling_a_webhook_empties_its_queue() {
        let hub = fixture();
        hub.enqueue(3);
        hub.webhooks.set_enabled(&hub.webhook, false).unwrap();
        hub.enqueue(1);
        assert_eq!((hub.log("waiting"), hub.log("failed")), (0, 3));
    }
}

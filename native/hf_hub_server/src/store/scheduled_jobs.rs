//! Jobs that start at set times.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use super::Store;
use super::db::{self, Db};
use super::jobs::{NewJob, Spec};

/// A job that starts at set times.
#[derive(Clone, Debug)]
pub(crate) struct Scheduled {
    /// Its id: 24 hex digits.
    pub(crate) id: String,
    /// The user or organization that it belongs to.
    pub(crate) namespace: String,
    /// The user who has created it, in the format of the API.
    pub(crate) initiator: Value,
    /// What its jobs run.
    pub(crate) spec: Spec,
    /// The names of their secrets.
    pub(crate) secret_names: Vec<String>,
    /// When they start.
    pub(crate) schedule: String,
    /// Whether they do not start for now.
    pub(crate) suspended: bool,
    /// Whether one may start while another one runs.
    pub(crate) concurrency: bool,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// The id of the last job, and when that was started.
    pub(crate) last: Option<(String, Timestamp)>,
    /// When the next one starts.
    pub(crate) next_at: Option<Timestamp>,
}

/// A scheduled job that does not exist yet.
pub(crate) struct NewScheduled {
    /// What its jobs are made of.
    pub(crate) job: NewJob,
    /// When they start.
    pub(crate) schedule: String,
    /// Whether they do not start for now.
    pub(crate) suspended: bool,
    /// Whether one may start while another one runs.
    pub(crate) concurrency: bool,
    /// When the first one starts.
    pub(crate) next_at: Option<Timestamp>,
}

/// The scheduled jobs.
#[derive(Debug)]
pub(crate) struct ScheduledJobs {
    db: Db,
    store: Store,
}

impl Store {
    /// Returns the scheduled jobs.
    pub(crate) fn scheduled_jobs(&self) -> ScheduledJobs {
        ScheduledJobs { db: self.db.clone(), store: self.clone() }
    }
}

const SELECT: &str =
    "SELECT object_id, namespace, initiator, spec, secret_names, schedule, suspended,
    concurrency, created_at, last_job, last_at, next_at FROM scheduled_jobs";

impl ScheduledJobs {
    /// Creates a scheduled job.
    pub(crate) fn create(&self, new: &NewScheduled) -> Result<Scheduled> {
        let id = db::new_object_id()?;
        let job = &new.job;
        let sealed = self.store.jobs().seal(&id, &job.secrets)?;
        let names = job.secrets.keys().collect::<Vec<_>>();
        self.db.write(|tx| {
            tx.execute(
                "INSERT INTO scheduled_jobs
                   (object_id, namespace, initiator, spec, secret_names, secrets, schedule,
                    suspended, concurrency, created_at, next_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    id,
                    job.namespace,
                    job.initiator.to_string(),
                    serde_json::to_string(&job.spec)?,
                    serde_json::to_string(&names)?,
                    sealed,
                    new.schedule,
                    new.suspended,
                    new.concurrency,
                    Timestamp::now().as_microsecond(),
                    new.next_at.map(Timestamp::as_microsecond),
                ],
            )?;
            load(tx, &id)?.context("the scheduled job is gone")
        })
    }

    /// Returns a scheduled job of a namespace.
    pub(crate) fn find(&self, namespace: &str, id: &str) -> Result<Option<Scheduled>> {
        let found = self.db.read(|tx| load(tx, id))?;
        Ok(found.filter(|found| found.namespace.eq_ignore_ascii_case(namespace)))
    }

    /// Returns the scheduled jobs of a namespace, the newest one first.
    pub(crate) fn list(&self, namespace: &str) -> Result<Vec<Scheduled>> {
        let of = db::EXACT_NAMESPACE;
        self.select(&format!("WHERE {of} ORDER BY id DESC"), [namespace])
    }

    /// Returns those whose time has come.
    pub(crate) fn due(&self, now: Timestamp) -> Result<Vec<Scheduled>> {
        self.select(
            "WHERE NOT suspended AND next_at <= ?1 ORDER BY next_at",
            [now.as_microsecond()],
        )
    }

    /// Returns when the next job after a time starts.
    pub(crate) fn next(&self, after: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT min(next_at) FROM scheduled_jobs WHERE NOT suspended AND next_at > ?1";
        let after = after.as_microsecond();
        let next: Option<i64> =
            self.db.read(|tx| Ok(tx.query_row(sql, [after], |row| row.get(0))?))?;
        next.map(db::time).transpose()
    }

    /// Returns the secrets of its jobs.
    pub(crate) fn secrets(&self, id: &str) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT secrets FROM scheduled_jobs WHERE object_id = ?1";
        let sealed: Vec<u8> = self.db.read(|tx| Ok(tx.query_row(sql, [id], |row| row.get(0))?))?;
        self.store.jobs().unseal(id, &sealed)
    }

    /// Changes labels, schedule, last and next time, and whether it is suspended; returns it, unless
    /// it was deleted meanwhile.
    pub(crate) fn update(
        &self,
        id: &str,
        change: impl FnOnce(&mut Scheduled),
    ) -> Result<Option<Scheduled>> {
        self.db.write(|tx| {
            let Some(mut scheduled) = load(tx, id)? else { return Ok(None) };
            change(&mut scheduled);
            let (last_job, last_at) = scheduled.last.clone().unzip();
            tx.execute(
                "UPDATE scheduled_jobs SET spec = ?2, schedule = ?3, suspended = ?4, last_job = ?5,
                   last_at = ?6, next_at = ?7
                 WHERE object_id = ?1",
                params![
                    id,
                    serde_json::to_string(&scheduled.spec)?,
                    scheduled.schedule,
                    scheduled.suspended,
                    last_job,
                    last_at.map(Timestamp::as_microsecond),
                    scheduled.next_at.map(Timestamp::as_microsecond),
                ],
            )?;
            Ok(Some(scheduled))
        })
    }

    /// Deletes a scheduled job, not the jobs that it has started.
    pub(crate) fn delete(&self, id: &str) -> Result<()> {
        let sql = "DELETE FROM scheduled_jobs WHERE object_id = ?1";
        self.db.write(|tx| Ok(tx.execute(sql, [id]).map(drop)?))
    }

    fn select(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Scheduled>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&format!("{SELECT} {condition}"))?;
            let mut rows = query.query(values)?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(read(row)?);
            }
            Ok(all)
        })
    }
}

fn load(tx: &Transaction<'_>, id: &str) -> Result<Option<Scheduled>> {
    let mut query = tx.prepare_cached(&format!("{SELECT} WHERE object_id = ?1"))?;
    let mut rows = query.query([id])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Scheduled> {
    let time = |index| row.get::<_, Option<i64>>(index)?.map(db::time).transpose();
    let last_job: Option<String> = row.get(9)?;
    Ok(Scheduled {
        id: row.get(0)?,
        namespace: row.get(1)?,
        initiator: serde_json::from_str(row.get_ref(2)?.as_str()?)?,
        spec: serde_json::from_str(row.get_ref(3)?.as_str()?)?,
        secret_names: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
        schedule: row.get(5)?,
        suspended: row.get(6)?,
        concurrency: row.get(7)?,
        created_at: db::time(row.get(8)?)?,
        last: last_job.zip(time(10)?),
        next_at: time(11)?,
    })
}

//! Jobs: what was asked for, and how far each has come. What they print is in their logs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Row, Transaction, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::db::{self, Db};
use super::disk::Lock;
use super::log::Log;
use super::{Store, disk};

/// Maximum number of ended jobs of a namespace; older ones are forgotten.
const MOST_ENDED: usize = 1000;

/// Maximum number of jobs of a namespace that wait or run.
pub(crate) const MOST_UNFINISHED: i64 = 1000;

/// What a job runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    /// The name of a Docker image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) docker_image: Option<String>,
    /// The Space whose image was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) space_id: Option<String>,
    /// The command.
    pub(crate) command: Vec<String>,
    /// Its further arguments.
    pub(crate) arguments: Vec<String>,
    /// Environment variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// The hardware.
    pub(crate) flavor: String,
    /// Seconds after which it is stopped.
    pub(crate) timeout: u64,
    /// Number of attempts after a failed one.
    pub(crate) retry: u32,
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The ports that it listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expose: Option<Expose>,
    /// The network group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Value>,
}

/// Ports of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expose {
    /// All of them.
    #[serde(default)]
    pub(crate) ports: Vec<u16>,
    /// Those that need no token.
    #[serde(default)]
    pub(crate) ports_public: Vec<u16>,
}

/// How far a job has come, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    Scheduling,
    Running,
    Completed,
    Canceled,
    Error,
}

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Its id: 24 hex digits.
    pub(crate) id: String,
    /// The user or organization that it belongs to.
    pub(crate) namespace: String,
    /// What has started it, in the format of the API.
    pub(crate) initiator: Value,
    /// What it runs.
    pub(crate) spec: Spec,
    /// The names of its secrets.
    pub(crate) secret_names: Vec<String>,
    /// How far it has come.
    pub(crate) stage: Stage,
    /// The reason of the stage.
    pub(crate) message: Option<String>,
    /// Number of failed attempts.
    pub(crate) failures: u32,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// When it was started.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
}

/// A job that does not exist yet.
pub(crate) struct NewJob {
    /// The user or organization that it belongs to.
    pub(crate) namespace: String,
    /// What has started it, in the format of the API.
    pub(crate) initiator: Value,
    /// What it runs.
    pub(crate) spec: Spec,
    /// Secret environment variables.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// Their namespace.
    pub(crate) namespace: String,
    /// One of these stages; empty for all.
    pub(crate) stages: Vec<String>,
    /// All of these labels.
    pub(crate) labels: Vec<(String, String)>,
    /// Number of jobs to skip.
    pub(crate) skip: usize,
    /// Maximum number.
    pub(crate) limit: usize,
}

/// The jobs.
#[derive(Debug)]
pub(crate) struct Jobs {
    db: Db,
    folder: PathBuf,
    store: Store,
}

impl Store {
    /// Returns the jobs.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs { db: self.db.clone(), folder: self.root.join("jobs"), store: self.clone() }
    }
}

impl Jobs {
    /// Returns the lock of the process that runs jobs; `None` if another one has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>> {
        Lock::try_acquire(&self.folder.with_file_name("jobs.lock"))
    }

    /// Creates a job; `None` if the namespace has [`MOST_UNFINISHED`].
    pub(crate) fn create(&self, new: &NewJob) -> Result<Option<Job>> {
        let id = db::new_object_id()?;
        let names = new.secrets.keys().cloned().collect::<Vec<_>>();
        let sealed = self.seal(&id, &new.secrets)?;
        let created = self.db.write(|tx| {
            if unfinished(tx, &new.namespace)? >= MOST_UNFINISHED {
                return Ok(None);
            }
            tx.execute(
                "INSERT INTO jobs
                   (object_id, namespace, initiator, spec, secret_names, secrets, stage, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    id,
                    new.namespace,
                    new.initiator.to_string(),
                    serde_json::to_string(&new.spec)?,
                    serde_json::to_string(&names)?,
                    sealed,
                    db::word(&Stage::Scheduling)?,
                    Timestamp::now().as_microsecond(),
                ],
            )?;
            let forgotten = forget(tx, &new.namespace)?;
            Ok(Some((load(tx, &id)?.context("the job is gone")?, forgotten)))
        })?;
        let Some((job, forgotten)) = created else { return Ok(None) };
        self.remove_logs(&forgotten)?;
        Ok(Some(job))
    }

    /// Removes the logs of jobs that were deleted.
    pub(crate) fn remove_logs(&self, ids: &[String]) -> Result<()> {
        ids.iter().try_for_each(|id| self.log(id).remove())
    }

    /// Returns a job of a namespace.
    pub(crate) fn find(&self, namespace: &str, id: &str) -> Result<Option<Job>> {
        let found = self.db.read(|tx| load(tx, id))?;
        Ok(found.filter(|job| job.namespace.eq_ignore_ascii_case(namespace)))
    }

    /// Returns jobs, the newest one first.
    pub(crate) fn list(&self, search: &Search) -> Result<Vec<Job>> {
        let mut sql = format!("{SELECT} WHERE {}", db::EXACT_NAMESPACE);
        let mut values = vec![SqlValue::from(search.namespace.clone())];
        if !search.stages.is_empty() {
            let places = vec!["?"; search.stages.len()].join(", ");
            write!(sql, " AND stage IN ({places})")?;
            values.extend(search.stages.iter().cloned().map(SqlValue::from));
        }
        for (name, value) in &search.labels {
            sql.push_str(HAS_LABEL);
            values.extend([name.clone().into(), value.clone().into()]);
        }
        sql.push_str(" ORDER BY id DESC LIMIT ? OFFSET ?");
        values.extend([db::number(search.limit).into(), db::number(search.skip).into()]);
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(values))?;
            let mut jobs = Vec::new();
            while let Some(row) = rows.next()? {
                jobs.push(read(row)?);
            }
            Ok(jobs)
        })
    }

    /// Returns the secrets of a job.
    pub(crate) fn secrets(&self, id: &str) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT secrets FROM jobs WHERE object_id = ?1";
        let sealed: Vec<u8> = self.db.read(|tx| Ok(tx.query_row(sql, [id], |row| row.get(0))?))?;
        self.unseal(id, &sealed)
    }

    /// Encrypts the secrets of a job with this id.
    pub(super) fn seal(&self, id: &str, secrets: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        self.store.sealer()?.seal(&place(id), &serde_json::to_string(secrets)?)
    }

    /// Decrypts the secrets of a job with this id.
    pub(super) fn unseal(&self, id: &str, sealed: &[u8]) -> Result<BTreeMap<String, String>> {
        Ok(serde_json::from_str(&self.store.sealer()?.open(&place(id), sealed)?)?)
    }

    /// Whether a namespace has [`MOST_UNFINISHED`], so that no job of it can start.
    pub(crate) fn is_full(&self, namespace: &str) -> Result<bool> {
        self.db.read(|tx| Ok(unfinished(tx, namespace)? >= MOST_UNFINISHED))
    }

    /// Whether a job of a scheduled job waits or runs.
    pub(crate) fn has_unfinished(&self, scheduled: &str) -> Result<bool> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT 1 FROM jobs
                 WHERE finished_at IS NULL AND json_extract(initiator, '$.id') = ?1",
            )?;
            Ok(query.exists([scheduled])?)
        })
    }

    /// Changes what is known about a job, not how far it has come, and returns it.
    pub(crate) fn update(&self, id: &str, change: impl FnOnce(&mut Spec)) -> Result<Job> {
        self.db.write(|tx| {
            let mut job = load(tx, id)?.context("the job is gone")?;
            change(&mut job.spec);
            let spec = serde_json::to_string(&job.spec)?;
            tx.execute("UPDATE jobs SET spec = ?2 WHERE object_id = ?1", (id, spec))?;
            Ok(job)
        })
    }

    /// Records that a job runs; `false` if it has been canceled.
    pub(crate) fn started(&self, id: &str) -> Result<bool> {
        self.db.write(|tx| {
            let changed = tx.execute(
                "UPDATE jobs SET stage = ?2, started_at = ?3
                 WHERE object_id = ?1 AND finished_at IS NULL",
                (id, db::word(&Stage::Running)?, Timestamp::now().as_microsecond()),
            )?;
            Ok(changed > 0)
        })
    }

    /// Records a failed attempt.
    pub(crate) fn failed(&self, id: &str) -> Result<()> {
        let sql = "UPDATE jobs SET failures = failures + 1 WHERE object_id = ?1";
        self.db.write(|tx| Ok(tx.execute(sql, [id]).map(drop)?))
    }

    /// Records the end of a job; `false` if it has ended already.
    pub(crate) fn ended(&self, id: &str, stage: Stage, message: Option<&str>) -> Result<bool> {
        self.db.write(|tx| {
            let changed = tx.execute(
                "UPDATE jobs SET stage = ?2, message = ?3, finished_at = ?4
                 WHERE object_id = ?1 AND finished_at IS NULL",
                (id, db::word(&stage)?, message, Timestamp::now().as_microsecond()),
            )?;
            Ok(changed > 0)
        })
    }

    /// Records that the jobs of an earlier process have failed.
    pub(crate) fn abandon(&self, message: &str) -> Result<()> {
        self.db.write(|tx| {
            tx.execute(
                "UPDATE jobs SET stage = ?1, message = ?2, finished_at = ?3
                 WHERE finished_at IS NULL",
                (db::word(&Stage::Error)?, message, Timestamp::now().as_microsecond()),
            )?;
            Ok(())
        })
    }

    /// Removes the files of the jobs of an earlier process.
    pub(crate) fn clear(&self) -> Result<()> {
        disk::remove_foreign_folder(&self.folder.join("work"))
    }

    /// Returns the log of a job.
    pub(crate) fn log(&self, id: &str) -> Log {
        Log::new(self.folder.join("logs").join(format!("{id}.log")))
    }

    /// Returns the folder in which a job runs; it exists while the job runs.
    pub(crate) fn work_folder(&self, id: &str) -> PathBuf {
        self.folder.join("work").join(id)
    }
}

const SELECT: &str = "SELECT object_id, namespace, initiator, spec, secret_names, stage, message,
    failures, created_at, started_at, finished_at FROM jobs";
const HAS_LABEL: &str = " AND EXISTS
    (SELECT 1 FROM json_each(spec, '$.labels') AS label WHERE label.key = ? AND label.value = ?)";

/// Encrypted secrets cannot be moved to another job.
fn place(id: &str) -> String {
    format!("job {id}")
}

fn load(tx: &Transaction<'_>, id: &str) -> Result<Option<Job>> {
    let mut query = tx.prepare_cached(&format!("{SELECT} WHERE object_id = ?1"))?;
    let mut rows = query.query([id])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Job> {
    let time = |index| Ok::<_, anyhow::Error>(row.get::<_, Option<i64>>(index)?.map(db::time));
    Ok(Job {
        id: row.get(0)?,
        namespace: row.get(1)?,
        initiator: serde_json::from_str(row.get_ref(2)?.as_str()?)?,
        spec: serde_json::from_str(row.get_ref(3)?.as_str()?)?,
        secret_names: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
        stage: db::from_word(row.get_ref(5)?.as_str()?)?,
        message: row.get(6)?,
        failures: row.get(7)?,
        created_at: db::time(row.get(8)?)?,
        started_at: time(9)?.transpose()?,
        finished_at: time(10)?.transpose()?,
    })
}

/// Counts the jobs of a namespace that wait or run.
fn unfinished(tx: &Transaction<'_>, namespace: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND namespace = ?1";
    Ok(tx.prepare_cached(sql)?.query_row([namespace], |row| row.get(0))?)
}

/// Forgets the oldest ended jobs of a namespace, and returns their ids.
fn forget(tx: &Transaction<'_>, namespace: &str) -> Result<Vec<String>> {
    let mut query = tx.prepare_cached(
        "DELETE FROM jobs WHERE finished_at IS NOT NULL AND id IN
           (SELECT id FROM jobs WHERE namespace = ?1 AND finished_at IS NOT NULL
            ORDER BY id DESC LIMIT -1 OFFSET ?2)
         RETURNING object_id",
    )?;
    let ids = query.query_map((namespace, db::number(MOST_ENDED)), |row| row.get(0))?;
    Ok(ids.collect::<Result<Vec<_>, _>>()?)
}

//! What the database knows of the files on each main branch, so that lists do not open git.
//!
//! A repository is marked whenever it may have changed, and read again before the next list.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use git2::{ErrorCode, Oid};
use rusqlite::{OptionalExtension, Transaction};
use serde_json::Value;

use super::db::Db;
use super::facts::{self, Facts, Properties};
use super::git::{Git, MAIN_REF, main_of};
use super::repo_id::{RepoKey, RepoKind};
use super::{Repo, Store, disk, first_commit};

/// Increase it when [`facts`] reads something else from the same files.
const VERSION: &str = "1";
/// Number of repositories that are stored in one transaction.
const BATCH: usize = 200;
/// The facts that a list shows by default.
const SUMMARY: [&str; 4] = ["library_name", "pipeline_tag", "sdk", "tags"];

/// The index; copies share it.
#[derive(Clone, Debug)]
pub(super) struct Index {
    db: Db,
    /// Whether a mark could not be stored.
    is_lost: Arc<AtomicBool>,
    /// Held while repositories are read: other lists wait instead of reading the same ones.
    reading: Arc<Mutex<()>>,
}

/// A marked repository.
struct Marked {
    row: i64,
    key: RepoKey,
    git_dir: PathBuf,
    changes: i64,
    head: Option<String>,
    /// Whether its first commit is still in the database.
    is_waiting: bool,
}

/// What was found in a marked repository.
enum Found {
    Unchanged,
    NoMain,
    Changed(Box<Facts>),
}

impl Index {
    pub(super) fn open(db: Db) -> Result<Self> {
        let is_current = db.read(|tx| Ok(version(tx)?.as_deref() == Some(VERSION)))?;
        if !is_current {
            db.write(|tx| {
                tx.execute("UPDATE repositories SET changes = changes + 1, head = NULL", [])?;
                tx.execute(
                    "INSERT INTO meta (name, value) VALUES ('index_version', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    [VERSION],
                )?;
                Ok(())
            })?;
        }
        Ok(Self { db, is_lost: Arc::default(), reading: Arc::default() })
    }

    /// Marks a repository as changed.
    pub(super) fn mark(&self, key: &RepoKey) {
        let marked = self.db.note(|tx| {
            let mut mark = tx.prepare_cached(
                "UPDATE repositories SET changes = changes + 1 WHERE kind = ?1 AND full_id = ?2",
            )?;
            Ok(mark.execute((key.kind.singular(), key.id.to_string()))?)
        });
        // On a full disk what fits into it can still be committed.
        if marked.is_err() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

fn version(tx: &Transaction<'_>) -> Result<Option<String>> {
    let mut query = tx.prepare("SELECT value FROM meta WHERE name = 'index_version'")?;
    Ok(query.query_row([], |row| row.get(0)).optional()?)
}

impl Store {
    /// Marks repositories whose main branch is not the one that the index knows: another program has
    /// moved it, or a process was killed.
    pub(crate) fn find_changes(&self) -> Result<()> {
        let differs =
            |marked: &Marked| !marked.is_waiting && main_of(&marked.git_dir) != marked.head;
        let changed = self.known("TRUE")?.into_iter().filter(differs).collect::<Vec<_>>();
        for batch in changed.chunks(BATCH) {
            self.db.note(|tx| {
                let sql = "UPDATE repositories SET changes = changes + 1 WHERE id = ?1";
                let mut mark = tx.prepare_cached(sql)?;
                batch.iter().try_for_each(|marked| mark.execute([marked.row]).map(drop))?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Reads the marked repositories.
    pub(crate) fn refresh(&self) -> Result<()> {
        match self.try_refresh() {
            // Lists then show what was known before.
            Err(err) if disk::is_full(&err) => Ok(()),
            result => result,
        }
    }

    fn try_refresh(&self) -> Result<()> {
        if !self.index.is_lost.load(Ordering::Relaxed) && !self.has_marked()? {
            return Ok(());
        }
        let _reading = self.index.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.index.is_lost.swap(false, Ordering::Relaxed) {
            self.find_changes()
                .inspect_err(|_| self.index.is_lost.store(true, Ordering::Relaxed))?;
        }
        for batch in self.known("changes <> indexed")?.chunks(BATCH) {
            // One that cannot be read now keeps its mark, and what was known of it.
            let found = batch.iter().filter_map(|marked| Some((marked, self.look(marked).ok()?)));
            let found = found.collect::<Vec<_>>();
            self.db
                .note(|tx| found.iter().try_for_each(|(marked, found)| save(tx, marked, found)))?;
        }
        Ok(())
    }

    /// Returns what the index knows of the files of a commit; `None` if that is not the one it has
    /// read.
    pub(crate) fn known_facts(&self, repo: &Repo, commit: Oid) -> Result<Option<Properties>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT f.facts FROM repository_facts f JOIN repositories r ON r.id = f.repository_id
                 WHERE r.id = ?1 AND r.head = ?2",
            )?;
            let found: Option<String> =
                query.query_row((repo.row, commit.to_string()), |row| row.get(0)).optional()?;
            Ok(found.map(|facts| serde_json::from_str(&facts)).transpose()?)
        })
    }

    fn has_marked(&self) -> Result<bool> {
        self.db.read(|tx| {
            let sql = "SELECT 1 FROM repositories WHERE changes <> indexed";
            Ok(tx.prepare_cached(sql)?.exists([])?)
        })
    }

    fn known(&self, condition: &str) -> Result<Vec<Marked>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&format!(
                "SELECT r.id, kind, full_id, changes, r.head, f.head IS NOT NULL
                 FROM repositories r LEFT JOIN first_commits f ON f.repository_id = r.id
                 WHERE {condition}"
            ))?;
            let mut rows = query.query([])?;
            let mut known = Vec::new();
            while let Some(found) = rows.next()? {
                let kind = RepoKind::from_singular(found.get_ref(1)?.as_str()?)?;
                let key = RepoKey::new(kind, found.get_ref(2)?.as_str()?.parse()?);
                known.push(Marked {
                    row: found.get(0)?,
                    git_dir: self.git_dir(&key),
                    key,
                    changes: found.get(3)?,
                    head: found.get(4)?,
                    is_waiting: found.get(5)?,
                });
            }
            Ok(known)
        })
    }

    fn look(&self, marked: &Marked) -> Result<Found> {
        match (marked.is_waiting, &marked.head) {
            (true, Some(_)) => return Ok(Found::Unchanged),
            (true, None) => first_commit::write(&self.db, marked.row, &marked.git_dir)?,
            (false, _) => {}
        }
        let git = match Git::open(&marked.git_dir) {
            Err(err) if err.code() == ErrorCode::NotFound => return Ok(Found::NoMain),
            git => git?,
        };
        let Some(commit) = git.tip(MAIN_REF)? else { return Ok(Found::NoMain) };
        if marked.head.as_ref() == Some(&commit.to_string()) {
            return Ok(Found::Unchanged);
        }
        let facts = facts::read(marked.key.kind, &git, &self.lfs(), commit)?;
        Ok(Found::Changed(Box::new(facts)))
    }
}

fn save(tx: &Transaction<'_>, marked: &Marked, found: &Found) -> Result<()> {
    let (row, changes) = (marked.row, marked.changes);
    if let Found::Unchanged = found {
        let sql = "UPDATE repositories SET indexed = ?2 WHERE id = ?1 AND indexed < ?2";
        tx.prepare_cached(sql)?.execute((row, changes))?;
        return Ok(());
    }
    // `indexed < ?2`: another process may have read a newer state.
    let mut clear = tx.prepare_cached(
        "UPDATE repositories
         SET indexed = ?2, head = NULL, modified_at = NULL, pipeline_tag = NULL, parameters = NULL,
             storage = NULL, summary = NULL
         WHERE id = ?1 AND indexed < ?2",
    )?;
    if clear.execute((row, changes))? == 0 {
        return Ok(());
    }
    for table in ["repository_tags", "repository_links", "repository_facts"] {
        let sql = format!("DELETE FROM {table} WHERE repository_id = ?1");
        tx.prepare_cached(&sql)?.execute([row])?;
    }
    match found {
        Found::Changed(facts) => save_facts(tx, row, facts),
        _ => Ok(()),
    }
}

/// Stores the facts of a new repository's first commit.
pub(super) fn save_first(tx: &Transaction<'_>, row: i64, facts: &Facts) -> Result<()> {
    tx.execute("UPDATE repositories SET indexed = changes WHERE id = ?1", [row])?;
    save_facts(tx, row, facts)
}

fn save_facts(tx: &Transaction<'_>, row: i64, facts: &Facts) -> Result<()> {
    let all = &facts.properties;
    let summary = all.iter().filter(|(name, _)| SUMMARY.contains(&name.as_str()));
    let summary: facts::Properties =
        summary.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut update = tx.prepare_cached(
        "UPDATE repositories
         SET head = ?2, modified_at = ?3, pipeline_tag = ?4, parameters = ?5, storage = ?6,
             summary = ?7
         WHERE id = ?1",
    )?;
    update.execute((
        row,
        facts.head.to_string(),
        facts.modified_at.as_microsecond(),
        all.get("pipeline_tag").and_then(Value::as_str),
        all.get("safetensors").and_then(|info| info["total"].as_f64()),
        all.get("usedStorage").and_then(Value::as_i64),
        serde_json::to_string(&summary)?,
    ))?;
    let sql = "INSERT INTO repository_facts (repository_id, facts) VALUES (?1, ?2)";
    tx.prepare_cached(sql)?.execute((row, serde_json::to_string(all)?))?;
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO repository_tags (repository_id, tag) VALUES (?1, ?2)",
    )?;
    texts(all.get("tags")).try_for_each(|tag| insert.execute((row, tag)).map(drop))?;
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO repository_links (repository_id, kind, target) VALUES (?1, ?2, ?3)",
    )?;
    for kind in ["models", "datasets"] {
        texts(all.get(kind))
            .try_for_each(|target| insert.execute((row, kind, target)).map(drop))?;
    }
    Ok(())
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let values = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str)
}

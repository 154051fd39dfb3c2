//! What the Hub stores about a Space besides its files: hardware, storage, volumes, stage.
//!
//! Nothing is run. The stage is that of a script, which starts whenever the Space would.

mod environment;
mod log;
mod seal;
mod stage;

pub(crate) use environment::{Entry, NewEntry};
pub(crate) use log::{LogKind, Logs};
pub(crate) use stage::Stage;

use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::Transaction;
use serde_json::Value;

use super::db::{self, Db};
use super::repo::{self, Repo};
use super::repo_id::RepoKey;
use super::script::Script;
use super::{RepoKind, Store};
use seal::Sealer;

/// The hardware of a new Space.
pub(crate) const FREE_HARDWARE: &str = "cpu-basic";

/// The settings of one Space.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// The requested hardware.
    pub(crate) hardware: String,
    /// Seconds without a visitor before it sleeps, -1 for never; `None` for the default.
    pub(crate) sleep_time: Option<i64>,
    /// The tier of the persistent storage.
    pub(crate) storage: Option<String>,
    /// Whether the dev mode is on.
    pub(crate) dev_mode: bool,
    /// Whether its owner has paused it.
    pub(crate) paused: bool,
    /// The mounted volumes, in the format of the API.
    pub(crate) volumes: Vec<Value>,
    /// The stages that it goes through once it is started.
    pub(crate) script: Script<Stage>,
    /// When it was started.
    pub(crate) started_at: Timestamp,
    /// The last commit that was loaded without a restart.
    pub(crate) hot_reloaded: Option<String>,
}

impl Default for Space {
    fn default() -> Self {
        Self {
            hardware: FREE_HARDWARE.to_owned(),
            sleep_time: None,
            storage: None,
            dev_mode: false,
            paused: false,
            volumes: Vec::new(),
            script: Script::default(),
            started_at: Timestamp::now(),
            hot_reloaded: None,
        }
    }
}

impl Space {
    /// Starts the Space, whatever it does.
    pub(crate) fn start(&mut self) {
        self.paused = false;
        self.started_at = Timestamp::now();
        self.hot_reloaded = None;
    }

    /// Returns the stage that its owner or its script determines; `None` if its files do.
    pub(crate) fn stage(&self, now: Timestamp) -> Option<Stage> {
        if self.paused { Some(Stage::Paused) } else { self.script.at(self.started_at, now) }
    }
}

/// The settings of a Space that does not exist yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSpace {
    /// Its settings.
    pub(crate) space: Space,
    /// Its public variables.
    pub(crate) variables: Vec<NewEntry>,
    /// Its secrets.
    pub(crate) secrets: Vec<NewEntry>,
}

impl NewSpace {
    /// Stores the settings with the new repository; `source` is the one it is a copy of.
    pub(super) fn save(
        &self,
        tx: &Transaction<'_>,
        row: i64,
        source: Option<&Repo>,
        sealer: &Sealer,
    ) -> Result<()> {
        save(tx, row, &self.space)?;
        if let Some(source) = source {
            environment::copy_variables(tx, source.row, row)?;
        }
        for entry in &self.variables {
            environment::set_variable(tx, row, entry)?;
        }
        self.secrets.iter().try_for_each(|entry| environment::set_secret(tx, row, entry, sealer))
    }
}

/// The Spaces.
#[derive(Debug)]
pub(crate) struct Spaces {
    db: Db,
    logs: PathBuf,
    store: Store,
}

impl Spaces {
    pub(super) fn new(store: &Store) -> Self {
        let logs = store.root.join("spaces");
        Self { db: store.db.clone(), logs, store: store.clone() }
    }

    /// Returns the settings of a Space.
    pub(crate) fn get(&self, key: &RepoKey) -> Result<Space> {
        self.db.read(|tx| load(tx, row_of(tx, key)?))
    }

    /// Changes the settings of a Space, and returns them.
    pub(crate) fn update(&self, key: &RepoKey, change: impl FnOnce(&mut Space)) -> Result<Space> {
        self.db.write(|tx| {
            let row = row_of(tx, key)?;
            let mut space = load(tx, row)?;
            change(&mut space);
            save(tx, row, &space)?;
            Ok(space)
        })
    }

    /// Starts a Space because of a commit, or loads the commit into the running app.
    pub(crate) fn committed(&self, key: &RepoKey, commit: &str, hot_reload: bool) -> Result<()> {
        let space = self.get(key)?;
        if space.paused || (space.script.is_empty() && !hot_reload) {
            return Ok(());
        }
        self.update(key, |space| {
            if hot_reload {
                space.hot_reloaded = Some(commit.to_owned());
            } else {
                space.start();
            }
        })?;
        Ok(())
    }

    /// Returns the logs of a Space.
    pub(crate) fn logs(&self, object_id: &str) -> Logs {
        Logs::new(self.logs.join(object_id))
    }

    fn sealer(&self) -> Result<Sealer> {
        self.store.sealer()
    }
}

impl Store {
    /// Returns the Spaces.
    pub(crate) fn spaces(&self) -> Spaces {
        Spaces::new(self)
    }

    pub(super) fn sealer(&self) -> Result<Sealer> {
        Sealer::new(&self.signing_key()?)
    }
}

fn row_of(tx: &Transaction<'_>, key: &RepoKey) -> Result<i64> {
    let found = if key.kind == RepoKind::Space { repo::load(tx, key)? } else { None };
    Ok(found.with_context(|| format!("there is no {key}"))?.0)
}

fn load(tx: &Transaction<'_>, row: i64) -> Result<Space> {
    let mut query = tx.prepare_cached(
        "SELECT hardware, sleep_time, storage, dev_mode, paused, volumes, script, started_at,
                hot_reloaded
         FROM spaces WHERE repository_id = ?1",
    )?;
    let mut rows = query.query([row])?;
    let Some(row) = rows.next()? else { return Ok(Space::default()) };
    Ok(Space {
        hardware: row.get(0)?,
        sleep_time: row.get(1)?,
        storage: row.get(2)?,
        dev_mode: row.get(3)?,
        paused: row.get(4)?,
        volumes: serde_json::from_str(row.get_ref(5)?.as_str()?)?,
        script: serde_json::from_str(row.get_ref(6)?.as_str()?)?,
        started_at: db::time(row.get(7)?)?,
        hot_reloaded: row.get(8)?,
    })
}

fn save(tx: &Transaction<'_>, row: i64, space: &Space) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO spaces
           (repository_id, hardware, sleep_time, storage, dev_mode, paused, volumes, script,
            started_at, hot_reloaded)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            row,
            &space.hardware,
            space.sleep_time,
            &space.storage,
            space.dev_mode,
            space.paused,
            serde_json::to_string(&space.volumes)?,
            serde_json::to_string(&space.script)?,
            space.started_at.as_microsecond(),
            &space.hot_reloaded,
        ),
    )?;
    Ok(())
}

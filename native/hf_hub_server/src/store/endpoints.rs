//! Inference endpoints. None is deployed: the state is that of a script, which starts whenever the
//! endpoint would.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Store;
use super::db::{self, Db};
use super::script::Script;

/// What an endpoint does, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    Pending,
    Initializing,
    Updating,
    UpdateFailed,
    Running,
    Paused,
    Failed,
    ScaledToZero,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Pending,
        Self::Initializing,
        Self::Updating,
        Self::UpdateFailed,
        Self::Running,
        Self::Paused,
        Self::Failed,
        Self::ScaledToZero,
    ];
}

impl FromStr for State {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        db::from_word(name).or_else(|_| {
            let all = Self::ALL.iter().map(db::word).collect::<Result<Vec<_>>>()?;
            bail!("unknown state `{name}`; the states are {}", all.join(", "))
        })
    }
}

/// An endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The user or organization that it belongs to.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// The user who has created it.
    pub(crate) creator: String,
    /// What was asked for, in the format of the API.
    pub(crate) config: Map<String, Value>,
    /// The states that it goes through.
    script: Script<State>,
    /// The states of each start, if an administrator has set them.
    own_script: Script<State>,
    /// When the script was started.
    since: Timestamp,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// When it was changed.
    pub(crate) updated_at: Timestamp,
}

impl Endpoint {
    /// Returns the state.
    pub(crate) fn state(&self, now: Timestamp) -> State {
        self.script.at(self.since, now).unwrap_or(State::Running)
    }

    /// Goes through a script from now on.
    pub(crate) fn go(&mut self, script: Vec<(State, f64)>, now: Timestamp) {
        (self.script, self.since) = (Script::new(script), now);
    }

    /// Starts: with the states that an administrator has set, or else those of `usual`.
    pub(crate) fn start(&mut self, usual: Vec<(State, f64)>, now: Timestamp) {
        let own = Some(self.own_script.clone()).filter(|script| !script.is_empty());
        (self.script, self.since) = (own.unwrap_or_else(|| Script::new(usual)), now);
    }
}

/// An endpoint that does not exist yet.
pub(crate) struct NewEndpoint {
    /// The user or organization that it belongs to.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// The user who creates it.
    pub(crate) creator: String,
    /// What was asked for.
    pub(crate) config: Map<String, Value>,
}

/// The endpoints.
#[derive(Debug)]
pub(crate) struct Endpoints {
    db: Db,
}

impl Store {
    /// Returns the inference endpoints.
    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints { db: self.db.clone() }
    }
}

const SELECT: &str =
    "SELECT namespace, name, creator, config, script, own_script, since, created_at,
    updated_at FROM inference_endpoints";
const ONE: &str = "WHERE namespace = ?1 AND name = ?2";

impl Endpoints {
    /// Creates an endpoint, which starts; `None` if the name exists.
    pub(crate) fn create(
        &self,
        new: &NewEndpoint,
        usual: Vec<(State, f64)>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>> {
        self.db.write(|tx| {
            if load(tx, &new.namespace, &new.name)?.is_some() {
                return Ok(None);
            }
            tx.execute(
                "INSERT INTO inference_endpoints (namespace, name, creator, config, script,
                   own_script, since, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                params![
                    new.namespace,
                    new.name,
                    new.creator,
                    serde_json::to_string(&new.config)?,
                    serde_json::to_string(&Script::new(usual))?,
                    serde_json::to_string(&Script::<State>::default())?,
                    now.as_microsecond(),
                    Timestamp::now().as_microsecond(),
                ],
            )?;
            load(tx, &new.namespace, &new.name)
        })
    }

    /// Returns an endpoint.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Result<Option<Endpoint>> {
        self.db.read(|tx| load(tx, namespace, name))
    }

    /// Returns the endpoints of a namespace, in the order of their creation.
    pub(crate) fn list(&self, namespace: &str) -> Result<Vec<Endpoint>> {
        self.db.read(|tx| {
            let of = db::EXACT_NAMESPACE;
            let mut query = tx.prepare_cached(&format!("{SELECT} WHERE {of} ORDER BY id"))?;
            let mut rows = query.query([namespace])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(read(row)?);
            }
            Ok(all)
        })
    }

    /// Changes an endpoint, and returns it; `None` if it does not exist.
    pub(crate) fn update(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Endpoint),
    ) -> Result<Option<Endpoint>> {
        self.db.write(|tx| {
            let Some(mut endpoint) = load(tx, namespace, name)? else { return Ok(None) };
            change(&mut endpoint);
            endpoint.updated_at = Timestamp::now();
            tx.execute(
                &format!(
                    "UPDATE inference_endpoints SET config = ?3, script = ?4, own_script = ?5,
                       since = ?6, updated_at = ?7 {ONE}"
                ),
                params![
                    namespace,
                    name,
                    serde_json::to_string(&endpoint.config)?,
                    serde_json::to_string(&endpoint.script)?,
                    serde_json::to_string(&endpoint.own_script)?,
                    endpoint.since.as_microsecond(),
                    endpoint.updated_at.as_microsecond(),
                ],
            )?;
            Ok(Some(endpoint))
        })
    }

    /// Sets the states that an endpoint goes through, now and whenever it is started; none for the
    /// usual ones.
    pub(crate) fn set_script(
        &self,
        namespace: &str,
        name: &str,
        steps: Vec<(State, f64)>,
    ) -> Result<()> {
        let script = Script::new(steps);
        let set = self.update(namespace, name, |endpoint| {
            endpoint.own_script = script.clone();
            (endpoint.script, endpoint.since) = (script, Timestamp::now());
        })?;
        set.with_context(|| format!("there is no endpoint {namespace}/{name}")).map(drop)
    }

    /// Deletes an endpoint.
    pub(crate) fn delete(&self, namespace: &str, name: &str) -> Result<()> {
        let sql = format!("DELETE FROM inference_endpoints {ONE}");
        self.db.write(|tx| Ok(tx.execute(&sql, [namespace, name]).map(drop)?))
    }
}

fn load(tx: &Transaction<'_>, namespace: &str, name: &str) -> Result<Option<Endpoint>> {
    let mut query = tx.prepare_cached(&format!("{SELECT} {ONE}"))?;
    let mut rows = query.query([namespace, name])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Endpoint> {
    Ok(Endpoint {
        namespace: row.get(0)?,
        name: row.get(1)?,
        creator: row.get(2)?,
        config: serde_json::from_str(row.get_ref(3)?.as_str()?)?,
        script: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
        own_script: serde_json::from_str(row.get_ref(5)?.as_str()?)?,
        since: db::time(row.get(6)?)?,
        created_at: db::time(row.get(7)?)?,
        updated_at: db::time(row.get(8)?)?,
    })
}

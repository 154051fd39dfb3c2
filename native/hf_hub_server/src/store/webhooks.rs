//! Webhooks: which events they get, and where these are sent to. What is sent is in [`super::deliveries`].

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use serde::{Deserialize, Serialize};

#[cfg(feature = "xet")]
use super::Bucket;
use super::Store;
use super::db::{self, Db};
use super::delivery_log;
use super::repo_id::RepoKey;
use super::users::{self, User};

/// The type of buckets that are watched.
#[cfg(feature = "xet")]
const BUCKET: &str = "bucket";

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// The id that clients see: 24 hex digits.
    pub(crate) object_id: String,
    /// The user it belongs to.
    pub(crate) owner: String,
    /// What can be changed about it.
    pub(crate) spec: WebhookSpec,
    /// Whether it is in use.
    pub(crate) state: WebhookState,
    /// When its newest event happened.
    pub(crate) triggered_at: Option<Timestamp>,
    pub(super) row: i64,
}

/// What the owner of a webhook decides.
#[derive(Clone)]
pub(crate) struct WebhookSpec {
    /// Where its events are sent to.
    pub(crate) url: String,
    /// What its events are about.
    pub(crate) watched: Vec<Watched>,
    /// Which kinds of events it gets.
    pub(crate) domains: Vec<Domain>,
    /// Sent with each event, as a proof of the sender.
    pub(crate) secret: Option<String>,
}

impl std::fmt::Debug for WebhookSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSpec").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An account, all of whose repositories are watched, or a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    /// What it is.
    #[serde(rename = "type")]
    pub(crate) kind: WatchedKind,
    /// Its name or id.
    pub(crate) name: String,
}

/// What a webhook can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WatchedKind {
    Bucket,
    Dataset,
    Model,
    Org,
    Space,
    User,
}

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Domain {
    /// The repository, its content and its settings.
    Repo,
    /// Its discussions and pull requests.
    Discussion,
}

/// Whether a webhook is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WebhookState {
    /// Its events are sent.
    Enabled,
    /// Its owner has disabled it.
    Disabled,
    /// Too many deliveries in a row were given up.
    Suspended,
}

/// The webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    pub(super) db: Db,
    store: Store,
}

/// The columns that [`read`] expects.
const COLUMNS: &str =
    "w.id, w.object_id, u.name, w.url, w.domains, w.secret, w.state, w.triggered_at";

impl Webhooks {
    pub(super) fn new(store: &Store) -> Self {
        Self { db: store.db.clone(), store: store.clone() }
    }

    /// Returns the webhooks of a user, or of all users, in the order in which they were created.
    pub(crate) fn list(&self, owner: Option<&str>) -> Result<Vec<Webhook>> {
        self.select("?1 IS NULL OR u.name = ?1", [owner])
    }

    /// Returns a webhook of a user; `None` if the user has none with that id.
    pub(crate) fn get(&self, owner: &str, id: &str) -> Result<Option<Webhook>> {
        Ok(self.select("u.name = ?1 AND w.object_id = ?2", [owner, id])?.pop())
    }

    /// Returns a webhook by its row, with its owner. Its secret is still sealed.
    pub(super) fn by_row(tx: &Transaction<'_>, row: i64) -> Result<Option<(Webhook, User)>> {
        let Some(webhook) = select_in(tx, "w.id = ?1", [row])?.pop() else { return Ok(None) };
        let owner = users::find(tx, &webhook.owner)?;
        Ok(owner.map(|owner| (webhook, owner)))
    }

    /// Returns the number of webhooks of a user.
    pub(crate) fn count(&self, owner: &str) -> Result<u64> {
        self.db.read(|tx| {
            let sql = "SELECT count(*) FROM webhooks w JOIN users u ON u.id = w.user_id
                       WHERE u.name = ?1";
            Ok(tx
                .prepare_cached(sql)?
                .query_row([owner], |row| row.get::<_, i64>(0))?
                .unsigned_abs())
        })
    }

    /// Creates a webhook.
    pub(crate) fn create(&self, owner: &str, spec: &WebhookSpec) -> Result<Webhook> {
        let object_id = db::new_object_id()?;
        let secret = self.store.seal_secret(&object_id, spec)?;
        self.db.write(|tx| {
            tx.execute(
                "INSERT INTO webhooks
                   (object_id, user_id, url, domains, secret, state, created_at)
                 SELECT ?2, id, ?3, ?4, ?5, 'enabled', ?6 FROM users WHERE name = ?1",
                (
                    owner,
                    &object_id,
                    &spec.url,
                    serde_json::to_string(&spec.domains)?,
                    &secret,
                    Timestamp::now().as_microsecond(),
                ),
            )?;
            save_watched(tx, tx.last_insert_rowid(), &spec.watched)
        })?;
        self.get(owner, &object_id)?.context("the new webhook is gone")
    }

    /// Replaces what the owner decides.
    pub(crate) fn update(&self, webhook: &Webhook, spec: &WebhookSpec) -> Result<()> {
        let secret = self.store.seal_secret(&webhook.object_id, spec)?;
        self.db.write(|tx| {
            let domains = serde_json::to_string(&spec.domains)?;
            tx.execute(
                "UPDATE webhooks SET url = ?2, domains = ?3, secret = ?4 WHERE id = ?1",
                (webhook.row, &spec.url, domains, &secret),
            )?;
            tx.execute("DELETE FROM webhook_watched WHERE webhook_id = ?1", [webhook.row])?;
            save_watched(tx, webhook.row, &spec.watched)
        })
    }

    /// Enables or disables a webhook; what waits for a disabled one is given up.
    pub(crate) fn set_enabled(&self, webhook: &Webhook, is_enabled: bool) -> Result<()> {
        let state = if is_enabled { WebhookState::Enabled } else { WebhookState::Disabled };
        self.db.write(|tx| {
            set_state(tx, webhook.row, state)?;
            if is_enabled {
                return Ok(());
            }
            delivery_log::give_up(tx, webhook.row, "the webhook was disabled")
        })
    }

    /// Deletes a webhook, with its queue and its log.
    pub(crate) fn delete(&self, webhook: &Webhook) -> Result<()> {
        self.db.write(|tx| {
            tx.execute("DELETE FROM webhooks WHERE id = ?1", [webhook.row])?;
            Ok(())
        })
    }

    /// Returns the webhooks in use that watch a repository for events of a kind, with their owners,
    /// who may not be allowed to see the repository. Their secrets are still sealed.
    pub(crate) fn watching(&self, key: &RepoKey, domain: Domain) -> Result<Vec<(Webhook, User)>> {
        self.watching_id(key.kind.singular(), &key.id.to_string(), key.id.namespace(), domain)
    }

    /// Returns the enabled webhooks that watch a bucket, with their owners.
    #[cfg(feature = "xet")]
    pub(crate) fn watching_bucket(
        &self,
        bucket: &Bucket,
        domain: Domain,
    ) -> Result<Vec<(Webhook, User)>> {
        self.watching_id(BUCKET, &bucket.id(), Some(&bucket.namespace), domain)
    }

    fn watching_id(
        &self,
        kind: &str,
        id: &str,
        namespace: Option<&str>,
        domain: Domain,
    ) -> Result<Vec<(Webhook, User)>> {
        const WATCHING: &str = "w.state = 'enabled' AND w.id IN (
            SELECT webhook_id FROM webhook_watched
            WHERE name = ?2 COLLATE NOCASE AND type = ?1
               OR name = ?3 COLLATE NOCASE AND type IN ('user', 'org'))";
        let namespace = namespace.unwrap_or_default();
        self.db.read(|tx| {
            let mut found = Vec::new();
            for webhook in select_in(tx, WATCHING, [kind, id, namespace])? {
                if webhook.spec.domains.contains(&domain)
                    && let Some(owner) = users::find(tx, &webhook.owner)?
                {
                    found.push((webhook, owner));
                }
            }
            Ok(found)
        })
    }

    /// Lets the webhooks that watch a renamed repository watch its new name.
    pub(crate) fn follow(&self, old: &RepoKey, new: &RepoKey) -> Result<()> {
        self.rename(old.kind.singular(), &old.id.to_string(), &new.id.to_string())
    }

    /// Lets the webhooks that watch a renamed bucket watch its new name.
    #[cfg(feature = "xet")]
    pub(crate) fn follow_bucket(&self, old: &Bucket, new: &Bucket) -> Result<()> {
        self.rename(BUCKET, &old.id(), &new.id())
    }

    fn rename(&self, kind: &str, old: &str, new: &str) -> Result<()> {
        self.db.write(|tx| {
            tx.execute(
                "UPDATE webhook_watched SET name = ?3
                 WHERE name = ?2 COLLATE NOCASE AND type = ?1",
                (kind, old, new),
            )?;
            Ok(())
        })
    }
}

/// Changes the state of a webhook, whose failures count from the start again.
pub(super) fn set_state(tx: &Transaction<'_>, webhook: i64, state: WebhookState) -> Result<()> {
    tx.execute(
        "UPDATE webhooks SET state = ?2, failures = 0 WHERE id = ?1",
        (webhook, db::word(&state)?),
    )?;
    Ok(())
}

impl Webhooks {
    fn select(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Webhook>> {
        let mut found = self.db.read(|tx| select_in(tx, condition, values))?;
        found.iter_mut().try_for_each(|webhook| self.store.open_secret(webhook))?;
        Ok(found)
    }
}

impl Store {
    /// Returns how the secret is stored: encrypted, in hex.
    fn seal_secret(&self, id: &str, spec: &WebhookSpec) -> Result<Option<String>> {
        let Some(secret) = &spec.secret else { return Ok(None) };
        Ok(Some(hex::encode(self.sealer()?.seal(&place(id), secret)?)))
    }

    /// Decrypts the secret of a webhook that was read from the database.
    pub(super) fn open_secret(&self, webhook: &mut Webhook) -> Result<()> {
        if let Some(sealed) = &webhook.spec.secret {
            let sealed = hex::decode(sealed)?;
            let secret = self.sealer()?.open(&place(&webhook.object_id), &sealed)?;
            webhook.spec.secret = Some(secret);
        }
        Ok(())
    }
}

/// An encrypted secret cannot be moved to another webhook.
fn place(id: &str) -> String {
    format!("webhook {id}")
}

fn select_in(
    tx: &Transaction<'_>,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Webhook>> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhooks w JOIN users u ON u.id = w.user_id
         WHERE {condition} ORDER BY w.id"
    ))?;
    let mut rows = query.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(tx, row)?);
    }
    Ok(found)
}

fn read(tx: &Transaction<'_>, row: &Row<'_>) -> Result<Webhook> {
    let id = row.get(0)?;
    let spec = WebhookSpec {
        url: row.get(3)?,
        watched: watched(tx, id)?,
        domains: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
        secret: row.get(5)?,
    };
    Ok(Webhook {
        row: id,
        object_id: row.get(1)?,
        owner: row.get(2)?,
        spec,
        state: db::from_word(row.get_ref(6)?.as_str()?)?,
        triggered_at: row.get::<_, Option<i64>>(7)?.map(db::time).transpose()?,
    })
}

fn watched(tx: &Transaction<'_>, webhook: i64) -> Result<Vec<Watched>> {
    let mut query = tx.prepare_cached(
        "SELECT type, name FROM webhook_watched WHERE webhook_id = ?1 ORDER BY position",
    )?;
    let mut rows = query.query([webhook])?;
    let mut watched = Vec::new();
    while let Some(row) = rows.next()? {
        watched
            .push(Watched { kind: db::from_word(row.get_ref(0)?.as_str()?)?, name: row.get(1)? });
    }
    Ok(watched)
}

fn save_watched(tx: &Transaction<'_>, webhook: i64, watched: &[Watched]) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO webhook_watched (webhook_id, position, type, name) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, item) in (0_i64..).zip(watched) {
        insert.execute((webhook, position, db::word(&item.kind)?, &item.name))?;
    }
    Ok(())
}

//! Collections: titles, visibility, order, upvotes. Their items are in [`super::collection_items`].

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::catalog::Viewer;
use super::db::{self, Db};
use super::repo::Repo;
use super::token::random_id;
use super::users;

/// How long an upvote counts for the trend.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A collection.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub(super) row: i64,
    /// The end of its slug: 24 hex digits.
    pub(crate) id: String,
    /// The user or organisation that owns it.
    pub(crate) namespace: String,
    /// The title.
    pub(crate) title: String,
    /// The description.
    pub(crate) description: Option<String>,
    /// Whether only its owners see it.
    pub(crate) private: bool,
    /// The color.
    pub(crate) theme: String,
    /// The place among the collections of its owner.
    pub(crate) position: i64,
    /// When it was changed.
    pub(crate) updated_at: Timestamp,
    /// Number of upvotes.
    pub(crate) upvotes: i64,
    /// Whether the viewer has upvoted it.
    pub(crate) is_upvoted: bool,
}

/// What a new collection is made of.
#[derive(Clone, Debug)]
pub(crate) struct NewCollection {
    /// The user or organisation that owns it.
    pub(crate) namespace: String,
    /// The title.
    pub(crate) title: String,
    /// The description.
    pub(crate) description: Option<String>,
    /// Whether only its owners see it.
    pub(crate) private: bool,
    /// The resource group.
    pub(crate) resource_group: Option<String>,
}

/// Changes of a collection.
#[derive(Clone, Debug, Default)]
pub(crate) struct CollectionChange {
    /// The new title.
    pub(crate) title: Option<String>,
    /// The new description.
    pub(crate) description: Option<String>,
    /// The new visibility.
    pub(crate) private: Option<bool>,
    /// The new color.
    pub(crate) theme: Option<String>,
    /// The new place among the collections of the owner.
    pub(crate) position: Option<usize>,
}

/// The order of a list of collections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CollectionOrder {
    /// The one changed last first.
    #[default]
    Modified,
    /// The one with the most upvotes first.
    Upvotes,
    /// The one with the most recent upvotes first.
    Trending,
}

/// What an item is, as the database refers to it.
#[derive(Clone, Debug)]
pub(crate) struct ItemKey {
    pub(super) column: &'static str,
    pub(super) value: Value,
}

/// Which collections to list.
#[derive(Clone, Debug)]
pub(crate) struct CollectionSearch {
    /// Only what this viewer may see.
    pub(crate) viewer: Viewer,
    /// Only those of one of these owners, if there are any.
    pub(crate) owners: Vec<String>,
    /// Only those with one of these items; `None` for all.
    pub(crate) items: Option<Vec<ItemKey>>,
    /// Only those whose title or description contains this.
    pub(crate) text: Option<String>,
    /// The order.
    pub(crate) order: CollectionOrder,
    /// Number of collections to leave out.
    pub(crate) skip: usize,
    /// Maximum number of collections.
    pub(crate) limit: usize,
}

/// The collections.
#[derive(Clone, Debug)]
pub(crate) struct Collections {
    pub(super) db: Db,
}

impl Collection {
    /// The columns of the collection `c` that [`Self::from_row`] reads. The first parameter is the
    /// viewer's name.
    pub(super) const COLUMNS: &str = "c.id, c.object_id, c.namespace, c.title, c.description,
        c.private, c.theme, c.position, c.updated_at,
        (SELECT count(*) FROM collection_upvotes v WHERE v.collection_id = c.id),
        EXISTS (SELECT 1 FROM collection_upvotes v JOIN users u ON u.id = v.user_id
                WHERE v.collection_id = c.id AND u.name = ?)";

    pub(super) fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            id: row.get(1)?,
            namespace: row.get(2)?,
            title: row.get(3)?,
            description: row.get(4)?,
            private: row.get(5)?,
            theme: row.get(6)?,
            position: row.get(7)?,
            updated_at: db::time(row.get(8)?)?,
            upvotes: row.get(9)?,
            is_upvoted: row.get(10)?,
        })
    }

    /// Returns the slug: owner, words of the title, id.
    pub(crate) fn slug(&self) -> String {
        let mut words = String::new();
        for c in self.title.chars() {
            if c.is_ascii_alphanumeric() {
                words.push(c.to_ascii_lowercase());
            } else if !words.is_empty() && !words.ends_with('-') {
                words.push('-');
            }
        }
        let separator = if words.is_empty() || words.ends_with('-') { "" } else { "-" };
        format!("{}/{words}{separator}{}", self.namespace, self.id)
    }
}

impl ItemKey {
    /// Returns the key of a repository.
    pub(crate) fn repo(repo: &Repo) -> Self {
        Self { column: "repository_id", value: repo.row.into() }
    }

    /// Returns the key of a paper.
    pub(crate) fn paper(id: &str) -> Self {
        Self { column: "paper_id", value: id.to_owned().into() }
    }

    /// Returns the key of a collection.
    pub(crate) fn collection(collection: &Collection) -> Self {
        Self { column: "inner_id", value: collection.row.into() }
    }

    /// Returns the condition that the collection `c` has one of these items.
    pub(super) fn any(keys: &[Self]) -> (String, Vec<Value>) {
        let own = |key: &Self| {
            let column = key.column;
            format!("c.id IN (SELECT collection_id FROM collection_items WHERE {column} = ?)")
        };
        let conditions = keys.iter().map(own).chain(["FALSE".to_owned()]).collect::<Vec<_>>();
        let values = keys.iter().map(|key| key.value.clone()).collect();
        (format!("({})", conditions.join(" OR ")), values)
    }
}

impl Collections {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns the collection with this id, also a private one.
    pub(crate) fn find(&self, id: &str, viewer: Option<&str>) -> Result<Option<Collection>> {
        let columns = Collection::COLUMNS;
        let sql = format!("SELECT {columns} FROM collections c WHERE c.object_id = ?");
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query((viewer, id))?;
            rows.next()?.map(Collection::from_row).transpose()
        })
    }

    /// Creates a collection and returns its id; or the id of the one that has this title, as an
    /// error.
    pub(crate) fn create(&self, new: &NewCollection) -> Result<Result<String, String>> {
        self.db.write(|tx| {
            if let Some(id) = titled(tx, &new.namespace, &new.title)? {
                return Ok(Err(id));
            }
            let id = random_id()?;
            tx.execute(
                "INSERT INTO collections (object_id, namespace, title, description, private, theme,
                   position, resource_group, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'orange',
                   (SELECT count(*) FROM collections WHERE namespace = ?2), ?6, ?7)",
                (
                    &id,
                    &new.namespace,
                    &new.title,
                    &new.description,
                    new.private,
                    &new.resource_group,
                    Timestamp::now().as_microsecond(),
                ),
            )?;
            Ok(Ok(id))
        })
    }

    /// Changes a collection; `false` if another one of its owner has the new title.
    pub(crate) fn update(&self, of: &Collection, change: &CollectionChange) -> Result<bool> {
        self.db.write(|tx| {
            if let Some(title) = &change.title
                && titled(tx, &of.namespace, title)?.is_some_and(|id| id != of.id)
            {
                return Ok(false);
            }
            tx.execute(
                "UPDATE collections
                 SET title = coalesce(?2, title), description = coalesce(?3, description),
                     private = coalesce(?4, private), theme = coalesce(?5, theme)
                 WHERE id = ?1",
                (of.row, &change.title, &change.description, change.private, &change.theme),
            )?;
            if let Some(position) = change.position {
                let place = ("collections", "namespace", Value::from(of.namespace.clone()));
                reorder(tx, place, of.row, position)?;
            }
            touch(tx, of.row)?;
            Ok(true)
        })
    }

    /// Assigns a collection to a resource group, or to none.
    pub(crate) fn set_resource_group(&self, of: &Collection, group: Option<&str>) -> Result<()> {
        self.db.write(|tx| {
            let sql = "UPDATE collections SET resource_group = ?2 WHERE id = ?1";
            tx.execute(sql, (of.row, group))?;
            Ok(())
        })
    }

    /// Removes a collection.
    pub(crate) fn delete(&self, of: &Collection) -> Result<()> {
        self.db.write(|tx| {
            tx.execute("DELETE FROM collections WHERE id = ?1", [of.row])?;
            Ok(())
        })
    }

    /// Records that a user upvotes a collection, or does so no longer.
    pub(crate) fn upvote(&self, id: &str, user: &str, is_on: bool) -> Result<()> {
        self.db.write(|tx| {
            users::must_exist(tx, user)?;
            let exists = "SELECT 1 FROM collections WHERE object_id = ?1";
            if !tx.prepare_cached(exists)?.exists([id])? {
                bail!("there is no collection {id}");
            }
            let sql = if is_on {
                "INSERT INTO collection_upvotes (collection_id, user_id, created_at)
                 SELECT c.id, u.id, ?3 FROM collections c, users u
                 WHERE c.object_id = ?1 AND u.name = ?2 ON CONFLICT DO NOTHING"
            } else {
                "DELETE FROM collection_upvotes
                 WHERE collection_id = (SELECT id FROM collections WHERE object_id = ?1)
                 AND user_id = (SELECT id FROM users WHERE name = ?2) AND ?3"
            };
            tx.execute(sql, (id, user, Timestamp::now().as_microsecond()))?;
            Ok(())
        })
    }

    /// Counts the upvotes of all public collections of an owner.
    pub(crate) fn count_upvotes(&self, namespace: &str) -> Result<i64> {
        let sql = "SELECT count(*) FROM collection_upvotes v JOIN collections c
                   ON c.id = v.collection_id WHERE c.namespace = ?1 AND NOT c.private";
        self.db.read(|tx| Ok(tx.prepare_cached(sql)?.query_row([namespace], |row| row.get(0))?))
    }

    /// Lists collections.
    pub(crate) fn list(&self, search: &CollectionSearch) -> Result<Vec<Collection>> {
        let (condition, seen) = visible(&search.viewer);
        let mut values = vec![search.viewer.user.clone().map_or(Value::Null, Value::from)];
        let mut conditions = vec![condition];
        values.extend(seen);
        if !search.owners.is_empty() {
            conditions.push("c.namespace IN (SELECT value FROM json_each(?))".into());
            values.push(json(&search.owners));
        }
        if let Some(items) = &search.items {
            let (condition, wanted) = ItemKey::any(items);
            conditions.push(condition);
            values.extend(wanted);
        }
        if let Some(text) = &search.text {
            let found =
                "(instr(lower(c.title), lower(?)) OR instr(lower(c.description), lower(?)))";
            conditions.push(found.into());
            values.extend([Value::from(text.clone()), text.clone().into()]);
        }
        let order = match search.order {
            CollectionOrder::Modified => "c.updated_at DESC, c.id DESC",
            CollectionOrder::Upvotes => {
                "(SELECT count(*) FROM collection_upvotes v WHERE v.collection_id = c.id) DESC,
                 c.updated_at DESC, c.id DESC"
            }
            CollectionOrder::Trending => {
                values.push((Timestamp::now() - RECENT).as_microsecond().into());
                "(SELECT count(*) FROM collection_upvotes v
                  WHERE v.collection_id = c.id AND v.created_at > ?) DESC,
                 c.updated_at DESC, c.id DESC"
            }
        };
        values.extend([db::number(search.limit).into(), db::number(search.skip).into()]);
        let (columns, conditions) = (Collection::COLUMNS, conditions.join(" AND "));
        let sql = format!(
            "SELECT {columns} FROM collections c WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?"
        );
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(rusqlite::params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Collection::from_row(row)?);
            }
            Ok(found)
        })
    }
}

/// Returns the condition that a viewer may see the collection `c`. The rule of a single one is in
/// `serve/access.rs`.
pub(super) fn visible(viewer: &Viewer) -> (String, Vec<Value>) {
    if viewer.user.is_none() {
        return ("NOT c.private".into(), Vec::new());
    }
    let mut namespaces = viewer.namespaces.clone();
    if let Some(entities) = &viewer.entities {
        namespaces.retain(|namespace| entities.contains(namespace));
    }
    let condition = "(NOT c.private OR c.namespace IN (SELECT value FROM json_each(?)))";
    (condition.into(), vec![json(&namespaces)])
}

fn json(values: &[String]) -> Value {
    serde_json::Value::from(values).to_string().into()
}

fn titled(tx: &Transaction<'_>, namespace: &str, title: &str) -> Result<Option<String>> {
    let sql = "SELECT object_id FROM collections WHERE namespace = ?1 AND title = ?2";
    Ok(tx.prepare_cached(sql)?.query_row((namespace, title), |row| row.get(0)).optional()?)
}

/// Records that a collection was changed.
pub(super) fn touch(tx: &Transaction<'_>, row: i64) -> Result<()> {
    let now = Timestamp::now().as_microsecond();
    tx.execute("UPDATE collections SET updated_at = ?2 WHERE id = ?1", (row, now))?;
    Ok(())
}

/// Moves a row to another position among those of a table with the same value in a column.
pub(super) fn reorder(
    tx: &Transaction<'_>,
    (table, column, value): (&str, &str, Value),
    row: i64,
    position: usize,
) -> Result<()> {
    let sql = format!("SELECT id FROM {table} WHERE {column} = ?1 ORDER BY position, id");
    let mut query = tx.prepare_cached(&sql)?;
    let rows = query.query_map([value], |row| row.get(0))?;
    let mut rows = rows.collect::<Result<Vec<i64>, _>>()?;
    rows.retain(|other| *other != row);
    rows.insert(position.min(rows.len()), row);
    let mut update =
        tx.prepare_cached(&format!("UPDATE {table} SET position = ?2 WHERE id = ?1"))?;
    for (position, row) in rows.into_iter().enumerate() {
        update.execute((row, db::number(position)))?;
    }
    Ok(())
}

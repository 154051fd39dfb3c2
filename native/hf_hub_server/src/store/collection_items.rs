//! Items of collections: repositories, papers and other collections.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::catalog::{Query, Viewer};
use super::collections::{self, Collection, Collections, ItemKey};
use super::db;
use super::papers::Paper;
use super::repo_id::{RepoKey, RepoKind};
use super::settings::Gate;
use super::token::random_id;

/// An item.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its id in the collection: 24 hex digits.
    pub(crate) id: String,
    /// What it is.
    pub(crate) content: Content,
    /// The note about it.
    pub(crate) note: Option<String>,
}

/// What an item is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A repository.
    Repo(ListedRepo),
    /// A paper.
    Paper(Paper),
    /// A collection, with the number of its items.
    Collection(Box<Collection>, i64),
}

/// What a collection shows of a repository.
#[derive(Clone, Debug)]
pub(crate) struct ListedRepo {
    /// Its name.
    pub(crate) key: RepoKey,
    /// The time of the last commit; `None` without a main branch.
    pub(crate) modified_at: Option<Timestamp>,
    /// Whether it is private.
    pub(crate) private: bool,
    /// Whether it is gated.
    pub(crate) gated: Option<Gate>,
    /// Number of likes.
    pub(crate) likes: i64,
}

impl Collections {
    /// Returns the first `limit` items of a collection that the viewer may see.
    pub(crate) fn items(
        &self,
        of: &Collection,
        viewer: &Viewer,
        limit: usize,
    ) -> Result<Vec<Item>> {
        let repos = Query::visible(viewer);
        let (collections, seen) = collections::visible(viewer);
        let columns = Collection::COLUMNS;
        let sql = format!(
            "SELECT i.object_id, i.note, r.kind, r.full_id, r.modified_at, r.private, r.gated, r.likes,
                    p.content, i.inner_id,
                    (SELECT count(*) FROM collection_items n WHERE n.collection_id = i.inner_id)
             FROM collection_items i
             LEFT JOIN repositories r ON r.id = i.repository_id
             LEFT JOIN papers p ON p.id = i.paper_id
             LEFT JOIN collections c ON c.id = i.inner_id
             WHERE i.collection_id = ?
               AND (i.repository_id IS NULL OR {})
               AND (i.inner_id IS NULL OR {collections})
             ORDER BY i.position, i.id LIMIT ?",
            repos.conditions()
        );
        let inner = format!("SELECT {columns} FROM collections c WHERE c.id = ?");
        let mut values = vec![Value::from(of.row)];
        values.extend(repos.values);
        values.extend(seen);
        values.push(db::number(limit).into());
        self.db.read(|tx| {
            let (mut query, mut inner) = (tx.prepare_cached(&sql)?, tx.prepare_cached(&inner)?);
            let mut rows = query.query(params_from_iter(values))?;
            let mut items = Vec::new();
            while let Some(row) = rows.next()? {
                let content = match row.get::<_, Option<i64>>(9)? {
                    None => content(row)?,
                    Some(id) => {
                        let mut found = inner.query((&viewer.user, id))?;
                        let Some(found) = found.next()? else { continue };
                        Content::Collection(Box::new(Collection::from_row(found)?), row.get(10)?)
                    }
                };
                items.push(Item { id: row.get(0)?, content, note: row.get(1)? });
            }
            Ok(items)
        })
    }

    /// Adds an item at the end; `false` if the collection has it.
    pub(crate) fn add_item(
        &self,
        to: &Collection,
        key: &ItemKey,
        note: Option<&str>,
    ) -> Result<bool> {
        let column = key.column;
        self.db.write(|tx| {
            let sql = format!(
                "INSERT INTO collection_items (object_id, collection_id, {column}, note, position)
                 SELECT ?1, ?2, ?3, ?4, coalesce(max(position) + 1, 0)
                 FROM collection_items WHERE collection_id = ?2
                 ON CONFLICT DO NOTHING"
            );
            if tx.execute(&sql, (random_id()?, to.row, &key.value, note))? == 0 {
                return Ok(false);
            }
            collections::touch(tx, to.row)?;
            Ok(true)
        })
    }

    /// Changes note and position of an item, where they are given; `false` if there is none.
    pub(crate) fn update_item(
        &self,
        of: &Collection,
        id: &str,
        note: Option<&str>,
        position: Option<usize>,
    ) -> Result<bool> {
        self.db.write(|tx| {
            let sql = "SELECT id FROM collection_items WHERE collection_id = ?1 AND object_id = ?2";
            let row = tx.prepare_cached(sql)?.query_row((of.row, id), |row| row.get(0));
            let Some(row) = row.optional()? else { return Ok(false) };
            let sql = "UPDATE collection_items SET note = coalesce(?2, note) WHERE id = ?1";
            tx.execute(sql, (row, note))?;
            if let Some(position) = position {
                let place = ("collection_items", "collection_id", Value::from(of.row));
                collections::reorder(tx, place, row, position)?;
            }
            collections::touch(tx, of.row)?;
            Ok(true)
        })
    }

    /// Removes an item; `false` if there is none.
    pub(crate) fn delete_item(&self, of: &Collection, id: &str) -> Result<bool> {
        self.db.write(|tx| {
            let sql = "DELETE FROM collection_items WHERE collection_id = ?1 AND object_id = ?2";
            if tx.execute(sql, (of.row, id))? == 0 {
                return Ok(false);
            }
            collections::touch(tx, of.row)?;
            Ok(true)
        })
    }
}

fn content(row: &Row<'_>) -> Result<Content> {
    if let Some(paper) = row.get_ref(8)?.as_str_or_null()? {
        return Ok(Content::Paper(serde_json::from_str(paper)?));
    }
    let kind = RepoKind::from_singular(row.get_ref(2)?.as_str()?)?;
    let gated = row.get_ref(6)?.as_str_or_null()?;
    Ok(Content::Repo(ListedRepo {
        key: RepoKey::new(kind, row.get_ref(3)?.as_str()?.parse()?),
        modified_at: row.get::<_, Option<i64>>(4)?.map(db::time).transpose()?,
        private: row.get(5)?,
        gated: gated.map(db::from_word).transpose()?,
        likes: row.get(7)?,
    }))
}

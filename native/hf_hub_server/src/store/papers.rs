//! The imported papers, by arXiv id, in the format of the Hub's API.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Map, Value};

use super::db::Db;

/// A paper: an object with an `id`.
pub(crate) type Paper = Map<String, Value>;

/// The papers.
#[derive(Clone, Debug)]
pub(crate) struct Papers {
    db: Db,
}

impl Papers {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns all papers, by id.
    pub(crate) fn all(&self) -> Result<BTreeMap<String, Paper>> {
        self.db.read(|tx| {
            let mut all = BTreeMap::new();
            let mut query = tx.prepare_cached("SELECT id, content FROM papers")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                all.insert(row.get(0)?, serde_json::from_str(row.get_ref(1)?.as_str()?)?);
            }
            Ok(all)
        })
    }

    /// Returns a paper; `None` if there is none with that id.
    pub(crate) fn get(&self, id: &str) -> Result<Option<Paper>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached("SELECT content FROM papers WHERE id = ?1")?;
            let content = query.query_row([id], |row| row.get::<_, String>(0)).optional()?;
            Ok(content.map(|content| serde_json::from_str(&content)).transpose()?)
        })
    }

    /// Counts the papers that a user is an author of.
    pub(crate) fn count_by(&self, user: &str) -> Result<i64> {
        self.count(
            "EXISTS (SELECT 1 FROM json_each(content, '$.authors')
                     WHERE json_extract(value, '$.user.user') = ?1)",
            user,
        )
    }

    /// Counts the papers of an organisation.
    pub(crate) fn count_of(&self, organization: &str) -> Result<i64> {
        self.count("json_extract(content, '$.organization.name') = ?1", organization)
    }

    fn count(&self, condition: &str, name: &str) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM papers WHERE {condition}");
        self.db.read(|tx| Ok(tx.prepare_cached(&sql)?.query_row([name], |row| row.get(0))?))
    }

    /// Adds the papers of a JSON file, an array; existing ids are replaced. Returns their number.
    pub(crate) fn import(&self, file: &Path) -> Result<usize> {
        let context = || format!("cannot read papers from {}", file.display());
        let text = fs::read(file).with_context(context)?;
        let papers: Vec<Paper> = serde_json::from_slice(&text).with_context(context)?;
        self.db.write(|tx| {
            for paper in &papers {
                let id = paper.get("id").and_then(Value::as_str);
                save(tx, id.context("a paper has no \"id\"")?, paper)?;
            }
            Ok(papers.len())
        })
    }
}

pub(super) fn save(tx: &Transaction<'_>, id: &str, paper: &Paper) -> Result<()> {
    tx.execute(
        "INSERT INTO papers (id, content) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET content = excluded.content",
        (id, serde_json::to_string(paper)?),
    )?;
    Ok(())
}

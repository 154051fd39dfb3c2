//! Lists the discussions of a repository: pinned ones first, then the newest.

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::super::Repo;
use super::super::Viewer;
use super::super::catalog::Query;
use super::{COLUMNS, Discussion, Discussions, TABLES, read};

/// Which discussions to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only pull requests, or only discussions.
    pub(crate) is_pull_request: Option<bool>,
    /// Only those that are open or drafts, or only those that are closed or merged.
    pub(crate) is_open: Option<bool>,
    /// Only those of a user.
    pub(crate) author: Option<String>,
    /// Only those whose title contains all of these, in any case.
    pub(crate) words: Vec<String>,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The discussions.
    pub(crate) found: Vec<Discussion>,
    /// The number of discussions on all pages.
    pub(crate) count: u64,
    /// The number of closed ones, whether they are listed or not.
    pub(crate) closed: u64,
}

impl Discussions {
    /// Returns one page of the discussions of a repository.
    pub(crate) fn list(
        &self,
        repo: &Repo,
        filter: &Filter,
        skip: u64,
        limit: u64,
    ) -> Result<Listed> {
        let condition = Condition::new(repo, filter);
        let closed = Condition::new(repo, &Filter { is_open: Some(false), ..filter.clone() });
        self.db.read(|tx| {
            let (count, closed) = (condition.count(tx)?, closed.count(tx)?);
            let found = condition.page(tx, skip.min(count), limit)?;
            Ok(Listed { found, count, closed })
        })
    }
}

impl Discussions {
    /// Counts what a user has opened in the repositories that a viewer may see.
    pub(crate) fn count_by(&self, user: &str, viewer: &Viewer) -> Result<i64> {
        let mut visible = Query::visible(viewer);
        let sql = format!(
            "SELECT count(*) FROM discussions d JOIN users u ON u.id = d.author_id
             JOIN repositories r ON r.id = d.repository_id WHERE {} AND u.name = ?",
            visible.conditions()
        );
        visible.values.push(user.to_owned().into());
        self.db.read(|tx| {
            let values = params_from_iter(visible.values);
            Ok(tx.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
        })
    }
}

/// A condition of SQL, and its values.
struct Condition {
    sql: String,
    values: Vec<Value>,
}

impl Condition {
    fn new(repo: &Repo, filter: &Filter) -> Self {
        let mut condition =
            Self { sql: "d.repository_id = ?".to_owned(), values: vec![repo.row.into()] };
        match filter.is_pull_request {
            Some(true) => condition.sql += " AND d.base IS NOT NULL",
            Some(false) => condition.sql += " AND d.base IS NULL",
            None => {}
        }
        match filter.is_open {
            Some(true) => condition.sql += " AND d.status IN ('open', 'draft')",
            Some(false) => condition.sql += " AND d.status IN ('closed', 'merged')",
            None => {}
        }
        if let Some(author) = &filter.author {
            condition.and(" AND d.author_id = (SELECT id FROM users WHERE name = ?)", author);
        }
        for word in &filter.words {
            condition.and(" AND instr(lower(d.title), lower(?)) > 0", word);
        }
        condition
    }

    fn and(&mut self, sql: &str, value: &str) {
        self.sql += sql;
        self.values.push(value.to_owned().into());
    }

    fn count(&self, tx: &Transaction<'_>) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM discussions d WHERE {}", self.sql);
        let mut query = tx.prepare_cached(&sql)?;
        let count: i64 = query.query_row(params_from_iter(&self.values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn page(&self, tx: &Transaction<'_>, skip: u64, limit: u64) -> Result<Vec<Discussion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE {} ORDER BY d.pinned DESC, d.num DESC
             LIMIT {limit} OFFSET {skip}",
            self.sql
        );
        let mut query = tx.prepare(&sql)?;
        let mut rows = query.query(params_from_iter(&self.values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

//! Lists of repositories: filters, sorts and pages them in the database.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Value;

use super::facts::Properties;
use super::popularity::Popularity;
use super::repo_id::{RepoId, RepoKey, RepoKind};
use super::settings::Settings;
use super::{Store, db};

/// A tag that fewer repositories have is looked up first, and its repositories are sorted; with
/// more of them it is quicker to read in order and stop at the end of the page.
const RARE: i64 = 500;

/// Who lists repositories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Viewer {
    /// The name of the user; `None` without a token.
    pub(crate) user: Option<String>,
    /// The namespaces whose private repositories the user may see.
    pub(crate) namespaces: Vec<String>,
    /// The namespaces and repositories to which the token is limited; `None` if it is not.
    pub(crate) entities: Option<Vec<String>>,
}

/// The order of a list; repositories that are equal in it follow by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// By id.
    #[default]
    Id,
    /// The newest repository first.
    Created,
    /// The one with the newest commit first.
    Modified,
    /// The one with the most likes first.
    Likes,
    /// The one with the most recent likes first.
    Trend,
}

/// What to list.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The kind.
    pub(crate) kind: RepoKind,
    /// Only what this viewer may see.
    pub(crate) viewer: Viewer,
    /// Only those of a namespace; `""` stands for none.
    pub(crate) author: Option<String>,
    /// Only those whose id contains all of these, in any case.
    pub(crate) words: Vec<String>,
    /// Only those that have all of these tags.
    pub(crate) tags: Vec<String>,
    /// Only those with this task.
    pub(crate) pipeline_tag: Option<String>,
    /// Only gated ones, or only others.
    pub(crate) gated: Option<bool>,
    /// Only those that use one of these models.
    pub(crate) models: Vec<String>,
    /// Only those that use one of these datasets.
    pub(crate) datasets: Vec<String>,
    /// Only those that use any model or dataset.
    pub(crate) linked: bool,
    /// Only those with at least and at most so many parameters.
    pub(crate) parameters: Option<(f64, f64)>,
    /// The order.
    pub(crate) order: Order,
    /// Whether to read all facts instead of the usual ones.
    pub(crate) details: bool,
    /// Number of repositories to leave out.
    pub(crate) skip: usize,
    /// Maximum number of repositories.
    pub(crate) limit: Option<usize>,
}

impl Search {
    /// Lists all repositories of a kind that the viewer may see.
    pub(crate) fn new(kind: RepoKind, viewer: Viewer) -> Self {
        Self {
            kind,
            viewer,
            author: None,
            words: Vec::new(),
            tags: Vec::new(),
            pipeline_tag: None,
            gated: None,
            models: Vec::new(),
            datasets: Vec::new(),
            linked: false,
            parameters: None,
            order: Order::Id,
            details: false,
            skip: 0,
            limit: None,
        }
    }
}

/// A listed repository.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) key: RepoKey,
    /// Its settings.
    pub(crate) settings: Settings,
    /// The head of its main branch.
    pub(crate) head: String,
    /// When that was committed.
    pub(crate) modified_at: Timestamp,
    /// The size of its files.
    pub(crate) storage: u64,
    /// How many users like it.
    pub(crate) popularity: Popularity,
    /// What its files say about it.
    pub(crate) facts: Properties,
}

impl Store {
    /// Lists repositories with a main branch.
    pub(crate) fn search(&self, search: &Search) -> Result<Vec<Found>> {
        self.refresh()?;
        self.expire_likes()?;
        self.db.read(|tx| {
            let rare = |tag: &String| {
                let mut count = tx.prepare_cached(
                    "SELECT count(*) FROM
                       (SELECT 1 FROM repository_tags WHERE tag = ?1 LIMIT ?2)",
                )?;
                Ok(count.query_row((tag, RARE), |row| row.get::<_, i64>(0))? < RARE)
            };
            let rare = search.tags.iter().map(rare).collect::<Result<Vec<_>>>()?;
            let mut query = Query::new(search, &rare);
            let sql = query.sql(search);
            let mut statement = tx.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(query.values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(search.kind, row)?);
            }
            Ok(found)
        })
    }

    /// Counts the repositories of a namespace that a viewer may see.
    pub(crate) fn count(&self, kind: RepoKind, author: &str, viewer: Viewer) -> Result<i64> {
        self.refresh()?;
        let search = Search { author: Some(author.to_owned()), ..Search::new(kind, viewer) };
        let query = Query::new(&search, &[]);
        let sql = format!("SELECT count(*) FROM repositories r WHERE {}", query.conditions());
        self.db.read(|tx| {
            let values = rusqlite::params_from_iter(query.values);
            Ok(tx.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
        })
    }

    /// Returns all repositories, with or without a main branch, for the administrator.
    pub(crate) fn list(&self, kind: RepoKind) -> Result<Vec<(RepoId, Settings)>> {
        let columns = Settings::COLUMNS;
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&format!(
                "SELECT full_id, {columns} FROM repositories WHERE kind = ?1 ORDER BY full_id"
            ))?;
            let mut rows = query.query([kind.singular()])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((row.get_ref(0)?.as_str()?.parse()?, Settings::from_row(row, 1)?));
            }
            Ok(all)
        })
    }

    /// Returns the names of the private repositories of a namespace.
    pub(super) fn private_ones(&self, namespace: Option<&str>) -> Result<Vec<RepoKey>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT kind, full_id FROM repositories WHERE namespace IS ?1 AND private",
            )?;
            let mut rows = query.query([namespace])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                let kind = RepoKind::from_singular(row.get_ref(0)?.as_str()?)?;
                keys.push(RepoKey::new(kind, row.get_ref(1)?.as_str()?.parse()?));
            }
            Ok(keys)
        })
    }
}

fn read(kind: RepoKind, row: &Row<'_>) -> Result<Found> {
    Ok(Found {
        key: RepoKey::new(kind, row.get_ref(0)?.as_str()?.parse()?),
        head: row.get(1)?,
        modified_at: db::time(row.get(2)?)?,
        storage: row.get::<_, Option<i64>>(3)?.unwrap_or_default().unsigned_abs(),
        facts: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
        popularity: Popularity::from_row(row, 5)?,
        settings: Settings::from_row(row, 7)?,
    })
}

/// Conditions and the values in them, in the same order.
pub(super) struct Query {
    conditions: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Query {
    /// Selects the repositories `r` that the viewer may see.
    pub(super) fn visible(viewer: &Viewer) -> Self {
        let mut query = Self { conditions: Vec::new(), values: Vec::new() };
        query.add_viewer(viewer);
        query
    }

    fn new(search: &Search, rare: &[bool]) -> Self {
        let mut query = Self { conditions: Vec::new(), values: Vec::new() };
        query.add("r.kind = ?", [text(search.kind.singular())]);
        query.add("r.head IS NOT NULL", []);
        query.add_author(search.author.as_deref());
        for word in &search.words {
            // `LIKE` ignores the case of ASCII letters, and ids have no others. Its patterns end at
            // a NUL.
            if word.contains('\0') {
                query.add("FALSE", []);
            }
            query.add("r.full_id LIKE ? ESCAPE '\\'", [text(&format!("%{}%", literal(word)))]);
        }
        query.add_viewer(&search.viewer);
        for (tag, is_rare) in search.tags.iter().zip(rare) {
            let condition = if *is_rare {
                "r.id IN (SELECT repository_id FROM repository_tags WHERE tag = ?)"
            } else {
                "EXISTS (SELECT 1 FROM repository_tags WHERE repository_id = r.id AND tag = ?)"
            };
            query.add(condition, [text(tag)]);
        }
        if let Some(tag) = &search.pipeline_tag {
            query.add("r.pipeline_tag = ?", [text(tag)]);
        }
        if let Some(gated) = search.gated {
            query.add("(r.gated IS NOT NULL) = ?", [Value::from(gated)]);
        }
        query.add_links(search);
        if let Some((least, most)) = search.parameters {
            query.add("r.parameters BETWEEN ? AND ?", [least.into(), most.into()]);
        }
        query
    }

    fn add<const N: usize>(&mut self, condition: &str, values: [Value; N]) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    fn add_author(&mut self, author: Option<&str>) {
        match author {
            None => {}
            Some("") => self.add("r.namespace IS NULL", []),
            Some(author) => self.add("r.namespace = ?", [text(author)]),
        }
    }

    /// The rules of a single repository are in `serve/access.rs`.
    fn add_viewer(&mut self, viewer: &Viewer) {
        let Some(user) = &viewer.user else { return self.add("NOT r.private", []) };
        let own = "(r.namespace IN (SELECT value FROM json_each(?)) OR EXISTS
            (SELECT 1 FROM access_requests
             WHERE repository_id = r.id AND user = ? AND state = 'accepted'))";
        let own_values = [json(&viewer.namespaces), text(user)];
        match &viewer.entities {
            None => self.add(&format!("(NOT r.private OR {own})"), own_values),
            Some(entities) => {
                let list = "(SELECT value FROM json_each(?))";
                let condition = format!(
                    "(NOT r.private OR ({own} AND (r.namespace IN {list} OR r.full_id IN {list})))"
                );
                let [namespaces, user] = own_values;
                self.add(&condition, [namespaces, user, json(entities), json(entities)]);
            }
        }
    }

    fn add_links(&mut self, search: &Search) {
        let linked = "SELECT repository_id FROM repository_links";
        for (kind, targets) in [("models", &search.models), ("datasets", &search.datasets)] {
            if !targets.is_empty() {
                let condition = format!(
                    "r.id IN ({linked} WHERE kind = ? AND target IN
                       (SELECT value FROM json_each(?)))"
                );
                self.add(&condition, [text(kind), json(targets)]);
            }
        }
        if search.linked {
            self.add(&format!("r.id IN ({linked})"), []);
        }
    }

    /// Returns the conditions in SQL.
    pub(super) fn conditions(&self) -> String {
        self.conditions.join(" AND ")
    }

    fn sql(&mut self, search: &Search) -> String {
        let (popularity, columns) = (Popularity::COLUMNS, Settings::COLUMNS);
        let (facts, join) = if search.details {
            ("f.facts", "JOIN repository_facts f ON f.repository_id = r.id")
        } else {
            ("r.summary", "")
        };
        let order = match search.order {
            Order::Id => "r.full_id",
            Order::Created => "r.created_at DESC, r.full_id",
            Order::Modified => "r.modified_at DESC, r.full_id",
            Order::Likes => "r.likes DESC, r.full_id",
            Order::Trend => "r.trend DESC, r.full_id",
        };
        let conditions = self.conditions();
        self.values.push(search.limit.map_or(-1, db::number).into());
        self.values.push(db::number(search.skip).into());
        format!(
            "SELECT r.full_id, r.head, r.modified_at, r.storage, {facts}, {popularity}, {columns}
             FROM repositories r {join} WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?"
        )
    }
}

/// Returns the pattern of `LIKE` that matches this text.
fn literal(text: &str) -> String {
    let is_special = |c: char| matches!(c, '\\' | '%' | '_');
    text.to_lowercase()
        .chars()
        .flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

fn text(value: &str) -> Value {
    value.to_owned().into()
}

fn json(values: &[String]) -> Value {
    serde_json::Value::from(values).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::super::db::Db;
    use super::*;

    /// Returns how the database reads a list.
    fn plan(db: &Db, search: &Search) -> String {
        let mut query = Query::new(search, &vec![false; search.tags.len()]);
        let sql = format!("EXPLAIN QUERY PLAN {}", query.sql(search));
        db.read(|tx| {
            let mut statement = tx.prepare(&sql)?;
            let values = rusqlite::params_from_iter(query.values);
            let steps = statement.query_map(values, |row| row.get::<_, String>(3))?;
            Ok(steps.collect::<Result<Vec<_>, _>>()?.join("\n"))
        })
        .unwrap()
    }

    #[test]
    fn a_list_is_read_in_its_order_until_the_page_is_full() {
        let root = tempfile::tempdir().unwrap();
        let db = Db::open(root.path(), |_| Ok(())).unwrap();
        let viewer = Viewer {
            user: Some("ann".into()),
            namespaces: vec!["acme".into()],
            entities: Some(vec!["acme/r".into()]),
        };
        let all = Search::new(RepoKind::Model, viewer);
        let filtered = Search {
            words: vec!["tiny".into()],
            tags: vec!["a".into(), "b".into()],
            pipeline_tag: Some("fill-mask".into()),
            gated: Some(false),
            details: true,
            ..all.clone()
        };
        for search in [all, filtered] {
            for (order, index) in [
                (Order::Id, "repositories_by_id"),
                (Order::Created, "repositories_by_creation"),
                (Order::Modified, "repositories_by_change"),
                (Order::Likes, "repositories_by_likes"),
                (Order::Trend, "repositories_by_trend"),
            ] {
                let plan = plan(&db, &Search { order, ..search.clone() });
                assert!(plan.contains(&format!("SEARCH r USING INDEX {index} (")), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
            let author = Some("acme".into());
            let plan = plan(&db, &Search { author, ..search });
            assert!(plan.contains("repositories_by_namespace"), "{plan}");
        }
    }

    #[test]
    fn patterns_match_their_text_only() {
        assert_eq!(literal(r"A_1%\"), r"a\_1\%\\");
    }
}

//! What happened in a discussion, in order.

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use serde::{Deserialize, Serialize};

use super::super::db;
use super::{Author, Refused, Status, object_id};

/// Maximum number of events of a discussion.
const MAX_EVENTS: i64 = 10_000;
/// Maximum size of all texts of a discussion: they are sent in one response.
const MAX_TEXT: i64 = 16 << 20;

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The database id: 24 hex digits.
    pub(crate) id: String,
    /// The user; `None` if the user was removed.
    pub(crate) author: Option<Author>,
    /// The time.
    pub(crate) created_at: Timestamp,
    /// What happened.
    pub(crate) happened: Happened,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// A comment was written.
    Comment(Comment),
    /// The status was changed.
    StatusChange(StatusChange),
    /// The title was changed.
    TitleChange(TitleChange),
    /// A commit was added to the pull request.
    Commit(Commit),
}

/// A comment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comment {
    /// The user who has hidden it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hidden_by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What it said, oldest first; nothing if it is hidden.
    #[serde(skip)]
    pub(crate) versions: Vec<Version>,
}

/// What a comment said until it was edited.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The user who wrote it; `None` if the user was removed.
    pub(crate) author: Option<Author>,
    /// The time.
    pub(crate) created_at: Timestamp,
    /// The Markdown.
    pub(crate) content: String,
}

/// A new status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StatusChange {
    /// The status.
    pub(crate) status: Status,
}

/// A new title.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TitleChange {
    /// The old title.
    pub(crate) from: String,
    /// The new title.
    pub(crate) to: String,
}

/// A commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Commit {
    /// The first line of its message.
    pub(crate) subject: String,
    /// Its id.
    pub(crate) oid: String,
}

impl Event {
    /// Whether this user has caused it.
    pub(crate) fn is_by(&self, user: &str) -> bool {
        self.author.as_ref().is_some_and(|author| author.name == user)
    }
}

impl Happened {
    /// Returns the type of the event in the API.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Comment(_) => "comment",
            Self::StatusChange(_) => "status-change",
            Self::TitleChange(_) => "title-change",
            Self::Commit(_) => "commit",
        }
    }

    fn data(&self) -> serde_json::Result<String> {
        match self {
            Self::Comment(comment) => serde_json::to_string(comment),
            Self::StatusChange(change) => serde_json::to_string(change),
            Self::TitleChange(change) => serde_json::to_string(change),
            Self::Commit(commit) => serde_json::to_string(commit),
        }
    }

    fn read(kind: &str, data: &str) -> Result<Self> {
        Ok(match kind {
            "comment" => Self::Comment(serde_json::from_str(data)?),
            "status-change" => Self::StatusChange(serde_json::from_str(data)?),
            "title-change" => Self::TitleChange(serde_json::from_str(data)?),
            "commit" => Self::Commit(serde_json::from_str(data)?),
            other => bail!("unknown kind of event: {other}"),
        })
    }
}

const COLUMNS: &str = "e.id, e.object_id, e.created_at, e.kind, e.data, u.name, u.fullname";
const TABLES: &str = "discussion_events e LEFT JOIN users u ON u.id = e.author_id";

/// Returns all events of a discussion, oldest first.
pub(super) fn load(tx: &Transaction<'_>, discussion: i64) -> Result<Vec<Event>> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE e.discussion_id = ?1 ORDER BY e.id"
    ))?;
    let mut rows = query.query([discussion])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(read(tx, row)?);
    }
    Ok(events)
}

/// Returns one event.
pub(super) fn find(tx: &Transaction<'_>, discussion: i64, id: &str) -> Result<Event> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE e.discussion_id = ?1 AND e.object_id = ?2"
    ))?;
    let mut rows = query.query((discussion, id))?;
    read(tx, rows.next()?.ok_or(Refused::NoComment)?)
}

/// Returns the row of a comment, and the comment.
fn comment(tx: &Transaction<'_>, discussion: i64, id: &str) -> Result<(i64, Comment)> {
    let mut query = tx.prepare_cached(
        "SELECT id, data FROM discussion_events
         WHERE discussion_id = ?1 AND object_id = ?2 AND kind = 'comment'",
    )?;
    let mut rows = query.query((discussion, id))?;
    let row = rows.next()?.ok_or(Refused::NoComment)?;
    Ok((row.get(0)?, serde_json::from_str(row.get_ref(1)?.as_str()?)?))
}

/// Adds an event, and returns its id.
pub(in super::super) fn add(
    tx: &Transaction<'_>,
    discussion: i64,
    author: &str,
    happened: &Happened,
) -> Result<String> {
    let mut count =
        tx.prepare_cached("SELECT count(*) FROM discussion_events WHERE discussion_id = ?1")?;
    if count.query_row([discussion], |row| row.get::<_, i64>(0))? >= MAX_EVENTS {
        return Err(Refused::Full.into());
    }
    let id = object_id()?;
    tx.execute(
        "INSERT INTO discussion_events (discussion_id, object_id, author_id, created_at, kind, data)
         VALUES (?1, ?2, (SELECT id FROM users WHERE name = ?3), ?4, ?5, ?6)",
        (discussion, &id, author, now(), happened.kind(), happened.data()?),
    )?;
    Ok(id)
}

/// Adds a comment, and returns its id.
pub(in super::super) fn add_comment(
    tx: &Transaction<'_>,
    discussion: i64,
    author: &str,
    content: &str,
) -> Result<String> {
    let id = add(tx, discussion, author, &Happened::Comment(Comment::default()))?;
    add_version(tx, discussion, tx.last_insert_rowid(), author, content)?;
    Ok(id)
}

/// Replaces the text of a comment.
pub(super) fn edit(
    tx: &Transaction<'_>,
    discussion: i64,
    id: &str,
    author: &str,
    content: &str,
) -> Result<()> {
    let (row, comment) = comment(tx, discussion, id)?;
    if comment.hidden_by.is_some() {
        return Err(Refused::Hidden.into());
    }
    add_version(tx, discussion, row, author, content)
}

/// Hides a comment for good: its texts are removed.
pub(super) fn hide(
    tx: &Transaction<'_>,
    discussion: i64,
    id: &str,
    by: &str,
    reason: Option<&str>,
) -> Result<()> {
    let (row, comment) = comment(tx, discussion, id)?;
    if comment.hidden_by.is_some() {
        return Err(Refused::Hidden.into());
    }
    let reason = reason.map(str::to_owned);
    let hidden = Comment { hidden_by: Some(by.to_owned()), reason, versions: Vec::new() };
    tx.execute("DELETE FROM comment_versions WHERE event_id = ?1", [row])?;
    tx.execute(
        "UPDATE discussion_events SET data = ?2 WHERE id = ?1",
        (row, serde_json::to_string(&hidden)?),
    )?;
    Ok(())
}

fn add_version(
    tx: &Transaction<'_>,
    discussion: i64,
    event: i64,
    author: &str,
    content: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO comment_versions (event_id, author_id, created_at, content)
         VALUES (?1, (SELECT id FROM users WHERE name = ?2), ?3, ?4)",
        (event, author, now(), content),
    )?;
    let mut size = tx.prepare_cached(
        "SELECT sum(octet_length(v.content)) FROM discussion_events e
         JOIN comment_versions v ON v.event_id = e.id WHERE e.discussion_id = ?1",
    )?;
    if size.query_row([discussion], |row| row.get::<_, i64>(0))? > MAX_TEXT {
        return Err(Refused::Full.into());
    }
    Ok(())
}

fn read(tx: &Transaction<'_>, row: &Row<'_>) -> Result<Event> {
    let mut happened = Happened::read(row.get_ref(3)?.as_str()?, row.get_ref(4)?.as_str()?)?;
    if let Happened::Comment(comment) = &mut happened {
        comment.versions = versions(tx, row.get(0)?)?;
    }
    Ok(Event {
        id: row.get(1)?,
        author: Author::read(row, 5)?,
        created_at: db::time(row.get(2)?)?,
        happened,
    })
}

fn versions(tx: &Transaction<'_>, event: i64) -> Result<Vec<Version>> {
    let mut query = tx.prepare_cached(
        "SELECT v.content, v.created_at, u.name, u.fullname
         FROM comment_versions v LEFT JOIN users u ON u.id = v.author_id
         WHERE v.event_id = ?1 ORDER BY v.id",
    )?;
    let mut rows = query.query([event])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        let (content, created_at) = (row.get(0)?, db::time(row.get(1)?)?);
        versions.push(Version { author: Author::read(row, 2)?, created_at, content });
    }
    Ok(versions)
}

fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

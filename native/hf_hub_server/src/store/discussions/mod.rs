//! Discussions and pull requests of a repository, which share their numbers.
//!
//! What concerns git is in `pull_requests`. Permissions are checked by the caller, states here:
//! another request may have changed them meanwhile.

pub(super) mod event;
mod list;
mod numbers;

pub(crate) use event::{Comment, Commit, Event, Happened, StatusChange, TitleChange};
pub(crate) use list::Filter;
pub(super) use numbers::{reserve, reserve_until};

use std::fmt;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use serde::{Deserialize, Serialize};

use super::Repo;
use super::db::{self, Db};

/// A discussion, or a pull request.
#[derive(Clone, Debug)]
pub(crate) struct Discussion {
    pub(super) row: i64,
    /// Its number in the repository.
    pub(crate) num: u64,
    /// The database id that clients see as `_id`: 24 hex digits.
    pub(crate) object_id: String,
    /// Its title.
    pub(crate) title: String,
    /// Its status.
    pub(crate) status: Status,
    /// The user who opened it; `None` if the user was removed.
    pub(crate) author: Option<Author>,
    /// When it was opened.
    pub(crate) created_at: Timestamp,
    /// Whether it is shown first.
    pub(crate) pinned: bool,
    /// The full name of the branch for which a pull request is; `None` for a discussion.
    pub(crate) base: Option<String>,
    /// The commit of a merged pull request.
    pub(crate) merge_commit: Option<String>,
    /// The number of comments.
    pub(crate) comments: u64,
}

impl Discussion {
    /// Whether this user has opened it.
    pub(crate) fn is_by(&self, user: &str) -> bool {
        self.author.as_ref().is_some_and(|author| author.name == user)
    }
}

/// The status of a discussion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// A pull request that is being prepared.
    Draft,
    /// Open.
    Open,
    /// Closed; it can be opened again.
    Closed,
    /// A merged pull request.
    Merged,
}

/// Who has written something.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    /// The name of the user.
    pub(crate) name: String,
    /// The display name.
    pub(crate) fullname: Option<String>,
}

/// What is opened.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    /// The title.
    pub(crate) title: &'a str,
    /// The first comment, if it is not empty.
    pub(crate) description: &'a str,
    /// The user who opens it.
    pub(crate) author: &'a str,
    /// The time.
    pub(crate) created_at: Timestamp,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no discussion of that number, or no repository any more.
    Missing,
    /// There is no such comment.
    NoComment,
    /// The comment is hidden.
    Hidden,
    /// The discussion has too much text, or too many events.
    Full,
    /// A discussion, and not a pull request.
    NotAPullRequest,
    /// The status is this one already.
    Already(Status),
    /// The status does not allow it.
    Status(Status),
    /// The pull request is neither closed nor merged.
    StillOpen,
    /// The pull request has no ref, or no branch to be merged into.
    NoRef(String),
    /// Changes of these files contradict each other.
    Conflicts(Vec<String>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {self:?}")
    }
}

impl std::error::Error for Refused {}

/// The discussions.
#[derive(Clone, Debug)]
pub(crate) struct Discussions {
    pub(super) db: Db,
}

impl Discussions {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns a discussion; fails with [`Refused::Missing`].
    pub(crate) fn get(&self, repo: &Repo, num: u64) -> Result<Discussion> {
        self.db.read(|tx| find(tx, repo, num))
    }

    /// Returns the events of a discussion, oldest first.
    pub(crate) fn events(&self, discussion: &Discussion) -> Result<Vec<Event>> {
        self.db.read(|tx| event::load(tx, discussion.row))
    }

    /// Returns an event; fails with [`Refused::NoComment`].
    pub(crate) fn event(&self, discussion: &Discussion, id: &str) -> Result<Event> {
        self.db.read(|tx| event::find(tx, discussion.row, id))
    }

    /// Opens a discussion with a number above `floor`.
    pub(crate) fn open(
        &self,
        repo: &Repo,
        floor: u64,
        opening: &Opening<'_>,
    ) -> Result<Discussion> {
        self.db.write(|tx| {
            let num = reserve(tx, repo.row, floor)?;
            insert(tx, repo.row, num, (None, Status::Open), opening)?;
            find(tx, repo, num)
        })
    }

    /// Adds a comment.
    pub(crate) fn comment(&self, repo: &Repo, num: u64, author: &str, text: &str) -> Result<Event> {
        self.change(repo, num, |tx, discussion| {
            let id = event::add_comment(tx, discussion.row, author, text)?;
            event::find(tx, discussion.row, &id)
        })
    }

    /// Replaces the text of a comment; the earlier ones are kept.
    pub(crate) fn edit(
        &self,
        repo: &Repo,
        num: u64,
        id: &str,
        author: &str,
        text: &str,
    ) -> Result<Event> {
        self.change(repo, num, |tx, discussion| {
            event::edit(tx, discussion.row, id, author, text)?;
            event::find(tx, discussion.row, id)
        })
    }

    /// Hides a comment, and removes its texts.
    pub(crate) fn hide(
        &self,
        repo: &Repo,
        num: u64,
        id: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Event> {
        self.change(repo, num, |tx, discussion| {
            event::hide(tx, discussion.row, id, by, reason)?;
            event::find(tx, discussion.row, id)
        })
    }

    /// Changes the title.
    pub(crate) fn rename(&self, repo: &Repo, num: u64, author: &str, title: &str) -> Result<Event> {
        self.change(repo, num, |tx, discussion| {
            tx.execute("UPDATE discussions SET title = ?2 WHERE id = ?1", (discussion.row, title))?;
            let (from, to) = (discussion.title.clone(), title.to_owned());
            let happened = Happened::TitleChange(TitleChange { from, to });
            let id = event::add(tx, discussion.row, author, &happened)?;
            event::find(tx, discussion.row, &id)
        })
    }

    /// Opens or closes a discussion, after a comment if there is one. A draft becomes ready for
    /// review by being opened.
    pub(crate) fn set_status(
        &self,
        repo: &Repo,
        num: u64,
        author: &str,
        status: Status,
        comment: Option<&str>,
    ) -> Result<Event> {
        self.change(repo, num, |tx, discussion| {
            if discussion.status == Status::Merged {
                return Err(Refused::Status(Status::Merged).into());
            }
            if discussion.status == status {
                return Err(Refused::Already(status).into());
            }
            if let Some(text) = comment {
                event::add_comment(tx, discussion.row, author, text)?;
            }
            let id = enter(tx, discussion, author, status, None)?;
            event::find(tx, discussion.row, &id)
        })
    }

    /// Shows a discussion before others, or no longer.
    pub(crate) fn pin(&self, repo: &Repo, num: u64, pinned: bool) -> Result<Discussion> {
        self.change(repo, num, |tx, discussion| {
            tx.execute(
                "UPDATE discussions SET pinned = ?2 WHERE id = ?1",
                (discussion.row, pinned),
            )?;
            find(tx, repo, num)
        })
    }

    fn change<T>(
        &self,
        repo: &Repo,
        num: u64,
        work: impl FnOnce(&Transaction<'_>, &Discussion) -> Result<T>,
    ) -> Result<T> {
        self.db.write(|tx| work(tx, &find(tx, repo, num)?))
    }
}

/// Adds a discussion, or a pull request for `base`, and returns its row.
pub(super) fn insert(
    tx: &Transaction<'_>,
    repository: i64,
    num: u64,
    (base, status): (Option<&str>, Status),
    opening: &Opening<'_>,
) -> Result<i64> {
    tx.execute(
        "INSERT INTO discussions
           (repository_id, num, object_id, title, status, author_id, created_at, base)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT id FROM users WHERE name = ?6), ?7, ?8)",
        (
            repository,
            numbers::stored(num),
            object_id()?,
            opening.title,
            db::word(&status)?,
            opening.author,
            opening.created_at.as_microsecond(),
            base,
        ),
    )?;
    let row = tx.last_insert_rowid();
    if !opening.description.is_empty() {
        event::add_comment(tx, row, opening.author, opening.description)?;
    }
    Ok(row)
}

/// Gives a discussion another status, and returns the id of the event.
pub(super) fn enter(
    tx: &Transaction<'_>,
    discussion: &Discussion,
    author: &str,
    status: Status,
    merge_commit: Option<&str>,
) -> Result<String> {
    tx.execute(
        "UPDATE discussions SET status = ?2, merge_commit = ?3 WHERE id = ?1",
        (discussion.row, db::word(&status)?, merge_commit),
    )?;
    event::add(tx, discussion.row, author, &Happened::StatusChange(StatusChange { status }))
}

/// Returns a discussion; fails with [`Refused::Missing`].
pub(super) fn find(tx: &Transaction<'_>, repo: &Repo, num: u64) -> Result<Discussion> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE d.repository_id = ?1 AND d.num = ?2"
    ))?;
    let mut rows = query.query((repo.row, numbers::stored(num)))?;
    let row = rows.next()?.ok_or(Refused::Missing)?;
    read(row)
}

/// What [`read`] needs.
const COLUMNS: &str = "d.id, d.num, d.object_id, d.title, d.status, d.created_at, d.pinned, d.base, \
     d.merge_commit, u.name, u.fullname, \
     (SELECT count(*) FROM discussion_events e WHERE e.discussion_id = d.id AND e.kind = 'comment')";
const TABLES: &str = "discussions d LEFT JOIN users u ON u.id = d.author_id";

fn read(row: &Row<'_>) -> Result<Discussion> {
    Ok(Discussion {
        row: row.get(0)?,
        num: row.get::<_, i64>(1)?.unsigned_abs(),
        object_id: row.get(2)?,
        title: row.get(3)?,
        status: db::from_word(row.get_ref(4)?.as_str()?)?,
        created_at: db::time(row.get(5)?)?,
        pinned: row.get(6)?,
        base: row.get(7)?,
        merge_commit: row.get(8)?,
        author: Author::read(row, 9)?,
        comments: row.get::<_, i64>(11)?.unsigned_abs(),
    })
}

impl Author {
    /// Reads the name and the display name.
    fn read(row: &Row<'_>, first: usize) -> Result<Option<Self>> {
        let (name, fullname): (Option<String>, _) = (row.get(first)?, row.get(first + 1)?);
        Ok(name.map(|name| Self { name, fullname }))
    }
}

/// Returns a new id of the database, which begins with the time, as on the Hub.
fn object_id() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(format!("{:08x}{}", Timestamp::now().as_second(), hex::encode(random)))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use rusqlite::Connection;

    use super::super::access::Access;
    use super::super::{RepoKey, RepoKind, Settings};
    use super::*;

    /// Opens a database of version 1 with three pull requests.
    fn upgraded(root: &Path) -> Db {
        let old = Connection::open(root.join("hub.db")).unwrap();
        old.execute_batch(include_str!("../migrations/001_state.sql")).unwrap();
        old.execute_batch(
            "PRAGMA user_version = 1;
             INSERT INTO users (name) VALUES ('ann');
             INSERT INTO repositories (kind, full_id, object_id, created_at, private, disabled, more)
               VALUES ('model', 'acme/r', 'x', 0, 0, 0, '{}'), ('model', 'acme/s', 'y', 0, 0, 0, '{}');
             INSERT INTO pull_requests (repository_id, num, title, author, created_at)
               VALUES (1, 3, 'Third', 'ann', 5000000), (1, 1, 'First', 'gone', 0), (2, 9, 'x', 'ann', 0);",
        )
        .unwrap();
        drop(old);
        Db::open(root, |_| panic!("it is there already")).unwrap()
    }

    fn repo(db: &Db, row: i64) -> Repo {
        let key = RepoKey::new(RepoKind::Model, "acme/r".parse().unwrap());
        let (settings, access) = (Settings::new(&key), Access::new(db.clone(), row));
        let (git_dir, waiting) = (PathBuf::new(), None);
        Repo { key, settings, access, row, git_dir, waiting }
    }

    #[test]
    fn pull_requests_of_an_earlier_version_become_discussions() {
        let root = tempfile::tempdir().unwrap();
        let db = upgraded(root.path());
        let (discussions, repo) = (Discussions::new(db.clone()), repo(&db, 1));
        let third = discussions.get(&repo, 3).unwrap();
        assert_eq!((third.title.as_str(), third.status), ("Third", Status::Open));
        assert_eq!((third.base.as_deref(), third.pinned), (Some("refs/heads/main"), false));
        assert!(third.is_by("ann") && !third.is_by("gone"));
        assert_eq!((third.created_at.as_second(), third.object_id.len()), (5, 24));
        assert!(discussions.get(&repo, 1).unwrap().author.is_none());
        let missing = discussions.get(&repo, 2).unwrap_err();
        assert_eq!(missing.downcast_ref(), Some(&Refused::Missing));
        let opening = Opening {
            title: "New",
            description: "",
            author: "ann",
            created_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(discussions.open(&repo, 0, &opening).unwrap().num, 4);
        assert_eq!(discussions.open(&repo, 7, &opening).unwrap().num, 8);
        assert_eq!(discussions.open(&self::repo(&db, 2), 0, &opening).unwrap().num, 10);
    }

    #[test]
    fn a_discussion_has_a_bound() {
        let root = tempfile::tempdir().unwrap();
        let db = upgraded(root.path());
        let (discussions, repo) = (Discussions::new(db.clone()), repo(&db, 1));
        let text = "x".repeat(4 << 20);
        for _ in 0..4 {
            discussions.comment(&repo, 1, "ann", &text).unwrap();
        }
        let first = discussions.get(&repo, 1).unwrap();
        let refused = discussions.comment(&repo, 1, "ann", "y").unwrap_err();
        assert_eq!(refused.downcast_ref(), Some(&Refused::Full));
        let events = discussions.events(&first).unwrap();
        assert_eq!(events.len(), 4, "the refused comment is not there");
        let edited = discussions.edit(&repo, 1, &events[0].id, "ann", "y").unwrap_err();
        assert_eq!(edited.downcast_ref(), Some(&Refused::Full));
        discussions.hide(&repo, 1, &events[0].id, "ann", None).unwrap();
        discussions.comment(&repo, 1, "ann", "there is room again").unwrap();
    }
}

//! The database of the Hub: `hub.db` in the root. Opens it, brings its tables up to date, and runs
//! transactions.
//!
//! `SQLite` in WAL mode: readers see one state and never wait, and there is one writer at a time, in
//! this process and in others on the same machine. All functions block. Each table belongs to the
//! module that is named like it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::disk::{self, Lock};

/// Changes of the tables, in order; the database records how many were applied. Released ones are
/// never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_state.sql"),
    include_str!("migrations/002_likes.sql"),
    include_str!("migrations/003_people.sql"),
    include_str!("migrations/004_discussions.sql"),
    include_str!("migrations/005_webhooks.sql"),
    include_str!("migrations/006_spaces.sql"),
    include_str!("migrations/007_access.sql"),
    include_str!("migrations/008_collections.sql"),
    include_str!("migrations/009_xet.sql"),
    include_str!("migrations/010_buckets.sql"),
    include_str!("migrations/011_jobs.sql"),
    include_str!("migrations/012_scheduled_jobs.sql"),
    include_str!("migrations/013_inference_endpoints.sql"),
    include_str!("migrations/014_bucket_events.sql"),
];

/// Selects what belongs to the namespace `?1`, also from a table that compares names without case:
/// those of accounts may differ only by it.
pub(super) const EXACT_NAMESPACE: &str = "namespace = ?1 AND namespace = ?1 COLLATE BINARY";

/// Maximum time to wait for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of idle connections that are kept for readers.
const IDLE_READERS: usize = 16;

/// An open database; copies share it.
#[derive(Clone)]
pub(super) struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the database of the Hub at `root`. A missing one is created and gets its first content
    /// from `fill`: it appears completely or not at all.
    pub(super) fn open(
        root: &Path,
        fill: impl FnOnce(&Transaction<'_>) -> Result<()>,
    ) -> Result<Self> {
        let path = root.join("hub.db");
        let _lock = Lock::acquire(&root.join("hub.lock"))?;
        if !path.try_exists()? {
            create(&path, fill).with_context(|| format!("cannot create {}", path.display()))?;
        }
        let context = || format!("cannot open {}", path.display());
        let mut writer = connect(&path).with_context(context)?;
        migrate(&mut writer, MIGRATIONS).with_context(context)?;
        let (writer, readers) = (Mutex::new(writer), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { path, writer, readers }) })
    }

    /// Runs `work` on one state of the database.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let idle = guard(&self.inner.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.inner.path)?,
        };
        let result = work(&reader.transaction()?);
        let mut readers = guard(&self.inner.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    /// Runs `work` as the only writer. Its changes are all made, durably, or none of them. It must
    /// not wait for a repository's lock, whose holder may wait for the database.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.change("FULL", work)
    }

    /// Same as [`Self::write`], but a power failure may undo the changes: for what can be derived
    /// again.
    pub(super) fn note<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.change("NORMAL", work)
    }

    fn change<T>(
        &self,
        synchronous: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut writer = guard(&self.inner.writer);
        writer.pragma_update(None, "synchronous", synchronous)?;
        let run = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|err| self.explain(err))
    }

    /// Copies one state of the database to a new file, while others use it.
    pub(super) fn copy_to(&self, path: &Path) -> Result<()> {
        let Some(name) = path.to_str() else { bail!("{} is not UTF-8", path.display()) };
        connect(&self.inner.path)?.execute("VACUUM INTO ?1", [name])?;
        Ok(())
    }

    /// `SQLite` does not always report why a write failed, so this tries to write as much.
    fn explain(&self, err: anyhow::Error) -> anyhow::Error {
        let code = err.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
        match code {
            Some(rusqlite::ErrorCode::DiskFull) => {
                anyhow::Error::from(io::Error::from(io::ErrorKind::StorageFull)).context(err)
            }
            Some(rusqlite::ErrorCode::SystemIoFailure) => {
                let folder = self.inner.path.parent().unwrap_or(Path::new("."));
                match disk::probe(folder, 64 << 10) {
                    Err(reason) => anyhow::Error::from(reason).context(err),
                    Ok(()) => err,
                }
            }
            _ => err,
        }
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves the connection without a transaction: dropping one undoes it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates the database beside its place. Until the rename, the next start begins again.
fn create(path: &Path, fill: impl FnOnce(&Transaction<'_>) -> Result<()>) -> Result<()> {
    let folder = disk::create_parent(path)?;
    remove_drafts(folder)?;
    let draft = tempfile::Builder::new().prefix("hub.db.").tempfile_in(folder)?;
    // One connection with a journal in memory: nothing but this file belongs to the database.
    let mut connection = Connection::open(draft.path())?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    migrate(&mut connection, MIGRATIONS)?;
    let transaction = connection.transaction()?;
    fill(&transaction)?;
    transaction.commit()?;
    connection.close().map_err(|(_, err)| err)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    disk::sync_folder(folder)
}

/// Removes what an interrupted creation has left.
fn remove_drafts(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("hub.db.") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection> {
    // Without CREATE: a database that was removed under a running server is an error, not a new
    // empty Hub.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<()> {
    let done: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(migrations.len())?;
    if done > known {
        bail!("it has version {done}, this program knows versions up to {known}: use a newer one");
    }
    for (number, migration) in (1..=known).zip(migrations).skip(usize::try_from(done)?) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Returns how a value without fields is stored: as in JSON, without quotes.
pub(super) fn word(value: &impl Serialize) -> Result<String> {
    match serde_json::to_value(value)? {
        Value::String(word) => Ok(word),
        other => bail!("{other} is not a word"),
    }
}

/// Parses a stored value without fields.
pub(super) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T> {
    Ok(serde_json::from_value(Value::from(word))?)
}

/// Returns a number for `LIMIT` and `OFFSET`.
pub(super) fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a new id in the format of the Hub: 24 hex digits.
pub(super) fn new_object_id() -> Result<String> {
    let mut id = [0; 12];
    getrandom::fill(&mut id)?;
    Ok(hex::encode(id))
}

/// Parses a stored time; `Timestamp::as_microsecond` is what is stored.
pub(super) fn time(microseconds: i64) -> Result<Timestamp> {
    Ok(Timestamp::from_microsecond(microseconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(db: &Db) -> i64 {
        db.read(|tx| Ok(tx.query_row("SELECT count(*) FROM papers", [], |row| row.get(0))?))
            .unwrap()
    }

    fn insert(tx: &Transaction<'_>) -> Result<()> {
        tx.execute("INSERT INTO papers (id, content) VALUES (random(), '{}')", [])?;
        Ok(())
    }

    #[test]
    fn a_write_is_done_completely_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let db = Db::open(root.path(), |_| Ok(())).unwrap();
        db.write(insert).unwrap();
        let failed = db.write(|tx| {
            insert(tx)?;
            bail!("no") as Result<()>
        });
        assert!(failed.is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.write(|tx| {
                insert(tx).unwrap();
                panic!("in the middle") as Result<()>
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(count(&db), 1);
        db.note(insert).unwrap();
        assert_eq!(count(&Db::open(root.path(), |_| bail!("not empty")).unwrap()), 2);
    }

    #[test]
    fn a_database_that_cannot_be_filled_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        let torn = Db::open(root.path(), |tx| {
            insert(tx)?;
            bail!("torn file")
        });
        assert!(format!("{:#}", torn.unwrap_err()).ends_with("torn file"));
        let left = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["hub.lock"]);
        assert_eq!(count(&Db::open(root.path(), insert).unwrap()), 1);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO missing VALUES (1)"];
        assert!(migrate(&mut connection, &steps).is_err());
        let tables = "SELECT group_concat(name) FROM sqlite_master";
        let state = |connection: &Connection| {
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
            let tables = connection.query_row(tables, [], |row| row.get::<_, String>(0));
            (version.unwrap(), tables.unwrap())
        };
        assert_eq!(state(&connection), (1, "a".to_owned()));
        migrate(&mut connection, &["", "CREATE TABLE b (x)", "CREATE TABLE c (x)"]).unwrap();
        assert_eq!(state(&connection), (3, "a,b,c".to_owned()));
    }

    #[test]
    fn decisions_about_access_are_kept_when_their_table_is_replaced() {
        let mut connection = Connection::open_in_memory().unwrap();
        let at = MIGRATIONS.iter().position(|sql| sql.contains("DROP TABLE repository_access"));
        migrate(&mut connection, &MIGRATIONS[..at.unwrap()]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO repositories
                   (id, kind, full_id, object_id, created_at, private, disabled, more)
                 VALUES (7, 'model', 'a/r', 'x', 0, 0, 0, '{}');
                 INSERT INTO repository_access VALUES
                   (7, 'ann', 'granted'), (7, 'bob', 'pending'), (7, 'cleo', 'rejected');",
            )
            .unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let sql = "SELECT group_concat(user || ' ' || state || ' ' || length(object_id))
                   FROM (SELECT * FROM access_requests WHERE repository_id = 7 ORDER BY user)";
        let found: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ann accepted 24,bob pending 24,cleo rejected 24");
    }

    #[test]
    fn writers_in_two_processes_wait_for_each_other() {
        // Two databases share nothing in this process, just as two processes do not.
        let root = tempfile::tempdir().unwrap();
        let open = || Db::open(root.path(), |_| Ok(())).unwrap();
        std::thread::scope(|scope| {
            for db in [open(), open(), open()] {
                scope.spawn(move || (0..50).for_each(|_| db.write(insert).unwrap()));
            }
        });
        assert_eq!(count(&open()), 150);
    }

    #[test]
    fn foreign_keys_hold() {
        let root = tempfile::tempdir().unwrap();
        let db = Db::open(root.path(), |_| Ok(())).unwrap();
        let orphan = "INSERT INTO repository_tags (repository_id, tag) VALUES (7, 'x')";
        assert!(db.write(|tx| Ok(tx.execute(orphan, [])?)).is_err());
    }
}

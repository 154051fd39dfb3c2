//! First commits that are still in the database: git's files are written when they are needed.
//!
//! An unused repository takes a row instead of files. Its first use makes it an ordinary bare
//! repository with that commit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};

use super::db::{self, Db};
use super::facts::Properties;
use super::git::{FirstCommit, Git, main_of};
use super::{Repo, Store, disk};

/// Larger ones are written at once.
const MAX: usize = 64 << 10;

/// Whether a commit may stay in the database.
pub(super) fn may_wait(first: &FirstCommit) -> bool {
    first.pack.len() <= MAX
}

/// Keeps the first commit of a repository.
pub(super) fn save(tx: &Transaction<'_>, repository: i64, first: &FirstCommit) -> Result<()> {
    tx.execute(
        "INSERT INTO first_commits (repository_id, head, pack) VALUES (?1, ?2, ?3)",
        (repository, first.commit.to_string(), &first.pack),
    )?;
    Ok(())
}

/// Whether the files of a repository were not written yet.
pub(super) fn is_waiting(tx: &Transaction<'_>, repository: i64) -> Result<bool> {
    let mut query = tx.prepare_cached("SELECT 1 FROM first_commits WHERE repository_id = ?1")?;
    Ok(query.exists([repository])?)
}

impl Store {
    /// Returns the head and the facts of a repository whose files were not needed yet.
    pub(crate) fn first_facts(
        &self,
        repo: &Repo,
    ) -> Result<Option<(String, Timestamp, Properties)>> {
        if repo.waiting.is_none() {
            return Ok(None);
        }
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT c.head, r.modified_at, f.facts
                 FROM first_commits c JOIN repositories r ON r.id = c.repository_id
                 JOIN repository_facts f ON f.repository_id = r.id
                 WHERE r.id = ?1 AND r.head = c.head",
            )?;
            let mut rows = query.query([repo.row])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let facts = serde_json::from_str(row.get_ref(2)?.as_str()?)?;
            Ok(Some((row.get(0)?, db::time(row.get(1)?)?, facts)))
        })
    }
}

/// Writes the files, unless another thread or process has done it.
pub(super) fn write(db: &Db, repository: i64, git_dir: &Path) -> Result<()> {
    db.write(|tx| {
        let mut query = tx.prepare_cached(
            "DELETE FROM first_commits WHERE repository_id = ?1 RETURNING head, pack",
        )?;
        let columns = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
        let found = query.query_row([repository], columns).optional()?;
        let Some((head, pack)) = found else { return Ok(()) };
        disk::create_parent(git_dir)?;
        // A folder with a main branch is complete, and may be newer than a database that was restored
        // from a copy. Another one was left by a killed process.
        if main_of(git_dir).is_none() {
            if git_dir.exists() {
                fs::remove_dir_all(git_dir)?;
            }
            let first = FirstCommit { commit: head.parse()?, pack };
            Git::create(git_dir, &first)
                .with_context(|| format!("cannot create {}", git_dir.display()))?;
        }
        tx.execute("UPDATE repositories SET changes = changes + 1 WHERE id = ?1", [repository])?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::repo_id::{RepoKey, RepoKind};
    use super::super::settings::Settings;
    use super::super::{Search, Viewer};
    use super::*;

    fn waiting(root: &Path) -> (Store, RepoKey) {
        let store = Store::open(root).unwrap();
        let key = RepoKey::new(RepoKind::Model, "acme/r".parse().unwrap());
        store.create_repo(&key, Settings::new(&key), &[("a", b"1")], "ann").unwrap().unwrap();
        (store, key)
    }

    #[test]
    fn a_folder_that_a_killed_process_has_left_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (store, key) = waiting(root.path());
        let left = store.git_dir(&key).join("objects/pack");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("half.pack"), "x").unwrap();
        let git = store.find(&key).unwrap().git().unwrap();
        assert!(git.resolve("main").unwrap().is_some());
        assert!(!left.join("half.pack").exists());
    }

    #[test]
    fn a_git_repository_that_is_newer_than_the_database_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let (store, key) = waiting(root.path());
        let (_, other) = Git::in_memory(&[("b", b"2")], "newer", "bob").unwrap();
        Git::create(&store.git_dir(&key), &other).unwrap();
        let git = store.find(&key).unwrap().git().unwrap();
        assert_eq!(git.resolve("main").unwrap(), Some(other.commit));
        store.refresh().unwrap();
        let found = store.search(&Search::new(key.kind, Viewer::default())).unwrap();
        assert_eq!(found[0].head, other.commit.to_string());
    }

    #[test]
    fn threads_that_use_a_repository_first_get_the_same_one() {
        let root = tempfile::tempdir().unwrap();
        let (store, key) = waiting(root.path());
        let repos = (0..8).map(|_| store.find(&key).unwrap()).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            for (n, repo) in repos.iter().enumerate() {
                scope.spawn(move || repo.git().unwrap().write_bytes(&[u8::try_from(n).unwrap()]));
            }
        });
        assert!(!store.db.read(|tx| is_waiting(tx, repos[0].row)).unwrap());
        let loose = walkdir::WalkDir::new(store.git_dir(&key).join("objects")).into_iter();
        let loose = loose.filter(|entry| entry.as_ref().unwrap().file_type().is_file()).count();
        assert_eq!(loose, 8 + 2, "what one of them has written was not removed by another");
    }
}

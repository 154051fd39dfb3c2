//! Likes: users who like a repository, and how many do.

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;

use super::Store;
use super::catalog::{Query, Viewer};
use super::db;
use super::popularity::Popularity;
use super::repo::Repo;
use super::repo_id::{RepoKey, RepoKind};
use super::users::Account;

/// How long a like counts for the trend.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A liked repository.
#[derive(Clone, Debug)]
pub(crate) struct Liked {
    /// The repository.
    pub(crate) key: RepoKey,
    /// When it was liked.
    pub(crate) at: Timestamp,
}

impl Store {
    /// Records that a user likes a repository; a repeated like changes nothing.
    pub(crate) fn like(&self, repo: &Repo, user: &str) -> Result<()> {
        self.db.write(|tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO likes (repository_id, user_id, created_at)
                 SELECT ?1, id, ?3 FROM users WHERE name = ?2
                 ON CONFLICT (repository_id, user_id) DO NOTHING",
            )?;
            insert.execute((repo.row, user, Timestamp::now().as_microsecond()))?;
            Ok(())
        })
    }

    /// Removes the like of a user, if there is one.
    pub(crate) fn unlike(&self, repo: &Repo, user: &str) -> Result<()> {
        self.db.write(|tx| {
            let mut delete = tx.prepare_cached(
                "DELETE FROM likes WHERE repository_id = ?1
                 AND user_id = (SELECT id FROM users WHERE name = ?2)",
            )?;
            delete.execute((repo.row, user))?;
            Ok(())
        })
    }

    /// Returns the users who like a repository, the last one first.
    pub(crate) fn likers(
        &self,
        repo: &Repo,
        viewer: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Account>> {
        let columns = Account::COLUMNS;
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&format!(
                "SELECT {columns} FROM likes l JOIN users u ON u.id = l.user_id
                 WHERE l.repository_id = ?2 ORDER BY l.id DESC LIMIT ?3 OFFSET ?4"
            ))?;
            let values = (viewer, repo.row, db::number(limit), db::number(skip));
            let found = query.query_map(values, Account::from_row)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Returns the repositories that a user likes and the viewer may see, the last one first.
    pub(crate) fn liked(
        &self,
        user: &str,
        viewer: &Viewer,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Liked>> {
        let mut visible = Query::visible(viewer);
        let sql = format!(
            "SELECT r.kind, r.full_id, l.created_at
             FROM likes l JOIN users u ON u.id = l.user_id JOIN repositories r ON r.id = l.repository_id
             WHERE {} AND u.name = ? ORDER BY l.id DESC LIMIT ? OFFSET ?",
            visible.conditions()
        );
        visible.values.extend([
            user.to_owned().into(),
            db::number(limit).into(),
            db::number(skip).into(),
        ]);
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(rusqlite::params_from_iter(visible.values))?;
            let mut liked = Vec::new();
            while let Some(row) = rows.next()? {
                let kind = RepoKind::from_singular(row.get_ref(0)?.as_str()?)?;
                let key = RepoKey::new(kind, row.get_ref(1)?.as_str()?.parse()?);
                liked.push(Liked { key, at: db::time(row.get(2)?)? });
            }
            Ok(liked)
        })
    }

    /// Counts the repositories of [`Self::liked`].
    pub(crate) fn count_liked(&self, user: &str, viewer: &Viewer) -> Result<i64> {
        let mut visible = Query::visible(viewer);
        let sql = format!(
            "SELECT count(*)
             FROM likes l JOIN users u ON u.id = l.user_id JOIN repositories r ON r.id = l.repository_id
             WHERE {} AND u.name = ?",
            visible.conditions()
        );
        visible.values.push(user.to_owned().into());
        self.db.read(|tx| {
            let values = rusqlite::params_from_iter(visible.values);
            Ok(tx.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
        })
    }

    /// Returns how many users like a repository.
    pub(crate) fn popularity(&self, repo: &Repo) -> Result<Popularity> {
        self.expire_likes()?;
        self.db.read(|tx| {
            let columns = Popularity::COLUMNS;
            let sql = format!("SELECT {columns} FROM repositories WHERE id = ?1");
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query([repo.row])?;
            let Some(row) = rows.next()? else { bail!("{} was deleted meanwhile", repo.key) };
            Popularity::from_row(row, 0)
        })
    }

    /// Takes old likes out of the trends. Most calls find none.
    pub(super) fn expire_likes(&self) -> Result<()> {
        self.expire_likes_before(Timestamp::now() - RECENT)
    }

    fn expire_likes_before(&self, end: Timestamp) -> Result<()> {
        let end = end.as_microsecond();
        let is_due = self.db.read(|tx| {
            let sql = "SELECT 1 FROM likes WHERE is_recent AND created_at < ?1";
            Ok(tx.prepare_cached(sql)?.exists([end])?)
        })?;
        if is_due {
            self.db.note(|tx| expire(tx, end))?;
        }
        Ok(())
    }
}

fn expire(tx: &Transaction<'_>, end: i64) -> Result<()> {
    let sql = "UPDATE likes SET is_recent = 0 WHERE is_recent AND created_at < ?1";
    tx.prepare_cached(sql)?.execute([end])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::token::{Role, Token};
    use super::*;

    fn store(root: &std::path::Path) -> (Store, Repo) {
        let store = Store::open(root).unwrap();
        for name in ["ann", "bob"] {
            let token = Token::new(&format!("hf_{name}"), Role::Write).unwrap();
            store.users().add(name, &[], &token).unwrap();
        }
        let key = RepoKey::new(RepoKind::Model, "ann/r".parse().unwrap());
        let repo = store.create_repo(&key, Settings::new(&key), &[("a", b"1")], "ann").unwrap();
        (store, repo.unwrap())
    }

    fn popularity(store: &Store, repo: &Repo) -> (i64, i64) {
        let found = store.popularity(repo).unwrap();
        (found.likes, found.trend)
    }

    #[test]
    fn likes_at_the_same_time_count_once_for_each_user() {
        let root = tempfile::tempdir().unwrap();
        let (store, repo) = store(root.path());
        // Two stores share nothing in this process, just as two processes do not.
        let other = Store::open(root.path()).unwrap();
        std::thread::scope(|scope| {
            for store in [&store, &other] {
                for user in ["ann", "bob"] {
                    scope.spawn(|| (0..20).for_each(|_| store.like(&repo, user).unwrap()));
                }
            }
        });
        assert_eq!(popularity(&store, &repo), (2, 2));
        std::thread::scope(|scope| {
            for store in [&store, &other] {
                scope.spawn(|| (0..20).for_each(|_| store.unlike(&repo, "ann").unwrap()));
            }
        });
        assert_eq!(popularity(&other, &repo), (1, 1));
        assert_eq!(store.likers(&repo, None, 0, 9).unwrap()[0].name, "bob");
    }

    #[test]
    fn old_likes_count_but_are_no_trend() {
        let root = tempfile::tempdir().unwrap();
        let (store, repo) = store(root.path());
        store.like(&repo, "ann").unwrap();
        store.expire_likes_before(Timestamp::now()).unwrap();
        store.like(&repo, "bob").unwrap();
        assert_eq!(popularity(&store, &repo), (2, 1));
        store.unlike(&repo, "ann").unwrap();
        assert_eq!(popularity(&store, &repo), (1, 1));
        store.unlike(&repo, "bob").unwrap();
        assert_eq!(popularity(&store, &repo), (0, 0));
    }
}

//! Resolves a client's revision to a commit.
//!
//! A branch, a tag, `refs/…`, a commit id or a prefix of one, and `HEAD` for the default branch.
//! Git's revision syntax is not supported: `main~1` or `:/text` are not revisions on the Hub.

use git2::{Commit, ObjectType, Oid};

use super::refs::is_ref_name;
use super::{Git, MAIN, found};

const SHORTEST_ID: usize = 7;
const FULL_ID: usize = 40;
/// The name of the default branch for clients that do not know it.
const HEAD: &str = "HEAD";

impl Git {
    /// Returns the commit of a revision; `None` if it does not exist.
    pub(crate) fn resolve(&self, revision: &str) -> Result<Option<Oid>, git2::Error> {
        let revision = if revision == HEAD { MAIN } else { revision };
        for name in
            [format!("refs/heads/{revision}"), format!("refs/tags/{revision}"), revision.to_owned()]
        {
            if let Some(oid) = self.resolve_ref(&name)? {
                return Ok(Some(oid));
            }
        }
        self.resolve_id(revision)
    }

    fn resolve_ref(&self, name: &str) -> Result<Option<Oid>, git2::Error> {
        if !is_ref_name(name) {
            return Ok(None);
        }
        let Some(reference) = found(self.repo.find_reference(name))? else { return Ok(None) };
        let commit = found(reference.peel_to_commit())?;
        Ok(commit.map(|commit| commit.id()))
    }

    fn resolve_id(&self, text: &str) -> Result<Option<Oid>, git2::Error> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !(SHORTEST_ID..=FULL_ID).contains(&text.len()) {
            return Ok(None);
        }
        let object = found(self.repo.find_object_by_prefix(text, Some(ObjectType::Commit)))?;
        Ok(object.map(|commit| commit.id()))
    }

    pub(super) fn commit(&self, oid: Oid) -> Result<Commit<'_>, git2::Error> {
        self.repo.find_commit(oid)
    }
}

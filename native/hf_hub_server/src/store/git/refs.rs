//! Branches, tags, pull request heads and converted copies.

use std::fs;
use std::path::Path;

use git2::{Branch, Oid, Reference, Signature};
use serde::Serialize;

use super::{Git, MAIN_REF, found};

/// All refs of a repository, sorted by name within each kind.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refs {
    /// `refs/heads/*`.
    pub(crate) branches: Vec<Ref>,
    /// `refs/convert/*`.
    pub(crate) converts: Vec<Ref>,
    /// `refs/tags/*`.
    pub(crate) tags: Vec<Ref>,
    /// `refs/pr/*`, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pull_requests: Option<Vec<Ref>>,
}

/// One ref and the commit it points to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ref {
    /// The name without the prefix of its kind.
    pub(crate) name: String,
    /// The full name.
    #[serde(rename = "ref")]
    pub(crate) full_name: String,
    /// The commit, 40 hex digits.
    pub(crate) target_commit: String,
}

impl Git {
    /// Lists the refs.
    pub(crate) fn refs(&self, with_pull_requests: bool) -> Result<Refs, git2::Error> {
        Ok(Refs {
            branches: self.refs_below("refs/heads/")?,
            converts: self.refs_below("refs/convert/")?,
            tags: self.refs_below("refs/tags/")?,
            pull_requests: with_pull_requests.then(|| self.refs_below("refs/pr/")).transpose()?,
        })
    }

    /// Creates a ref; fails if it exists.
    pub(crate) fn create_ref(
        &self,
        name: &str,
        target: Oid,
        message: &str,
    ) -> Result<(), git2::Error> {
        self.repo.reference(name, target, false, message).map(drop)
    }

    /// Returns the commit a full ref name points to; `None` if it does not exist.
    pub(crate) fn tip(&self, name: &str) -> Result<Option<Oid>, git2::Error> {
        let Some(reference) = found(self.repo.find_reference(name))? else { return Ok(None) };
        Ok(found(reference.peel_to_commit())?.map(|commit| commit.id()))
    }

    /// Returns the object that a full ref name points to, which may be a tag; `None` if it does not
    /// exist.
    pub(crate) fn target(&self, name: &str) -> Result<Option<Oid>, git2::Error> {
        found(self.repo.refname_to_id(name))
    }

    /// Returns the names of all refs and the objects they point to, sorted by name.
    pub(crate) fn targets(&self) -> Result<Vec<(Vec<u8>, Oid)>, git2::Error> {
        let mut list = Vec::new();
        for reference in self.repo.references()? {
            let reference = reference?;
            list.extend(reference.target().map(|oid| (reference.name_bytes().to_vec(), oid)));
        }
        list.sort();
        Ok(list)
    }

    /// Returns the commits of all refs.
    pub(crate) fn tips(&self) -> Result<Vec<Oid>, git2::Error> {
        let mut tips = Vec::new();
        for reference in self.repo.references()? {
            tips.extend(found(reference?.peel_to_commit())?.map(|commit| commit.id()));
        }
        Ok(tips)
    }

    /// Whether another ref conflicts with this one: `a/b` cannot exist beside `a`.
    pub(crate) fn is_in_the_way(&self, name: &str) -> Result<bool, git2::Error> {
        let is_above = |upper: &str, lower: &str| {
            lower.strip_prefix(upper).is_some_and(|rest| rest.starts_with('/'))
        };
        for reference in self.repo.references()? {
            let reference = reference?;
            let other = String::from_utf8_lossy(reference.name_bytes());
            if is_above(name, &other) || is_above(&other, name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Points a ref to a commit, whether it exists or not.
    pub(crate) fn set_ref(
        &self,
        name: &str,
        target: Oid,
        message: &str,
    ) -> Result<(), git2::Error> {
        self.repo.reference(name, target, true, message).map(drop)
    }

    /// Removes a ref; `false` if it does not exist.
    pub(crate) fn delete_ref(&self, name: &str) -> Result<bool, git2::Error> {
        let Some(mut reference) = found(self.repo.find_reference(name))? else { return Ok(false) };
        reference.delete()?;
        Ok(true)
    }

    /// Creates a tag with a message; fails if it exists.
    pub(crate) fn create_annotated_tag(
        &self,
        name: &str,
        target: Oid,
        message: &str,
        author: &str,
    ) -> Result<(), git2::Error> {
        let signature = Signature::now(author, &format!("{author}@localhost"))?;
        let target = self.repo.find_object(target, None)?;
        self.repo.tag(name, &target, &signature, message, false).map(drop)
    }

    /// Returns the highest number of a pull request with a ref; 0 if there is none.
    pub(crate) fn last_pull_request(&self) -> Result<u64, git2::Error> {
        let numbers = self.refs_below("refs/pr/")?;
        Ok(numbers.iter().filter_map(|found| found.name.parse().ok()).max().unwrap_or(0))
    }

    fn refs_below(&self, prefix: &str) -> Result<Vec<Ref>, git2::Error> {
        let mut list = Vec::new();
        for reference in self.repo.references_glob(&format!("{prefix}*"))? {
            list.extend(describe(&reference?, prefix)?);
        }
        list.sort_by(|a: &Ref, b: &Ref| a.full_name.cmp(&b.full_name));
        Ok(list)
    }
}

/// Returns the commit of the main branch, without opening the repository. `None` if it is missing or
/// stored in a way that only git reads.
pub(crate) fn main_of(dir: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(dir.join(MAIN_REF)) {
        return Some(text.trim_end().to_owned()).filter(|text| looks_like_id(text));
    }
    let packed = fs::read_to_string(dir.join("packed-refs")).ok()?;
    let lines = packed.lines().filter_map(|line| line.split_once(' '));
    lines.into_iter().find(|(_, name)| *name == MAIN_REF).map(|(id, _)| id.to_owned())
}

/// Returns the full name of a branch that may be written to; `None` if git or the Hub would reject
/// it. A name that begins with `refs/` is kept: `refs/pr/1` is written to like a branch.
pub(crate) fn branch_ref(name: &str) -> Option<String> {
    let special = ["refs/pr/", "refs/convert/"].iter().any(|prefix| name.starts_with(prefix));
    if special {
        return is_ref_name(name).then(|| name.to_owned());
    }
    let is_free = !name.starts_with("refs/") && !looks_like_id(name) && !name.contains('\0');
    let is_valid = is_free && Branch::name_is_valid(name).unwrap_or(false);
    is_valid.then(|| format!("refs/heads/{name}"))
}

/// Returns the full name of a tag that may be created.
pub(crate) fn tag_ref(name: &str) -> Option<String> {
    let is_free = !name.starts_with(['-', '/']) && !looks_like_id(name);
    let full_name = format!("refs/tags/{name}");
    (is_free && is_ref_name(&full_name)).then_some(full_name)
}

/// Whether a ref name could be confused with a commit id.
fn looks_like_id(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether this is a valid full ref name for git.
pub(super) fn is_ref_name(name: &str) -> bool {
    // libgit2 would cut the name at a NUL.
    name.starts_with("refs/") && !name.contains('\0') && Reference::is_valid_name(name)
}

fn describe(reference: &Reference<'_>, prefix: &str) -> Result<Option<Ref>, git2::Error> {
    let full_name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
    let commit = found(reference.peel_to_commit())?;
    Ok(commit.map(|commit| Ref {
        name: full_name[prefix.len()..].to_owned(),
        target_commit: commit.id().to_string(),
        full_name,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refs_that_may_be_written_to() {
        assert_eq!(branch_ref("feature/x").as_deref(), Some("refs/heads/feature/x"));
        assert_eq!(branch_ref("refs/pr/1").as_deref(), Some("refs/pr/1"));
        assert_eq!(tag_ref("v1").as_deref(), Some("refs/tags/v1"));
        let id = "a".repeat(40);
        for name in [
            "",
            "-",
            "-x",
            "HEAD",
            "a..b",
            "a b",
            "a\0b",
            "a/",
            "/a",
            "a.lock",
            "refs/heads/x",
            "refs/pr/",
            &id,
        ] {
            assert_eq!(branch_ref(name), None, "{name:?}");
        }
        for name in ["", "-x", "a..b", "a\0b", &id] {
            assert_eq!(tag_ref(name), None, "{name:?}");
        }
    }
}

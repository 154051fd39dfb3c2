//! Merges a branch into another, and what it would change there.

use std::collections::BTreeMap;

use anyhow::Result;
use git2::{
    DiffFindOptions, DiffFormat, DiffOptions, Index, IndexConflict, MergeOptions, Oid, Tree,
};

use super::{Git, SMALL, found};

/// Maximum size of a diff; it ends after the last file that fits.
const MAX_DIFF: usize = 4 << 20;
/// Larger files are shown like binary ones.
const MAX_DIFF_FILE: i64 = 512 << 10;

/// Larger files are not merged line by line, and neither are more bytes of all files.
const MAX_MERGED_FILE: usize = 256 << 10;
const MAX_MERGED: usize = 8 << 20;
/// Maximum number of files on each side that are compared to find those that were moved.
const MAX_RENAMES: u32 = 100;

/// The result of a merge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// The tree with the changes of both sides.
    Tree(Oid),
    /// The files that both sides have changed in different ways, sorted.
    Conflicts(Vec<String>),
}

impl Git {
    /// Merges the changes of `theirs` since it began into `ours`. Nothing but objects is written.
    pub(crate) fn merge(&self, ours: Oid, theirs: Oid) -> Result<Merged> {
        match self.merged(ours, theirs)? {
            Ok(mut index) => {
                let tree = index.write_tree_to(&self.repo);
                Ok(Merged::Tree(tree.map_err(|err| self.write_failure(err, SMALL))?))
            }
            Err(conflicts) => Ok(Merged::Conflicts(conflicts)),
        }
    }

    /// Returns the files that cannot be merged, without writing anything.
    pub(crate) fn conflicts(&self, ours: Oid, theirs: Oid) -> Result<Vec<String>> {
        Ok(self.merged(ours, theirs)?.err().unwrap_or_default())
    }

    fn merged(&self, ours: Oid, theirs: Oid) -> Result<Result<Index, Vec<String>>> {
        let ancestor = match self.merge_base(ours, theirs)? {
            Some(base) => self.commit(base)?.tree()?,
            // A squashed history has nothing in common with what began before.
            None => self.repo.find_tree(self.empty_tree()?)?,
        };
        let (ours, theirs) = (self.commit(ours)?.tree()?, self.commit(theirs)?.tree()?);
        let large = self.large_conflicts(&ancestor, &ours, &theirs)?;
        if !large.is_empty() {
            return Ok(Err(large));
        }
        let mut options = MergeOptions::new();
        options.target_limit(MAX_RENAMES);
        let index = self.repo.merge_trees(&ancestor, &ours, &theirs, Some(&options))?;
        if !index.has_conflicts() {
            return Ok(Ok(index));
        }
        let paths = index.conflicts()?.map(|conflict| conflict.map(|conflict| path(&conflict)));
        let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        paths.dedup();
        Ok(Err(paths))
    }

    /// Returns the files that both sides have changed, if comparing their lines could take minutes:
    /// those that are large, or all of them.
    fn large_conflicts(
        &self,
        ancestor: &Tree<'_>,
        ours: &Tree<'_>,
        theirs: &Tree<'_>,
    ) -> Result<Vec<String>> {
        let (ours, theirs) = (self.changed(ancestor, ours)?, self.changed(ancestor, theirs)?);
        let odb = self.repo.odb()?;
        let size = |blob: &Oid| odb.read_header(*blob).map_or(0, |(size, _)| size);
        let both = ours.iter().filter_map(|(path, (old, new))| {
            let (_, other) = theirs.get(path).filter(|(_, other)| other != new)?;
            Some((path, [size(old), size(new), size(other)]))
        });
        let both = both.collect::<Vec<_>>();
        let total = both.iter().flat_map(|(_, sizes)| sizes).sum::<usize>();
        let is_large = |sizes: &[usize; 3]| sizes.iter().any(|size| *size > MAX_MERGED_FILE);
        let mut files = both.iter().filter(|(_, sizes)| is_large(sizes)).collect::<Vec<_>>();
        if files.is_empty() && total > MAX_MERGED {
            files = both.iter().collect();
        }
        Ok(files.into_iter().map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect())
    }

    /// Returns the paths that differ, with the blobs before and after.
    fn changed(&self, from: &Tree<'_>, to: &Tree<'_>) -> Result<BTreeMap<Vec<u8>, (Oid, Oid)>> {
        let diff = self.repo.diff_tree_to_tree(Some(from), Some(to), None)?;
        let changed = diff.deltas().filter_map(|delta| {
            let path = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes())?;
            Some((path.to_owned(), (delta.old_file().id(), delta.new_file().id())))
        });
        Ok(changed.collect())
    }

    /// Returns the newest commit that two histories have in common.
    pub(crate) fn merge_base(&self, one: Oid, other: Oid) -> Result<Option<Oid>, git2::Error> {
        found(self.repo.merge_base(one, other))
    }

    /// Returns the first parent of a commit; `None` if it is the first of its history.
    pub(crate) fn parent(&self, commit: Oid) -> Result<Option<Oid>, git2::Error> {
        Ok(self.commit(commit)?.parent_ids().next())
    }

    /// Returns what a commit changes, as a unified diff; `None` stands for no files.
    pub(crate) fn diff(&self, from: Option<Oid>, to: Oid) -> Result<String, git2::Error> {
        let from = from.map(|from| self.commit(from)?.tree()).transpose()?;
        self.diff_trees(from.as_ref(), &self.commit(to)?.tree()?)
    }

    fn diff_trees(&self, from: Option<&Tree<'_>>, to: &Tree<'_>) -> Result<String, git2::Error> {
        let mut options = DiffOptions::new();
        options.max_size(MAX_DIFF_FILE).id_abbrev(40);
        let mut diff = self.repo.diff_tree_to_tree(from, Some(to), Some(&mut options))?;
        // Files that were moved and changed are compared with all others otherwise.
        diff.find_similar(Some(DiffFindOptions::new().renames(true).exact_match_only(true)))?;
        let (mut text, mut whole_files) = (Vec::new(), 0);
        let printed = diff.print(DiffFormat::Patch, |_, _, line| {
            if line.origin() == 'F' {
                whole_files = text.len();
            }
            if matches!(line.origin(), '+' | '-' | ' ') {
                text.push(u8::try_from(line.origin()).unwrap_or(b' '));
            }
            text.extend_from_slice(line.content());
            text.len() <= MAX_DIFF
        });
        if text.len() > MAX_DIFF {
            text.truncate(whole_files);
        } else {
            printed?;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Returns the commits of `theirs` that `ours` does not have, oldest first.
    pub(crate) fn new_commits(
        &self,
        ours: Option<Oid>,
        theirs: Oid,
        limit: usize,
    ) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.repo.revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
        walk.push(theirs)?;
        if let Some(ours) = ours {
            walk.hide(ours)?;
        }
        let mut commits = walk.take(limit).collect::<Result<Vec<_>, _>>()?;
        commits.reverse();
        Ok(commits)
    }
}

fn path(conflict: &IndexConflict) -> String {
    let sides = [&conflict.our, &conflict.their, &conflict.ancestor];
    let entry = sides.into_iter().flatten().next();
    entry.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, Edit};
    use super::*;

    struct Fixture {
        _dir: tempfile::TempDir,
        git: Git,
        first: Oid,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let files = [("a", &b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"[..]), ("b", b"b\n"), ("bin", b"\0\x01")];
        let (_, first) = Git::in_memory(&files, "first", "me").unwrap();
        let git = Git::create(&dir.path().join("x.git"), &first).unwrap();
        Fixture { _dir: dir, git, first: first.commit }
    }

    impl Fixture {
        fn commit(&self, parent: Oid, files: &[(&str, Option<&str>)]) -> Oid {
            let edit = |(path, text): &(&str, Option<&str>)| match text {
                Some(text) => Edit::Put {
                    path: (*path).into(),
                    blob: self.git.write_bytes(text.as_bytes()).unwrap(),
                },
                None => Edit::RemoveFile { path: (*path).into() },
            };
            let tree = self.git.edit(parent, files.iter().map(edit).collect()).unwrap();
            let parent = Some(parent);
            let draft = Draft { tree, parent, message: "next", author: "me" };
            self.git.commit_tree(&draft).unwrap()
        }
    }

    const UPPER: &str = "one\n2\n3\n4\n5\n6\n7\n8\n9\n";
    const LOWER: &str = "1\n2\n3\n4\n5\n6\n7\n8\nnine\n";

    #[test]
    fn a_merge_has_the_changes_of_both_sides() {
        let repo = fixture();
        let ours = repo.commit(repo.first, &[("a", Some(UPPER)), ("b", None)]);
        let theirs = repo.commit(repo.first, &[("a", Some(LOWER)), ("new", Some("x"))]);
        let Merged::Tree(tree) = repo.git.merge(ours, theirs).unwrap() else { panic!("conflict") };
        let draft = Draft { tree, parent: None, message: "merged", author: "me" };
        let merged = repo.git.commit_tree(&draft).unwrap();
        let listed = repo.git.list(merged, "", true).unwrap().unwrap();
        let paths = listed.iter().map(|listed| listed.path.as_str()).collect::<Vec<_>>();
        assert_eq!(paths, ["a", "bin", "new"]);
        let entry = repo.git.entry(merged, "a").unwrap().unwrap();
        assert_eq!(repo.git.blob(entry.oid).unwrap(), b"one\n2\n3\n4\n5\n6\n7\n8\nnine\n");
    }

    #[test]
    fn a_merge_follows_a_moved_file() {
        let repo = fixture();
        let ours = repo.commit(repo.first, &[("a", Some(UPPER))]);
        let theirs = repo.commit(repo.first, &[("a", None), ("moved", Some(LOWER))]);
        let Merged::Tree(tree) = repo.git.merge(ours, theirs).unwrap() else { panic!("conflict") };
        let draft = Draft { tree, parent: None, message: "merged", author: "me" };
        let merged = repo.git.commit_tree(&draft).unwrap();
        let entry = repo.git.entry(merged, "moved").unwrap().unwrap();
        assert!(repo.git.blob(entry.oid).unwrap().starts_with(b"one\n2\n"));
        let renamed = repo.commit(repo.first, &[("b", None), ("c", Some("b\n"))]);
        let diff = repo.git.diff(Some(repo.first), renamed).unwrap();
        assert!(diff.ends_with("similarity index 100%\nrename from b\nrename to c\n"), "{diff}");
    }

    #[test]
    fn a_conflict_names_its_files() {
        let repo = fixture();
        let ours = repo.commit(repo.first, &[("a", Some("x")), ("b", None), ("bin", Some("1"))]);
        let theirs =
            repo.commit(repo.first, &[("a", Some("y")), ("b", Some("c")), ("bin", Some("1"))]);
        let conflicts = |names: &[&str]| {
            Merged::Conflicts(names.iter().map(|name| (*name).to_owned()).collect())
        };
        assert_eq!(repo.git.merge(ours, theirs).unwrap(), conflicts(&["a", "b"]));
        // Without a common history, files that differ are conflicts.
        let tree = repo.git.tree_of(ours).unwrap();
        let draft = Draft { tree, parent: None, message: "squashed", author: "me" };
        let squashed = repo.git.commit_tree(&draft).unwrap();
        assert_eq!(repo.git.merge(squashed, theirs).unwrap(), conflicts(&["a"]));
        assert_eq!(repo.git.merge_base(squashed, theirs).unwrap(), None);
    }

    #[test]
    fn large_files_are_not_compared_line_by_line() {
        let repo = fixture();
        let text = |first: &str, last: &str, lines: usize| {
            format!("{first}\n{}{last}\n", "line\n".repeat(lines))
        };
        let change = |parent, name: &str, first: &str, last: &str, lines| {
            repo.commit(parent, &[(name, Some(&text(first, last, lines)))])
        };
        let merge = |lines| {
            let base = change(repo.first, "a", "1", "2", lines);
            let ours = change(base, "a", "one", "2", lines);
            let theirs = change(base, "a", "1", "two", lines);
            (repo.git.merge(ours, theirs).unwrap(), repo.git.merge(ours, base).unwrap())
        };
        let (both, one) = merge(50_000);
        assert!(matches!((&both, &one), (Merged::Tree(_), Merged::Tree(_))), "{both:?} {one:?}");
        let (both, one) = merge(60_000);
        assert_eq!(both, Merged::Conflicts(vec!["a".into()]));
        assert!(matches!(one, Merged::Tree(_)), "only one side has changed it");
        // Many files that are not large each.
        let files = |first: &str, last: &str| {
            let text = text(first, last, 50_000);
            let names = (0..12).map(|number| format!("m{number:02}")).collect::<Vec<_>>();
            (names, text)
        };
        let commit = |parent, (names, text): &(Vec<String>, String)| {
            let all = names.iter().map(|name| (name.as_str(), Some(text.as_str())));
            repo.commit(parent, &all.collect::<Vec<_>>())
        };
        let base = commit(repo.first, &files("1", "2"));
        let (ours, theirs) = (commit(base, &files("one", "2")), commit(base, &files("1", "two")));
        let conflicts = repo.git.conflicts(ours, theirs).unwrap();
        assert_eq!((conflicts.len(), conflicts[0].as_str()), (12, "m00"));
    }

    #[test]
    fn a_diff_ends_after_a_whole_file_if_it_is_long() {
        let repo = fixture();
        let next = repo.commit(repo.first, &[("b", Some("c\n")), ("bin", Some("\0\u{2}"))]);
        let diff = repo.git.diff(Some(repo.first), next).unwrap();
        assert!(diff.starts_with("diff --git a/b b/b\nindex "), "{diff}");
        assert!(diff.contains("--- a/b\n+++ b/b\n@@ -1 +1 @@\n-b\n+c\n"), "{diff}");
        assert!(diff.contains("Binary files a/bin and b/bin differ"), "{diff}");
        let text = "0123456789\n".repeat(45_000);
        let names = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"];
        let files = names.map(|name| (name, Some(text.as_str())));
        let long = repo.git.diff(Some(next), repo.commit(next, &files)).unwrap();
        assert_eq!(long.matches("diff --git").count(), 7);
        assert!(long.len() <= MAX_DIFF && long.ends_with("+0123456789\n"));
        let huge = "x".repeat(2 << 20);
        let huge = repo.commit(next, &[("huge", Some(&huge))]);
        assert!(repo.git.diff(Some(next), huge).unwrap().len() < 500);
    }

    #[test]
    fn lists_new_commits_oldest_first() {
        let repo = fixture();
        let second = repo.commit(repo.first, &[("b", Some("2"))]);
        let third = repo.commit(second, &[("b", Some("3"))]);
        assert_eq!(repo.git.new_commits(Some(repo.first), third, 9).unwrap(), [second, third]);
        assert_eq!(repo.git.new_commits(None, third, 9).unwrap().len(), 3);
    }
}

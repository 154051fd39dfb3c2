//! The first commit of a repository: made in memory, later written in as few files as git needs.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use git2::{Buf, Indexer, Odb, Oid, Repository};

use super::super::disk;
use super::write::{Change, Content};
use super::{Git, MAIN_REF};

/// The first commit of a repository.
#[derive(Clone, Debug)]
pub(crate) struct FirstCommit {
    /// The commit.
    pub(crate) commit: Oid,
    /// Its objects, in git's pack format.
    pub(crate) pack: Vec<u8>,
}

impl Git {
    /// Creates a commit with these files in a repository that exists in memory only, and has no
    /// refs.
    pub(crate) fn in_memory(
        files: &[(&str, &[u8])],
        message: &str,
        author: &str,
    ) -> Result<(Self, FirstCommit)> {
        let git = Self { repo: Repository::from_odb(Odb::new()?)? };
        let odb = git.repo.odb()?;
        let memory = odb.add_new_mempack_backend(1)?;
        let mut changes = Vec::new();
        for (path, content) in files {
            changes.push(Change { path: (*path).to_owned(), blob: git.repo.blob(content)? });
        }
        let content = Content { files: changes, parent: None };
        let commit = git.commit_content(content, message, author)?;
        let mut pack = Buf::new();
        memory.dump(&git.repo, &mut pack)?;
        let first = FirstCommit { commit, pack: pack.to_vec() };
        drop(odb);
        Ok((git, first))
    }

    /// Creates a bare repository whose main branch is at this commit.
    ///
    /// Without git's templates (hooks, a description, an exclude file) and the folders that git
    /// creates when it needs them; without a configuration git applies its defaults, which fit. The
    /// objects stay in one pack: loose ones would need a folder each.
    pub(crate) fn create(dir: &Path, first: &FirstCommit) -> Result<Self> {
        let packs = dir.join("objects/pack");
        fs::create_dir_all(&packs)?;
        fs::create_dir(dir.join("refs"))?;
        fs::write(dir.join("HEAD"), format!("ref: {MAIN_REF}\n"))?;
        write_pack(&packs, &first.pack).map_err(|err| {
            // libgit2 does not report a full disk.
            disk::probe(dir, first.pack.len()).err().map_or(err, anyhow::Error::from)
        })?;
        let head = "# pack-refs with: peeled fully-peeled sorted ";
        let refs = format!("{head}\n{} {MAIN_REF}\n", first.commit);
        fs::write(dir.join("packed-refs"), refs)?;
        Ok(Self::open(dir)?)
    }
}

fn write_pack(folder: &Path, pack: &[u8]) -> Result<()> {
    let mut indexer = Indexer::new(None, folder, 0o444, true)?;
    indexer.write_all(pack)?;
    indexer.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_repository_has_few_files_and_the_commit_made_in_memory() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("r.git");
        let attributes = "*.bin filter=lfs\n".repeat(90);
        let files: [(&str, &[u8]); 2] =
            [("a/.gitattributes", attributes.as_bytes()), ("README.md", b"")];
        let (_, first) = Git::in_memory(&files, "initial commit", "ann").unwrap();
        let git = Git::create(&dir, &first).unwrap();
        let tip = git.tip(MAIN_REF).unwrap().unwrap();
        assert_eq!(tip, first.commit);
        assert_eq!(super::super::main_of(&dir), Some(tip.to_string()));
        assert_eq!(git.entry(tip, "a/.gitattributes").unwrap().unwrap().size(), 17 * 90);
        assert_eq!(git.commit_info(tip).unwrap().author, "ann");
        let entries = walkdir::WalkDir::new(&dir).into_iter().map(Result::unwrap);
        let entries = entries.collect::<Vec<_>>();
        assert_eq!(entries.iter().filter(|entry| entry.file_type().is_file()).count(), 4);
        assert_eq!(entries.len(), 8, "{entries:?}");
    }
}

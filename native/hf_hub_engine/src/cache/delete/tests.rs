use super::*;
use crate::base::{
    etag::Etag,
    ids::{Commit, EntryPath, Repo, RepoType},
};

fn crafted(root: &Path) -> (CacheDir, RepoDir, PathBuf, PathBuf) {
    let cache = CacheDir::new(root);
    let dir = cache.repo(&Repo::new(RepoType::Model, "a/b").unwrap());
    let (shown, unshown) =
        (Etag::parse(&"1".repeat(40)).unwrap(), Etag::parse(&"2".repeat(40)).unwrap());
    fs::create_dir_all(dir.blobs()).unwrap();
    fs::write(dir.blob(&shown), b"shown").unwrap();
    fs::write(dir.blob(&unshown), b"unshown").unwrap();
    let (commit, path) = (Commit::parse(&"c".repeat(40)).unwrap(), EntryPath::parse("f").unwrap());
    dir.link(&commit, &path, &shown, true, false).unwrap();
    let blobs = (dir.blob(&shown), dir.blob(&unshown));
    (cache, dir, blobs.0, blobs.1)
}

/// Another client links a blob between the listing and the removal.
#[test]
fn a_blob_that_was_linked_meanwhile_stays() {
    let root = tempfile::tempdir().unwrap();
    let (cache, dir, shown, unshown) = crafted(root.path());
    let mut trash = Trash::open(&cache).unwrap();
    let both = [shown.clone(), unshown.clone()];
    let gone = take_unshown(&mut trash, &dir, &both, &mut Report::default());
    assert_eq!(gone, HashSet::from([unshown.clone()]));
    assert!(trash.empty().is_empty());
    assert!(shown.exists() && !unshown.exists());
}

#[test]
fn giving_back_restores_what_was_taken_unless_it_was_replaced() {
    let root = tempfile::tempdir().unwrap();
    let (cache, _dir, shown, unshown) = crafted(root.path());
    let mut trash = Trash::open(&cache).unwrap();
    trash.take(&shown).unwrap();
    trash.take(&unshown).unwrap();
    assert!(!shown.exists() && !unshown.exists());
    fs::write(&unshown, b"new").unwrap();
    assert_eq!(trash.give_back(|_| true), vec![shown.clone()]);
    assert!(trash.empty().is_empty());
    assert_eq!(fs::read(&shown).unwrap(), b"shown");
    assert_eq!(fs::read(&unshown).unwrap(), b"new");
}

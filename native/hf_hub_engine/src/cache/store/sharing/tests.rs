use super::*;
use crate::{
    base::ids::{Repo, RepoType},
    cache::layout::RepoDir,
};

const CONTENT: &[u8] = b"content";

struct Case {
    _dir: tempfile::TempDir,
    cache: CacheDir,
    hash: String,
    etag: Etag,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheDir::new(dir.path().join("cache"));
        fs::create_dir(cache.path()).unwrap();
        let mut hasher = hash::Hasher::new(Proof::Sha256, None).unwrap();
        hasher.update(CONTENT);
        let etag = Etag::parse(&hasher.finish()).unwrap();
        Self { _dir: dir, cache, hash: "5e".repeat(32), etag }
    }

    fn repo(&self, name: &str) -> RepoDir {
        self.cache.repo(&Repo::new(RepoType::Model, name).unwrap())
    }

    /// A repository's blob with this content.
    fn blob(&self, name: &str, content: &[u8]) -> PathBuf {
        let blob = self.repo(name).blob(&self.etag);
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::write(&blob, content).unwrap();
        blob
    }

    fn share(&self, blob: &Path, replace: bool) -> bool {
        let store = Store::create(&self.cache).unwrap();
        store.share(self.shareable(blob), replace).unwrap()
    }

    fn reuse(&self, blob: &Path) -> bool {
        Store::open(&self.cache).unwrap().reuse(self.shareable(blob), &|| false)
    }

    fn shareable<'a>(&'a self, blob: &'a Path) -> Shareable<'a> {
        Shareable { blob, hash: &self.hash, etag: &self.etag, size: CONTENT.len() as u64 }
    }

    fn payload(&self) -> PathBuf {
        self.cache.store().entry(&self.hash).unwrap()
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn a_second_repository_links_the_content_of_the_first() {
    let case = Case::new();
    let first = case.blob("a/one", CONTENT);
    assert!(case.share(&first, false) && is_link(&first));
    assert_eq!(fs::read(&first).unwrap(), CONTENT);
    let second = case.repo("a/two").blob(&case.etag);
    fs::create_dir_all(second.parent().unwrap()).unwrap();
    assert!(case.reuse(&second) && is_link(&second));
    let store = Store::open(&case.cache).unwrap();
    let lines = fs::read_to_string(StoreDir::manifest(&case.payload())).unwrap();
    assert_eq!(lines.lines().count(), 2);
    assert_eq!(store.sweep(&case.payload()), 0);
    fs::remove_file(&first).unwrap();
    assert_eq!(store.sweep(&case.payload()), 0);
    fs::remove_file(&second).unwrap();
    assert_eq!(store.sweep(&case.payload()), CONTENT.len() as u64);
}

#[test]
fn wrong_content_is_not_linked_and_stays_for_others() {
    let case = Case::new();
    let theirs = case.blob("a/theirs", b"CONTENT");
    assert!(case.share(&theirs, false));
    let ours = case.repo("a/ours").blob(&case.etag);
    fs::create_dir_all(ours.parent().unwrap()).unwrap();
    assert!(!case.reuse(&ours));
    let ours = case.blob("a/ours", CONTENT);
    assert!(!case.share(&ours, false) && !is_link(&ours));
    assert_eq!(fs::read(&theirs).unwrap(), b"CONTENT");
    assert!(case.share(&ours, true), "a forced download repairs it");
    assert_eq!(fs::read(&theirs).unwrap(), CONTENT);
}

#[test]
fn a_blob_of_another_size_is_replaced() {
    let case = Case::new();
    let first = case.blob("a/one", b"cut");
    assert!(case.share(&first, false));
    let second = case.blob("a/two", CONTENT);
    assert!(!case.reuse(&second));
    assert!(case.share(&second, false));
    assert_eq!(fs::read(&first).unwrap(), CONTENT);
}

#[test]
fn content_that_blobs_of_another_name_link_is_not_replaced() {
    let mut case = Case::new();
    let theirs = case.blob("a/theirs", CONTENT);
    assert!(case.share(&theirs, false));
    // A mirror announces the same Xet hash for other content.
    let other = b"something else";
    let mut hasher = hash::Hasher::new(Proof::Sha256, None).unwrap();
    hasher.update(other);
    case.etag = Etag::parse(&hasher.finish()).unwrap();
    let ours = case.blob("a/ours", other);
    let store = Store::open(&case.cache).unwrap();
    let file = Shareable { size: other.len() as u64, ..case.shareable(&ours) };
    for replace in [false, true] {
        assert!(!store.share(file, replace).unwrap() && !is_link(&ours));
        assert_eq!(fs::read(&theirs).unwrap(), CONTENT);
    }
}

#[test]
fn a_blob_whose_name_is_not_its_hash_is_not_shared() {
    let mut case = Case::new();
    let sums = case.etag.checksums().to_vec();
    case.etag = Etag::parse("0123").unwrap().or(sums);
    let blob = case.blob("a/one", CONTENT);
    assert!(!case.share(&blob, false) && !is_link(&blob));
}

#[cfg(unix)]
#[test]
fn a_repository_behind_a_link_shares_nothing() {
    let case = Case::new();
    let first = case.blob("a/one", CONTENT);
    assert!(case.share(&first, false));
    let elsewhere = case.cache.path().with_file_name("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    disk::symlink(&elsewhere, case.repo("a/two").path()).unwrap();
    let second = case.blob("a/two", CONTENT);
    for replace in [false, true] {
        assert!(!case.share(&second, replace) && !is_link(&second));
    }
    assert!(!case.reuse(&second) && !is_link(&second));
    assert_eq!(fs::read_dir(second.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(fs::read(&first).unwrap(), CONTENT);
}

#[test]
fn a_folder_with_other_content_is_no_store() {
    let case = Case::new();
    let folder = case.cache.store().path().to_owned();
    fs::create_dir(&folder).unwrap();
    // What an interrupted process may have left.
    let leftover = folder.join(".huggingface-shared-blobs.0123abcd.tmp");
    fs::write(&leftover, "1").unwrap();
    let old = SystemTime::now() - Duration::from_hours(1);
    let opened = fs::OpenOptions::new().write(true).open(&leftover).unwrap();
    opened.set_modified(old).unwrap();
    let marker = case.cache.store().marker();
    for (path, text) in [(folder.join("mine"), ""), (marker, "2\n")] {
        fs::write(&path, text).unwrap();
        assert!(Store::create(&case.cache).is_none());
        fs::remove_file(&path).unwrap();
    }
    assert!(Store::create(&case.cache).is_some());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn threads_that_create_the_store_at_once_all_succeed() {
    for _ in 0..50 {
        let case = Case::new();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            let create = || {
                start.wait();
                Store::create(&case.cache).is_some()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links() {
    let case = Case::new();
    let elsewhere = case.cache.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    disk::symlink(&elsewhere, case.cache.store().path()).unwrap();
    assert!(Store::create(&case.cache).is_none());
    fs::remove_file(case.cache.store().path()).unwrap();
    let store = Store::create(&case.cache).unwrap();
    let blob = case.blob("a/one", CONTENT);
    let target = elsewhere.join("target");
    fs::create_dir_all(case.payload().parent().unwrap()).unwrap();
    for planted in [StoreDir::lock(&case.payload()), StoreDir::manifest(&case.payload())] {
        disk::symlink(&target, &planted).unwrap();
        assert!(!store.share(case.shareable(&blob), false).unwrap());
        fs::remove_file(&planted).unwrap();
    }
    fs::remove_dir_all(case.payload().parent().unwrap()).unwrap();
    disk::symlink(&elsewhere, case.payload().parent().unwrap()).unwrap();
    assert!(!store.share(case.shareable(&blob), false).unwrap());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert!(!is_link(&blob) && fs::read(&blob).unwrap() == CONTENT);
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_the_cache() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (root, blob) in [(0o755, 0o444), (0o2750, 0o440), (0o700, 0o400)] {
        let case = Case::new();
        fs::set_permissions(case.cache.path(), fs::Permissions::from_mode(root)).unwrap();
        let first = case.blob("a/one", CONTENT);
        assert!(case.share(&first, false));
        let (payload, store) = (case.payload(), case.cache.store());
        assert_eq!((mode(&payload), mode(&store.marker())), (blob, blob));
        assert_eq!((mode(payload.parent().unwrap()), mode(store.path())), (root, root));
        assert_eq!(mode(&StoreDir::manifest(&payload)), 0o666);
        assert_eq!(mode(&StoreDir::lock(&payload)), 0o666);
    }
}

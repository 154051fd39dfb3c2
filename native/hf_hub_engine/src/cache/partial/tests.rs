//! Partials on a real file system.

use super::*;
use crate::base::hash::Hasher;

const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

fn slot(dir: &Path, etag: &str, size: Option<u64>) -> Slot {
    Slot { dir: dir.to_owned(), stem: etag.to_owned(), etag: Etag::parse(etag).unwrap(), size }
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn put(partial: &mut Partial, content: &[u8]) {
    partial.write(partial.present().end(), content).unwrap();
}

fn finish(partial: Partial, content: &[u8]) -> Result<Verified> {
    let mut hasher = Hasher::new(Proof::GitSha1, Some(content.len() as u64)).unwrap();
    hasher.update(content);
    partial.finish(Some(hasher.finish()))
}

#[test]
fn becomes_visible_only_when_right() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut partial, b"hello\n");
    assert!(!blob.exists());
    finish(partial, b"hello\n").unwrap().publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()), [HELLO]);
}

#[test]
fn a_reader_of_what_had_the_name_before_is_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    fs::write(&blob, b"before").unwrap();
    let mut reader = File::open(&blob).unwrap();
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut partial, b"hello\n");
    finish(partial, b"hello\n").unwrap().publish(&blob).unwrap();
    let mut read = String::new();
    io::Read::read_to_string(&mut reader, &mut read).unwrap();
    assert_eq!((read.as_str(), fs::read(&blob).unwrap().as_slice()), ("before", &b"hello\n"[..]));
}

#[test]
fn a_wrong_content_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (size, content) in
        [(Some(6), b"hellO\n".as_slice()), (Some(7), b"hello\n"), (None, b"hello")]
    {
        let mut partial = Partial::create(slot(dir.path(), HELLO, size)).unwrap();
        put(&mut partial, content);
        assert_eq!(finish(partial, content).unwrap_err().kind(), ErrorKind::ChecksumMismatch);
    }
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    assert_eq!(partial.write(0, b"hello\n!").unwrap_err().kind(), ErrorKind::ChecksumMismatch);
    drop(partial);
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut partial, b"hel");
    partial.write(4, b"o\n").unwrap();
    let error = partial.finish(Some(HELLO.to_owned())).unwrap_err();
    assert!(error.message().starts_with("3 bytes arrived"), "a gap is no content: {error}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn an_empty_file_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    let partial = Partial::create(slot(dir.path(), empty, Some(0))).unwrap();
    finish(partial, b"").unwrap().publish(&dir.path().join(empty)).unwrap();
    assert_eq!(names(dir.path()), [empty]);
}

#[test]
fn what_no_hash_was_made_of_is_verified_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = Partial::create(slot(dir.path(), HELLO, None)).unwrap();
    put(&mut partial, b"hello\n");
    assert_eq!(partial.finish(None).unwrap().size(), 6);
    let mut partial = Partial::create(slot(dir.path(), HELLO, None)).unwrap();
    put(&mut partial, b"hellO\n");
    assert!(partial.finish(None).is_err());
}

#[test]
fn resumes_what_was_left_behind_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut dead, b"hel");
    let still_open = dead.file.try_clone().unwrap();
    drop(dead);

    let slot = slot(dir.path(), HELLO, Some(6));
    assert_eq!(slot.resumable(), 3);
    let mut partial = Partial::resume(slot, true, &|| false).unwrap();
    assert_eq!(partial.present(), &Ranges::prefix_of(3));
    // The dead one was only paused, wakes up, scribbles and shortens.
    write_all_at(&still_open, b"???", 0).unwrap();
    put(&mut partial, b"lo\n");
    let verified = finish(partial, b"hello\n").unwrap();
    still_open.set_len(0).unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()).len(), 1, "the claimed partial is gone");
}

#[test]
fn parts_in_any_order_are_resumed_where_a_note_tells_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    dead.write(4, b"o\n").unwrap();
    dead.write(0, b"he").unwrap();
    let path = dead.path.clone();
    drop(dead);
    assert!(fs::metadata(&path).unwrap().len() > 4096, "the note has a page of its own");

    let mut partial = Partial::resume(slot(dir.path(), HELLO, Some(6)), true, &|| false).unwrap();
    assert!(partial.present().missing(6).iter().eq([&(2..4)]));
    partial.write(2, b"ll").unwrap();
    let verified = finish(partial, b"hello\n").unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n", "the note is gone");
}

#[test]
fn what_begins_anew_has_no_note_of_what_was_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    partial.write(4, b"o\n").unwrap();
    partial.restart().unwrap();
    put(&mut partial, b"hello\n");
    let verified = finish(partial, b"hello\n").unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n");
}

#[test]
fn a_crash_leaves_no_gap_that_looks_like_content() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut dead, b"h");
    dead.write(4, b"o\n").unwrap();
    // As after kill -9: nothing is done at the end, and the last note says less.
    let copy = dir.path().join(format!("{HELLO}.00000001.incomplete"));
    fs::copy(&dead.path, &copy).unwrap();
    let left = slot(dir.path(), HELLO, Some(6)).present_in(&mut File::open(copy).unwrap());
    assert_eq!(left, Ranges::prefix_of(1));
}

#[test]
fn leaves_a_partial_alone_that_may_have_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut live, b"hel");
    let other = Partial::resume(slot(dir.path(), HELLO, Some(6)), false, &|| false).unwrap();
    assert_eq!(other.present().total(), 0);
    drop(other);
    put(&mut live, b"lo\n");
    finish(live, b"hello\n").unwrap().publish(&dir.path().join(HELLO)).unwrap();
}

#[test]
fn a_live_partial_that_is_taken_costs_bytes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    let mut robbed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut robbed, b"hel");
    let mut thief = Partial::resume(slot(dir.path(), HELLO, Some(6)), true, &|| false).unwrap();
    assert!(!robbed.path.exists());
    put(&mut robbed, b"lo\n");
    finish(robbed, b"hello\n").unwrap().publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    put(&mut thief, b"lo\n");
    finish(thief, b"hello\n").unwrap().publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()), [HELLO]);
}

#[test]
fn whoever_was_robbed_and_is_late_finds_the_content_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    let mut robbed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut robbed, b"hello\n");
    let robbed = finish(robbed, b"hello\n").unwrap();
    let thief = Partial::resume(slot(dir.path(), HELLO, Some(6)), true, &|| false).unwrap();
    finish(thief, b"hello\n").unwrap().publish(&blob).unwrap();
    // Where another host has taken the file, not even what is open can be read any more.
    robbed.partial.file.set_len(0).unwrap();
    robbed.publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()), [HELLO]);
}

#[test]
fn whoever_was_robbed_of_all_publishes_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let mut robbed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut robbed, b"hello\n");
    let robbed = finish(robbed, b"hello\n").unwrap();
    fs::remove_file(&robbed.partial.path).unwrap();
    write_all_at(&robbed.partial.file, b"HELLO\n", 0).unwrap();
    let error = robbed.publish(&dir.path().join(HELLO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn where_room_is_short_only_the_dead_are_robbed() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut live, b"hel");
    live.file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let mut other = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    assert!(!other.claim(&live.path, false, true, &|| false));
    assert_eq!(fs::read(&live.path).unwrap(), b"hel");
    assert!(other.claim(&live.path, false, false, &|| false));
}

#[test]
#[cfg(unix)]
fn goes_on_without_what_cannot_be_had() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, b"hel").unwrap();
    // Planted: neither read nor removed.
    for (n, target) in ["nowhere", "outside"].into_iter().enumerate() {
        let link = dir.path().join(format!("{HELLO}.0000000{n}.incomplete"));
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let slot = slot(dir.path(), HELLO, Some(6));
    let partial = Partial::resume(slot.clone(), true, &|| false).unwrap();
    assert_eq!(partial.present().total(), 0);
    slot.clear();
    assert_eq!(fs::read(outside).unwrap(), b"hel");
}

#[test]
fn ignores_partials_that_cannot_be_a_part() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(format!("{HELLO}.00000001.incomplete")), b"far too long").unwrap();
    fs::write(dir.path().join(format!("{HELLO}.incomplete")), b"hel").unwrap();
    fs::create_dir(dir.path().join(format!("{HELLO}.00000002.incomplete"))).unwrap();
    assert_eq!(slot(dir.path(), HELLO, Some(6)).resumable(), 0);
}

#[test]
fn where_room_is_short_an_orphan_moves_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let size = 40 << 20;
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(size))).unwrap();
    let block = vec![7; 1 << 20];
    for n in (0..20).chain(30..35) {
        dead.write(n << 20, &block).unwrap();
    }
    let (path, present) = (dead.path.clone(), dead.present.clone());
    drop(dead);
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(size))).unwrap();
    assert!(partial.claim(&path, true, true, &|| false));
    assert_eq!(partial.present, present);
    let content = fs::read(&partial.path).unwrap();
    assert!(content[..20 << 20].iter().all(|byte| *byte == 7) && content[30 << 20] == 7);
    assert_eq!(names(dir.path()).len(), 1);
}

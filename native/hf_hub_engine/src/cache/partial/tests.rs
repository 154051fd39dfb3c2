//! Partial files on a real file system.

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

/// A complete partial file in a folder of its own.
pub(super) fn hello(dir: &Path) -> Partial {
    let mut partial = Partial::create(slot(dir, HELLO, Some(6))).unwrap();
    put(&mut partial, b"hello\n");
    partial
}

fn finish(partial: Partial, content: &[u8]) -> Result<Verified> {
    let mut hasher = Hasher::new(Proof::GitSha1, Some(content.len() as u64)).unwrap();
    hasher.update(content);
    partial.finish(Some(hasher.finish()))
}

/// Resumes, and copies everything.
fn resume(slot: Slot, alone: bool) -> Partial {
    let (partial, orphans) = Partial::resume(slot, alone).unwrap();
    copied(partial, orphans)
}

fn copied(mut partial: Partial, mut orphans: Orphans) -> Partial {
    let expected = orphans.present().clone();
    while let Some((at, bytes)) = orphans.next_piece().unwrap() {
        partial.write(at, bytes).unwrap();
    }
    assert_eq!(partial.present(), &expected);
    partial
}

#[test]
fn becomes_visible_only_when_verified() {
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
fn publishing_does_not_disturb_readers_of_the_previous_file() {
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
fn removes_content_that_is_wrong() {
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
    assert!(
        error.message().starts_with("3 bytes arrived"),
        "a gap does not count as content: {error}"
    );
    assert!(names(dir.path()).is_empty());
}

#[test]
fn an_empty_file_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    let partial = Partial::create(slot(dir.path(), empty, Some(0))).unwrap();
    finish(partial, b"").unwrap().publish(&dir.path().join(empty)).unwrap();
    assert_eq!(names(dir.path()), [empty]);
}

#[test]
fn verifies_content_that_was_not_hashed_on_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = Partial::create(slot(dir.path(), HELLO, None)).unwrap();
    put(&mut partial, b"hello\n");
    assert_eq!(partial.finish(None).unwrap().size(), 6);
    let mut partial = Partial::create(slot(dir.path(), HELLO, None)).unwrap();
    put(&mut partial, b"hellO\n");
    assert!(partial.finish(None).is_err());
}

#[test]
fn resumes_into_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut dead, b"hel");
    let still_open = dead.file.try_clone().unwrap();
    drop(dead);

    let slot = slot(dir.path(), HELLO, Some(6));
    assert_eq!(slot.resumable(), 3);
    let mut partial = resume(slot, true);
    assert_eq!(partial.present(), &Ranges::prefix_of(3));
    // The interrupted writer was only paused: it continues, overwrites and truncates its file.
    write_all_at(&still_open, &[b"???"], 0).unwrap();
    put(&mut partial, b"lo\n");
    let verified = finish(partial, b"hello\n").unwrap();
    still_open.set_len(0).unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()).len(), 1, "the claimed partial is gone");
}

#[test]
fn resumes_ranges_in_any_order_from_the_resume_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    dead.write(4, b"o\n").unwrap();
    dead.write(0, b"he").unwrap();
    let path = dead.path.clone();
    drop(dead);
    assert!(fs::metadata(&path).unwrap().len() > 4096, "the record has a page of its own");

    let mut partial = resume(slot(dir.path(), HELLO, Some(6)), true);
    assert!(partial.present().missing(6).iter().eq([&(2..4)]));
    partial.write(2, b"ll").unwrap();
    let verified = finish(partial, b"hello\n").unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n", "the record was removed");
}

#[test]
fn a_restart_removes_the_previous_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    partial.write(4, b"o\n").unwrap();
    partial.restart().unwrap();
    put(&mut partial, b"hello\n");
    let verified = finish(partial, b"hello\n").unwrap();
    assert_eq!(fs::read(&verified.partial.path).unwrap(), b"hello\n");
}

#[test]
fn a_crash_leaves_no_gap_that_counts_as_content() {
    let dir = tempfile::tempdir().unwrap();
    let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut dead, b"h");
    dead.write(4, b"o\n").unwrap();
    // As after kill -9: no cleanup, and the last record is outdated.
    let copy = dir.path().join(format!("{HELLO}.00000001.incomplete"));
    fs::copy(&dead.path, &copy).unwrap();
    let left = slot(dir.path(), HELLO, Some(6)).present_in(&mut File::open(copy).unwrap());
    assert_eq!(left, Ranges::prefix_of(1));
}

#[test]
fn does_not_take_a_partial_file_that_may_have_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut live, b"hel");
    let other = resume(slot(dir.path(), HELLO, Some(6)), false);
    assert_eq!(other.present().total(), 0);
    drop(other);
    put(&mut live, b"lo\n");
    finish(live, b"hello\n").unwrap().publish(&dir.path().join(HELLO)).unwrap();
}

#[test]
fn taking_the_partial_file_of_a_live_writer_costs_only_bandwidth() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    let mut claimed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut claimed, b"hel");
    let mut thief = resume(slot(dir.path(), HELLO, Some(6)), true);
    assert!(!claimed.path.exists());
    put(&mut claimed, b"lo\n");
    finish(claimed, b"hello\n").unwrap().publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    put(&mut thief, b"lo\n");
    finish(thief, b"hello\n").unwrap().publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()), [HELLO]);
}

#[test]
fn publish_succeeds_when_another_process_already_published() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join(HELLO);
    let mut claimed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut claimed, b"hello\n");
    let claimed = finish(claimed, b"hello\n").unwrap();
    let thief = resume(slot(dir.path(), HELLO, Some(6)), true);
    finish(thief, b"hello\n").unwrap().publish(&blob).unwrap();
    // On another host that claimed the file, even the open handle may no longer be readable.
    claimed.partial.file.set_len(0).unwrap();
    claimed.publish(&blob).unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    assert_eq!(names(dir.path()), [HELLO]);
}

#[test]
fn publish_fails_when_another_process_took_all_content() {
    let dir = tempfile::tempdir().unwrap();
    let mut claimed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut claimed, b"hello\n");
    let claimed = finish(claimed, b"hello\n").unwrap();
    fs::remove_file(&claimed.partial.path).unwrap();
    write_all_at(&claimed.partial.file, &[b"HELLO\n"], 0).unwrap();
    let error = claimed.publish(&dir.path().join(HELLO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn an_interrupted_copy_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let size = 4 << 20;
    let slot = slot(dir.path(), HELLO, Some(size));
    let mut dead = Partial::create(slot.clone()).unwrap();
    put(&mut dead, &vec![1; 2 << 20]);
    drop(dead);
    let (mut partial, mut orphans) = Partial::resume(slot.clone(), true).unwrap();
    let (at, bytes) = orphans.next_piece().unwrap().unwrap();
    partial.write(at, bytes).unwrap();
    // Received meanwhile.
    partial.write(3 << 20, &vec![3; 1 << 20]).unwrap();
    drop((partial, orphans));

    let (partial, orphans) = Partial::resume(slot, true).unwrap();
    assert!(orphans.present().missing(size).iter().eq([&(2 << 20..3 << 20)]));
    let partial = copied(partial, orphans);
    let content = fs::read(&partial.path).unwrap();
    assert!(content[..2 << 20].iter().all(|byte| *byte == 1) && content[3 << 20] == 3);
    assert_eq!(names(dir.path()).len(), 1, "the claimed partial files are gone");
}

#[test]
fn reports_an_orphan_that_is_truncated_while_it_is_copied() {
    let dir = tempfile::tempdir().unwrap();
    let mut paused = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
    put(&mut paused, b"hel");
    let (partial, mut orphans) = Partial::resume(slot(dir.path(), HELLO, Some(6)), true).unwrap();
    paused.restart().unwrap();
    assert_eq!(orphans.next_piece().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    orphans.discard();
    drop((partial, paused));
    assert!(names(dir.path()).is_empty());
}

#[test]
#[cfg(unix)]
fn ignores_partial_files_that_cannot_be_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, b"hel").unwrap();
    // Planted links: neither read nor removed.
    for (n, target) in ["nowhere", "outside"].into_iter().enumerate() {
        let link = dir.path().join(format!("{HELLO}.0000000{n}.incomplete"));
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let slot = slot(dir.path(), HELLO, Some(6));
    let partial = resume(slot.clone(), true);
    assert_eq!(partial.present().total(), 0);
    slot.clear();
    assert_eq!(fs::read(outside).unwrap(), b"hel");
}

#[test]
fn ignores_partial_files_longer_than_the_content() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(format!("{HELLO}.00000001.incomplete")), b"far too long").unwrap();
    fs::write(dir.path().join(format!("{HELLO}.incomplete")), b"hel").unwrap();
    fs::create_dir(dir.path().join(format!("{HELLO}.00000002.incomplete"))).unwrap();
    assert_eq!(slot(dir.path(), HELLO, Some(6)).resumable(), 0);
}

#[test]
fn takes_only_orphans_when_space_is_short() {
    let dir = tempfile::tempdir().unwrap();
    // More than any disk has.
    let slot = slot(dir.path(), HELLO, Some(1 << 62));
    let mut live = Partial::create(slot.clone()).unwrap();
    put(&mut live, b"hel");
    live.file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let (other, orphans) = Partial::resume(slot.clone(), false).unwrap();
    assert!(orphans.is_empty());
    drop(other);
    assert_eq!(fs::read(&live.path).unwrap(), b"hel");
    assert_eq!(fs::read(&resume(slot, true).path).unwrap(), b"hel");
    assert!(!live.path.exists());
}

#[test]
fn moves_an_orphan_piece_by_piece_when_space_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let slot = slot(dir.path(), HELLO, Some(40 << 20));
    let mut dead = Partial::create(slot.clone()).unwrap();
    let block = vec![7; 1 << 20];
    for n in (0..20).chain(30..35) {
        dead.write(n << 20, &block).unwrap();
    }
    dead.write(35 << 20, b"7").unwrap();
    drop(dead);
    let mut orphans = Orphans::claim(&slot, true, true);
    let mut partial = Partial::create(slot.clone()).unwrap();
    let move_next = |orphans: &mut Orphans, partial: &mut Partial| {
        let (at, bytes) = orphans.next_piece().unwrap().unwrap();
        partial.write(at, bytes).unwrap();
    };
    (0..3).for_each(|_| move_next(&mut orphans, &mut partial));
    // The gap does not count as content.
    assert_eq!(slot.resumable(), (23 << 20) + 1);
    (0..7).for_each(|_| move_next(&mut orphans, &mut partial));
    // What is behind the gap was moved, so the rest is a prefix.
    assert_eq!(slot.resumable(), 17 << 20);
    while let Some((at, bytes)) = orphans.next_piece().unwrap() {
        partial.write(at, bytes).unwrap();
    }
    assert_eq!(partial.present(), orphans.present());
    let content = fs::read(&partial.path).unwrap();
    assert!(content[..20 << 20].iter().all(|byte| *byte == 7) && content[30 << 20] == 7);
    assert_eq!(names(dir.path()).len(), 1);
}

#[test]
fn a_moved_orphan_without_the_first_bytes_never_counts_as_having_them() {
    let dir = tempfile::tempdir().unwrap();
    let slot = slot(dir.path(), HELLO, Some(40 << 20));
    let mut dead = Partial::create(slot.clone()).unwrap();
    dead.write(10 << 20, &vec![7; 3 << 20]).unwrap();
    drop(dead);
    let mut orphans = Orphans::claim(&slot, true, true);
    orphans.next_piece().unwrap().unwrap();
    drop(orphans);
    assert_eq!(slot.resumable(), 3 << 20);
}

#[test]
fn a_heavily_fragmented_file_keeps_its_longest_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let size = 1 << 40;
    let slot = slot(dir.path(), HELLO, Some(size));
    let mut partial = Partial::create(slot.clone()).unwrap();
    for n in 0..2_000 {
        partial.write(1_000 + n * 30, &[1; 10][..if n % 100 == 7 { 10 } else { 5 }]).unwrap();
    }
    // As long as there were too many, nothing was noted any more.
    partial.write(0, &[1; 1_000]).unwrap();
    let present = partial.present().clone();
    drop(partial);
    let (_partial, orphans) = Partial::resume(slot, true).unwrap();
    let kept = orphans.present();
    assert!(kept.prefix() == 1_005 && kept.count() > 100, "{kept:?}");
    assert_eq!(kept, &present.longest(kept.count()));
}

//! Malicious archives.

use super::*;

const LIMITS: Limits = Limits { max_size: None, max_entries: 1000 };

enum Item<'a> {
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
    Hardlink(&'a str, &'a str),
    Device(&'a str),
}

fn tar(path: &Path, items: &[Item]) {
    let mut builder = tar::Builder::new(File::create(path).unwrap());
    for item in items {
        let mut header = tar::Header::new_ustar();
        let (name, kind, link, data): (_, _, _, &[u8]) = match item {
            Item::File(name, data) => (name, tar::EntryType::Regular, "", data),
            Item::Symlink(name, target) => (name, tar::EntryType::Symlink, *target, b""),
            Item::Hardlink(name, target) => (name, tar::EntryType::Link, *target, b""),
            Item::Device(name) => (name, tar::EntryType::Char, "", b""),
        };
        // Written raw: the library would reject these names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o4755);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.finish().unwrap();
}

fn unpack(dir: &Path, items: &[Item], limits: Limits) -> Result<PathBuf> {
    let archive = dir.join("a.tar");
    tar(&archive, items);
    let out = dir.join("out");
    run(&archive, &out, limits, &|| false).map(|()| out)
}

#[test]
fn extracts_files_and_links_that_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    let items = [
        Item::Symlink("d/up", "../x"),
        Item::File("./x", b"hello"),
        Item::Hardlink("d/hard", "x"),
        Item::File("d/e/y", b"world"),
    ];
    let out = unpack(dir.path(), &items, LIMITS).unwrap();
    assert_eq!(fs::read(out.join("d/up")).unwrap(), b"hello");
    assert_eq!(fs::read(out.join("d/hard")).unwrap(), b"hello");
    assert_eq!(fs::read(out.join("d/e/y")).unwrap(), b"world");
}

#[test]
fn rejects_paths_and_links_that_lead_outside() {
    let cases: [&[Item]; 9] = [
        &[Item::File("../evil", b"x")],
        &[Item::File("/tmp/evil", b"x")],
        &[Item::File("a/../../evil", b"x")],
        &[Item::Symlink("l", "/etc/passwd")],
        &[Item::Symlink("l", "..")],
        &[Item::Symlink("d/l", "../../x")],
        &[Item::Symlink("d/l", "e/../../../x")],
        &[Item::Hardlink("l", "../../etc/passwd")],
        &[Item::Device("null")],
    ];
    for items in cases {
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(dir.path(), items, LIMITS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArchive, "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the archive is left");
    }
}

#[test]
fn never_writes_through_a_link_of_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let items = [Item::Symlink("l", "d"), Item::File("l/x", b"1"), Item::File("d/x", b"2")];
    assert!(unpack(dir.path(), &items, LIMITS).is_err());
}

#[test]
fn never_creates_a_link_below_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("victim");
    fs::create_dir(&outside).unwrap();
    let items = [
        Item::File("a/b/f", b"x"),
        Item::Symlink("a/b/l", "../.."),
        Item::Symlink("a/b/l/evil", "../../victim"),
        Item::Symlink("evil/planted", "x"),
    ];
    let error = unpack(dir.path(), &items, LIMITS).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArchive, "{error}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn rejects_a_name_that_would_fill_memory() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("a.tar");
    let mut builder = tar::Builder::new(File::create(&archive).unwrap());
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(64 << 20);
    header.set_cksum();
    builder.append(&header, io::repeat(b'a').take(64 << 20)).unwrap();
    builder.finish().unwrap();
    let error = run(&archive, &dir.path().join("out"), LIMITS, &|| false).unwrap_err();
    assert!(error.reason().unwrap().contains("too long"), "{error:?}");
}

#[test]
fn stops_at_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    let big = vec![0; 100_000];
    let small = Limits { max_size: Some(99_999), max_entries: 10 };
    let error = unpack(dir.path(), &[Item::File("x", &big)], small).unwrap_err();
    assert_eq!(error.hints(), [crate::base::hint::Hint::MaxSize]);
    let few = Limits { max_size: None, max_entries: 1 };
    assert!(unpack(dir.path(), &[Item::File("x", b""), Item::File("y", b"")], few).is_err());
    assert!(unpack(dir.path(), &[Item::File("x", &big)], LIMITS).is_ok());
}

#[test]
fn keeps_other_files_of_an_existing_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir_all(out.join("d")).unwrap();
    fs::write(out.join("d/old"), b"old").unwrap();
    unpack(dir.path(), &[Item::File("d/new", b"new")], LIMITS).unwrap();
    assert_eq!(fs::read(out.join("d/old")).unwrap(), b"old");
    assert_eq!(fs::read(out.join("d/new")).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn recognizes_formats_by_name() {
    for (name, expected) in [
        ("a.ZIP", Some((Format::Zip, "a"))),
        ("né.tar.gz", Some((Format::TarGz, "né"))),
        ("x.tgz", Some((Format::TarGz, "x"))),
        ("x.txt.gz", Some((Format::Gz, "x.txt"))),
        ("x.tar.xz", Some((Format::TarXz, "x"))),
        ("x.txt", None),
        ("dir/.zip", None),
    ] {
        let expected = expected.map(|(format, stem)| (format, PathBuf::from(stem)));
        assert_eq!(Format::of(Path::new(name)), expected, "{name}");
    }
}

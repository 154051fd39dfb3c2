use tempfile::TempDir;
use xet_core_structures::metadata_shard::{
    file_structs::FileDataSequenceEntry,
    xorb_structs::{XorbChunkSequenceEntry, XorbChunkSequenceHeader},
};

use super::*;

const STORAGE: &str = "http://cas.example";

/// Chunks of the length 10.
fn chunks() -> Vec<Chunk> {
    let data = [b"0123456789", b"abcdefghij"].map(|data| Bytes::from_static(data));
    data.map(|data| Chunk { hash: compute_data_hash(&data), data }).into()
}

/// Returns an object of the chunks in which each is stated to have the length `length`.
fn object(length: u32) -> Arc<MDBXorbInfo> {
    let chunks = chunks();
    let entry =
        |(at, chunk): (u32, &Chunk)| XorbChunkSequenceEntry::new(chunk.hash, length, at * length);
    Arc::new(MDBXorbInfo {
        metadata: XorbChunkSequenceHeader::new(compute_data_hash(b"object"), 2_u32, 2 * length),
        chunks: (0..).zip(&chunks).map(entry).collect(),
    })
}

fn list(length: u32) -> Vec<u8> {
    let mut list = MDBInMemoryShard::default();
    list.add_xorb_block(object(length)).unwrap();
    list.to_bytes().unwrap()
}

/// Returns a list with other numbers in its last part.
fn with_footer(change: impl FnOnce(&mut MDBShardFileFooter)) -> Vec<u8> {
    let mut list = list(10);
    let mut footer = MDBShardInfo::load_from_reader(&mut Cursor::new(&list)).unwrap().metadata;
    change(&mut footer);
    list.truncate(list.len() - size_of::<MDBShardFileFooter>());
    footer.serialize(&mut list).unwrap();
    list
}

async fn open(dir: &TempDir) -> Arc<Known> {
    Arc::new(Known::open(dir.path(), STORAGE).await.unwrap())
}

/// Returns the number of chunks that are known in a run from the first one.
async fn found(known: &Known) -> usize {
    let chunks = chunks();
    let mut hits = vec![None; chunks.len()];
    known.find(&chunks, &mut hits).await.unwrap();
    hits[0].as_ref().map_or(0, |(count, _)| *count)
}

#[test]
fn all_settings_are_known_to_the_crate() {
    let config = settings();
    for (name, value) in SETTINGS {
        assert!(XetConfig::default().with_config(name, value).is_ok(), "{name}");
    }
    assert_eq!(config.get("shard.chunk_index_table_max_size").unwrap(), "2097152");
}

#[tokio::test]
async fn a_list_whose_numbers_are_wrong_is_neither_imported_nor_opened() {
    const MUCH: u64 = 1 << 40;
    let lists: [(Vec<u8>, bool); 7] = [
        (list(10), true),
        (with_footer(|footer| footer.chunk_lookup_num_entry = MUCH), false),
        (with_footer(|footer| footer.chunk_lookup_num_entry = u64::MAX), false),
        (with_footer(|footer| footer.xorb_lookup_num_entry = MUCH), false),
        (with_footer(|footer| footer.footer_offset = MUCH), false),
        (with_footer(|footer| footer.xorb_info_offset = MUCH), false),
        (Vec::new(), false),
    ];
    for (index, (list, is_right)) in lists.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let known = open(&dir).await;
        assert_eq!(known.import(list.clone().into()).await, is_right, "{index}");
        assert_eq!(found(&known).await > 0, is_right, "{index}");
        for folder in [known.cache.shard_directory(), &*known.staging] {
            let name = format!("{}.mdb", compute_data_hash(&list).hex());
            fs::write(folder.join(name), &list).unwrap();
        }
        assert_eq!(found(&*open(&dir).await).await > 0, is_right, "{index}");
    }
}

#[tokio::test]
async fn chunks_of_another_length_are_not_known() {
    for (length, count) in [(10, 2), (11, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let known = open(&dir).await;
        assert!(known.import(list(length).into()).await);
        assert_eq!(found(&known).await, count, "{length}");
    }
    let chunks = chunks();
    let hit = |hash, bytes: usize, count| {
        (count, FileDataSequenceEntry::new(hash, bytes, 0_usize, count))
    };
    let object = compute_data_hash(b"object");
    for (hit, wanted) in [
        (hit(object, 20, 2), true),
        (hit(object, 20, 1), false),
        (hit(object, 30, 3), false),
        (hit(object, 0, 0), false),
        (hit(MerkleHash::marker(), 20, 2), false),
    ] {
        assert_eq!(is_right(&hit, &chunks), wanted, "{hit:?}");
    }
}

#[tokio::test]
async fn a_list_that_has_vanished_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).await.keep(object(10)).await.unwrap();
    let known = open(&dir).await;
    assert!(known.import(list(10).into()).await);
    assert_eq!(found(&known).await, 2);
    for folder in [known.cache.shard_directory(), known.session.shard_directory()] {
        for list in lists(folder) {
            fs::remove_file(list).unwrap();
        }
    }
    assert_eq!(found(&known).await, 0);
}

#[tokio::test]
async fn an_upload_that_has_ended_leaves_no_lists_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).await.keep(object(10)).await.unwrap();
    let known = open(&dir).await;
    known.keep(object(10)).await.unwrap();
    assert!(!lists(&known.staging).is_empty());
    known.finish().await;
    assert!(lists(&known.staging).is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn what_killed_uploads_have_left_is_removed_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let staging = open(&dir).await.staging.clone();
    let sessions = staging.parent().unwrap();
    let old = std::time::SystemTime::now() - 2 * *MDB_SHARD_LOCAL_CACHE_EXPIRATION;
    let paths = [sessions.join("old"), sessions.join("new"), staging.join("old.mdb")];
    for path in &paths[..2] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("list.mdb"), "").unwrap();
    }
    fs::write(&paths[2], "").unwrap();
    for path in [&paths[0], &paths[2], &staging] {
        fs::File::open(path).unwrap().set_modified(old).unwrap();
    }
    drop(open(&dir).await);
    assert_eq!(paths.map(|path| path.exists()), [false, true, false]);
    assert!(staging.exists());
}

use std::{path::Path, time::Duration};

use reqwest::header::HeaderMap;

use super::*;
use crate::{
    base::{etag::Proof, hash::Hasher},
    transport::ClientConfig,
    xet::{Mode, Settings, Shared, Xet},
};

const SIZE: usize = 3 << 20;

fn tuning(dir: &Path) -> Tuning {
    Tuning {
        cache_dir: dir.join("cache"),
        buffer: 64 << 20,
        connections: 4,
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(10),
    }
}

fn xet(dir: &Path) -> Xet {
    let Tuning { cache_dir, buffer, connections, connect, silence } = tuning(dir);
    let settings = Settings { mode: Mode::Auto, cache_dir, buffer };
    let client = transport::Client::new(ClientConfig::default());
    Xet::new(Some(settings), connections, connect, silence, client, Shared::default())
}

fn access(storage: &str) -> Access {
    Access {
        storage: storage.parse().unwrap(),
        token: "secret".to_owned(),
        expires: u64::MAX,
        route: "http://127.0.0.1:9/".parse().unwrap(),
        headers: HeaderMap::new(),
    }
}

/// Access to a storage in a folder, which the crate supports.
fn local(dir: &Path) -> Access {
    access(&format!("local://{}", dir.join("store").display()))
}

fn content(seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(SIZE).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(Proof::Sha256, None).unwrap();
    hasher.update(bytes);
    hasher.finish()
}

async fn upload(storage: &dyn Storage, access: &Access, bytes: &Bytes) -> (Stored, Sent) {
    let upload = storage.upload(access).await.unwrap();
    let mut file = upload.file("model.bin").await.unwrap();
    for at in (0..bytes.len()).step_by(1 << 20) {
        file.write(bytes.slice(at..bytes.len().min(at + (1 << 20)))).await.unwrap();
    }
    let stored = file.finish().await.unwrap();
    upload.finish().await.unwrap();
    (stored, upload.sent())
}

async fn download(
    storage: &dyn Storage,
    access: &Access,
    hash: &str,
    range: Range<u64>,
) -> Result<Vec<u8>> {
    let file = File::new(hash, None).unwrap();
    let mut stream =
        storage.download(access, &file, SIZE as u64, range, Duration::from_mins(1)).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_file_is_hashed_and_only_new_chunks_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (xet, access) = (xet(dir.path()), local(dir.path()));
    let storage = xet.storage(None).unwrap();
    let first = content(1);
    let (stored, sent) = upload(&*storage, &access, &first).await;
    assert_eq!((stored.sha256.as_str(), stored.deduplicated), (sha256(&first).as_str(), 0));
    assert_eq!(sent.done, SIZE as u64);
    assert!(sent.transferred >= SIZE as u64, "{sent:?}");

    let second = [&first[..1 << 20], b"inserted", &first[1 << 20..]].concat().into();
    let (stored, sent) = upload(&*storage, &access, &second).await;
    assert_eq!(stored.sha256, sha256(&second));
    assert!(stored.deduplicated > 2 << 20, "{stored:?}");
    assert!(sent.transferred < 1 << 20, "{sent:?}");
}

#[tokio::test]
async fn a_storage_that_refuses_connections_fails_within_the_time_of_a_fallback() {
    let dir = tempfile::tempdir().unwrap();
    let access = access(&crate::testing::refusing().await);
    let storage = xet(dir.path()).storage(None).unwrap();
    let began = std::time::Instant::now();
    let error = download(&*storage, &access, &"ab".repeat(32), 0..10).await.unwrap_err();
    assert!(error.is_from_a_store(), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn all_settings_of_the_crate_are_known_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&tuning(dir.path())).unwrap();
    let read = |name| config.get(name).unwrap();
    assert_eq!(read("telemetry.enabled"), "false");
    assert_eq!(read("client.ac_max_upload_concurrency"), "1");
}

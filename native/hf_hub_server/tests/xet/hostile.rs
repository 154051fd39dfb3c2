//! Uploads that are not what they claim to be.

use reqwest::Method;
use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::file_structs::FileMetadataExt;

use crate::crafted::{File, Xorb, committed, noise, shard};
use crate::hub::{error, hub, hub_with, oid};
use crate::uploads::sample;

#[tokio::test]
async fn rejects_xorbs_that_are_not_what_they_claim_to_be() {
    let hub = hub().await;
    let token = hub.xet_token("write", "acme/r").await;
    let good = Xorb::of(&[noise(1, 20_000), noise(2, 30_000), vec![7; 40_000]]);
    let flipped = |at: usize| {
        let mut bytes = good.bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = good.bytes.len();
    for (name, bytes) in [
        ("other bytes", flipped(100)),
        ("another header", flipped(5)),
        ("an unknown compression", flipped(4)),
        ("cut in a chunk", good.bytes[..last - 1].to_vec()),
        ("cut in a header", good.bytes[..20_011].to_vec()),
        ("a chunk less", good.bytes[..20_008].to_vec()),
        ("nothing", Vec::new()),
        ("text", b"x".repeat(1000)),
        ("a chunk of nothing", vec![0; 8]),
        ("an LZ4 chunk that grows", bomb()),
    ] {
        let xorb = Xorb { bytes, ..good.clone() };
        let (status, message) = error(hub.send_xorb(&token, &xorb).await).await;
        assert_eq!(status, 400, "{name}: {message}");
    }
    for hash in ["0".repeat(63), "A".repeat(64), "..%2F..%2Fhub.db".into(), "%2e%2e".into()] {
        let path = format!("/v1/xorbs/default/{hash}");
        let response = hub.xet(Method::POST, &token, &path, good.bytes.clone()).await;
        assert!([400, 404].contains(&response.status().as_u16()), "{hash}");
    }
    let path = format!("/v1/xorbs/other/{}", good.hash.hex());
    assert_eq!(hub.xet(Method::POST, &token, &path, good.bytes.clone()).await.status(), 400);
    assert_eq!((hub.xorbs(), hub.leftovers()), (0, 0));

    // Older clients send metadata after the chunks, which is dropped.
    let mut with_footer = good.clone();
    with_footer.bytes.extend_from_slice(b"XETBLOB\x01 and more");
    assert_eq!(hub.send_xorb(&token, &with_footer).await.status(), 200);
    assert_eq!((hub.xorbs(), hub.leftovers()), (1, 0));
}

/// Returns a chunk that unpacks to more bytes than its header has.
fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    let scheme = xet_core_structures::xorb_object::CompressionScheme::LZ4;
    xet_core_structures::xorb_object::serialize_chunk(&vec![0; 100_000], &mut bytes, scheme)
        .unwrap();
    bytes[5..8].copy_from_slice(&[16, 0, 0]);
    bytes
}

#[tokio::test]
async fn rejects_xorbs_that_are_too_large() {
    let hub = hub().await;
    let token = hub.xet_token("write", "acme/r").await;
    let one = Xorb::of(&[vec![7; 128 << 10]]);
    let path = format!("/v1/xorbs/default/{}", one.hash.hex());
    // It compresses well, so only its content is too large.
    let many = one.bytes.repeat(513);
    assert_eq!(hub.xet(Method::POST, &token, &path, many).await.status(), 400);
    let grant = format!("/v1/xorb-grants/default/{}", one.hash.hex());
    for (body, status) in
        [(r#"{"length":99999999999,"checksum":{}}"#, 413), (r#"{"length":-1}"#, 400), ("[]", 400)]
    {
        let response = hub.xet(Method::POST, &token, &grant, body.as_bytes().to_vec()).await;
        assert_eq!(response.status(), status, "{body}");
    }
    assert_eq!((hub.xorbs(), hub.leftovers()), (0, 0));
}

#[tokio::test]
async fn rejects_shards_that_are_not_what_they_claim_to_be() {
    let hub = hub().await;
    let token = hub.xet_token("write", "acme/r").await;
    let (a, b, file) = sample(6);
    for xorb in [&a, &b] {
        assert_eq!(hub.send_xorb(&token, xorb).await.status(), 200);
    }
    let missing = Xorb::of(&[noise(9, 10_000)]);
    let with = |change: &dyn Fn(&mut File)| {
        let mut file = file.clone();
        change(&mut file);
        shard(&[&file], &[&a, &b])
    };
    let good = shard(&[&file], &[&a, &b]);
    let mut huge_count = good.clone();
    // The number of segments in the header of the first file.
    huge_count[48 + 36..48 + 40].copy_from_slice(&[255; 4]);
    let other_chunks = Xorb { chunks: b.chunks.clone(), ..a.clone() };
    let unknown_file = File::of(&[missing.part(0, 1)]);
    for (name, shard) in [
        ("a forged file hash", with(&|file| file.info.metadata.file_hash = a.hash)),
        (
            "a forged sha256",
            with(&|file| file.info.metadata_ext = Some(FileMetadataExt::new(a.hash))),
        ),
        ("an unknown xorb", shard(&[&unknown_file], &[])),
        ("an unknown xorb in the list", shard(&[&file], &[&missing])),
        ("other chunks in the list", shard(&[&file], &[&other_chunks])),
        ("chunks out of range", with(&|file| file.info.segments[1].chunk_index_end = 5)),
        ("a far chunk", with(&|file| file.info.segments[1].chunk_index_end = u32::MAX)),
        ("no chunks", with(&|file| file.info.segments[1].chunk_index_end = 0)),
        ("reversed chunks", with(&|file| file.info.segments[0].chunk_index_start = 4)),
        ("a wrong size", with(&|file| file.info.segments[2].unpacked_segment_bytes += 1)),
        ("another order", with(&|file| file.info.segments.swap(0, 1))),
        (
            "a guessed verification hash",
            with(&|file| file.info.verification[3].range_hash = MerkleHash::default()),
        ),
        (
            "no verification hashes",
            with(&|file| {
                file.info.metadata.file_flags &= !(1 << 31);
                file.info.verification.clear();
            }),
        ),
        ("a huge count", huge_count),
        ("cut", good[..good.len() - 49].to_vec()),
        ("another magic", [b"x".as_slice(), &good[1..]].concat()),
        ("nothing", Vec::new()),
    ] {
        let (status, message) = error(hub.send_shard(&token, shard.clone()).await).await;
        assert_eq!(status, 400, "{name}: {message}");
        let lines = hub.xet(Method::POST, &token, "/v2/shards", shard).await.text().await.unwrap();
        let last = lines.lines().last().unwrap_or_default();
        assert!(
            last.contains(r#""retryable":false"#) && last.contains(r#""type":"error""#),
            "{name}: {lines}"
        );
    }
    // Nothing of them counts.
    let lines = [committed("m.bin", &file)];
    let header = serde_json::json!({ "summary": "x" });
    assert_eq!(hub.try_commit("acme/r/commit/main", header, &lines).await.status(), 400);
    assert_eq!(hub.leftovers(), 0);
    assert_eq!(hub.send_shard(&token, good).await.status(), 200);
    hub.commit(&lines).await;
}

#[tokio::test]
async fn a_link_is_for_the_bytes_that_a_file_needs() {
    let hub = hub().await;
    let (a, b, _) = sample(7);
    let file = File::of(&[a.part(1, 2), b.part(0, 4)]);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let token = hub.xet_token("read", "acme/r").await;
    let plan = hub.reconstruction(&token, &file.hash(), "").await;
    let plan: serde_json::Value = plan.json().await.unwrap();
    let fetch = &plan["xorbs"][a.hash.hex()][0];
    let (url, bytes) = (fetch["url"].as_str().unwrap(), &fetch["ranges"][0]["bytes"]);
    let (start, end) = (bytes["start"].as_u64().unwrap(), bytes["end"].as_u64().unwrap());
    for (range, status) in [
        (format!("bytes={start}-{end}"), 206),
        (format!("bytes={}-{}", start + 5, end - 5), 206),
        (format!("bytes={}-{end}", start - 1), 416),
        (format!("bytes={start}-{}", end + 1), 416),
        (format!("bytes={start}-"), 416),
        ("bytes=-1".into(), 416),
        ("bytes=0-1,5-6".into(), 416),
        (String::new(), 416),
    ] {
        assert_eq!(hub.fetch(url, &range).await.status(), status, "{range}");
    }
    let all = format!("bytes=0-{}", a.bytes.len() - 1);
    let wider = url.replace(&format!("/{start}-"), "/0-");
    assert_ne!(wider, url);
    assert_eq!(hub.fetch(&wider, &all).await.status(), 403);
    assert_eq!(hub.fetch(url.split('?').next().unwrap(), &all).await.status(), 403);
    let request = hub.server.request(Method::GET, url).bearer_auth(&token);
    assert_eq!(request.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn limits_count_before_the_content_is_read() {
    let hub = hub_with(&["--max-file-size", "100000", "--private-quota", "30000"]).await;
    let token = hub.xet_token("write", "acme/r").await;
    let (a, b, file) = sample(8);
    for xorb in [&a, &b] {
        assert_eq!(hub.send_xorb(&token, xorb).await.status(), 200);
    }
    let (status, message) = error(hub.send_shard(&token, shard(&[&file], &[])).await).await;
    assert!(status == 422 && message.contains("100000"), "{status} {message}");
    let small = File::of(&[a.part(1, 3)]);
    let smaller = File::of(&[a.part(0, 1)]);
    let private = serde_json::json!({ "private": true });
    let response =
        hub.send(Method::PUT, crate::hub::ANN, "/api/models/acme/r/settings", private).await;
    assert_eq!(response.status(), 200);
    let (status, message) = error(hub.send_shard(&token, shard(&[&small], &[])).await).await;
    assert!(status == 403 && message.contains("storage limit"), "{status} {message}");
    assert_eq!(hub.send_shard(&token, shard(&[&smaller], &[])).await.status(), 200);
    assert_eq!(oid(&smaller.content).len(), 64);
}

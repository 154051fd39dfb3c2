//! What is uploaded well.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::header;
use crate::crafted::{File, Xorb, committed, noise, shard};
use crate::hub::{ANN, hub, hub_with, lfs_file, oid};

/// Two xorbs, and a file with most of their chunks.
pub(crate) fn sample(seed: u64) -> (Xorb, Xorb, File) {
    let chunk = |at: u64| {
        let size = 9_000 + 1_000 * usize::try_from(at).unwrap();
        // The second half compresses.
        let mut bytes = noise(100 * seed + at, size);
        bytes.resize(2 * size, 7);
        bytes
    };
    let a = Xorb::of(&(0..5).map(chunk).collect::<Vec<_>>());
    let b = Xorb::of(&(5..9).map(chunk).collect::<Vec<_>>());
    let file = File::of(&[a.part(1, 4), b.part(0, 4), a.part(0, 2), a.part(4, 5)]);
    (a, b, file)
}

#[tokio::test]
async fn a_file_is_uploaded_with_grants_and_read_in_every_way() {
    let hub = hub().await;
    let (a, b, file) = sample(1);
    let token = hub.xet_token("write", "acme/r").await;
    for xorb in [&a, &b] {
        let hash = xorb.hash.hex();
        let path = format!("/v1/xorb-grants/default/{hash}");
        let announced = json!({
            "length": xorb.bytes.len(), "checksum": { "algo": "crc64nvme", "value": "1" },
        });
        let announced = announced.to_string().into_bytes();
        let response = hub.xet(Method::POST, &token, &path, announced.clone()).await;
        assert_eq!(response.status(), 201);
        let grant: Value = response.json().await.unwrap();
        let commit =
            format!("/v1/xorb-commits/default/{hash}/grant/{}", grant["id"].as_str().unwrap());
        assert_eq!(hub.xet(Method::POST, &token, &commit, vec![]).await.status(), 404);
        assert_eq!(grant["method"], "PUT");
        let url = grant["url"].as_str().unwrap();
        assert_eq!(hub.put(url, &xorb.bytes).await.status(), 200);
        assert_eq!(hub.xet(Method::POST, &token, &commit, vec![]).await.status(), 200);
        // A second client does not send it.
        assert_eq!(hub.xet(Method::POST, &token, &path, announced).await.status(), 200);
    }
    let response = hub.xet(Method::POST, &token, "/v2/shards", shard(&[&file], &[&a, &b])).await;
    let text = response.text().await.unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let kinds = lines.map(|line| line["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds, ["validating", "validating", "committing", "committing", "result"]);
    let commit = hub.commit(&[committed("m.bin", &file)]).await;

    let response = hub.resolve("/acme/r/resolve/main/m.bin").await;
    assert_eq!(header(&response, "x-xet-hash"), file.hash());
    assert_eq!(header(&response, "x-linked-etag"), format!("\"{}\"", oid(&file.content)));
    let refresh = format!("{}/api/models/acme/r/xet-read-token/{commit}", hub.server.endpoint);
    assert_eq!(header(&response, "x-xet-refresh-route"), refresh);
    let relations = header(&response, "link");
    assert!(relations.contains(&format!("<{refresh}>; rel=\"xet-auth\"")), "{relations}");
    assert!(relations.contains(&format!("/v1/reconstructions/{}>", file.hash())), "{relations}");
    let tree: Value =
        hub.server.get_as(ANN, "/api/models/acme/r/tree/main").await.json().await.unwrap();
    assert_eq!(tree[1]["xetHash"], file.hash());

    // Without Xet: any range of the content, by the link.
    let link = header(&response, "location").to_owned();
    assert!(link.starts_with(&hub.server.cdn));
    let size = file.content.len();
    let all = hub.fetch(&link, "").await;
    assert_eq!(header(&all, "content-length"), size.to_string());
    assert_eq!(all.bytes().await.unwrap(), file.content);
    let bounds = [0, 1, 17_999, 20_000, 61_234, 90_000, size - 1];
    for start in bounds {
        for end in bounds.into_iter().chain([size]).filter(|end| *end > start) {
            let part = hub.fetch(&link, &format!("bytes={start}-{}", end - 1)).await;
            assert_eq!(part.status(), 206);
            assert_eq!(part.bytes().await.unwrap(), file.content[start..end], "{start}..{end}");
        }
    }

    // With Xet: the terms, and the bytes of their chunks.
    let token = hub.xet_token("read", "acme/r").await;
    for range in ["", "bytes=0-0", "bytes=20000-70000", "bytes=61234-"] {
        let plan = hub.reconstruction(&token, &file.hash(), range).await;
        assert_eq!(plan.status(), 200);
        let plan: Value = plan.json().await.unwrap();
        let (start, end) = match range {
            "" => (0, size),
            "bytes=0-0" => (0, 1),
            "bytes=61234-" => (61_234, size),
            _ => (20_000, 70_001),
        };
        assert_eq!(
            rebuilt(&hub, &plan, &[&a, &b], end - start).await,
            file.content[start..end],
            "{range}"
        );
    }
    for (range, status) in [(format!("bytes={size}-"), 416), ("bytes=5-4".into(), 400)] {
        assert_eq!(hub.reconstruction(&token, &file.hash(), &range).await.status(), status);
    }
    let path = format!("/v1/reconstructions/{}", file.hash());
    let plan: Value = hub.xet(Method::GET, &token, &path, vec![]).await.json().await.unwrap();
    let info = &plan["fetch_info"][a.hash.hex()][0];
    assert_eq!(info["range"], json!({ "start": 0, "end": 5 }));
    assert_eq!(info["url_range"], json!({ "start": 0, "end": a.bytes.len() - 1 }));
}

/// Puts a range together as a client does.
async fn rebuilt(hub: &crate::hub::Hub, plan: &Value, xorbs: &[&Xorb], size: usize) -> Vec<u8> {
    let mut content = Vec::new();
    for term in plan["terms"].as_array().unwrap() {
        let hash = term["hash"].as_str().unwrap();
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let (start, end) = (number(&term["range"]["start"]), number(&term["range"]["end"]));
        let fetches = plan["xorbs"][hash].as_array().unwrap().iter().flat_map(|fetch| {
            let ranges = fetch["ranges"].as_array().unwrap();
            ranges.iter().map(|range| (fetch["url"].as_str().unwrap(), range))
        });
        let has = |range: &Value| {
            number(&range["chunks"]["start"]) <= start && end <= number(&range["chunks"]["end"])
        };
        let (url, range) = fetches.into_iter().find(|(_, range)| has(range)).unwrap();
        let bytes = format!("bytes={}-{}", range["bytes"]["start"], range["bytes"]["end"]);
        let packed = hub.fetch(url, &bytes).await.bytes().await.unwrap();
        let xorb = xorbs.iter().find(|xorb| xorb.hash.hex() == hash).unwrap();
        let from = number(&range["bytes"]["start"]);
        assert_eq!(packed, xorb.bytes[from..=number(&range["bytes"]["end"])]);
        let (unpacked, _) =
            xet_core_structures::xorb_object::deserialize_chunks(&mut packed.as_ref()).unwrap();
        let before =
            xorb.chunks[number(&range["chunks"]["start"])..start].iter().map(|(_, size)| size);
        let skip = usize::try_from(before.sum::<u64>()).unwrap();
        content.extend_from_slice(&unpacked[skip..skip + number(&term["unpacked_length"])]);
    }
    let offset = usize::try_from(plan["offset_into_first_range"].as_u64().unwrap()).unwrap();
    content.drain(..offset);
    content.truncate(size);
    content
}

#[tokio::test]
async fn another_file_may_use_chunks_that_are_stored() {
    let hub = hub().await;
    hub.create("s").await;
    let (a, b, file) = sample(2);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let other = File::of(&[b.part(1, 3), a.part(2, 4)]);
    hub.send_file("acme/s", &other, &[]).await;
    let lines = [committed("o.bin", &other)];
    let response = hub.try_commit("acme/s/commit/main", json!({ "summary": "s" }), &lines).await;
    assert_eq!(response.status(), 200);
    let link = hub.resolve("/acme/s/resolve/main/o.bin").await;
    let content = hub.fetch(header(&link, "location"), "").await.bytes().await.unwrap();
    assert_eq!(content, other.content);
    // The repository has no right to the file that brought the chunks.
    let response = hub
        .try_commit("acme/s/commit/main", json!({ "summary": "s" }), &[committed("m", &file)])
        .await;
    assert_eq!(response.status(), 400);
    let token = hub.xet_token("read", "acme/s").await;
    assert_eq!(hub.reconstruction(&token, &file.hash(), "").await.status(), 404);
    assert_eq!(hub.reconstruction(&token, &other.hash(), "").await.status(), 200);
}

#[tokio::test]
async fn a_client_finds_stored_chunks_only_if_it_has_them() {
    let hub = hub().await;
    let (a, b, file) = sample(3);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let token = hub.xet_token("write", "acme/r").await;
    let ask = |hash: String| {
        let path = format!("/v1/chunks/default-merkledb/{hash}");
        let (hub, token) = (&hub, &token);
        async move { hub.xet(Method::GET, token, &path, vec![]).await }
    };
    // The first chunk of a file leads to all of its xorbs.
    let first = file.info.segments[0].chunk_index_start as usize;
    let response = ask(a.chunks[first].0.hex()).await;
    assert_eq!(response.status(), 200);
    let shard = response.bytes().await.unwrap();
    let has = |hash: &xet_core_structures::merklehash::MerkleHash| {
        shard.windows(32).any(|window| window == hash.as_bytes())
    };
    assert!(has(&a.hash) && has(&b.hash));
    assert!(!a.chunks.iter().chain(&b.chunks).any(|(chunk, _)| has(chunk)));
    assert_eq!(ask("0".repeat(64)).await.status(), 404);
}

#[tokio::test]
async fn content_is_not_stored_twice_whichever_way_it_comes() {
    let hub = hub_with(&[]).await;
    hub.create("s").await;
    // First by LFS.
    let (a, b, file) = sample(4);
    hub.upload("acme/s", &file.content).await;
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    hub.commit(&[committed("m.bin", &file)]).await;
    let response = hub.resolve("/acme/r/resolve/main/m.bin").await;
    assert!(response.headers().get("x-xet-hash").is_none());
    hub.root.run(&["xet", "collect", "--unused-days", "0"]);
    assert_eq!(hub.xorbs(), 0);
    let content = hub.fetch(header(&response, "location"), "").await.bytes().await.unwrap();
    assert_eq!(content, file.content);

    // First by Xet.
    let (a, b, file) = sample(5);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    assert!(hub.batch("acme/r", &file.content).await["actions"].is_null());
    hub.upload("acme/s", &file.content).await;
    let plain = hub.root.path().join("lfs").join(&oid(&file.content)[..2]);
    assert!(!plain.exists(), "{}", plain.display());
    let lines = [lfs_file("m.bin", &file.content)];
    let response = hub.try_commit("acme/s/commit/main", json!({ "summary": "s" }), &lines).await;
    assert_eq!(response.status(), 200);
    let response = hub.resolve("/acme/s/resolve/main/m.bin").await;
    assert_eq!(header(&response, "x-xet-hash"), file.hash());
}

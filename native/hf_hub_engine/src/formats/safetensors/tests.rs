use super::*;
use crate::{
    base::ids::{Repo, RepoType, Revision},
    testing::{self, Server, reply},
};

fn place() -> RepoRevision {
    let repo = Repo::new(RepoType::Model, "org/name").unwrap();
    RepoRevision { repo, revision: Revision::parse("main").unwrap() }
}

fn file_of(header: &str, content: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + content, 0);
    bytes
}

/// The response of a Hub to a range that begins at `first`.
fn part(file: &[u8], first: usize, end: usize) -> testing::Reply {
    let end = end.min(file.len());
    let headers = format!(
        "etag: \"{}\"\r\nx-repo-commit: {}\r\ncontent-range: bytes {first}-{}/{}\r\n",
        "a".repeat(64),
        "b".repeat(40),
        end - 1,
        file.len()
    );
    reply("206 Partial Content", &headers, &file[first..end])
}

#[tokio::test]
async fn long_headers_take_a_second_request() {
    let padding = "x".repeat(200_000);
    let header = format!(
        r#"{{"__metadata__":{{"pad":"{padding}"}},"w":{{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}}}"#
    );
    let file = file_of(&header, 2);
    let server = Server::start([part(&file, 0, 100_001), part(&file, 8, 8 + header.len())]).await;
    let hub = testing::hub(&server.url);
    let read = super::file(&hub, &place(), RepoPath::parse("x.safetensors").unwrap()).await;
    assert_eq!(read.unwrap().tensors["w"].shape, [2]);
    let requests = server.requests();
    assert!(requests[0].contains("range: bytes=0-100000"), "{}", requests[0]);
    assert!(requests[1].contains(&format!("range: bytes=8-{}", header.len() + 7)));
}

#[tokio::test]
async fn rejects_impossible_lengths_before_reading() {
    let mut huge = file_of("{}", 0);
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut long = file_of("{}", 100);
    long[..8].copy_from_slice(&500_u64.to_le_bytes());
    for file in [b"1234567".to_vec(), huge, long, file_of("[]", 0)] {
        let server = Server::start([part(&file, 0, 100_001)]).await;
        let hub = testing::hub(&server.url);
        let path = RepoPath::parse("x.safetensors").unwrap();
        let error = super::file(&hub, &place(), path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(error.message().contains("`x.safetensors` of org/name"), "{}", error.message());
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn reads_names_in_an_index_like_urls() {
    for (name, path) in [
        ("x.safetensors", "x.safetensors"),
        ("./x.safetensors", "x.safetensors"),
        ("././a/./x.safetensors", "a/x.safetensors"),
    ] {
        assert_eq!(shard(name).unwrap().as_str(), path, "{name}");
    }
    for name in ["", ".", "../x.safetensors", "a/../../x", "/x.safetensors", "a//x"] {
        assert_eq!(shard(name).unwrap_err().kind(), ErrorKind::InvalidName, "{name}");
    }
}

//! A full disk: the client gets an error, and existing data stays valid.

#[cfg(unix)]
use std::process::{Command, Stdio};

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_reported_and_changes_nothing() {
    use serde_json::{Value, json};

    use crate::common::{Server, git};
    use crate::hub::{ANN, file, hub, lfs_file, oid};

    let mut hub = hub().await;
    hub.commit(&[file("a", "1")]).await;
    let head = hub.head("acme/r");

    // No file may exceed 64 blocks of 512 bytes, which looks like a full disk to the server.
    let serve = hub.root.command(&["serve", "--stop-on-stdin-close"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    limited.arg(serve.get_program()).args(serve.get_args());
    limited.stdin(Stdio::piped()).stdout(Stdio::piped());
    hub.server = Server::start(limited);

    let large = vec![7; 100_000];
    let object = hub.batch("acme/r", &large).await;
    let link = object["actions"]["upload"]["href"].as_str().unwrap();
    let response = hub.put(link, &large).await;
    assert_eq!(response.status(), 507);
    let json: Value = response.json().await.unwrap();
    assert!(json["error"].as_str().unwrap().contains("no room"));
    assert_eq!(hub.leftovers(), 0);

    let noise = (0..2000_u32).map(|n| oid(&n.to_le_bytes())).collect::<String>();
    let header = json!({ "summary": "x" });
    let response = hub.try_commit("acme/r/commit/main", header.clone(), &[file("b", &noise)]).await;
    assert_eq!(response.status(), 507);
    let many = (0..100).map(|n| file(&format!("b/{n}"), &noise[n * 1000..])).collect::<Vec<_>>();
    let response = hub.try_commit("acme/r/commit/main", header.clone(), &many).await;
    assert_eq!(response.status(), 507);
    assert_eq!(hub.leftovers(), 0);
    let response = hub.try_commit("acme/r/commit/main", header, &[lfs_file("m.bin", &large)]).await;
    assert_eq!(response.status(), 400);
    assert_eq!(hub.head("acme/r"), head);

    // Small files can still be committed.
    hub.commit(&[file("c", "1")]).await;
    assert_eq!(hub.files(), [".gitattributes", "a", "c"]);
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
    assert_eq!(hub.server.get_as(ANN, "/acme/r/resolve/main/a").await.status(), 307);
}

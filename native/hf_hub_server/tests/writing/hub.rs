//! A server with users, and the requests that most tests begin with.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Root, Server, git};

/// A member of `acme` with write access.
pub(crate) const ANN: &str = "hf_ann";
/// A member of `acme` with read access.
pub(crate) const READER: &str = "hf_reader";
/// A user without organisations, with write access.
pub(crate) const BOB: &str = "hf_bob";

/// A running server and its root.
pub(crate) struct Hub {
    pub(crate) server: Server,
    pub(crate) root: Root,
}

/// Starts a server with users, an empty model `acme/r`, and parts of 10 bytes for files of at least
/// 25 bytes.
pub(crate) async fn hub() -> Hub {
    hub_with(&["--test-control", "--multipart-threshold", "25", "--part-size", "10"]).await
}

/// Starts it with additional options.
pub(crate) async fn hub_with(options: &[&str]) -> Hub {
    let root = Root::new();
    root.run(&["user", "add", "ann", "--org", "acme", "--token", ANN]);
    root.run(&["user", "add", "ann", "--token", READER, "--role", "read"]);
    root.run(&["user", "add", "bob", "--token", BOB]);
    let server = root.serve(options);
    let hub = Hub { server, root };
    hub.create("r").await;
    hub
}

/// Returns the SHA-256 of content.
pub(crate) fn oid(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Returns a line that adds a file.
pub(crate) fn file(path: &str, text: &str) -> Value {
    json!({ "key": "file", "value": { "path": path, "content": text, "encoding": "utf-8" } })
}

/// Returns a line that adds a large file.
pub(crate) fn lfs_file(path: &str, content: &[u8]) -> Value {
    let (oid, size) = (oid(content), content.len());
    let value = json!({ "path": path, "algo": "sha256", "oid": oid, "size": size });
    json!({ "key": "lfsFile", "value": value })
}

/// Returns a line that deletes a file or a folder.
pub(crate) fn deleted(key: &str, path: &str) -> Value {
    json!({ "key": key, "value": { "path": path } })
}

/// Returns the body of a commit.
pub(crate) fn body(header: &Value, lines: &[Value]) -> String {
    let header = json!({ "key": "header", "value": header });
    let lines = [&header].into_iter().chain(lines).map(Value::to_string);
    lines.flat_map(|line| [line, "\n".into()]).collect()
}

/// Returns status and error message of a response.
pub(crate) async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let json: Value = response.json().await.unwrap();
    (status, json["error"].as_str().unwrap_or_default().to_owned())
}

impl Hub {
    /// Sends JSON with a token, or without one if it is empty.
    pub(crate) async fn send(
        &self,
        method: Method,
        token: &str,
        path: &str,
        json: Value,
    ) -> Response {
        let mut request = self.server.request(method, path).json(&json);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    /// Posts JSON as Ann.
    pub(crate) async fn post(&self, path: &str, json: Value) -> Response {
        self.send(Method::POST, ANN, path, json).await
    }

    /// Creates a model of `acme`.
    pub(crate) async fn create(&self, name: &str) {
        let response =
            self.post("/api/repos/create", json!({ "name": name, "organization": "acme" })).await;
        assert_eq!(response.status(), 200, "{name}");
        // The tests look into the git repository, which is made at its first use.
        let refs = format!("/api/models/acme/{name}/refs");
        assert_eq!(self.server.get_as(ANN, &refs).await.status(), 200, "{name}");
    }

    /// Commits lines to a model as Ann.
    pub(crate) async fn try_commit(&self, path: &str, header: Value, lines: &[Value]) -> Response {
        let request = self.server.request(Method::POST, &format!("/api/models/{path}"));
        request.bearer_auth(ANN).body(body(&header, lines)).send().await.unwrap()
    }

    /// Commits to the main branch of `acme/r` and returns the commit.
    pub(crate) async fn commit(&self, lines: &[Value]) -> String {
        let summary = json!({ "summary": "test" });
        let response = self.try_commit("acme/r/commit/main", summary, lines).await;
        assert_eq!(response.status(), 200, "{lines:?}");
        let json: Value = response.json().await.unwrap();
        json["commitOid"].as_str().unwrap().to_owned()
    }

    /// Returns the head of the main branch of a model.
    pub(crate) fn head(&self, id: &str) -> String {
        git(&self.root.git_dir(id), &["rev-parse", "main"]).trim().to_owned()
    }

    /// Returns the files of the main branch of `acme/r`.
    pub(crate) fn files(&self) -> Vec<String> {
        let names =
            git(&self.root.git_dir("acme/r"), &["ls-tree", "-r", "--name-only", "-z", "main"]);
        names.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Returns the batch response for one object.
    pub(crate) async fn batch(&self, id: &str, content: &[u8]) -> Value {
        let objects = json!([{ "oid": oid(content), "size": content.len() }]);
        let batch = self.batch_of(id, objects).await;
        batch["objects"][0].clone()
    }

    /// Returns the batch response for several objects.
    pub(crate) async fn batch_of(&self, id: &str, objects: Value) -> Value {
        let request = json!({
            "operation": "upload", "transfers": ["basic", "multipart"], "objects": objects,
            "hash_algo": "sha256", "ref": { "name": "main" },
        });
        let response = self.post(&format!("/{id}.git/info/lfs/objects/batch"), request).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// Uploads bytes to a link.
    pub(crate) async fn put(&self, link: &str, bytes: &[u8]) -> Response {
        self.server.request(Method::PUT, link).body(bytes.to_vec()).send().await.unwrap()
    }

    /// Uploads content to a model in one piece.
    pub(crate) async fn upload(&self, id: &str, content: &[u8]) {
        let object = self.batch(id, content).await;
        let link = object["actions"]["upload"]["href"].as_str().unwrap();
        assert_eq!(self.put(link, content).await.status(), 200);
    }

    /// Returns the number of files left by incomplete uploads.
    pub(crate) fn leftovers(&self) -> usize {
        let count = |name: &str| {
            let dir = self.root.path().join("lfs").join(name);
            std::fs::read_dir(dir).map_or(0, Iterator::count)
        };
        count("incoming") + count("uploads")
    }
}

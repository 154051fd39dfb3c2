//! Jobs, which are run as processes, and other things that are computed rather than stored.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod endpoints;
mod hostile;
mod jobs;
mod scheduled;

use std::time::{Duration, Instant};

use common::{Root, Server};
use reqwest::Method;
use serde_json::{Value, json};

const ANN: &str = "hf_ann";

/// A server that runs jobs, and its users: `ann` and `guest` are members of `acme`.
struct Hub {
    // Dropped before its root.
    server: Server,
    root: Root,
}

impl Hub {
    fn new(options: &[&str]) -> Self {
        let root = Root::new();
        root.run(&["user", "add", "ann", "--org", "acme", "--token", ANN]);
        root.run(&["user", "add", "ann", "--token", "hf_ann_reads", "--role", "read"]);
        root.run(&["user", "add", "bob", "--token", "hf_bob"]);
        root.run(&["user", "add", "guest", "--org", "acme:read", "--token", "hf_guest"]);
        let server = root.serve(&[&["--jobs", "local"], options].concat());
        Self { server, root }
    }

    /// Changes the database directly: for what an earlier version has made, or takes long to make.
    fn change(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.root.path().join("hub.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute_batch(sql).unwrap();
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.server.send(ANN, method, path, body).await
    }

    /// Starts a job of `ann` that runs a shell script, and returns its path.
    async fn run(&self, script: &str, more: Value) -> String {
        let (status, job) = self.send(Method::POST, "/api/jobs/ann", shell(script, more)).await;
        assert_eq!(status, 200, "{job}");
        path(&job)
    }

    /// Waits until a job has a stage other than these, and returns it.
    async fn after(&self, path: &str, stages: &[&str]) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, job) = self.send(Method::GET, path, Value::Null).await;
            assert_eq!(status, 200, "{job}");
            if !stages.iter().any(|stage| job["status"]["stage"] == *stage) {
                return job;
            }
            assert!(Instant::now() < deadline, "{job}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a job has ended, and returns it.
    async fn ended(&self, path: &str) -> Value {
        self.after(path, &["SCHEDULING", "RUNNING"]).await
    }

    /// Returns the lines of a log from its request to the end of the stream.
    async fn log(&self, path: &str, query: &str) -> Vec<String> {
        let response = self.server.get_as(ANN, &format!("{path}/logs{query}")).await;
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let data = |event: &str| serde_json::from_str::<Value>(event).unwrap()["data"].clone();
        let lines = events.map(|event| data(event).as_str().unwrap().to_owned());
        lines.filter(|line| !line.starts_with("===== Job started")).collect()
    }
}

/// Returns the body of a job that runs a shell script.
fn shell(script: &str, more: Value) -> Value {
    let mut body = json!({
        "dockerImage": "alpine", "command": ["sh", "-c", script], "arguments": [],
        "environment": {}, "flavor": "cpu-basic",
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

fn path(job: &Value) -> String {
    format!("/api/jobs/{}/{}", job["owner"]["name"].as_str().unwrap(), job["id"].as_str().unwrap())
}

/// Waits until no process has `text` in its command line or environment.
async fn assert_gone(text: &str) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while processes_with(text) > 0 {
        assert!(Instant::now() < deadline, "processes with {text} are left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn processes_with(text: &str) -> usize {
    let has = |path: std::path::PathBuf| {
        let found = std::fs::read(path).unwrap_or_default();
        found.windows(text.len()).any(|part| part == text.as_bytes())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ids = all.filter(|path| path.join("environ").exists());
    ids.filter(|path| has(path.join("cmdline")) || has(path.join("environ"))).count()
}

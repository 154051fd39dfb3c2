//! Runs the real executable on a root of its own.
#![expect(dead_code, reason = "each test binary uses its share")]

use std::borrow::Borrow;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;
use tempfile::TempDir;

/// A root folder, and the commands on it.
pub(crate) struct Root {
    dir: TempDir,
}

impl Root {
    /// Creates an empty root.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Returns a command of the executable on this root, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hf_hub_server"));
        command.args(arguments).arg("--root").arg(self.path());
        command
    }

    /// Runs a command that has to succeed and returns its output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files into a new folder.
    pub(crate) fn folder(&self, files: &[(&str, &[u8])]) -> PathBuf {
        let folder = tempfile::tempdir_in(&self.dir).unwrap().keep();
        for (name, content) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    /// Imports files as a commit and returns its id.
    pub(crate) fn import(&self, id: &str, files: &[(&str, &[u8])], options: &[&str]) -> String {
        let folder = self.folder(files);
        let mut arguments = vec!["import", folder.to_str().unwrap(), id];
        arguments.extend(options);
        let printed: Value = serde_json::from_str(&self.run(&arguments)).unwrap();
        printed["commit"].as_str().unwrap().to_owned()
    }

    /// Returns the path of a model's git repository.
    pub(crate) fn git_dir(&self, id: &str) -> PathBuf {
        self.path().join("repos/models").join(format!("{id}.git"))
    }

    /// Starts the server.
    pub(crate) fn serve(&self, options: &[&str]) -> Server {
        let mut arguments = vec!["serve", "--stop-on-stdin-close"];
        arguments.extend(options);
        let mut command = self.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Server::start(command)
    }
}

/// A running server; stopped when dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) endpoint: String,
    pub(crate) cdn: String,
    client: Client,
}

impl Server {
    /// Starts a serving command, with standard input and output piped.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        // Built together with the engine's tests, the HTTP library has TLS but no provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .build()
            .unwrap();
        Self { process, endpoint: text("endpoint"), cdn: text("cdn"), client }
    }

    /// Creates a request; `path` may also be an absolute URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.endpoint)
        };
        self.client.request(method, url)
    }

    /// Sends a GET request.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends a GET request with a token.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Response {
        self.request(Method::GET, path).bearer_auth(token).send().await.unwrap()
    }

    /// Sends a GET request and parses the response as JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Sends a request, without a token if it is `""` and without a body if it is `null`. Returns the
    /// status and the JSON, or the text if it is not JSON.
    pub(crate) async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Borrow<Value>,
    ) -> (u16, Value) {
        let (mut request, body) = (self.request(method, path), body.borrow());
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Returns the signed link of a large file.
    pub(crate) async fn link(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 302);
        header(&response, "location").to_owned()
    }

    /// Plants a fault.
    pub(crate) async fn fault(&self, rule: Value) {
        let response =
            self.request(Method::POST, "/_test/faults").json(&rule).send().await.unwrap();
        assert_eq!(response.status(), 201, "{rule}");
    }

    /// Removes all faults.
    pub(crate) async fn no_faults(&self) {
        self.request(Method::DELETE, "/_test/faults").send().await.unwrap();
    }

    /// Returns the request log once `condition` holds for it.
    pub(crate) async fn requests_when(&self, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let requests = self.json("/_test/requests").await;
            let requests = requests.as_array().unwrap().clone();
            if condition(&requests) {
                return requests;
            }
            assert!(Instant::now() < deadline, "{requests:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends raw bytes and returns everything received until the connection ends.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        raw(&self.endpoint, bytes)
    }

    /// Sends a GET request for a raw path and returns the status code.
    pub(crate) fn raw_status(&self, path: &str) -> u16 {
        let answer = self
            .raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Connects to the server behind a URL.
pub(crate) fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

/// Sends raw bytes to a server and returns everything received until the connection ends.
pub(crate) fn raw(url: &str, bytes: &[u8]) -> String {
    let mut stream = connect(url);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A server that responds while the client is still writing resets the connection.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Returns a header of a response, `""` if it is missing.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Returns what a command printed to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs git on a repository and returns its output.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

//! A server with scripted responses, and a hub that uses it.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::header::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    base::{
        ids::{EntryPath, Repo, RepoType, Revision},
        limits::Flow,
        permits::Permits,
        progress::Progress,
    },
    cache::layout::CacheDir,
    download::{
        shared::Shared,
        spec::{Destination, Mode, Spec},
        stages::Stages,
    },
    hub::{client::Hub, rate_limit::RateLimiter, retry::Policy},
    transport::{Client, ClientConfig, Timeouts},
    xet::Xet,
};

/// A hub at `endpoint` that retries without pauses.
pub(crate) fn hub(endpoint: &str) -> Hub {
    Hub {
        client: Client::new(ClientConfig::default()),
        endpoint: Hub::parse_endpoint(endpoint).unwrap(),
        token: None,
        token_source: None,
        http_origins: Vec::new(),
        user_agent: HeaderValue::from_static("test"),
        timeouts: Timeouts { headers: Duration::from_secs(5), idle: Duration::from_millis(500) },
        retry: Policy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            ..Policy::STANDARD
        },
        answered: Arc::default(),
        deadline: None,
        offline: false,
        flow: flow(1),
        rate_limiter: RateLimiter::default(),
        permits: Permits::default(),
        watch: Progress::default(),
        xet: Xet::off(),
    }
}

/// Returns the URL of a port that refuses connections.
pub(crate) async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Limits with this number of connections, for files of any size. Every file is written as it
/// arrives.
pub(crate) fn flow(connections: usize) -> Flow {
    let mut flow = Flow::new(connections, Vec::new());
    (flow.in_memory, flow.parallel_from, flow.smallest_part, flow.island) = (0, 1, 1, 0);
    flow
}

/// The specification of the file `filename` of `org/name` at `main`, into a cache at `root`.
pub(crate) fn spec(root: &Path, filename: &str) -> Spec {
    Spec {
        repo: Repo::new(RepoType::Model, "org/name").unwrap(),
        revision: Revision::parse("main").unwrap(),
        path: EntryPath::parse(filename).unwrap(),
        destination: Destination::Cache(CacheDir::new(root)),
        mode: Mode {
            force: false,
            local_files_only: false,
            dry_run: false,
            symlinks: true,
            shared_blobs: false,
        },
        known: None,
        ask: false,
        sha256: None,
        partials: None,
        stages: Stages::default(),
        file: None,
        shared: Shared::default(),
    }
}

/// A scripted response.
pub(crate) enum Reply {
    /// Sent unchanged, then the connection is closed.
    Raw(Vec<u8>),
    /// Sent unchanged, then nothing more.
    Stall(Vec<u8>),
    /// Sent in pieces with a pause after each, then the connection is closed.
    Slowly(Duration, Vec<u8>, usize),
    /// Sent after a pause; the connection stays open for the next request.
    Later(Duration, Vec<u8>),
    /// The connection is closed together with those of other requests.
    Together(Arc<tokio::sync::Barrier>),
}

type Script = dyn FnMut(&str) -> Reply + Send;

/// Responds to each request as scripted, and records the requests.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    replies: Mutex<VecDeque<Reply>>,
    script: Mutex<Box<Script>>,
    /// Head and body of each request, ordered by the arrival of the heads.
    requests: Mutex<Vec<(String, Vec<u8>)>>,
    answering: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server with these responses, in order.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let server = Self::answering(|_| reply("500 Not Scripted", "", b"")).await;
        server.state.replies.lock().unwrap().extend(replies);
        server
    }

    /// Starts a server that responds by `script`.
    pub(crate) async fn answering(script: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            replies: Mutex::default(),
            script: Mutex::new(Box::new(script)),
            requests: Mutex::default(),
            answering: Arc::default(),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, shared.clone()));
            }
        });
        Self { url, state }
    }

    /// Adds a response.
    pub(crate) fn push(&self, reply: Reply) {
        self.state.replies.lock().unwrap().push_back(reply);
    }

    /// Returns the number of requests in progress.
    pub(crate) fn at_once(&self) -> usize {
        self.state.answering.load(Relaxed)
    }

    /// Returns a counter of requests in progress.
    pub(crate) fn counter(&self) -> Arc<AtomicUsize> {
        self.state.answering.clone()
    }

    /// Returns the bodies of all requests so far, as far as they were received; empty for none.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.state.requests.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    /// Returns the heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().iter().map(|(head, _)| head.clone()).collect()
    }
}

/// Creates a response with these headers, this body, and its length.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    Reply::Raw([head.as_bytes(), body].concat())
}

async fn answer(mut socket: TcpStream, state: Arc<State>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let number = {
            let mut requests = state.requests.lock().unwrap();
            requests.push((head.clone(), Vec::new()));
            requests.len() - 1
        };
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        let mut body = Vec::new();
        let whole = (&mut socket).take(length).read_to_end(&mut body).await;
        let whole = whole.is_ok_and(|read| read as u64 == length);
        state.requests.lock().unwrap()[number].1 = body;
        if !whole {
            return;
        }
        let scripted = state.replies.lock().unwrap().pop_front();
        let next = scripted.unwrap_or_else(|| (state.script.lock().unwrap())(&head));
        match next {
            Reply::Raw(bytes) => return socket.write_all(&bytes).await.unwrap_or_default(),
            Reply::Stall(bytes) => {
                socket.write_all(&bytes).await.unwrap_or_default();
                std::future::pending::<()>().await;
            }
            Reply::Slowly(pause, bytes, piece) => {
                for piece in bytes.chunks(piece) {
                    if socket.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
                return;
            }
            Reply::Together(barrier) => {
                barrier.wait().await;
                return;
            }
            Reply::Later(pause, bytes) => {
                state.answering.fetch_add(1, Relaxed);
                tokio::time::sleep(pause).await;
                let sent = socket.write_all(&bytes).await;
                state.answering.fetch_sub(1, Relaxed);
                if sent.is_err() {
                    return;
                }
            }
        }
    }
}

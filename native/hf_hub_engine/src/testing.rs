//! A server that says exactly what a test scripts, and the hub that points at it.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use reqwest::header::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    flow::Flow,
    hub::Hub,
    retry::Policy,
    transport::{Client, ClientConfig, Timeouts},
};
use std::sync::Arc;

/// A hub at `endpoint` that retries without waiting.
pub(crate) fn hub(endpoint: &str) -> Hub {
    Hub {
        client: Client::new(ClientConfig::default()),
        endpoint: Hub::parse_endpoint(endpoint).unwrap(),
        token: None,
        user_agent: HeaderValue::from_static("test"),
        timeouts: Timeouts { headers: Duration::from_secs(5), idle: Duration::from_millis(500) },
        retry: Policy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            ..Policy::STANDARD
        },
        deadline: None,
        offline: false,
        flow: flow(1),
    }
}

/// So many connections, for files of any size. Nothing is too small to be written as it comes.
pub(crate) fn flow(connections: usize) -> Flow {
    let mut flow = Flow::new(connections, Vec::new());
    (flow.in_memory, flow.parallel_from, flow.smallest_part) = (0, 1, 1);
    flow
}

/// One scripted answer: raw bytes, then close; or stay silent for ever.
pub(crate) enum Reply {
    /// Sent as it is, then the connection is closed.
    Raw(Vec<u8>),
    /// Sent as it is, then nothing more.
    Stall(Vec<u8>),
}

/// Answers each connection with the next scripted reply and keeps what was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            replies: Mutex::new(replies.into_iter().collect()),
            ..State::default()
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, shared.clone()));
            }
        });
        Self { url, state }
    }

    /// Adds a reply.
    pub(crate) fn push(&self, reply: Reply) {
        self.state.replies.lock().unwrap().push_back(reply);
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }
}

/// An answer with these headers and body, and its true length.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    Reply::Raw([head.as_bytes(), body].concat())
}

async fn answer(mut socket: TcpStream, state: Arc<State>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    state.requests.lock().unwrap().push(String::from_utf8_lossy(&head).to_lowercase());
    let next = state.replies.lock().unwrap().pop_front();
    match next.unwrap_or_else(|| reply("500 Not Scripted", "", b"")) {
        Reply::Raw(bytes) => socket.write_all(&bytes).await.unwrap_or_default(),
        Reply::Stall(bytes) => {
            socket.write_all(&bytes).await.unwrap_or_default();
            std::future::pending::<()>().await;
        }
    }
}

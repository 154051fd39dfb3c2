//! Streams of server-sent events and JSON lines from an API.
//!
//! A broken connection is reopened after the last event: by its id if the server sends ids;
//! otherwise by skipping as many events as were already read, because such a server starts from the
//! beginning.

mod parser;

use std::{
    collections::VecDeque,
    time::{Duration, UNIX_EPOCH},
};

use reqwest::{
    StatusCode,
    header::{ACCEPT, CONTENT_TYPE, DATE, HeaderName, HeaderValue},
};
use tokio::time::Instant;

pub use parser::Event;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        progress::Progress,
    },
    hub::{
        api::Call,
        client::{self, Hub},
        retry,
    },
    transport::{self, Response},
};
use parser::{Format, Parser};

const LAST_EVENT_ID: HeaderName = transport::header_name("last-event-id");
/// Maximum pause before a new connection that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What to request, and when to stop.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The request.
    pub call: Call,
    /// Whether to reopen a broken connection; only for requests that change nothing.
    pub reconnect: bool,
    /// Maximum time without an event, after which the stream ends without an error.
    pub quiet: Option<Duration>,
    /// Whether the deadline of the call ends an open stream without an error.
    pub ends_at_deadline: bool,
}

/// An open stream. Dropping it closes the connection.
pub struct Events {
    hub: Hub,
    spec: Spec,
    progress: Progress,
    response: Option<Response>,
    parser: Parser,
    ready: VecDeque<Event>,
    last_id: Option<String>,
    /// Number of events that were returned.
    seen: u64,
    /// Number of events of this connection that were returned from an earlier one.
    passed: u64,
    failures: u32,
    deadline: Option<Instant>,
    opened_at: Option<u64>,
}

impl Events {
    /// Opens the stream.
    pub async fn open(hub: Hub, spec: Spec, progress: Progress) -> Result<Self> {
        let deadline = hub.deadline.map(|deadline| Instant::now() + deadline);
        let mut events = Self {
            hub,
            spec,
            progress,
            response: None,
            parser: Parser::new(Format::Lines),
            ready: VecDeque::new(),
            last_id: None,
            seen: 0,
            passed: 0,
            failures: 0,
            deadline,
            opened_at: None,
        };
        let hub = events.hub.clone();
        let once = |error: Error| if events.spec.reconnect { error } else { error.permanent() };
        let connect = || async { connect(&hub, &events.spec.call, None).await.map_err(once) };
        let response =
            hub.within_deadline(&events.progress, hub.retrying(&events.progress, connect));
        let response = response.await?;
        events.began(response);
        Ok(events)
    }

    /// Returns the next event; `None` when the server has ended the stream, or no event arrived for
    /// too long.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        let quiet = self.spec.quiet.map(|quiet| Instant::now() + quiet);
        let Some(limit) = [self.deadline, quiet].into_iter().flatten().min() else {
            return self.event().await;
        };
        match tokio::time::timeout_at(limit, self.event()).await {
            Ok(event) => event,
            Err(_) if Some(limit) == self.deadline && !self.spec.ends_at_deadline => {
                Err(client::too_late(&self.hub, &self.progress))
            }
            Err(_) => Ok(None),
        }
    }

    async fn event(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                // Servers send such events to keep a connection open. They are not repeated.
                if event.data.is_empty() {
                    self.failures = 0;
                    continue;
                }
                if self.passed > 0 {
                    self.passed -= 1;
                    continue;
                }
                self.seen += 1;
                self.failures = 0;
                self.last_id = event.id.clone().or(self.last_id.take());
                return Ok(Some(Event { opened_at: self.opened_at, ..event }));
            }
            let Some(response) = &mut self.response else {
                self.reopen().await?;
                continue;
            };
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    self.parser.push(&bytes).map_err(|error| error.with_url(response.url()))?;
                    self.ready.extend(std::iter::from_fn(|| self.parser.next()));
                }
                Ok(None) => match self.parser.finish() {
                    Some(event) => self.ready.push_back(event),
                    None => return Ok(None),
                },
                Err(error) => self.broke(error).await?,
            }
        }
    }

    fn began(&mut self, response: Response) {
        let kind = response.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let is_sent = kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        let retry = self.parser.retry;
        self.parser = Parser::new(if is_sent { Format::ServerSent } else { Format::Lines });
        self.parser.retry = retry;
        self.passed = if self.last_id.is_some() { 0 } else { self.seen };
        self.opened_at = response.header(DATE.as_str()).and_then(seconds);
        self.response = Some(response);
    }

    async fn reopen(&mut self) -> Result<()> {
        match connect(&self.hub, &self.spec.call, self.last_id.as_deref()).await {
            Ok(response) => {
                self.began(response);
                Ok(())
            }
            Err(error) => self.broke(error).await,
        }
    }

    /// Waits before a new connection; returns the error if there will be none.
    async fn broke(&mut self, error: Error) -> Result<()> {
        self.response = None;
        self.failures += 1;
        let wait = retry::decide(self.hub.policy(), self.failures, &error);
        let Some(wait) = wait.filter(|_| self.spec.reconnect) else {
            return Err(client::tried(error, self.failures));
        };
        let asked = Duration::from_millis(self.parser.retry.unwrap_or(0)).min(LONGEST_PAUSE);
        client::pause(&self.progress, &error, wait.max(asked)).await
    }
}

/// Returns the seconds since 1970 of a date in a header.
fn seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

async fn connect(hub: &Hub, call: &Call, after: Option<&str>) -> Result<Response> {
    let mut call = call.clone();
    let accept =
        HeaderValue::from_static("text/event-stream, application/x-ndjson, application/json");
    call.headers.entry(ACCEPT).or_insert(accept);
    if let Some(id) = after.and_then(|id| HeaderValue::from_str(id).ok()) {
        call.headers.insert(LAST_EVENT_ID, id);
    }
    let response = hub.open(&call).await?;
    if response.status() == StatusCode::NO_CONTENT {
        let message = "the server reports that there are no events (204 No Content)";
        return Err(Error::new(ErrorKind::NotFound, message).with_url(response.url()));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Reply, Server, reply};

    fn head(kind: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n").into_bytes()
    }

    /// A response whose body breaks off.
    fn broken(kind: &str, body: &str) -> Reply {
        let mut bytes = head(kind);
        bytes.extend(format!("content-length: 10000\r\n\r\n{body}").into_bytes());
        Reply::Raw(bytes)
    }

    fn whole(kind: &str, body: &str) -> Reply {
        reply("200 OK", &format!("content-type: {kind}\r\n"), body.as_bytes())
    }

    async fn open(server: &Server, reconnect: bool, quiet: Option<Duration>) -> Result<Events> {
        let hub = testing::hub(&server.url);
        let call = Call::get(hub.url("api/logs"));
        let spec = Spec { call, reconnect, quiet, ends_at_deadline: false };
        Events::open(hub, spec, Progress::default()).await
    }

    async fn all(events: &mut Events) -> Result<Vec<String>> {
        let mut found = Vec::new();
        while let Some(event) = events.next().await? {
            found.push(event.data);
        }
        Ok(found)
    }

    const SENT: &str = "text/event-stream; charset=utf-8";

    #[tokio::test]
    async fn a_broken_stream_continues_after_the_last_id() {
        let first = broken(SENT, "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: cut");
        let server = Server::start([first, whole(SENT, "id: 3\ndata: c\n\n")]).await;
        let mut events = open(&server, true, None).await.unwrap();
        assert_eq!(all(&mut events).await.unwrap(), ["a", "b", "c"]);
        assert!(!server.requests()[0].contains("last-event-id"));
        assert!(server.requests()[1].contains("last-event-id: 2"));
    }

    #[tokio::test]
    async fn a_server_without_ids_starts_again_and_no_event_is_repeated() {
        let first = broken("application/x-ndjson", "1\n2\n");
        let server = Server::start([first, whole("application/x-ndjson", "1\n2\n3\n")]).await;
        let mut events = open(&server, true, None).await.unwrap();
        assert_eq!(all(&mut events).await.unwrap(), ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn a_stream_that_must_not_be_repeated_ends_with_an_error() {
        let server = Server::start([broken(SENT, "data: a\n\n")]).await;
        let mut events = open(&server, false, None).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().data, "a");
        assert_eq!(events.next().await.unwrap_err().kind(), ErrorKind::Transport);
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn gives_up_when_the_server_stays_unreachable() {
        let server = Server::answering(|_| broken(SENT, "")).await;
        let mut events = open(&server, true, None).await.unwrap();
        let error = events.next().await.unwrap_err();
        assert!(error.message().contains("gave up after"), "{}", error.message());
    }

    #[tokio::test]
    async fn a_quiet_stream_ends_after_the_configured_time() {
        let mut bytes = head(SENT);
        bytes.extend_from_slice(b"content-length: 10000\r\n\r\ndata: a\n\n");
        let server = Server::start([Reply::Stall(bytes)]).await;
        let mut events = open(&server, true, Some(Duration::from_millis(50))).await.unwrap();
        assert_eq!(all(&mut events).await.unwrap(), ["a"]);
    }

    #[tokio::test]
    async fn events_without_data_keep_a_connection_open_and_do_not_count() {
        let first = broken(SENT, "data: a\n\ndata:\n\ndata:\n\n");
        let server = Server::start([first, whole(SENT, "data: a\n\ndata: b\n\n")]).await;
        let mut events = open(&server, true, None).await.unwrap();
        assert_eq!(all(&mut events).await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn events_have_the_time_at_which_the_server_began_to_respond() {
        let kind = format!("{SENT}\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT");
        let server = Server::start([whole(&kind, "data: a\n\n")]).await;
        let mut events = open(&server, true, None).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().opened_at, Some(60));
    }

    #[tokio::test]
    async fn an_error_response_is_returned_before_the_first_event() {
        let server = Server::start([reply("404 Not Found", "", b"")]).await;
        assert_eq!(open(&server, true, None).await.err().unwrap().kind(), ErrorKind::NotFound);
    }
}

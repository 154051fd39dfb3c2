//! Downloads from a scripted Hub with a scripted Xet storage, for what no storage should send.

mod streams;

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{file, report::Report, spec::Spec};
use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::Proof,
        hash::Hasher,
        limits::Flow,
        progress::Progress,
    },
    hub::client::Hub,
    testing::{self, Reply, Server, reply},
    xet::{
        Access, Download, File, Mode, Part, Running, Settings, Shared, Storage, Upload, Wanted, Xet,
    },
};

const CONTENT: &[u8] = b"the content of a file in Xet storage";
const COMMIT: &str = "c0ffee0000000000000000000000000000000000";

/// What the storage sends for a range: pieces, then perhaps an error.
type Script = fn(Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>);

#[derive(Debug)]
struct Scripted {
    script: Script,
    /// The ranges of each download.
    asked: Mutex<Vec<Vec<Range<u64>>>>,
    /// Whether the first download sends every second piece, and then an error.
    is_scattered: bool,
}

impl Storage for Scripted {
    fn upload<'a>(&'a self, _: &'a Access, _: Wanted, _: &'a Flow) -> Running<'a, Box<dyn Upload>> {
        Box::pin(async { Err(Error::new(ErrorKind::Internal, "not scripted")) })
    }

    fn download<'a>(
        &'a self,
        access: &'a Access,
        file: &'a File,
        part: Part,
    ) -> Running<'a, Box<dyn Download>> {
        assert_eq!(access.token.as_str(), "xet-token");
        assert_eq!(file.hash(), "ab".repeat(32));
        let mut asked = self.asked.lock().unwrap();
        let index = |at| usize::try_from(at).unwrap();
        let (mut pieces, mut failure) = (Vec::new(), None);
        for Range { start, end } in part.ranges.iter().cloned() {
            let (script, error) = (self.script)(index(start)..index(end));
            let mut at = start;
            for bytes in script {
                pieces.push((at, Bytes::from_static(bytes)));
                at += bytes.len() as u64;
            }
            failure = failure.or(error);
        }
        if self.is_scattered && asked.is_empty() {
            pieces = pieces.into_iter().step_by(2).collect();
            failure = Some(ErrorKind::Server);
        }
        asked.push(part.ranges);
        Box::pin(
            async move { Ok(Box::new(Pieces(pieces.into_iter(), failure)) as Box<dyn Download>) },
        )
    }
}

struct Pieces(std::vec::IntoIter<(u64, Bytes)>, Option<ErrorKind>);

impl Download for Pieces {
    fn next(&mut self) -> Running<'_, Option<(u64, Bytes)>> {
        let next = match (self.0.next(), self.1.take_if(|_| self.0.len() == 0)) {
            (Some(piece), error) => {
                self.1 = error;
                Ok(Some(piece))
            }
            (None, Some(kind)) => Err(Error::new(kind, "scripted").from_a_store()),
            (None, None) => Ok(None),
        };
        Box::pin(async { next })
    }
}

fn sha256() -> String {
    let mut hasher = Hasher::new(Proof::Sha256, None).unwrap();
    hasher.update(CONTENT);
    hasher.finish()
}

/// A Hub that sends the content itself, as far as `broken` allows.
async fn hub_server(headers: &'static str, broken: Option<usize>) -> Server {
    Server::answering(move |head| respond(head, headers, broken)).await
}

fn respond(head: &str, headers: &str, broken: Option<usize>) -> Reply {
    let host = head.split("host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    if head.contains("xet-read-token") {
        let body = format!(
            "{{\"accessToken\":\"xet-token\",\"exp\":99999999999,\"casUrl\":\"http://{host}/cas\"}}"
        );
        return reply("200 OK", "", body.as_bytes());
    }
    let facts = format!(
        "x-repo-commit: {COMMIT}\r\nx-linked-etag: \"{}\"\r\nx-linked-size: {}\r\nx-xet-hash: {}\r\n{headers}",
        sha256(),
        CONTENT.len(),
        "ab".repeat(32)
    );
    if headers.contains("no-location") {
        return reply("302 Found", &facts, b"");
    }
    let first = head.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next());
    let first: usize = first.map_or(0, |first| first.parse().unwrap());
    let body = &CONTENT[first..];
    let sent = broken.map_or(body, |broken| &body[..broken.saturating_sub(first)]);
    let status = if first > 0 { "206 Partial Content" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{}/{}\r\nconnection: close\r\n{facts}\r\n",
        body.len(),
        CONTENT.len() - 1,
        CONTENT.len()
    );
    Reply::Raw([head.as_bytes(), sent].concat())
}

struct Case {
    server: Server,
    storage: Arc<Scripted>,
    dir: tempfile::TempDir,
    hub: Hub,
}

impl Case {
    async fn new(mode: Mode, script: Script, headers: &'static str, broken: Option<usize>) -> Self {
        Self::of(mode, script, headers, broken, false).await
    }

    async fn of(
        mode: Mode,
        script: Script,
        headers: &'static str,
        broken: Option<usize>,
        is_scattered: bool,
    ) -> Self {
        let server = hub_server(headers, broken).await;
        let dir = tempfile::tempdir().unwrap();
        let storage = Arc::new(Scripted { script, asked: Mutex::default(), is_scattered });
        let settings = Settings { mode, cache_dir: dir.path().join("xet"), buffer: 1 << 20 };
        let wait = std::time::Duration::from_secs(5);
        let shared = Shared::with_storage(storage.clone());
        let xet = Xet::scripted(settings, wait, shared);
        let hub = testing::hub(&server.url);
        let hub = Hub { retry: hub.retry.once(), xet, ..hub };
        Self { server, storage, dir, hub }
    }

    fn spec(&self) -> Spec {
        testing::spec(self.dir.path(), "model.bin")
    }

    async fn run(&self) -> Result<Report> {
        file::run(&self.hub, &self.spec(), &Progress::default()).await
    }

    async fn is_right(&self) -> Report {
        let report = self.run().await.unwrap();
        assert_eq!(std::fs::read(&report.path).unwrap(), CONTENT);
        report
    }

    /// Returns the heads of all requests for the content.
    fn requests(&self) -> Vec<String> {
        let is_token = |head: &String| head.contains("xet-read-token");
        self.server.requests().into_iter().filter(|head| !is_token(head)).collect()
    }

    /// Returns the ranges that were requested from the storage.
    fn asked(&self) -> Vec<(u64, u64)> {
        let asked = self.storage.asked.lock().unwrap();
        asked.iter().flatten().map(|range| (range.start, range.end)).collect()
    }
}

fn right(range: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (CONTENT[range].chunks(10).collect(), None)
}

fn corrupt(range: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (vec![&b"THE CONTENT OF A FILE IN XET STORAGE"[range]], None)
}

fn short(range: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (vec![&CONTENT[range.start..range.start + 8]], None)
}

fn failing(range: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (vec![&CONTENT[range.start..range.start + 8]], Some(ErrorKind::Server))
}

fn long(range: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (vec![&CONTENT[range], b"and more"], None)
}

fn refusing(_: Range<usize>) -> (Vec<&'static [u8]>, Option<ErrorKind>) {
    (Vec::new(), Some(ErrorKind::Unauthorized))
}

#[tokio::test]
async fn a_file_arrives_by_xet_if_that_is_wanted() {
    let case = Case::new(Mode::Always, right, "", None).await;
    let report = case.is_right().await;
    assert_eq!((report.transfer, report.fallback), (Some("xet"), None));
    assert_eq!((case.asked(), case.requests().len()), (vec![(0, 36)], 1));
}

#[tokio::test]
async fn a_file_arrives_over_http_by_default() {
    let case = Case::new(Mode::Auto, right, "", None).await;
    let report = case.is_right().await;
    assert_eq!((report.transfer, report.fallback), (Some("http"), None));
    assert_eq!((case.asked(), case.server.requests().len()), (Vec::new(), 1));
}

#[tokio::test]
async fn http_takes_over_from_a_storage_with_wrong_content() {
    for script in [corrupt, long, refusing] {
        let case = Case::new(Mode::Always, script, "", None).await;
        let report = case.is_right().await;
        assert_eq!(report.transfer, Some("http"));
        assert!(report.fallback.is_some_and(|why| !why.contains("xet-token")));
    }
}

#[tokio::test]
async fn http_continues_where_the_storage_has_stopped() {
    for script in [short, failing] {
        let case = Case::new(Mode::Always, script, "", None).await;
        assert_eq!(case.is_right().await.transfer, Some("http"));
        let last = case.requests().pop().unwrap();
        assert!(last.contains("range: bytes=8-"), "{last}");
    }
}

#[tokio::test]
async fn xet_continues_where_http_has_stopped() {
    let case = Case::new(Mode::Auto, right, "", Some(20)).await;
    let report = case.is_right().await;
    assert_eq!(report.transfer, Some("xet"));
    // The last bytes before a break may not have been written yet.
    let asked = case.asked();
    assert!(asked == [(20, 36)] || asked == [(0, 36)], "{asked:?}");
    assert!(report.fallback.unwrap().contains(" broke"));
}

#[tokio::test]
async fn all_gaps_of_an_interrupted_download_are_one_download() {
    let case = Case::of(Mode::Always, right, "x-note: no-location\r\n", None, true).await;
    case.run().await.unwrap_err();
    assert_eq!(case.is_right().await.transfer, Some("xet"));
    let asked = case.storage.asked.lock().unwrap();
    let all: Vec<_> = asked.iter().map(Vec::len).collect();
    assert_eq!((all, &asked[1][..]), (vec![1, 2], &[10..20, 30..36][..]));
}

#[tokio::test]
async fn a_file_that_only_xet_has_arrives_by_xet() {
    let case = Case::new(Mode::Auto, right, "x-note: no-location\r\n", None).await;
    assert_eq!(case.is_right().await.transfer, Some("xet"));
    let case = Case::new(Mode::Never, right, "x-note: no-location\r\n", None).await;
    let error = case.run().await.unwrap_err();
    assert!(error.message().contains("in Xet storage only"), "{error:?}");
}

#[tokio::test]
async fn no_file_remains_if_both_ways_fail() {
    let case = Case::new(Mode::Always, corrupt, "", Some(0)).await;
    let error = case.run().await.unwrap_err();
    assert!(error.message().contains("Xet has failed, too"), "{error:?}");
    assert!(!blob(case.dir.path()).exists());
}

fn blob(cache: &Path) -> std::path::PathBuf {
    cache.join("models--org--name/blobs").join(sha256())
}

#[tokio::test]
async fn the_token_for_the_hub_is_sent_to_no_other_host() {
    let other = Server::answering(|_| reply("500 Wrong", "", b"")).await;
    let route: &'static str = Box::leak(
        format!("x-xet-refresh-route: {}/api/xet-read-token/x\r\n", other.url).into_boxed_str(),
    );
    let case = Case::new(Mode::Always, right, route, None).await;
    assert_eq!(case.is_right().await.transfer, Some("xet"));
    assert!(other.requests().is_empty());
    let own = "link: </api/own/xet-read-token>; rel=\"xet-auth\"\r\n";
    let case = Case::new(Mode::Always, right, own, None).await;
    assert_eq!(case.is_right().await.transfer, Some("xet"));
    assert!(case.server.requests().iter().any(|head| head.starts_with("get /api/own/xet")));
}

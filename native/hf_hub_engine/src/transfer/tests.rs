//! Whole transfers over several connections, against a content host that each test scripts.

use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool, time::Duration};

use super::*;
use crate::{
    base::{
        etag::{Etag, Proof},
        hash::Hasher,
        progress::{Activity, Progress},
    },
    cache::partial::Partial,
    download::{self, spec::Spec},
    hub::token::Token,
    testing::{self, Reply, Server, reply},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const SIZE: usize = 50_000;
const PART: u64 = 1000;

fn content() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(42);
    std::iter::repeat_with(|| random.u8(..)).take(SIZE).collect()
}

fn sha256(content: &[u8]) -> String {
    let mut hasher = Hasher::new(Proof::Sha256, None).unwrap();
    hasher.update(content);
    hasher.finish()
}

/// Returns the first and last byte that a request asks for.
fn range(request: &str) -> Option<(usize, usize)> {
    let range = request.split("range: bytes=").nth(1)?.split("\r\n").next()?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().unwrap(), last.parse().unwrap_or(SIZE - 1)))
}

/// Responds like a correct content host, after a delay.
fn part(request: &str) -> Reply {
    let content = content();
    let (first, last) = range(request).unwrap_or((0, SIZE - 1));
    let body = &content[first..=last];
    let length = body.len();
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {length}\r\ncontent-range: bytes {first}-{last}/{SIZE}\r\n\r\n"
    );
    Reply::Later(Duration::from_millis(15), [head.as_bytes(), body].concat())
}

/// A Hub that redirects to `cdn`.
async fn hub_before(cdn: &Server) -> Server {
    let (url, etag) = (cdn.url.clone(), sha256(&content()));
    let mut signed = 0;
    Server::answering(move |_| {
        signed += 1;
        let headers = format!(
            "location: {url}/f?signature={signed}\r\nx-linked-etag: \"{etag}\"\r\nx-linked-size: {SIZE}\r\nx-repo-commit: {COMMIT}\r\n"
        );
        reply("302 Found", &headers, b"")
    })
    .await
}

fn hub(front: &Server, connections: usize) -> Hub {
    let mut flow = testing::flow(connections);
    flow.smallest_part = PART;
    Hub { flow, ..testing::hub(&front.url) }
}

fn spec(root: &Path) -> Spec {
    testing::spec(root, "model.bin")
}

async fn get(hub: &Hub, root: &Path, progress: &Progress) -> Result<Vec<u8>> {
    let report = download::file::run(hub, &spec(root), progress).await?;
    Ok(std::fs::read(report.path).unwrap())
}

/// How often each byte was requested.
fn asked(cdn: &Server) -> HashMap<u64, u32> {
    let mut asked = HashMap::new();
    for (first, last) in cdn.requests().iter().filter_map(|request| range(request)) {
        for byte in first..=last {
            *asked.entry(byte as u64).or_default() += 1;
        }
    }
    asked
}

fn leftovers(root: &Path) -> usize {
    std::fs::read_dir(root.join("models--org--name/blobs")).unwrap().count()
}

#[tokio::test]
async fn fetches_each_part_once_over_several_connections() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let (hub, progress) = (hub(&front, 4), Progress::default());
    let (done, mut most) = (AtomicBool::new(false), 0);
    let (content_, ()) = tokio::join!(
        async {
            let content = get(&hub, dir.path(), &progress).await;
            done.store(true, Relaxed);
            content.unwrap()
        },
        async {
            while !done.load(Relaxed) {
                most = most.max(cdn.at_once());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    );
    assert!(content_ == content());
    assert!((2..=4).contains(&most), "{most} at once");
    assert!(asked(&cdn).len() == SIZE && asked(&cdn).values().all(|times| *times == 1));
    assert_eq!(front.requests().len(), 1);
    assert_eq!(progress.snapshot().bytes_received, SIZE as u64);
    assert_eq!(leftovers(dir.path()), 1);
}

#[tokio::test]
async fn uses_fewer_connections_when_the_server_asks_for_it() {
    for rejection in ["429 Too Many Requests", "503 Service Unavailable"] {
        let dir = tempfile::tempdir().unwrap();
        let (busy, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let cdn = {
            let (busy, refused) = (busy.clone(), refused.clone());
            Server::answering(move |request| {
                if busy.load(Relaxed) > 2 {
                    refused.fetch_add(1, Relaxed);
                    return reply(rejection, "", b"");
                }
                // Slow enough to leave time for more connections.
                match part(request) {
                    Reply::Later(pause, answer) => Reply::Later(pause * 3, answer),
                    other => other,
                }
            })
            .await
        };
        let watched = cdn.counter();
        let watch = tokio::spawn(async move {
            loop {
                busy.store(watched.load(Relaxed), Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let front = hub_before(&cdn).await;
        let progress = Progress::default();
        assert!(get(&hub(&front, 8), dir.path(), &progress).await.unwrap() == content());
        watch.abort();
        assert_eq!(progress.snapshot().bytes_received, SIZE as u64);
        let refused = refused.load(Relaxed);
        // On a busy machine, more connections may not help, so there may be none. Without a step
        // back it would be every second request.
        assert!(refused <= 8, "{refused} of about fifty parts were refused");
    }
}

#[tokio::test]
async fn counts_a_failure_of_all_connections_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let all_four = Arc::new(tokio::sync::Barrier::new(4));
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        let is_time = (40..44).contains(&served);
        if is_time { Reply::Together(all_four.clone()) } else { part(request) }
    })
    .await;
    let front = hub_before(&cdn).await;
    let mut hub = hub(&front, 4);
    hub.retry.retries = 2;
    assert!(get(&hub, dir.path(), &Progress::default()).await.unwrap() == content());
}

#[tokio::test]
async fn does_not_wait_for_a_sleeping_connection_when_the_file_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        if served == 10 { reply("500 Oops", "retry-after: 60\r\n", b"") } else { part(request) }
    })
    .await;
    let front = hub_before(&cdn).await;
    let (hub, progress) = (hub(&front, 8), Progress::default());
    let got = tokio::time::timeout(Duration::from_secs(20), get(&hub, dir.path(), &progress)).await;
    assert!(got.expect("waited a minute").unwrap() == content());
}

#[tokio::test]
async fn does_not_combine_two_responses_without_a_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        let first = range(request).map_or(0, |(first, _)| first);
        let body = vec![b'0' + served; SIZE - first];
        let (status, cut) = match (first, served) {
            (0, 1) => ("200 OK".to_owned(), 20_000),
            (0, _) => ("200 OK".to_owned(), SIZE),
            _ => {
                (format!("206 Partial\r\ncontent-range: bytes {first}-49999/{SIZE}"), SIZE - first)
            }
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        Reply::Raw([head.as_bytes(), &body[..cut]].concat())
    })
    .await;
    let url = cdn.url.clone();
    let front = Server::answering(move |_| {
        let headers = format!(
            "location: {url}/f\r\nx-linked-etag: \"mirror-1\"\r\nx-linked-size: {SIZE}\r\nx-repo-commit: {COMMIT}\r\n"
        );
        reply("302 Found", &headers, b"")
    })
    .await;
    let got = get(&hub(&front, 4), dir.path(), &Progress::default()).await.unwrap();
    assert!(got.iter().all(|byte| *byte == got[0]) && got.len() == SIZE);
}

#[tokio::test]
async fn tolerates_one_server_without_ranges_among_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        if served % 10 == 9 { reply("200 OK", "", b"the whole file") } else { part(request) }
    })
    .await;
    let front = hub_before(&cdn).await;
    let progress = Progress::default();
    assert!(get(&hub(&front, 4), dir.path(), &progress).await.unwrap() == content());
    assert_eq!(progress.snapshot().bytes_received, SIZE as u64);
}

#[tokio::test]
async fn downloads_in_one_response_from_a_server_without_ranges() {
    for rejection in ["200 OK", "416 Range Not Satisfiable"] {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |request| match range(request) {
            Some((first, _)) if first > 0 || rejection.starts_with("416") => {
                reply(rejection, "", if rejection.starts_with("416") { b"" } else { b"whole file" })
            }
            _ => reply("200 OK", "", &content()),
        })
        .await;
        let front = hub_before(&cdn).await;
        let progress = Progress::default();
        assert!(get(&hub(&front, 4), dir.path(), &progress).await.unwrap() == content());
        assert_eq!(progress.snapshot().bytes_done, SIZE as u64);
        assert_eq!(leftovers(dir.path()), 1);
    }
}

#[tokio::test]
async fn does_not_restart_a_whole_response_from_a_server_without_ranges() {
    // The first response is late, so that others are requested before its kind is known.
    for late in [0, 400] {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |request| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
            let whole = [head.as_bytes(), &content()].concat();
            let first = range(request).is_none_or(|(first, _)| first == 0);
            match (first, late) {
                (true, 0) => Reply::Slowly(Duration::from_millis(60), whole, 5_000),
                (true, late) => Reply::Later(Duration::from_millis(late), whole),
                (false, _) => reply("200 OK", "", &content()),
            }
        })
        .await;
        let front = hub_before(&cdn).await;
        let (mut hub, progress) = (hub(&front, 4), Progress::default());
        hub.flow.smallest_part = 10_000;
        assert!(get(&hub, dir.path(), &progress).await.unwrap() == content());
        assert!(cdn.requests().len() <= 4, "{:?}", cdn.requests());
        let received = progress.snapshot().bytes_received;
        assert!(late > 0 || received == SIZE as u64, "{received}");
    }
}

#[tokio::test]
async fn restarts_a_broken_whole_response_when_there_are_no_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |_| {
        served += 1;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
        let sent = if served == 1 { SIZE / 2 } else { SIZE };
        Reply::Raw([head.as_bytes(), &content()[..sent]].concat())
    })
    .await;
    let front = hub_before(&cdn).await;
    let progress = Progress::default();
    assert!(get(&hub(&front, 4), dir.path(), &progress).await.unwrap() == content());
    assert_eq!(progress.snapshot().bytes_done, SIZE as u64);
}

#[tokio::test]
async fn all_callers_see_a_pause_that_the_content_host_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        if served == 1 { reply("429 Slow", "retry-after: 1\r\n", b"") } else { part(request) }
    })
    .await;
    let front = hub_before(&cdn).await;
    let (hub, spec) = (hub(&front, 2), spec(dir.path()));
    let both = [Progress::default(), Progress::default()];
    let calls = both.each_ref().map(|progress| {
        let (hub, spec, progress) = (hub.clone(), spec.clone(), progress.clone());
        tokio::spawn(async move { download::file::run(&hub, &spec, &progress).await })
    });
    let limited = |progress: &Progress| {
        let now = progress.snapshot();
        now.activity == Activity::RateLimited && now.wait.is_some_and(|wait| !wait.is_zero())
    };
    while !both.iter().all(limited) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_timeout_reports_progress_and_the_last_failure() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(|request| match range(request) {
        Some((0, _)) => part(request),
        _ => reply("500 Oops", "retry-after: 60\r\n", b""),
    })
    .await;
    let front = hub_before(&cdn).await;
    let hub = Hub { deadline: Some(Duration::from_millis(600)), ..hub(&front, 1) };
    let mut hub = hub;
    (hub.flow.in_memory, hub.flow.parallel_from) = (0, u64::MAX);
    let error = get(&hub, dir.path(), &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let message = error.message();
    assert!(message.starts_with("not finished within the timeout of 600 ms: "), "{message}");
}

#[tokio::test]
async fn rejects_a_part_of_other_content() {
    for lie in ["bytes 0-999/50000", "bytes 1000-1999/60000", "nonsense", "bytes 1000-1999"] {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |request| match range(request) {
            Some((0, _)) => part(request),
            _ => reply("206 Partial Content", &format!("content-range: {lie}\r\n"), &[b'x'; 1000]),
        })
        .await;
        let front = hub_before(&cdn).await;
        let error = get(&hub(&front, 4), dir.path(), &Progress::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        // The last resort is a plain GET, which gets the same response here; one of these parts
        // does begin at zero.
        let ended =
            lie.starts_with("bytes 0-") && error.message().contains("closed before the end");
        assert!(ended || error.message().contains("another range"), "{error}");
        assert!(!dir.path().join("models--org--name/snapshots").exists());
    }
}

#[tokio::test]
async fn accepts_content_range_in_any_spelling() {
    // `None` for no header: then the length identifies the part.
    for spelling in [Some("bytes="), Some("Bytes "), Some("BYTES "), None] {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |request| {
            let (first, last) = range(request).unwrap_or((0, SIZE - 1));
            let line =
                spelling.map(|unit| format!("content-range: {unit}{first}-{last}/{SIZE}\r\n"));
            reply("206 Partial Content", &line.unwrap_or_default(), &content()[first..=last])
        })
        .await;
        let front = hub_before(&cdn).await;
        let bytes = get(&hub(&front, 4), dir.path(), &Progress::default()).await.unwrap();
        assert_eq!(bytes, content());
        assert!(asked(&cdn).values().all(|times| *times == 1), "{spelling:?}");
    }
}

#[tokio::test]
async fn downloads_in_one_response_when_parts_cannot_be_placed() {
    for odd in ["content-range: nonsense\r\n", "content-type: multipart/byteranges; boundary=x\r\n"]
    {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |request| match range(request) {
            Some((first, last)) => reply("206 Partial Content", odd, &content()[first..=last]),
            None => reply("200 OK", "", &content()),
        })
        .await;
        let front = hub_before(&cdn).await;
        let bytes = get(&hub(&front, 4), dir.path(), &Progress::default()).await.unwrap();
        assert_eq!(bytes, content(), "{odd}");
    }
}

#[tokio::test]
async fn renews_an_expired_url_once_for_all_connections() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = 0;
    let cdn = Server::answering(move |request| {
        served += 1;
        if request.contains("signature=1 ") && served > 20 {
            reply("403 Forbidden", "", b"expired")
        } else {
            part(request)
        }
    })
    .await;
    let front = hub_before(&cdn).await;
    assert!(get(&hub(&front, 8), dir.path(), &Progress::default()).await.unwrap() == content());
    assert_eq!(front.requests().len(), 2);
}

#[tokio::test]
async fn reports_a_content_host_that_rejects_every_link() {
    for (status, token) in [("403 Forbidden", None), ("401 Unauthorized", Some("hf_CANARY"))] {
        let dir = tempfile::tempdir().unwrap();
        let cdn = Server::answering(move |_| {
            let words =
                b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
            reply(status, "content-type: application/xml\r\n", words)
        })
        .await;
        let front = hub_before(&cdn).await;
        let token = token.map(|token| Token::new(token).unwrap());
        let hub = Hub { token, ..hub(&front, 1) };
        let error = get(&hub, dir.path(), &Progress::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        let said = error.message();
        for words in [
            "rejected the Hub's signed link: Request has expired",
            "new links were rejected",
            "clock",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(!said.contains("token") && !said.contains("signature="), "{said}");
        assert!(cdn.requests().iter().all(|request| !request.contains("authorization")));
    }
}

#[tokio::test]
async fn resumes_by_fetching_only_missing_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let (hub, progress) = (hub(&front, 4), Progress::default());
    tokio::select! {
        _ = get(&hub, dir.path(), &progress) => panic!("the download was not interrupted"),
        () = async {
            while progress.snapshot().bytes_done < SIZE as u64 / 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => {}
    }
    let again = Server::answering(part).await;
    let front = hub_before(&again).await;
    let progress = Progress::default();
    let hub = Hub { endpoint: Hub::parse_endpoint(&front.url).unwrap(), ..hub };
    assert!(get(&hub, dir.path(), &progress).await.unwrap() == content());
    let now = progress.snapshot();
    assert!(now.bytes_resumed >= SIZE as u64 / 2, "{now:?}");
    assert_eq!(now.bytes_resumed + now.bytes_received, SIZE as u64);
    assert_eq!(asked(&again).len() as u64, now.bytes_received);
    assert_eq!(leftovers(dir.path()), 1);
}

#[tokio::test]
async fn a_fragmented_partial_file_is_completed_by_few_requests() {
    let dir = tempfile::tempdir().unwrap();
    let etag = Etag::parse(&sha256(&content())).unwrap();
    let (blobs, stem) = (dir.path().join("models--org--name/blobs"), etag.to_string());
    std::fs::create_dir_all(&blobs).unwrap();
    let mut partial =
        Partial::create(Slot { dir: blobs, stem, etag, size: Some(SIZE as u64) }).unwrap();
    // More short ranges than a record holds, after a longer one, and between gaps of all sizes.
    let first = 0..5_000;
    for range in std::iter::once(first).chain((5_020..40_000).step_by(50).map(|at| at..at + 20)) {
        partial.write(range.start as u64, &content()[range]).unwrap();
    }
    drop(partial);
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let mut hub = hub(&front, 1);
    hub.flow.island = 100;
    let progress = Progress::default();
    assert!(get(&hub, dir.path(), &progress).await.unwrap() == content());
    let ranges: Vec<_> = cdn.requests().iter().map(|request| range(request)).collect();
    assert_eq!(ranges, [Some((5_000, SIZE - 1))]);
    let now = progress.snapshot();
    assert_eq!((now.bytes_resumed, now.bytes_received), (5_000, 45_000));
    assert_eq!(leftovers(dir.path()), 1);
}

#[tokio::test]
async fn detects_a_wrong_byte_in_any_part() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(|request| match (range(request), part(request)) {
        (Some((first, last)), Reply::Later(pause, mut answer))
            if (first..=last).contains(&25_000) =>
        {
            let at = answer.len() - (last - 25_000) - 1;
            answer[at] ^= 1;
            Reply::Later(pause, answer)
        }
        (_, answer) => answer,
    })
    .await;
    let front = hub_before(&cdn).await;
    let error = get(&hub(&front, 4), dir.path(), &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert_eq!(leftovers(dir.path()), 0);
}

#[tokio::test]
async fn callers_share_a_transfer_and_outlive_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let (hub, spec) = (hub(&front, 2), spec(dir.path()));
    let (first, others) = (Progress::default(), [Progress::default(), Progress::default()]);
    let begin = tokio::spawn({
        let (hub, spec, progress) = (hub.clone(), spec.clone(), first.clone());
        async move { download::file::run(&hub, &spec, &progress).await }
    });
    while first.snapshot().bytes_done == 0 {
        tokio::task::yield_now().await;
    }
    let joined: Vec<_> = others
        .iter()
        .map(|progress| {
            let (hub, spec, progress) = (hub.clone(), spec.clone(), progress.clone());
            tokio::spawn(async move { download::file::run(&hub, &spec, &progress).await })
        })
        .collect();
    while others.iter().any(|progress| progress.snapshot().bytes_done == 0) {
        tokio::task::yield_now().await;
    }
    begin.abort();
    for task in joined {
        let report = task.await.unwrap().unwrap();
        assert!(!report.cached && std::fs::read(report.path).unwrap() == content());
    }
    assert!(asked(&cdn).values().all(|times| *times == 1));
    for progress in others {
        let now = progress.snapshot();
        assert_eq!((now.bytes_done, now.bytes_total), (SIZE as u64, Some(SIZE as u64)));
        assert_eq!((now.files_done, now.files_total), (1, 1));
    }
}

#[tokio::test]
async fn stops_the_transfer_when_the_last_caller_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let (hub, spec, progress) = (hub(&front, 2), spec(dir.path()), Progress::default());
    tokio::select! {
        _ = download::file::run(&hub, &spec, &progress) => panic!("the download was not interrupted"),
        () = async { while progress.snapshot().bytes_done == 0 { tokio::task::yield_now().await } } => {}
    }
    // The lock is free only after the writer has ended.
    let lock = dir.path().join(format!(".locks/models--org--name/{}.lock", sha256(&content())));
    while crate::base::lock::try_acquire(&lock).unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let requests = cdn.requests().len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(cdn.requests().len(), requests);
}

#[tokio::test]
async fn all_connections_together_keep_the_bandwidth_limit() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::answering(part).await;
    let front = hub_before(&cdn).await;
    let limit = crate::base::bandwidth::Bandwidth::new(Some(SIZE as u64));
    let mut hub = hub(&front, 4);
    hub.flow.bandwidth = vec![limit.clone()];
    let progress = Progress::default();
    let start = std::time::Instant::now();
    let ((), content_) = tokio::join!(
        async {
            while progress.snapshot().bytes_done < SIZE as u64 / 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(start.elapsed() > Duration::from_millis(300), "{:?}", start.elapsed());
            limit.set(None);
        },
        get(&hub, dir.path(), &progress)
    );
    assert!(content_.unwrap() == content());
}

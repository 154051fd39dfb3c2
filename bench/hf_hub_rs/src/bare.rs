//! What the machine itself takes: a socket, a file and SHA-256 with nothing around them.
//!
//! Three threads receive, write and hash one file and flush it, so it does all that this library promises for the
//! content, but without a cache, a lock, a second connection, progress, or a way to go on after any failure. A
//! client that keeps the promise is hardly faster.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustix::fs::{Advice, fadvise};
use serde_json::Value;
use sha2::{Digest, Sha256};

type Failure = Box<dyn Error + Send + Sync>;
type Block = Arc<Vec<u8>>;

/// As large as the blocks of this library, and as many that wait.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 8;

/// After so many bytes, the kernel begins to write them to disk.
const FLUSHED: u64 = 8 << 20;

/// As many files at once: more would share two cores.
const FILES: usize = 2;

/// Downloads all files of a repository into `folder`.
pub fn snapshot(endpoint: &str, folder: &str, repo: &str) -> Result<(), Failure> {
    let (body, _) = get(&format!("{endpoint}/api/models/{repo}/tree/main"))?;
    let tree = serde_json::from_reader::<_, Vec<Value>>(body)?;
    let paths = tree.iter().filter_map(|entry| entry["path"].as_str()).collect::<Vec<_>>();
    let next = AtomicUsize::new(0);
    let lane = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            file(endpoint, folder, repo, path)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let lanes = (0..FILES).map(|_| scope.spawn(lane)).collect::<Vec<_>>();
        lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| "a lane failed")?)
    })
}

/// Downloads a file into `folder`.
pub fn file(endpoint: &str, folder: &str, repo: &str, path: &str) -> Result<(), Failure> {
    let (_, hub) = get(&format!("{endpoint}/{repo}/resolve/main/{path}"))?;
    let header = |name| value(&hub, name).ok_or_else(|| format!("the Hub sent no {name}"));
    let expected = header("x-linked-etag")?.trim_matches('"').to_owned();
    let (mut body, content) = get(header("location")?)?;
    let mut left = value(&content, "content-length").ok_or("no length")?.parse::<usize>()?;
    let target = File::create(Path::new(folder).join(path))?;
    let (written, to_write) = sync_channel::<Block>(WAITING);
    let (hashed, to_hash) = sync_channel::<Block>(WAITING);
    let writer = thread::spawn(move || write(&target, &to_write));
    // The blocks are used again: new ones would be new pages.
    let (used, unused) = sync_channel::<Block>(2 * WAITING);
    let hash = thread::spawn(move || hash(&to_hash, &used));
    while left > 0 {
        let mut block = unused.try_recv().ok().and_then(Arc::into_inner).unwrap_or_default();
        block.resize(left.min(BLOCK), 0);
        body.read_exact(&mut block)?;
        left -= block.len();
        let block = Arc::new(block);
        written.send(block.clone())?;
        hashed.send(block)?;
    }
    drop((written, hashed));
    writer.join().map_err(|_| "the writer failed")??;
    let actual = hash.join().map_err(|_| "the hash failed")?;
    if actual != expected { Err("the checksum is wrong".into()) } else { Ok(()) }
}

/// Requests a URL; returns the connection at the body, and the header lines.
fn get(url: &str) -> Result<(BufReader<TcpStream>, Vec<String>), Failure> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("not plain HTTP")?;
    let mut socket = TcpStream::connect(host)?;
    write!(socket, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    // For the header lines only: a block is larger, so it is received without a second copy.
    let mut socket = BufReader::with_capacity(8 << 10, socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line)?;
        match line.trim_end() {
            "" => return Ok((socket, lines)),
            line => lines.push(line.to_owned()),
        }
    }
}

fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    let mut headers = lines.iter().filter_map(|line| line.split_once(": "));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn write(file: &File, blocks: &Receiver<Block>) -> Result<(), Failure> {
    let (mut at, mut flushed) = (0, 0);
    for block in blocks {
        file.write_all_at(&block, at)?;
        at += block.len() as u64;
        if at - flushed >= FLUSHED {
            fadvise(file, flushed, NonZeroU64::new(at - flushed), Advice::DontNeed)?;
            flushed = at;
        }
    }
    Ok(file.sync_data()?)
}

fn hash(blocks: &Receiver<Block>, used: &SyncSender<Block>) -> String {
    let mut hash = Sha256::new();
    for block in blocks {
        hash.update(&*block);
        let _ = used.try_send(block);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The plan of a download: which chunks of which objects make up a range of a file.
//!
//! A storage sends it, so nothing in it is trusted: what a plan leads to is bounded by the range
//! that was asked for.

use std::{collections::HashMap, ops::Range};

use bytes::Bytes;
use reqwest::Url;
use serde::Deserialize;

/// Maximum number of bytes of an object's chunks.
pub(super) const OBJECT: u64 = 64 << 20;

/// Maximum number of bytes of a chunk.
pub(super) const CHUNK: u64 = 128 << 10;

/// Maximum number of chunks of an object.
const CHUNKS: u32 = 8 << 10;

/// Maximum number of bytes of an object: a chunk that does not get smaller is stored as it is, with
/// a header.
const PACKED: u64 = OBJECT + (1 << 20);

/// Parts of an object that may contain a term: they rarely overlap.
const CANDIDATES: usize = 8;

/// Bytes of a range for each of its terms, at least on average, and the number of terms beyond that.
/// Chunks have at least 8 KiB, but for the last one of a file.
const TERM: u64 = 4 << 10;
const MORE_TERMS: u64 = 1 << 10;

/// How many times the bytes of a range its parts of objects may have, and the number of bytes beyond
/// that: two objects for the ends of the range.
const EXCESS: u64 = 16;
const MORE_BYTES: u64 = 2 * PACKED;

/// Maximum size of a plan: for each byte of the range, a part of one, but at least so much. A chunk of
/// 64 KiB takes less than 2 KiB, even if its object has nothing else of the file.
const PART_OF_RANGE: u64 = 32;
const LEAST: u64 = 256 << 10;

/// Memory of a piece until it is returned.
const PIECE: u64 = 256;

/// Returns the maximum size of a plan for so many bytes of a file.
pub(super) fn most(span: u64) -> u64 {
    (span / PART_OF_RANGE).max(LEAST)
}

/// Returns the memory that is needed to read a plan of this size.
pub(super) fn reading(size: u64) -> u64 {
    4 * size
}

/// Returns the memory that a plan needs until everything is returned.
pub(super) fn memory(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.pieces.len() as u64 * PIECE).sum()
}

/// Bytes of the file that are made of chunks of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where they begin in the file.
    pub(super) at: u64,
    pub(super) chunks: Range<u32>,
    /// The number of bytes of the chunks that have not arrived.
    pub(super) length: u64,
    /// How many of them come before those that are wanted.
    pub(super) skip: u64,
    /// The number of bytes that are wanted.
    pub(super) take: u64,
}

impl Piece {
    /// Takes the next bytes of its chunks; returns those that are wanted, and where they begin in
    /// the file. An error names what is wrong: they are too many.
    pub(super) fn arrived(&mut self, bytes: &Bytes) -> Result<Option<(u64, Bytes)>, &'static str> {
        let length = bytes.len() as u64;
        self.length = self.length.checked_sub(length).ok_or(OTHER_SIZE)?;
        let skipped = self.skip.min(length);
        let taken = self.take.min(length - skipped);
        let (at, from) = (self.at, bytes.len().min(index(skipped)));
        (self.at, self.skip, self.take) = (at + taken, self.skip - skipped, self.take - taken);
        Ok((taken > 0).then(|| (at, bytes.slice(from..from + index(taken)))))
    }

    /// Returns the part of it within a range of the file.
    fn within(&self, range: &Range<u64>) -> Self {
        let (start, end) = (self.at.max(range.start), (self.at + self.take).min(range.end));
        let skip = self.skip + start - self.at;
        Self { at: start, skip, take: end - start, ..self.clone() }
    }
}

/// What is wrong with chunks that are not as long as in the plan.
pub(super) const OTHER_SIZE: &str = "its chunks do not have the announced size";

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A part of an object, which is fetched by one request.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) url: Url,
    pub(super) bytes: Range<u64>,
    pub(super) chunks: Range<u32>,
    /// The chunks of its pieces, in order and without overlaps.
    pub(super) wanted: Vec<Range<u32>>,
    /// Maximum number of bytes of these chunks.
    pub(super) unpacked: u64,
    /// What it is fetched for, in the order of the file.
    pub(super) pieces: Vec<Piece>,
}

/// A response of either version of the protocol.
#[derive(Deserialize)]
struct Sent {
    offset_into_first_range: u64,
    terms: Vec<Term>,
    #[serde(default)]
    xorbs: HashMap<String, Vec<Ranges>>,
    #[serde(default)]
    fetch_info: HashMap<String, Vec<Fetch>>,
}

#[derive(Deserialize)]
struct Term {
    hash: String,
    unpacked_length: u32,
    range: Bounds<u32>,
}

#[derive(Deserialize)]
struct Ranges {
    url: String,
    ranges: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    chunks: Bounds<u32>,
    bytes: Bounds<u64>,
}

#[derive(Deserialize)]
struct Fetch {
    url: String,
    range: Bounds<u32>,
    url_range: Bounds<u64>,
}

#[derive(Clone, Copy, Deserialize)]
struct Bounds<T> {
    start: T,
    /// Part of the range if it is one of bytes, as in a `Range` header.
    end: T,
}

/// A part of an object, and the block for it once a term needs it.
struct Offer<'a> {
    url: &'a str,
    chunks: Range<u32>,
    bytes: Bounds<u64>,
    block: Option<usize>,
}

type Offers<'a> = HashMap<&'a str, Vec<Offer<'a>>>;

/// Reads a plan for a range of the file; returns what to fetch in the order of its first use. An
/// error names what is wrong with it.
pub(super) fn read(body: &[u8], range: &Range<u64>) -> Result<Vec<Block>, &'static str> {
    if !is_sparse(body) {
        return Err("it has more lists than links");
    }
    let sent: Sent = serde_json::from_slice(body).map_err(|_| "it is not the expected JSON")?;
    let span = range.end - range.start;
    if sent.terms.len() as u64 > MORE_TERMS + span / TERM {
        return Err("it has more and smaller parts than a file can have");
    }
    let mut offers = offers(&sent);
    let mut blocks = Vec::new();
    let (mut at, mut skip) = (range.start, sent.offset_into_first_range);
    for term in &sent.terms {
        if at == range.end {
            return Err("it has more parts than were asked for");
        }
        let length = check(term, skip)?;
        let offers = offers.get_mut(term.hash.as_str()).map_or(&mut [][..], Vec::as_mut_slice);
        let offer = find(offers, term).ok_or("it does not say where to fetch a part")?;
        let block = if let Some(block) = offer.block {
            block
        } else {
            blocks.push(open(offer)?);
            *offer.block.insert(blocks.len() - 1)
        };
        let take = (range.end - at).min(length - skip);
        let chunks = term.range.start..term.range.end;
        blocks[block].add(Piece { at, chunks, length, skip, take });
        (at, skip) = (at + take, 0);
    }
    if at < range.end {
        return Err("it ends before the range that was asked for");
    }
    let fetched = blocks.iter().map(|block| block.bytes.end - block.bytes.start);
    if fetched.fold(0, u64::saturating_add) > MORE_BYTES.saturating_add(span.saturating_mul(EXCESS))
    {
        return Err("far more bytes would have to be fetched than were asked for");
    }
    blocks.iter_mut().for_each(Block::close);
    Ok(blocks)
}

/// Whether a plan has few lists for its size. Each takes far more memory than it takes of the plan,
/// which has a link for each of them.
fn is_sparse(body: &[u8]) -> bool {
    let lists = body.split(|byte| *byte == b'[').count() - 1;
    lists <= 64 + body.len() / 32
}

/// Returns what to fetch of a plan for these ranges of the file, which are in order.
pub(super) fn limited(mut blocks: Vec<Block>, to: &[Range<u64>]) -> Vec<Block> {
    for block in &mut blocks {
        block.limit(to);
    }
    blocks.retain(|block| !block.pieces.is_empty());
    blocks.iter_mut().for_each(Block::close);
    blocks.sort_by_key(|block| block.pieces.first().map(|piece| piece.at));
    blocks
}

/// Returns the number of bytes of a term, of which `skip` are not wanted.
fn check(term: &Term, skip: u64) -> Result<u64, &'static str> {
    let Bounds { start, end } = term.range;
    if start >= end || end > CHUNKS {
        return Err("it names chunks that no object has");
    }
    let length = u64::from(term.unpacked_length);
    if length > OBJECT.min(u64::from(end - start) * CHUNK) {
        return Err("a part is larger than its chunks can be");
    }
    if skip >= length {
        return Err("a part has no bytes of the range");
    }
    Ok(length)
}

fn offers(sent: &Sent) -> Offers<'_> {
    let mut offers = Offers::new();
    for (hash, fetches) in &sent.xorbs {
        let all = fetches.iter().flat_map(|fetch| {
            fetch.ranges.iter().map(|part| (fetch.url.as_str(), part.chunks, part.bytes))
        });
        offers.entry(hash).or_default().extend(all.map(offer));
    }
    for (hash, fetches) in &sent.fetch_info {
        let all = fetches.iter().map(|fetch| (fetch.url.as_str(), fetch.range, fetch.url_range));
        offers.entry(hash).or_default().extend(all.map(offer));
    }
    for of_one in offers.values_mut() {
        of_one.sort_by_key(|offer| offer.chunks.start);
    }
    offers
}

fn offer((url, chunks, bytes): (&str, Bounds<u32>, Bounds<u64>)) -> Offer<'_> {
    Offer { url, chunks: chunks.start..chunks.end, bytes, block: None }
}

/// Returns the part that contains a term.
fn find<'a, 'b>(offers: &'b mut [Offer<'a>], term: &Term) -> Option<&'b mut Offer<'a>> {
    let before = offers.partition_point(|offer| offer.chunks.start <= term.range.start);
    let candidates = offers[..before].iter_mut().rev().take(CANDIDATES);
    candidates.into_iter().find(|offer| term.range.end <= offer.chunks.end)
}

fn open(offer: &Offer<'_>) -> Result<Block, &'static str> {
    let Bounds { start, end } = offer.bytes;
    if offer.chunks.end > CHUNKS || start > end || end - start >= PACKED {
        return Err("a part of an object is larger than an object");
    }
    let url = Url::parse(offer.url).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let bytes = start..end.checked_add(1).ok_or("a part of an object ends nowhere")?;
    Ok(Block {
        url: url.ok_or("a link in it is not a URL")?,
        bytes,
        chunks: offer.chunks.clone(),
        wanted: Vec::new(),
        unpacked: 0,
        pieces: Vec::new(),
    })
}

impl Block {
    fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Returns where it begins in the file.
    pub(super) fn start(&self) -> Option<u64> {
        self.pieces.first().map(|piece| piece.at)
    }

    /// Limits it to its first piece, and returns a block with the others.
    pub(super) fn split(&mut self) -> Option<Self> {
        let others = self.pieces.split_off(self.pieces.len().min(1));
        self.close();
        let (url, bytes, chunks) = (self.url.clone(), self.bytes.clone(), self.chunks.clone());
        let mut rest = Self { url, bytes, chunks, wanted: Vec::new(), unpacked: 0, pieces: others };
        rest.close();
        (!rest.pieces.is_empty()).then_some(rest)
    }

    /// Skips what another one of the same part has fetched, if nothing of it is wanted.
    pub(super) fn skip_to(&mut self, bytes: u64, chunk: u32) {
        if self.wanted.first().is_some_and(|wanted| chunk <= wanted.start) {
            (self.bytes.start, self.chunks.start) = (bytes, chunk);
        }
    }

    /// Drops the bytes that are not in these ranges of the file.
    fn limit(&mut self, to: &[Range<u64>]) {
        let within = |piece: Piece| {
            let first = to.partition_point(|range| range.end <= piece.at);
            let end = piece.at + piece.take;
            let ranges = to[first..].iter().take_while(move |range| range.start < end);
            ranges.map(move |range| piece.within(range))
        };
        self.pieces = std::mem::take(&mut self.pieces).into_iter().flat_map(within).collect();
    }

    /// Sets the wanted chunks and their size to those of its pieces.
    fn close(&mut self) {
        let mut uses: Vec<_> = self
            .pieces
            .iter()
            .map(|Piece { chunks, length, .. }| (chunks.clone(), *length))
            .collect();
        uses.sort_by_key(|(chunks, _)| (chunks.start, chunks.end));
        // Many pieces may be of the same chunks, which are unpacked once.
        uses.dedup_by(|next, last| next.0 == last.0);
        let lengths = uses.iter().map(|(_, length)| length).sum();
        self.wanted = uses.into_iter().map(|(chunks, _)| chunks).collect();
        self.wanted.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            if joins {
                last.end = last.end.max(next.end);
            }
            joins
        });
        let chunks = self.wanted.iter().map(|chunks| u64::from(chunks.end - chunks.start));
        self.unpacked = OBJECT.min(lengths).min(chunks.sum::<u64>() * CHUNK);
    }
}

#[cfg(test)]
mod tests;

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
    let sent: Sent = serde_json::from_slice(body).map_err(|_| "it is not the expected JSON")?;
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
    blocks.iter_mut().for_each(Block::close);
    Ok(blocks)
}

/// Returns what to fetch of a plan for these ranges of the file, which are in order.
pub(super) fn limited(mut blocks: Vec<Block>, to: &[Range<u64>]) -> Vec<Block> {
    for block in &mut blocks {
        block.limit(to);
    }
    blocks.retain(|block| !block.pieces.is_empty());
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
        self.wanted.push(piece.chunks.clone());
        self.unpacked = OBJECT.min(self.unpacked + piece.length);
        self.pieces.push(piece);
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

    /// Joins the wanted chunks that overlap or touch.
    fn close(&mut self) {
        self.wanted.sort_by_key(|chunks| chunks.start);
        self.wanted.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            if joins {
                last.end = last.end.max(next.end);
            }
            joins
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Object, length, chunks.
    type OfTerm = (&'static str, u64, [u32; 2]);

    /// Object, chunks, bytes.
    type OfPart = (&'static str, [u32; 2], [u64; 2]);

    fn plan(offset: u64, terms: &[OfTerm], parts: &[OfPart]) -> Value {
        let terms: Vec<_> = terms
            .iter()
            .map(|(hash, length, [start, end])| {
                json!({ "hash": hash, "unpacked_length": length, "range": { "start": start, "end": end } })
            })
            .collect();
        let mut xorbs = serde_json::Map::new();
        for (hash, chunks, bytes) in parts {
            let ranges = json!([{
                "chunks": { "start": chunks[0], "end": chunks[1] },
                "bytes": { "start": bytes[0], "end": bytes[1] },
            }]);
            let fetch =
                json!({ "url": format!("https://cas/{hash}?{}", chunks[0]), "ranges": ranges });
            let all = xorbs.entry(*hash).or_insert_with(|| json!([]));
            all.as_array_mut().unwrap().push(fetch);
        }
        json!({ "offset_into_first_range": offset, "terms": terms, "xorbs": xorbs })
    }

    fn read(plan: &Value, wanted: u64) -> Result<Vec<Block>, &'static str> {
        super::read(plan.to_string().as_bytes(), &(1_000..1_000 + wanted))
    }

    /// Where each piece of a block begins, what of its chunks is skipped, and what is taken.
    fn pieces(block: &Block) -> Vec<(u64, u64, u64)> {
        block.pieces.iter().map(|piece| (piece.at, piece.skip, piece.take)).collect()
    }

    #[test]
    fn terms_become_pieces_of_shared_blocks() {
        let terms = [("a", 100, [2, 4]), ("b", 50, [0, 1]), ("a", 70, [3, 5]), ("a", 60, [8, 9])];
        let parts = [("a", [8, 9], [90, 99]), ("a", [0, 6], [0, 80]), ("b", [0, 9], [7, 7])];
        let blocks = read(&plan(30, &terms, &parts), 200).unwrap();
        let [first, second, third] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!(pieces(first), [(1_000, 30, 70), (1_120, 0, 70)]);
        assert_eq!((pieces(second), pieces(third)), (vec![(1_070, 0, 50)], vec![(1_190, 0, 10)]));
        assert_eq!((first.wanted.len(), first.unpacked), (1, 170));
        assert_eq!(first.wanted[0], 2..5);
        assert_eq!(
            (first.bytes.clone(), second.bytes.clone(), third.url.query()),
            (0..81, 7..8, Some("8"))
        );
    }

    #[test]
    fn a_plan_is_limited_to_what_is_missing() {
        let terms = [("a", 100, [2, 4]), ("b", 50, [0, 1]), ("a", 70, [3, 5])];
        let parts = [("a", [0, 6], [0, 80]), ("b", [0, 9], [7, 7])];
        let limited = |to: &[[u64; 2]]| {
            let to: Vec<_> = to.iter().map(|[start, end]| *start..*end).collect();
            let blocks = read(&plan(30, &terms, &parts), 190).unwrap();
            let blocks = super::limited(blocks, &to);
            blocks.iter().map(pieces).collect::<Vec<_>>()
        };
        let all = limited(&[[1_000, 1_190]]);
        assert_eq!(all, [vec![(1_000, 30, 70), (1_120, 0, 70)], vec![(1_070, 0, 50)]]);
        let some = limited(&[[1_010, 1_020], [1_030, 1_040], [1_180, 1_500]]);
        assert_eq!(some, [[(1_010, 40, 10), (1_030, 60, 10), (1_180, 60, 10)]]);
        // The first use may be a later one then.
        assert_eq!(limited(&[[1_100, 1_130]]), [vec![(1_100, 30, 20)], vec![(1_120, 0, 10)]]);
        assert_eq!(limited(&[[0, 1_000], [1_190, 2_000]]), [[]; 0]);
    }

    #[test]
    fn the_wanted_bytes_of_a_piece_are_returned_as_they_arrive() {
        let bytes = Bytes::from_static(b"0123456789");
        let mut piece = Piece { at: 50, chunks: 0..9, length: 30, skip: 15, take: 10 };
        let arrived = [(); 3].map(|()| piece.arrived(&bytes).unwrap());
        let right = |at, bytes| Some((at, Bytes::from_static(bytes)));
        assert_eq!(arrived, [None, right(50, b"56789"), right(55, b"01234")]);
        assert_eq!((piece.length, piece.take), (0, 0));
        assert_eq!(piece.arrived(&Bytes::new()), Ok(None));
        piece.arrived(&bytes).unwrap_err();
    }

    #[test]
    fn the_first_version_of_the_protocol_is_understood() {
        let old = json!({
            "offset_into_first_range": 0,
            "terms": [{ "hash": "a", "unpacked_length": 9, "range": { "start": 1, "end": 2 } }],
            "fetch_info": { "a": [{
                "url": "http://cas/a", "range": { "start": 0, "end": 3 }, "url_range": { "start": 5, "end": 9 },
            }] },
        });
        let blocks = read(&old, 9).unwrap();
        assert_eq!((blocks[0].bytes.clone(), blocks[0].pieces[0].take), (5..10, 9));
    }

    #[test]
    fn hostile_plans_are_refused() {
        let parts = [("a", [0, 8192], [0, 1000])];
        let cases: &[(u64, &[OfTerm], u64)] = &[
            // A gap at the end, nothing at all, and more than was asked for.
            (0, &[("a", 100, [0, 1])], 101),
            (0, &[], 1),
            (0, &[("a", 100, [0, 1]), ("a", 100, [1, 2])], 100),
            // Wrong offsets and sizes.
            (100, &[("a", 100, [0, 1])], 1),
            (u64::MAX, &[("a", 100, [0, 1])], 1),
            (0, &[("a", 0, [0, 1]), ("a", 1, [0, 1])], 1),
            (0, &[("a", CHUNK + 1, [0, 1])], 1),
            (0, &[("a", OBJECT + 1, [0, 8192])], 1),
            (0, &[("a", u64::from(u32::MAX), [0, 8192])], 1),
            (0, &[("a", u64::MAX, [0, 8192])], 1),
            // Chunks that do not exist, and objects without an address.
            (0, &[("a", 1, [5, 5])], 1),
            (0, &[("a", 1, [5, 4])], 1),
            (0, &[("a", 1, [8192, 8193])], 1),
            (0, &[("b", 1, [0, 1])], 1),
        ];
        for (offset, terms, wanted) in cases {
            read(&plan(*offset, terms, &parts), *wanted).unwrap_err();
        }
        let term = [("a", 1, [0, 1])];
        let parts: &[OfPart] = &[
            ("a", [1, 2], [0, 9]),
            ("a", [0, 8193], [0, 9]),
            ("a", [0, 1], [9, 8]),
            ("a", [0, 1], [0, PACKED]),
            ("a", [0, 1], [0, u64::MAX]),
            ("a", [0, 1], [u64::MAX, u64::MAX]),
        ];
        for part in parts {
            read(&plan(0, &term, &[*part]), 1).unwrap_err();
        }
        let mut other = plan(0, &term, &[("a", [0, 1], [0, 9])]);
        read(&other, 1).unwrap();
        for url in ["file:///etc/passwd", "cas/a", "data:,x", ""] {
            other["xorbs"]["a"][0]["url"] = json!(url);
            read(&other, 1).unwrap_err();
        }
        super::read(b"[]", &(0..1)).unwrap_err();
        super::read(b"{\"terms\":", &(0..1)).unwrap_err();
    }
}

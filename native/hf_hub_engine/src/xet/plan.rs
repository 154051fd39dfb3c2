//! The plan of a download: which chunks of which objects make up a range of a file.
//!
//! A storage sends it, so nothing in it is trusted: what a plan leads to is bounded by the range
//! that was asked for.

use std::{collections::HashMap, ops::Range};

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

/// What to fetch, and how the range is made of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    pub(super) blocks: Vec<Block>,
}

/// The next bytes of the range.
#[derive(Debug)]
pub(super) struct Piece {
    /// The index of the block.
    pub(super) block: usize,
    pub(super) chunks: Range<u32>,
    /// The number of bytes of the chunks.
    pub(super) length: u64,
    /// How many of them come before those that are wanted.
    pub(super) skip: u64,
    /// The number of bytes that are wanted.
    pub(super) take: u64,
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
    /// The number of its pieces.
    pub(super) uses: usize,
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

/// Reads a plan for `wanted` bytes; an error names what is wrong with it.
pub(super) fn read(body: &[u8], wanted: u64) -> Result<Plan, &'static str> {
    let sent: Sent = serde_json::from_slice(body).map_err(|_| "it is not the expected JSON")?;
    let mut offers = offers(&sent);
    let mut plan = Plan::default();
    let (mut left, mut skip) = (wanted, sent.offset_into_first_range);
    for term in &sent.terms {
        if left == 0 {
            return Err("it has more parts than were asked for");
        }
        let length = check(term, skip)?;
        let offers = offers.get_mut(term.hash.as_str()).map_or(&mut [][..], Vec::as_mut_slice);
        let offer = find(offers, term).ok_or("it does not say where to fetch a part")?;
        let block = if let Some(block) = offer.block {
            block
        } else {
            plan.blocks.push(open(offer)?);
            *offer.block.insert(plan.blocks.len() - 1)
        };
        let take = left.min(length - skip);
        let chunks = term.range.start..term.range.end;
        plan.blocks[block].add(&chunks, length);
        plan.pieces.push(Piece { block, chunks, length, skip, take });
        (left, skip) = (left - take, 0);
    }
    if left > 0 {
        return Err("it ends before the range that was asked for");
    }
    plan.blocks.iter_mut().for_each(Block::close);
    Ok(plan)
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
        uses: 0,
    })
}

impl Block {
    fn add(&mut self, chunks: &Range<u32>, length: u64) {
        self.wanted.push(chunks.clone());
        self.unpacked = OBJECT.min(self.unpacked + length);
        self.uses += 1;
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

    fn read(plan: &Value, wanted: u64) -> Result<Plan, &'static str> {
        super::read(plan.to_string().as_bytes(), wanted)
    }

    #[test]
    fn terms_become_pieces_of_shared_blocks() {
        let terms = [("a", 100, [2, 4]), ("b", 50, [0, 1]), ("a", 70, [3, 5]), ("a", 60, [8, 9])];
        let parts = [("a", [8, 9], [90, 99]), ("a", [0, 6], [0, 80]), ("b", [0, 9], [7, 7])];
        let plan = read(&plan(30, &terms, &parts), 200).unwrap();
        let shown: Vec<_> =
            plan.pieces.iter().map(|piece| (piece.block, piece.skip, piece.take)).collect();
        assert_eq!(shown, [(0, 30, 70), (1, 0, 50), (0, 0, 70), (2, 0, 10)]);
        let [first, second, third] = &plan.blocks[..] else { panic!("{:?}", plan.blocks) };
        assert_eq!((first.wanted.len(), first.uses, first.unpacked), (1, 2, 170));
        assert_eq!(first.wanted[0], 2..5);
        assert_eq!(
            (first.bytes.clone(), second.bytes.clone(), third.url.query()),
            (0..81, 7..8, Some("8"))
        );
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
        let plan = read(&old, 9).unwrap();
        assert_eq!((plan.blocks[0].bytes.clone(), plan.pieces[0].take), (5..10, 9));
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
        super::read(b"[]", 1).unwrap_err();
        super::read(b"{\"terms\":", 1).unwrap_err();
    }
}

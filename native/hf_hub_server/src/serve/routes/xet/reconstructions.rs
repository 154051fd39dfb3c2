//! How to make up a file, or a range of it, from ranges of xorbs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_RANGE, RANGE};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::super::super::call::Reply;
use super::super::super::content::{self, Wanted};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::response::{self, header_value};
use super::holder::Holder;
use super::token::Right;
use super::{Asked, answer, xorbs};
use crate::store::{Term, XetFile, XetHash, XorbIndex};

/// Maximum number of terms in a response; clients ask for the rest by a range.
const MAX_TERMS: usize = 1 << 20;

/// Handles `GET /v1/reconstructions/{hash}`.
pub(super) async fn v1(
    state: State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    answer(state, params, request, |asked| describe(asked, &fetch_info)).await
}

/// Handles `GET /v2/reconstructions/{hash}`.
pub(super) async fn v2(
    state: State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    answer(state, params, request, |asked| describe(asked, &xorbs_of)).await
}

fn describe(asked: &Asked, fetches: &dyn Fn(&Asked, &Plan) -> (&'static str, Value)) -> Reply {
    let holder = asked.holder(Right::Read)?;
    let file = find(asked, &holder)?;
    let range = match asked.headers().get(RANGE).and_then(|value| value.to_str().ok()) {
        None => 0..file.size,
        Some(range) => match content::parse_range(range, file.size) {
            Some(Wanted::Part(range)) => range,
            Some(Wanted::All) => 0..file.size,
            Some(Wanted::Nothing) => return Ok(not_satisfiable(file.size)),
            None => return Err(ApiError::bad_request("Invalid range")),
        },
    };
    let plan = Plan::new(asked, &file, &range)?;
    let (name, fetches) = fetches(asked, &plan);
    let mut body = json!({ "offset_into_first_range": plan.offset, "terms": plan.terms_json() });
    body[name] = fetches;
    Ok(response::json(&body))
}

/// Returns the file with the hash of the request, if its content belongs to the holder.
fn find(asked: &Asked, holder: &Holder) -> Result<XetFile, ApiError> {
    let hash = asked.hash()?.hex();
    let file = asked.hub.store.xet().by_hash(&hash)?;
    let is_held = |file: &XetFile| holder.holds(&asked.hub, &file.oid);
    match file {
        Some(file) if is_held(&file)? => Ok(file),
        _ => Err(ApiError::not_found(format!("There is no file {hash}"))),
    }
}

fn not_satisfiable(size: u64) -> Response {
    let header = [(CONTENT_RANGE, header_value(&format!("bytes */{size}")))];
    (StatusCode::RANGE_NOT_SATISFIABLE, header).into_response()
}

/// The chunks with a range of a file.
struct Plan {
    /// Where the range begins in the first chunk.
    offset: u64,
    terms: Vec<Term>,
    /// Which parts of xorbs are needed.
    parts: Vec<(XetHash, Vec<Part>)>,
}

/// Chunks of a xorb that follow each other, and where they are in it.
struct Part {
    chunks: Range<usize>,
    bytes: Range<u64>,
}

impl Plan {
    fn new(asked: &Asked, file: &XetFile, range: &Range<u64>) -> Result<Self, ApiError> {
        let store = asked.hub.store.xet();
        let mut terms = store.terms(file.id(), range, MAX_TERMS)?;
        let mut indices = store.indices();
        let mut offset = 0;
        let mut needed = HashMap::<_, Vec<_>>::new();
        let count = terms.len();
        for (at, term) in terms.iter_mut().enumerate() {
            let index = indices.get(&term.xorb)?;
            if at == 0 {
                offset = begin_at(term, &index, range.start);
            }
            if at + 1 == count {
                end_at(term, &index, range.end);
            }
            let part = Part { chunks: term.chunks.clone(), bytes: index.packed(&term.chunks) };
            needed.entry(term.xorb).or_default().push(part);
        }
        let parts = needed.into_iter().map(|(xorb, parts)| (xorb, merge(parts))).collect();
        Ok(Self { offset, terms, parts })
    }

    fn terms_json(&self) -> Vec<Value> {
        let terms = self.terms.iter().map(|term| {
            json!({
                "hash": term.xorb.hex(),
                "unpacked_length": term.size,
                "range": { "start": term.chunks.start, "end": term.chunks.end },
            })
        });
        terms.collect()
    }

    /// Returns an object with the description of the parts of each xorb.
    fn per_xorb(&self, asked: &Asked, describe: fn(&str, &Part) -> Value) -> Value {
        let xorbs = self.parts.iter().map(|(xorb, parts)| {
            let describe = |part: &Part| describe(&xorbs::link(asked, xorb, &part.bytes), part);
            (xorb.hex(), parts.iter().map(describe).collect())
        });
        Value::Object(xorbs.collect::<Map<_, _>>())
    }
}

fn fetch_info(asked: &Asked, plan: &Plan) -> (&'static str, Value) {
    let fetches = plan.per_xorb(asked, |url, part| {
        json!({ "url": url, "range": chunks_json(part), "url_range": bytes_json(part) })
    });
    ("fetch_info", fetches)
}

/// Each part has a link of its own: a link is for the bytes that its reader may see.
fn xorbs_of(asked: &Asked, plan: &Plan) -> (&'static str, Value) {
    let fetches = plan.per_xorb(asked, |url, part| {
        json!({ "url": url, "ranges": [{ "chunks": chunks_json(part), "bytes": bytes_json(part) }] })
    });
    ("xorbs", fetches)
}

fn chunks_json(part: &Part) -> Value {
    json!({ "start": part.chunks.start, "end": part.chunks.end })
}

fn bytes_json(part: &Part) -> Value {
    // The end is part of it, as in a `Range` header.
    json!({ "start": part.bytes.start, "end": part.bytes.end - 1 })
}

/// Removes the chunks before a position in the file; returns where it is in the first one left.
fn begin_at(term: &mut Term, index: &XorbIndex, position: u64) -> u64 {
    let unpacked = index.unpacked(&term.chunks);
    let wanted = unpacked.start + position.saturating_sub(term.start);
    let first = index.chunk_at(wanted).clamp(term.chunks.start, term.chunks.end - 1);
    let begin = index.unpacked(&(first..term.chunks.end)).start;
    term.chunks.start = first;
    term.start += begin - unpacked.start;
    term.size -= begin - unpacked.start;
    wanted - begin
}

/// Removes the chunks after a position in the file.
fn end_at(term: &mut Term, index: &XorbIndex, position: u64) {
    let unpacked = index.unpacked(&term.chunks);
    let last = unpacked.start + position.saturating_sub(term.start).max(1) - 1;
    let end = (index.chunk_at(last) + 1).clamp(term.chunks.start + 1, term.chunks.end);
    term.size -= unpacked.end - index.unpacked(&(term.chunks.start..end)).end;
    term.chunks.end = end;
}

/// Joins parts that overlap or touch.
fn merge(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| part.chunks.start);
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.chunks.start <= last.chunks.end => {
                last.chunks.end = last.chunks.end.max(part.chunks.end);
                last.bytes.end = last.bytes.end.max(part.bytes.end);
            }
            _ => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(chunks: &[Range<usize>]) -> Vec<Range<usize>> {
        let bytes = |at: usize| 100 * at as u64;
        let parts = chunks.iter().map(|chunks| Part {
            chunks: chunks.clone(),
            bytes: bytes(chunks.start)..bytes(chunks.end),
        });
        let merged = merge(parts.collect());
        for part in &merged {
            assert_eq!(part.bytes, bytes(part.chunks.start)..bytes(part.chunks.end));
        }
        merged.into_iter().map(|part| part.chunks).collect()
    }

    #[test]
    fn joins_parts_that_overlap_or_touch() {
        assert_eq!(joined(&[4..6, 0..2, 2..3, 5..9, 12..13]), [0..3, 4..9, 12..13]);
        assert_eq!(joined(&[0..9, 1..2, 20..21]), [0..9, 20..21]);
    }
}

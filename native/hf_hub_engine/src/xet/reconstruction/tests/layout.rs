//! A storage whose files are made of chunks of some objects, in an order that each test chooses.

use std::{collections::BTreeMap, io::Write, sync::Arc};

use lz4_flex::frame::FrameEncoder;

use super::*;

/// Number of bytes of a chunk.
pub(super) const CHUNK: u64 = 64 << 10;

/// For each chunk of the file its object, and its number in that.
#[derive(Clone)]
pub(super) struct Layout(pub(super) Arc<Vec<(u8, u32)>>);

impl Layout {
    pub(super) fn new(chunks: impl IntoIterator<Item = (u8, u32)>) -> Self {
        Self(Arc::new(chunks.into_iter().collect()))
    }

    pub(super) fn size(&self) -> u64 {
        self.0.len() as u64 * CHUNK
    }

    /// Serves the file, with `extra` bytes in a plan of so many bytes of it.
    pub(super) async fn serve(&self, extra: fn(u64) -> usize) -> Server {
        let (layout, objects) = (self.clone(), self.objects());
        Server::answering(move |head| {
            let Range { start, end } = asked(head);
            let Some(object) = head.strip_prefix("get /object/") else {
                let mut plan = layout.plan(&objects, start..end, host(head));
                plan["extra"] = "x".repeat(extra(end - start)).into();
                return json_reply(&plan);
            };
            let object = &objects[&object.split(' ').next().unwrap().parse().unwrap()];
            let range = format!("content-range: bytes {start}-{}/*\r\n", end - 1);
            let bytes = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            reply("206 Partial Content", &range, &object.packed[bytes])
        })
        .await
    }

    fn objects(&self) -> BTreeMap<u8, Object> {
        let mut counts = BTreeMap::new();
        for (object, chunk) in self.0.iter() {
            let count = counts.entry(*object).or_insert(0);
            *count = (*count).max(chunk + 1);
        }
        counts.into_iter().map(|(name, count)| (name, Object::new(name, count))).collect()
    }

    /// Each chunk is a term.
    fn plan(&self, objects: &BTreeMap<u8, Object>, range: Range<u64>, host: &str) -> Value {
        let index = |chunk: u64| usize::try_from(chunk).unwrap();
        let wanted = &self.0[index(range.start / CHUNK)..index(range.end.div_ceil(CHUNK))];
        let term = |(object, chunk): &(u8, u32)| {
            let chunks = bounds(u64::from(*chunk)..u64::from(*chunk) + 1);
            json!({ "hash": object.to_string(), "unpacked_length": CHUNK, "range": chunks })
        };
        let mut used: BTreeMap<u8, Range<u32>> = BTreeMap::new();
        for (object, chunk) in wanted {
            let used = used.entry(*object).or_insert(*chunk..*chunk + 1);
            *used = used.start.min(*chunk)..used.end.max(chunk + 1);
        }
        let part = |(name, chunks): (u8, Range<u32>)| {
            let at = |chunk: u32| objects[&name].starts[usize::try_from(chunk).unwrap()];
            let bytes = bounds(at(chunks.start)..at(chunks.end) - 1);
            let chunks = bounds(u64::from(chunks.start)..u64::from(chunks.end));
            let ranges = json!([{ "chunks": chunks, "bytes": bytes }]);
            let fetch =
                json!([{ "url": format!("http://{host}/object/{name}"), "ranges": ranges }]);
            (name.to_string(), fetch)
        };
        json!({
            "offset_into_first_range": range.start % CHUNK,
            "terms": wanted.iter().map(term).collect::<Vec<_>>(),
            "xorbs": used.into_iter().map(part).collect::<serde_json::Map<_, _>>(),
        })
    }

    /// Returns what a byte of the file is.
    pub(super) fn byte(&self, at: u64) -> u8 {
        let (object, chunk) = self.0[usize::try_from(at / CHUNK).unwrap()];
        byte(object, chunk)
    }
}

struct Object {
    packed: Vec<u8>,
    /// Where its chunks begin, and where the last one ends.
    starts: Vec<u64>,
}

impl Object {
    fn new(name: u8, count: u32) -> Self {
        let mut object = Self { packed: Vec::new(), starts: vec![0] };
        for chunk in 0..count {
            let mut frame = FrameEncoder::new(Vec::new());
            frame.write_all(&vec![byte(name, chunk); usize::try_from(CHUNK).unwrap()]).unwrap();
            let frame = frame.finish().unwrap();
            let (packed, length) = (frame.len().to_le_bytes(), CHUNK.to_le_bytes());
            object.packed.extend([&[0], &packed[..3], &[1], &length[..3], &frame].concat());
            object.starts.push(object.packed.len() as u64);
        }
        object
    }
}

/// What each byte of a chunk is.
fn byte(object: u8, chunk: u32) -> u8 {
    object.wrapping_mul(31).wrapping_add(chunk.to_le_bytes()[0])
}

/// Returns the bytes that a request asks for.
fn asked(head: &str) -> Range<u64> {
    let range = head.split("range: bytes=").nth(1).and_then(|rest| rest.lines().next());
    let (first, last) = range.and_then(|range| range.split_once('-')).unwrap();
    first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
}

//! Plans that a storage sends, and those that none should send.

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
        let fetch = json!({ "url": format!("https://cas/{hash}?{}", chunks[0]), "ranges": ranges });
        let all = xorbs.entry(*hash).or_insert_with(|| json!([]));
        all.as_array_mut().unwrap().push(fetch);
    }
    json!({ "offset_into_first_range": offset, "terms": terms, "xorbs": xorbs })
}

fn read(plan: &Value, wanted: u64) -> Result<Vec<Block>, &'static str> {
    super::read(plan.to_string().as_bytes(), &(1_000..1_000 + wanted))
}

fn vec_of(range: Range<u32>) -> Vec<Range<u32>> {
    std::iter::once(range).collect()
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
    assert_eq!(super::memory(&blocks), 4 * PIECE);
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
fn chunks_that_are_used_again_and_again_count_once() {
    let terms: Vec<OfTerm> = (0..2_000)
        .map(|n| if n % 2 == 0 { ("a", 60_000, [3, 4]) } else { ("a", 70_000, [4, 5]) })
        .collect();
    let [block] = &read(&plan(0, &terms, &[("a", [0, 9], [0, 900_000])]), 130_000_000).unwrap()[..]
    else {
        panic!()
    };
    assert_eq!((block.pieces.len(), block.unpacked), (2_000, 130_000));
    assert_eq!(block.wanted, vec_of(3..5));
}

#[test]
fn a_block_is_split_after_its_first_piece() {
    let terms = [("a", 100, [2, 4]), ("b", 50, [0, 1]), ("a", 70, [3, 5]), ("a", 60, [5, 6])];
    let parts = [("a", [0, 6], [0, 80]), ("b", [0, 9], [7, 7])];
    let mut blocks = read(&plan(0, &terms, &parts), 280).unwrap();
    let mut rest = blocks[0].split().unwrap();
    assert_eq!(
        (pieces(&blocks[0]), pieces(&rest)),
        (vec![(1_000, 0, 100)], vec![(1_150, 0, 70), (1_220, 0, 60)])
    );
    assert_eq!((blocks[0].wanted.clone(), blocks[0].unpacked), (vec_of(2..4), 100));
    assert_eq!((rest.wanted.clone(), rest.unpacked), (vec_of(3..6), 130));
    // Chunk 3 is wanted again, which chunk 4 is not.
    rest.skip_to(40, 4);
    assert_eq!((rest.bytes.clone(), rest.chunks.clone()), (0..81, 0..6));
    rest.skip_to(30, 3);
    assert_eq!((rest.bytes.clone(), rest.chunks.clone()), (30..81, 3..6));
    assert!(blocks[1].split().is_none());
}

#[test]
fn plans_that_cost_far_more_than_they_bring_are_refused() {
    const SPAN: u64 = 16 << 20;
    // Terms of a few bytes, and a large object for each.
    let tiny = |count: u64| vec![("a", SPAN / count, [0, 1_000]); usize::try_from(count).unwrap()];
    let part = [("a", [0, 1_000], [0, 1_000])];
    let read =
        |terms: &[OfTerm], parts: &[OfPart]| super::tests::read(&plan(0, terms, parts), SPAN);
    assert_eq!(read(&tiny(4_096), &part).unwrap()[0].pieces.len(), 4_096);
    let error = read(&tiny(1 << 17), &part).unwrap_err();
    assert!(error.contains("smaller parts"), "{error}");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let terms: Vec<OfTerm> = names.map(|name| (name, SPAN / 8, [0, 1_000])).to_vec();
    let parts = |bytes: u64| names.map(|name| (name, [0, 1_000], [0, bytes]));
    read(&terms, &parts(40 << 20)).unwrap();
    let error = read(&terms, &parts(60 << 20)).unwrap_err();
    assert!(error.contains("far more bytes"), "{error}");
    let lists = [
        br#"{"terms":[],"offset_into_first_range":0,"xorbs":{"#,
        &br#""a":[],"#.repeat(9_999)[..],
        br#""b":[]}}"#,
    ]
    .concat();
    let error = super::read(&lists, &(0..SPAN)).unwrap_err();
    assert!(error.contains("more lists"), "{error}");
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

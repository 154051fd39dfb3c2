//! Files of many small terms: deduplicated, interrupted, or sent by a hostile storage.

use std::io::Write;

use super::{
    layout::{CHUNK, Layout},
    *,
};

const MIB: u64 = 1 << 20;

fn no_extra(_: u64) -> usize {
    0
}

fn of(layout: &Layout, server: &Server, memory: &Memory, order: Order) -> Reconstruction {
    let range = 0..layout.size();
    ranges_of(server, memory, order, vec![range])
}

fn ranges_of(
    server: &Server,
    memory: &Memory,
    order: Order,
    ranges: Vec<Range<u64>>,
) -> Reconstruction {
    let requests = requests(server, &Shared::default());
    Reconstruction::new(requests, memory.clone(), 4, ranges, order)
}

/// Reads to a position of the file, or to its end; checks the bytes and returns how many there were.
async fn read_to(end: u64, layout: &Layout, download: &mut Reconstruction) -> Result<u64> {
    let mut read = 0;
    while download.returned.prefix() < end
        && let Some((at, bytes)) = download.next().await?
    {
        read += bytes.len() as u64;
        for (at, piece) in (at..).step_by(usize::try_from(CHUNK).unwrap()).zip(bytes.chunks(65_536))
        {
            assert!([piece[0], piece[piece.len() - 1]] == [layout.byte(at); 2], "{at}");
        }
    }
    Ok(read)
}

/// Every request for an object.
fn fetched(server: &Server) -> usize {
    sent(server, "/object").len()
}

#[tokio::test]
async fn a_file_of_repeated_chunks_takes_a_request_for_each_object_and_window() {
    // 512 MiB: one chunk, and two that alternate.
    for objects in [1, 2] {
        let layout = Layout::new((0..8_192_u32).map(|n| (u8::from(n % objects == 1), 0)));
        for order in [Order::OfTheFile, Order::OfArrival] {
            let server = layout.serve(no_extra).await;
            let memory = Memory::new(128 * MIB);
            let mut download = of(&layout, &server, &memory, order);
            assert_eq!(
                read_to(layout.size(), &layout, &mut download).await.unwrap(),
                layout.size()
            );
            assert_eq!((sent(&server, "/v2").len(), fetched(&server)), (4, 4 * objects as usize));
        }
    }
}

#[tokio::test]
async fn only_gaps_that_are_near_to_each_other_share_a_plan() {
    let layout = Layout::new((0..128).map(|n| (u8::from(n % 2 == 1), n / 2)));
    let server = layout.serve(no_extra).await;
    // Every fourth chunk of the first half, and one at the end.
    let gaps: Vec<_> =
        (0..64).step_by(4).chain([126]).map(|n| n * CHUNK..(n + 1) * CHUNK).collect();
    let memory = Memory::new(64 * MIB);
    for order in [Order::OfArrival, Order::OfTheFile] {
        let mut download = ranges_of(&server, &memory, order, gaps.clone());
        let read = read_to(u64::MAX, &layout, &mut download).await.unwrap();
        assert_eq!(read, 17 * CHUNK);
    }
    // The chunks of the second object are not needed.
    assert_eq!((sent(&server, "/v2").len(), fetched(&server)), (2 * 2, 2 * 2));
}

#[tokio::test]
async fn a_plan_that_is_too_large_is_followed_by_one_of_less() {
    let layout = Layout::new((0..128).map(|n| (0, n)));
    let server = layout.serve(|span| if span > 3 * MIB { 300 << 10 } else { 0 }).await;
    let mut download = of(&layout, &server, &Memory::new(64 * MIB), Order::OfTheFile);
    assert_eq!(read_to(u64::MAX, &layout, &mut download).await.unwrap(), layout.size());
    // Of 8, 4 and 2 MiB, and three more of 2.
    assert_eq!(sent(&server, "/v2").len(), 6);
}

/// Four objects, each of which is needed from its end on: the next bytes of the file are always the
/// last ones to arrive.
fn backwards(chunks: u32) -> Layout {
    Layout::new((0..chunks).map(|n| (u8::try_from(n % 4).unwrap(), (chunks - 1 - n) / 4)))
}

#[tokio::test]
async fn what_does_not_fit_into_the_memory_is_fetched_when_it_is_next() {
    let layout = backwards(256);
    let server = layout.serve(no_extra).await;
    let memory = Memory::new(MIB);
    let mut download = of(&layout, &server, &memory, Order::OfTheFile);
    let mut most = 0;
    for end in (0..layout.size()).step_by(usize::try_from(CHUNK).unwrap()) {
        read_to(end + CHUNK, &layout, &mut download).await.unwrap();
        most = most.max(download.held.values().map(|held| held.bytes.len() as u64).sum());
    }
    assert!(most <= MIB + OWN, "{most}");
    assert!(fetched(&server) > 16, "{}", fetched(&server));
    assert_eq!(memory.free(), MIB);
}

#[tokio::test]
async fn what_a_reader_collects_is_not_waited_for() {
    let layout = Layout::new((0..256).map(|n| (0, n)));
    let server = layout.serve(no_extra).await;
    let mut download = of(&layout, &server, &Memory::new(0), Order::OfTheFile);
    let mut collected = Vec::new();
    while let Some((_, bytes)) = download.next().await.unwrap() {
        collected.push(bytes);
    }
    assert_eq!(collected.iter().map(|bytes| bytes.len() as u64).sum::<u64>(), layout.size());
}

#[tokio::test]
async fn what_is_being_written_takes_memory_until_it_is_written() {
    let layout = Layout::new((0..256).map(|n| (0, n)));
    let server = layout.serve(no_extra).await;
    let memory = Memory::new(8 * MIB);
    let mut download = of(&layout, &server, &memory, Order::OfArrival);
    let mut writing = VecDeque::new();
    while let Some((_, bytes)) = download.next().await.unwrap() {
        writing.push_back(bytes);
        if writing.len() == 3 {
            assert!(memory.free() <= 8 * MIB - FLEETING);
            writing.pop_front();
        }
    }
    drop(download);
    // Its tasks end at their next turn.
    tokio::task::yield_now().await;
    assert_eq!(memory.free(), 8 * MIB - FLEETING);
    writing.clear();
    assert_eq!(memory.free(), 8 * MIB);
}

#[tokio::test]
async fn a_plan_that_leads_to_the_same_bytes_again_and_again_is_refused() {
    let layout = backwards(256);
    let server = layout.serve(no_extra).await;
    let mut download = of(&layout, &server, &Memory::new(0), Order::OfTheFile);
    // As if it had gone on for long.
    download.again = AGAIN + AGAIN_EACH * layout.size();
    let error = read_to(u64::MAX, &layout, &mut download).await.unwrap_err();
    assert!(error.message().contains("again and again"), "{error:?}");
    assert_eq!((error.kind(), error.is_from_a_store()), (ErrorKind::InvalidResponse, true));
}

/// Reads some ranges, and keeps the last bytes as long as a disk may; returns how many there were.
async fn read_some(layout: Layout, mut download: Reconstruction) -> Result<u64> {
    let (mut read, mut last) = (0, None);
    while let Some((at, bytes)) = download.next().await? {
        read += bytes.len() as u64;
        assert!((at..).zip(&bytes).step_by(509).all(|(at, byte)| layout.byte(at) == *byte), "{at}");
        last = Some(bytes);
        tokio::task::yield_now().await;
    }
    drop(last);
    Ok(read)
}

#[tokio::test]
async fn no_download_waits_for_another_whatever_the_files_are_made_of() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..12 {
        let (objects, deep) = (random.u8(1..5), random.u32(1..48));
        let chunks = random.usize(1..96);
        let chunk = || (random.u8(0..objects), random.u32(0..deep));
        let layout = Layout::new(std::iter::repeat_with(chunk).take(chunks).collect::<Vec<_>>());
        let server = layout.serve(no_extra).await;
        let budget = random.u64(0..8) * MIB / 2;
        let memory = Memory::new(budget);
        let mut running = JoinSet::new();
        let mut wanted = 0;
        for order in [Order::OfTheFile, Order::OfArrival, Order::OfTheFile, Order::OfArrival] {
            let cuts = std::iter::repeat_with(|| random.u64(0..layout.size())).take(6);
            let ranges: Ranges = cuts.map(|at| at..(at + CHUNK).min(layout.size())).collect();
            wanted += ranges.total();
            let download = ranges_of(&server, &memory, order, ranges.iter().collect());
            running.spawn(read_some(layout.clone(), download));
        }
        let all = tokio::time::timeout(LONG, running.join_all()).await.unwrap();
        assert_eq!(all.into_iter().map(Result::unwrap).sum::<u64>(), wanted);
        // Tasks of downloads that are dropped end at their next turn.
        let freed = async {
            while memory.free() < budget {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, freed).await.unwrap();
        assert_eq!(memory.free(), budget);
    }
}

/// The process of the next test, alone because memory is that of a process.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by the test of the memory"]
async fn read_four_hostile_streams() {
    let layout = backwards(768);
    let server = layout.serve(no_extra).await;
    let memory = Memory::new(4 * MIB);
    let mut downloads: Vec<_> =
        (0..4).map(|_| of(&layout, &server, &memory, Order::OfTheFile)).collect();
    let before = resident("VmRSS:");
    for download in &mut downloads {
        read_to(CHUNK, &layout, download).await.unwrap();
    }
    for download in &mut downloads {
        read_to(layout.size(), &layout, download).await.unwrap();
    }
    let took = resident("VmHWM:").saturating_sub(before);
    writeln!(std::io::stdout(), "took {took} KiB").unwrap();
}

#[cfg(target_os = "linux")]
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn streams_of_hostile_plans_share_one_budget() {
    let name = "xet::reconstruction::tests::fragmented::read_four_hostile_streams";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let took = output.split("took ").nth(1).and_then(|rest| rest.split(' ').next());
    let took: u64 = took.unwrap_or_else(|| panic!("{child:?}")).parse().unwrap();
    // The budget of 4 MiB, and less than 6 MiB of each stream; they were 48 MiB each.
    assert!(took < (4 + 4 * 6 + 12) << 10, "{took} KiB");
}

//! One call of the crate `hf-hub`; prints the microseconds it took. The twin of `ours.ex` and `peer.py`.
//!
//! Usage: `hf_hub_rs file|local_dir|snapshot|hit ENDPOINT CACHE REPO COMMIT`, or `hf_hub_rs version`; with `bare`
//! before them, `file`, `snapshot` and `version` are those of `bare.rs`.
//!
//! It does not cut a file into ranges or run files side by side itself: the crate's own calls are what is measured.

mod bare;

use std::error::Error;
use std::time::{Duration, Instant};

use hf_hub::repository::{HFRepository, RepoTypeModel};
use hf_hub::{HFClient, split_id};

const CALLS: u32 = 1_000;
/// As many files at once as this library; the crate reads one file by one connection.
const WORKERS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    match arguments[..] {
        ["version"] => println!("hf-hub {}", version()?),
        ["bare", "version"] => {
            println!("bare: recv, pwrite, SHA-256 and fdatasync in three threads")
        }
        ["bare", task, endpoint, folder, repo, _commit] => {
            let start = Instant::now();
            let done = match task {
                "file" => bare::file(endpoint, folder, repo, "model.bin"),
                "snapshot" => bare::snapshot(endpoint, folder, repo),
                other => Err(format!("unknown task: {other}").into()),
            };
            done.map_err(|failure| failure.to_string())?;
            println!("{}", start.elapsed().as_secs_f64() * 1e6);
        }
        [task, endpoint, cache, repo, commit] => {
            let client = HFClient::builder().endpoint(endpoint).cache_dir(cache).build()?;
            let (owner, name) = split_id(repo);
            let elapsed = measure(task, &client.model(owner, name), commit, cache).await?;
            println!("{}", elapsed.as_secs_f64() * 1e6);
        }
        _ => return Err("the usage stands at the top of main.rs".into()),
    }
    Ok(())
}

/// How long one call takes.
async fn measure(
    task: &str,
    repo: &HFRepository<RepoTypeModel>,
    commit: &str,
    folder: &str,
) -> Result<Duration, Box<dyn Error>> {
    let hit = || repo.download_file().filename("model.bin").revision(commit).send();
    if task == "hit" {
        hit().await?;
    }
    let start = Instant::now();
    match task {
        "file" => drop(repo.download_file().filename("model.bin").send().await?),
        "local_dir" => {
            drop(repo.download_file().filename("model.bin").local_dir(folder).send().await?);
        }
        "snapshot" => drop(repo.snapshot_download().max_workers(WORKERS).send().await?),
        "hit" => {
            for _ in 0..CALLS {
                hit().await?;
            }
            return Ok(start.elapsed() / CALLS);
        }
        other => return Err(format!("unknown task: {other}").into()),
    }
    Ok(start.elapsed())
}

/// The crate does not tell its version; the lock file that it was built by does.
fn version() -> Result<&'static str, &'static str> {
    let mut lines = include_str!("../Cargo.lock").lines();
    let found = lines.find(|line| *line == "name = \"hf-hub\"").and_then(|_| lines.next());
    let version = found.and_then(|line| line.strip_prefix("version = ")).ok_or("not locked")?;
    Ok(version.trim_matches('"'))
}

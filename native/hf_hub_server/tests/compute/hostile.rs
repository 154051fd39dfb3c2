//! Jobs that try to outlive their end or to fill the machine.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Hub, assert_gone, processes_with};

fn marked(hub: &Hub, name: &str) -> (String, Value) {
    let mark = format!("{name}-{}", hub.root.path().display());
    (mark.clone(), json!({ "environment": { "MARK": mark } }))
}

#[tokio::test]
async fn a_job_that_forks_and_ignores_sigterm_is_killed_as_a_whole() {
    let hub = Hub::new(&[]);
    let (mark, more) = marked(&hub, "forks");
    let script = "trap '' TERM; (setsid sleep 300 &) ; (sh -c 'trap \"\" TERM; sleep 300; sleep 300' &); \
                  echo ready; sleep 300; sleep 300";
    let job = hub.run(script, more).await;
    let mut log = hub.server.get_as(crate::ANN, &format!("{job}/logs")).await;
    let mut text = String::new();
    while !text.contains("ready") {
        text.push_str(&String::from_utf8_lossy(&log.chunk().await.unwrap().unwrap()));
    }
    assert!(processes_with(&mark) >= 4);
    let (status, _) = hub.send(Method::POST, &format!("{job}/cancel"), json!(null)).await;
    assert_eq!(status, 200);
    assert_gone(&mark).await;
    assert_eq!(hub.ended(&job).await["status"]["stage"], "CANCELED");
}

#[tokio::test]
async fn what_a_job_leaves_behind_ends_with_it() {
    let hub = Hub::new(&[]);
    let (mark, more) = marked(&hub, "leaves");
    let job =
        hub.run("(setsid sh -c 'trap \"\" TERM; sleep 300' > /dev/null 2>&1 &); echo end", more);
    let job = hub.ended(&job.await).await;
    assert_eq!(job["status"]["stage"], "COMPLETED");
    assert_gone(&mark).await;
}

#[tokio::test]
async fn endless_output_is_read_and_its_log_is_bounded() {
    let hub = Hub::new(&["--job-log", "64"]);
    let job = hub.run("yes | head -c 3000000; head -c 100000 /dev/zero; echo end", json!({})).await;
    assert_eq!(hub.ended(&job).await["status"]["stage"], "COMPLETED");
    let log = hub.log(&job, "").await;
    assert_eq!(log.last().unwrap(), "[a log has at most 65536 bytes; the rest was dropped]");
    let id = job.rsplit('/').next().unwrap();
    let file = hub.root.path().join("jobs/logs").join(format!("{id}.log"));
    assert!(std::fs::metadata(file).unwrap().len() < 70_000);
}

#[tokio::test]
async fn a_job_that_exceeds_a_limit_is_killed() {
    let hub = Hub::new(&["--job-disk", "2", "--job-memory", "64", "--job-processes", "50"]);
    for (script, message) in [
        (
            "for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero > f$i; done; sleep 300",
            "2 MiB to its folder",
        ),
        ("for i in $(seq 90); do sleep 300 & done; wait", "more than 50 processes"),
        // One process cannot exceed it; several can.
        (
            "for i in 1 2 3 4 5 6 7 8; do sh -c 'x=$(head -c 15000000 /dev/zero | tr \"\\0\" x); sleep 300' & done; wait",
            "more than 64 MiB of memory",
        ),
    ] {
        let (mark, more) = marked(&hub, "exceeds");
        let job = hub.ended(&hub.run(script, more).await).await;
        let found = job["status"]["message"].as_str().unwrap_or_default();
        assert!(found.contains(message), "{script}: {job}");
        assert_gone(&mark).await;
    }
    let big = hub.ended(&hub.run("head -c 9000000 /dev/zero > f", json!({})).await).await;
    assert_eq!(big["status"]["stage"], "ERROR", "{big}");
    let greedy = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}";
    let greedy = hub.ended(&hub.run(greedy, json!({})).await).await;
    assert_eq!(greedy["status"]["stage"], "ERROR", "{greedy}");
}

#[tokio::test]
async fn a_job_that_stops_its_supervisor_is_killed_as_a_whole() {
    let hub = Hub::new(&[]);
    let (mark, mut more) = marked(&hub, "stops");
    more["timeoutSeconds"] = json!(1);
    let script =
        "kill -STOP $PPID; (setsid sh -c 'trap \"\" TERM; sleep 300; sleep 300' &); sleep 300";
    let job = hub.ended(&hub.run(script, more).await).await;
    assert_eq!(job["status"]["message"], "Job timed out after 1 s");
    assert_gone(&mark).await;
}

#[tokio::test]
async fn a_job_that_makes_its_folder_unreadable_leaves_nothing_and_is_retried() {
    let hub = Hub::new(&[]);
    let script = "mkdir d && touch d/file && chmod 500 d && chmod 0 . && echo ran; exit 1";
    let job = hub.run(script, json!({ "attempts": 2 })).await;
    let ended = hub.ended(&job).await;
    assert_eq!(ended["status"]["message"], "Job failed with exit code: 1", "{ended}");
    assert_eq!(hub.log(&job, "").await, ["ran", "ran"]);
    let id = job.rsplit('/').next().unwrap();
    assert!(!hub.root.path().join("jobs/work").join(id).exists());
}

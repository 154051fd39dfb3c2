//! What jobs run, and what the API shows of them.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::Root;
use crate::{ANN, Hub, assert_gone, path, shell};

const SECRET: &str = "hunter2-is-no-secret";

#[tokio::test]
async fn a_job_runs_a_command_in_an_empty_folder_of_its_own() {
    let hub = Hub::new(&[]);
    let script = "printf 'one\\ntwo\\r\\nhalf'; ls -A; pwd >&2; echo $A $JOB_ID $HF_ENDPOINT; \
                  printf %s \"$TOKEN\" | sha256sum; echo \"${HF_TOKEN-none}\"";
    let more = json!({
        "environment": { "A": "1", "N": 2 }, "secrets": { "TOKEN": SECRET },
        "labels": { "name": "first" }, "timeoutSeconds": 60, "expose": { "ports": [8000] },
    });
    let (status, job) = hub.send(Method::POST, "/api/jobs/ann", shell(script, more)).await;
    assert_eq!(status, 200, "{job}");
    assert_eq!(job["status"]["stage"], "SCHEDULING");
    let (id, place) = (job["id"].as_str().unwrap(), path(&job));
    let done = hub.ended(&place).await;
    assert_eq!(done["status"]["stage"], "COMPLETED", "{done}");

    let lines = hub.log(&place, "").await;
    let work = hub.root.path().join("jobs/work").join(id);
    assert_eq!(lines[..2], ["one", "two"]);
    assert_eq!(lines[2], format!("half{}", work.display()));
    assert_eq!(lines[3], format!("1 {id} {}", hub.server.endpoint));
    assert_eq!(lines[4], format!("{}  -", hex::encode(Sha256::digest(SECRET))));
    assert_eq!(lines[5..], ["none"]);
    assert!(!work.exists());
    assert_eq!(hub.log(&place, "?tail=2").await, lines[4..]);

    assert_eq!(done["environment"], json!({ "A": "1", "N": "2" }));
    assert_eq!(done["secrets"], json!({ "TOKEN": "encrypted" }));
    assert_eq!(done["labels"], json!({ "name": "first" }));
    assert_eq!(done["status"]["exposeUrls"], json!(["http://127.0.0.1:8000"]));
    assert_eq!(
        (&done["owner"]["type"], &done["initiator"]["name"]),
        (&json!("user"), &json!("ann"))
    );
    assert!(done["durations"]["totalSecs"].is_i64() && done["finishedAt"].is_string(), "{done}");
    let database = std::fs::read(hub.root.path().join("hub.db")).unwrap();
    assert!(!database.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
}

#[tokio::test]
async fn the_stage_and_message_show_why_a_job_failed() {
    let hub = Hub::new(&[]);
    let failed = hub.run("echo x; exit 3", json!({ "attempts": 3 })).await;
    let job = hub.ended(&failed).await;
    assert_eq!(job["status"]["stage"], "ERROR");
    assert_eq!(job["status"]["message"], "Job failed with exit code: 3");
    assert_eq!((&job["status"]["failureCount"], &job["retry"]), (&json!(3), &json!(2)));
    assert_eq!(hub.log(&failed, "").await, ["x", "x", "x"]);

    let mut missing = shell("", json!({}));
    missing["command"] = json!(["/no/such/program"]);
    let (_, job) = hub.send(Method::POST, "/api/jobs/ann", missing).await;
    let job = hub.ended(&path(&job)).await;
    let message = "Job failed with exit code: 127 (the command was not found)";
    assert_eq!(job["status"]["message"], message);
    assert!(hub.log(&path(&job), "").await[0].contains("cannot run \"/no/such/program\""));

    let slow = hub.run("sleep 300", json!({ "timeoutSeconds": 1 })).await;
    let job = hub.ended(&slow).await;
    assert_eq!(job["status"]["message"], "Job timed out after 1 s");
    // An endless one.
    let killed = hub.run("kill -9 $$", json!({ "timeoutSeconds": u64::MAX })).await;
    let job = hub.ended(&killed).await;
    assert_eq!(job["status"]["message"], "Job failed with exit code: 137");
}

#[tokio::test]
async fn a_log_is_followed_until_the_job_ends_and_metrics_while_it_runs() {
    let hub = Hub::new(&[]);
    let go = hub.root.path().join("go");
    let script =
        format!("echo first; while [ ! -e {} ]; do sleep 0.05; done; echo last", go.display());
    let job = hub.run(&script, json!({})).await;
    let mut log = hub.server.get_as(ANN, &format!("{job}/logs")).await;
    let mut text = String::new();
    while !text.contains("first") {
        text.push_str(&String::from_utf8_lossy(&log.chunk().await.unwrap().unwrap()));
    }
    let mut metrics = hub.server.get_as(ANN, &format!("{job}/metrics")).await;
    let mut sample = String::new();
    while !sample.contains("\n\n") || !sample.contains("data: ") {
        sample.push_str(&String::from_utf8_lossy(&metrics.chunk().await.unwrap().unwrap()));
    }
    let data = sample.split_once("event: metric\ndata: ").unwrap().1.lines().next().unwrap();
    let usage: Value = serde_json::from_str(data).unwrap();
    assert!(usage["memory_used_bytes"].as_u64().unwrap() > 0, "{usage}");
    assert_eq!(usage["memory_total_bytes"], 4_u64 << 30);
    std::fs::write(go, "").unwrap();
    while let Some(chunk) = log.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.contains("last"), "{text}");
    while metrics.chunk().await.unwrap().is_some() {}
    assert_eq!(hub.send(Method::GET, &format!("{job}/metrics"), Value::Null).await.0, 406);
}

#[tokio::test]
async fn streams_that_are_never_silent_end_with_the_rights_of_their_reader() {
    let hub = Hub::new(&["--idle-timeout", "4"]);
    let script = "while :; do echo tick; sleep 0.05; done";
    let (_, job) = hub.send(Method::POST, "/api/jobs/acme", shell(script, json!({}))).await;
    let job = path(&job);
    hub.after(&job, &["SCHEDULING"]).await;
    let mut log = hub.server.get_as("hf_guest", &format!("{job}/logs")).await;
    let mut metrics = hub.server.get_as("hf_guest", &format!("{job}/metrics")).await;
    assert!(log.chunk().await.unwrap().is_some() && metrics.chunk().await.unwrap().is_some());
    hub.root.run(&["org", "leave", "acme", "guest"]);
    let end = async {
        while log.chunk().await.unwrap().is_some() {}
        while metrics.chunk().await.unwrap().is_some() {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), end).await.unwrap();
    assert_eq!(hub.send(Method::GET, &job, json!(null)).await.1["status"]["stage"], "RUNNING");
}

#[tokio::test]
async fn a_namespace_has_at_most_a_thousand_unfinished_jobs() {
    let hub = Hub::new(&["--job-slots", "1"]);
    let first = hub.run("sleep 300", json!({})).await;
    hub.change(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
         INSERT INTO jobs (object_id, namespace, initiator, spec, secret_names, secrets, stage, created_at)
         SELECT n, namespace, initiator, spec, secret_names, secrets, stage, created_at FROM jobs, n",
    );
    let create = async |namespace: &str| {
        let path = format!("/api/jobs/{namespace}");
        hub.send(Method::POST, &path, shell("true", json!({}))).await
    };
    let (status, error) = create("ann").await;
    assert_eq!(status, 409);
    assert!(error["error"].as_str().unwrap().contains("1000 unfinished jobs"), "{error}");
    assert_eq!(hub.send(Method::POST, &format!("{first}/duplicate"), json!(null)).await.0, 409);
    assert_eq!(create("acme").await.0, 200);
    // A scheduled job shows why none of its jobs starts.
    let scheduled = json!({ "jobSpec": shell("true", json!({})), "schedule": "@hourly" });
    let (_, scheduled) = hub.send(Method::POST, "/api/scheduled-jobs/ann", scheduled).await;
    let place = format!("/api/scheduled-jobs/ann/{}", scheduled["id"].as_str().unwrap());
    let message = &hub.send(Method::GET, &place, json!(null)).await.1["status"]["message"];
    assert!(message.as_str().unwrap().contains("\"ann\" has 1000 unfinished jobs"), "{message}");
    assert_eq!(hub.send(Method::POST, &format!("{first}/cancel"), json!(null)).await.0, 200);
    let (_, scheduled) = hub.send(Method::GET, &place, json!(null)).await;
    assert_eq!(scheduled["status"].get("message"), None);
    assert_eq!(create("ann").await.0, 200);
}

#[tokio::test]
async fn jobs_are_listed_labelled_canceled_and_run_again() {
    let hub = Hub::new(&["--job-slots", "1"]);
    let first = hub.run("sleep 300", json!({ "labels": { "a": "1", "b": "2" } })).await;
    let waiting = hub.run("echo later", json!({ "labels": { "a": "1" } })).await;
    assert_eq!(hub.after(&first, &["SCHEDULING"]).await["status"]["stage"], "RUNNING");
    let list = async |query: &str| {
        let (status, list) =
            hub.send(Method::GET, &format!("/api/jobs/ann{query}"), json!(null)).await;
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().iter().map(path).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [waiting.clone(), first.clone()]);
    assert_eq!(list("?limit=1").await, [waiting.as_str()]);
    assert_eq!(list("?stage=RUNNING").await, [first.as_str()]);
    assert_eq!(list("?stage=RUNNING&stage=SCHEDULING&label=a%3D1").await.len(), 2);
    assert_eq!(list("?label=a%3D1&label=b%3D2").await, [first.as_str()]);
    assert_eq!(list("?label=a%3D2").await, [""; 0]);

    let labels = json!({ "labels": { "c": "3" } });
    let (_, job) = hub.send(Method::PUT, &format!("{first}/labels"), labels).await;
    assert_eq!(job["labels"], json!({ "c": "3" }));
    let ports = json!({ "ports": [8000, 9000], "portsPublic": [9000] });
    let (_, job) = hub.send(Method::PUT, &format!("{first}/expose"), ports.clone()).await;
    assert_eq!(job["expose"], ports);
    let wrong = json!({ "ports": [8000], "portsPublic": [9000] });
    assert_eq!(hub.send(Method::PUT, &format!("{first}/expose"), wrong).await.0, 400);

    // A job that waits is canceled as one that runs.
    let third = hub.run("echo never", json!({})).await;
    for job in [&third, &first] {
        let (status, job) = hub.send(Method::POST, &format!("{job}/cancel"), json!(null)).await;
        assert_eq!((status, &job["status"]["stage"]), (200, &json!("CANCELED")));
    }
    assert_eq!(hub.ended(&waiting).await["status"]["stage"], "COMPLETED");
    assert_eq!(hub.log(&third, "").await, [""; 0]);
    assert_eq!(hub.send(Method::POST, &format!("{waiting}/cancel"), json!(null)).await.0, 200);
    assert_eq!(hub.ended(&waiting).await["status"]["stage"], "COMPLETED");

    let (status, again) =
        hub.send(Method::POST, &format!("{waiting}/duplicate"), json!(null)).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(again["initiator"]["type"], "duplicated-job");
    assert_eq!(hub.ended(&path(&again)).await["status"]["stage"], "COMPLETED");
    assert_eq!(hub.log(&path(&again), "").await, ["later"]);
}

#[tokio::test]
async fn jobs_of_others_are_invisible() {
    let hub = Hub::new(&[]);
    let own = hub.run("echo mine", json!({})).await;
    let (_, job) = hub.send(Method::POST, "/api/jobs/acme", shell("echo ours", json!({}))).await;
    let shared = path(&job);
    assert_eq!((&job["owner"]["name"], &job["owner"]["type"]), (&json!("acme"), &json!("org")));
    let status = async |token: &str, method: Method, path: &str| {
        hub.server.send(token, method, path, shell("true", json!({}))).await.0
    };
    for path in
        [own.clone(), format!("{own}/logs"), format!("{own}/metrics"), "/api/jobs/bob/x".into()]
    {
        assert_eq!(status("hf_bob", Method::GET, &path).await, 404, "{path}");
        assert_eq!(status("", Method::GET, &path).await, 401, "{path}");
    }
    // The id alone does not help.
    let id = own.rsplit('/').next().unwrap();
    assert_eq!(status("hf_bob", Method::GET, &format!("/api/jobs/bob/{id}")).await, 404);
    assert_eq!(status("hf_bob", Method::POST, &format!("{own}/cancel")).await, 404);
    assert_eq!(status("hf_bob", Method::GET, "/api/jobs/ann").await, 403);
    assert_eq!(status("hf_bob", Method::POST, "/api/jobs/ann").await, 403);
    assert_eq!(status("hf_ann_reads", Method::GET, &own).await, 200);
    assert_eq!(status("hf_ann_reads", Method::POST, "/api/jobs/ann").await, 403);
    assert_eq!(status("hf_guest", Method::GET, &shared).await, 200);
    assert_eq!(status("hf_guest", Method::POST, &format!("{shared}/cancel")).await, 403);
    assert_eq!(status("hf_guest", Method::POST, "/api/jobs/acme").await, 403);
    assert_eq!(hub.ended(&shared).await["status"]["stage"], "COMPLETED");
}

/// Creates a bucket, an endpoint and a scheduled job of `acme` or `ann`, and returns their paths.
async fn own_one_of_each(hub: &Hub, namespace: &str) -> [String; 3] {
    let endpoint = json!({
        "name": "own", "provider": { "vendor": "aws", "region": "us-east-1" },
        "compute": { "accelerator": "cpu", "instanceType": "intel-icl", "instanceSize": "x1" },
        "model": { "repository": "acme/bert" },
    });
    let scheduled = json!({ "jobSpec": shell("true", json!({})), "schedule": "@hourly" });
    let bucket = format!("/api/buckets/{namespace}/own");
    let endpoints = format!("/v2/endpoint/{namespace}");
    let all_jobs = format!("/api/scheduled-jobs/{namespace}");
    let private = json!({ "private": true });
    assert_eq!(hub.send(Method::POST, &bucket, private).await.0, 200);
    assert_eq!(hub.send(Method::POST, &endpoints, endpoint).await.0, 200);
    let (status, scheduled) = hub.send(Method::POST, &all_jobs, scheduled).await;
    assert_eq!(status, 200, "{scheduled}");
    let id = scheduled["id"].as_str().unwrap();
    [bucket, format!("{endpoints}/own"), format!("{all_jobs}/{id}")]
}

#[tokio::test]
async fn an_account_is_removed_only_when_it_owns_nothing_but_ended_jobs() {
    let hub = Hub::new(&[]);
    let mut removed = Vec::new();
    for (kind, name) in [("org", "acme"), ("user", "ann")] {
        let refused = |message: &str| {
            let output = hub.root.command(&[kind, "remove", name]).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains(&format!("`{name}` has {message}")), "{error}");
        };
        let own = own_one_of_each(&hub, name).await;
        for (path, message) in own.iter().zip(["buckets", "inference endpoints", "scheduled jobs"])
        {
            refused(message);
            assert_eq!(hub.send(Method::DELETE, path, json!(null)).await.0, 200);
        }
        let body = shell("sleep 300", json!({ "secrets": { "TOKEN": SECRET } }));
        let (_, job) = hub.send(Method::POST, &format!("/api/jobs/{name}"), body).await;
        let job = path(&job);
        refused("jobs that wait or run");
        let id = job.rsplit('/').next().unwrap();
        let log = hub.root.path().join(format!("jobs/logs/{id}.log"));
        while !log.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        hub.send(Method::POST, &format!("{job}/cancel"), json!(null)).await;
        hub.root.run(&[kind, "remove", name]);
        assert!(!log.exists());
        removed.push(job);
    }
    hub.root.run(&["user", "add", "ann", "--org", "acme", "--token", "hf_new"]);
    for job in removed {
        assert_eq!(hub.server.send("hf_new", Method::GET, &job, json!(null)).await.0, 404);
    }
}

#[tokio::test]
async fn a_user_whose_name_differs_only_by_case_is_another_one() {
    let hub = Hub::new(&[]);
    let job = hub.run("true", json!({})).await;
    own_one_of_each(&hub, "ann").await;
    let taken = hub.root.command(&["user", "add", "Ann"]).output().unwrap();
    assert!(String::from_utf8_lossy(&taken.stderr).contains("differs from `ann` only by case"));
    hub.change("UPDATE users SET name = 'Ann' WHERE name = 'bob'");
    let get = async |path: &str| hub.server.send("hf_bob", Method::GET, path, json!(null)).await;
    let job = job.replace("/ann/", "/Ann/");
    for path in [job.as_str(), "/v2/endpoint/Ann/own", "/v2/served/Ann/own", "/v2/endpoint/ann/own"]
    {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
    for path in ["/api/jobs/Ann", "/api/scheduled-jobs/Ann", "/api/buckets/Ann", "/api/buckets/ann"]
    {
        assert_eq!(get(path).await, (200, json!([])), "{path}");
    }
    assert_eq!(get("/v2/endpoint/Ann").await, (200, json!({ "items": [] })));
}

#[tokio::test]
async fn without_the_option_the_routes_say_that_there_are_no_jobs() {
    let root = Root::new();
    root.run(&["user", "add", "ann", "--token", ANN]);
    let server = root.serve(&[]);
    for (method, path) in [
        (Method::POST, "/api/jobs/ann"),
        (Method::GET, "/api/jobs/ann"),
        (Method::GET, "/api/jobs/ann/x/logs"),
        (Method::GET, "/api/jobs/hardware"),
    ] {
        let (status, body) = server.send(ANN, method, path, shell("true", json!({}))).await;
        assert_eq!(status, 501, "{path}");
        assert!(body["error"].as_str().unwrap().contains("--jobs local"), "{body}");
    }
}

#[tokio::test]
async fn invalid_jobs_are_rejected_without_their_secrets() {
    let hub = Hub::new(&[]);
    let refused = async |more: Value| {
        let (status, body) = hub.send(Method::POST, "/api/jobs/ann", shell("true", more)).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    for (more, part) in [
        (json!({ "dockerImage": null }), "Exactly one of \"dockerImage\" and \"spaceId\""),
        (json!({ "flavor": "zero-a10g" }), "Invalid hardware flavor"),
        (json!({ "command": [] }), "a command is required"),
        (json!({ "command": ["a\0b"] }), "no NUL"),
        (json!({ "attempts": 0 }), "from 1 to 100"),
        (json!({ "secrets": { "A=B": SECRET } }), "Invalid name"),
        (json!({ "secrets": { "A": [SECRET] } }), "variable A must be text"),
        (json!({ "environment": { "A": "x\0" } }), "variable A must be text"),
        (json!({ "labels": { "": "x" } }), "must not be empty"),
        (json!({ "expose": { "ports": [0] } }), "from 1 to 65535"),
        (json!({ "ssh": { "enabled": true } }), "there is no SSH"),
        (json!({ "volumes": [{ "type": "bucket" }] }), "volumes are not mounted"),
    ] {
        let (status, error) = refused(more.clone()).await;
        assert_eq!(status, 400, "{more}");
        assert!(error.contains(part) && !error.contains(SECRET), "{error}");
    }
    let hardware = hub.server.json("/api/jobs/hardware").await;
    let names = hardware.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    let names = names.collect::<Vec<_>>();
    assert!(
        names.contains(&"cpu-xl") && names.contains(&"h200x8") && !names.contains(&"zero-a10g")
    );
}

#[tokio::test]
async fn a_job_that_ran_when_the_server_stopped_has_failed() {
    let mut hub = Hub::new(&[]);
    let mark = format!("mark-{}", hub.root.path().display());
    let more = json!({ "environment": { "MARK": mark } });
    let running = hub.run("trap '' TERM; sleep 300 & setsid sleep 300 & wait", more).await;
    let done = hub.run("echo done", json!({})).await;
    hub.ended(&done).await;
    hub.after(&running, &["SCHEDULING"]).await;
    // A second server on this root cannot run jobs, too.
    let second = hub.root.command(&["serve", "--jobs", "local"]).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process runs the jobs"));
    hub.server.process.kill().unwrap();
    hub.server.process.wait().unwrap();
    assert_gone(&mark).await;

    let server = hub.root.serve(&["--jobs", "local"]);
    drop(std::mem::replace(&mut hub.server, server));
    let job = hub.ended(&running).await;
    assert_eq!(job["status"]["stage"], "ERROR");
    assert_eq!(job["status"]["message"], "The Local Hub was stopped while the job ran");
    assert_eq!(hub.log(&done, "").await, ["done"]);
    assert!(!hub.root.path().join("jobs/work").exists());
}

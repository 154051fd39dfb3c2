//! Jobs that start at set times: the tests set the clock forward.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{ANN, Hub, path, shell};

const ALL: &str = "/api/scheduled-jobs/ann";

impl Hub {
    async fn schedule(&self, script: &str, more: Value) -> (u16, Value) {
        let mut body = json!({ "jobSpec": shell(script, json!({})), "schedule": "@hourly" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.send(Method::POST, ALL, body).await
    }

    async fn advance(&self, seconds: u32) {
        let body = json!({ "seconds": seconds });
        assert_eq!(self.send(Method::POST, "/_test/clock", body).await.0, 204);
    }

    async fn jobs(&self) -> Vec<Value> {
        let (_, jobs) = self.send(Method::GET, "/api/jobs/ann", json!(null)).await;
        jobs.as_array().unwrap().clone()
    }

    /// Waits until there are so many jobs, and returns them.
    async fn jobs_when(&self, number: usize) -> Vec<Value> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let jobs = self.jobs().await;
            if jobs.len() >= number {
                assert_eq!(jobs.len(), number, "{jobs:?}");
                return jobs;
            }
            assert!(std::time::Instant::now() < deadline, "{jobs:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn hub() -> Hub {
    Hub::new(&["--test-control"])
}

fn place(scheduled: &Value) -> String {
    format!("{ALL}/{}", scheduled["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_job_starts_each_time_its_schedule_comes() {
    let hub = hub();
    let mut spec = shell("printf %s \"$TOKEN\" | wc -c", json!({ "labels": { "a": "1" } }));
    spec["secrets"] = json!({ "TOKEN": "hunter2-is-no-secret" });
    let (status, scheduled) = hub.schedule("", json!({ "jobSpec": spec })).await;
    assert_eq!(status, 200, "{scheduled}");
    assert_eq!((&scheduled["suspend"], &scheduled["concurrency"]), (&json!(false), &json!(false)));
    assert_eq!(scheduled["jobSpec"]["secrets"], json!({ "TOKEN": "encrypted" }));
    assert!(scheduled["status"].get("lastJob").is_none());
    let next = scheduled["status"]["nextJobRunAt"].as_str().unwrap();
    assert!(next.ends_with(":00:00.000Z"), "{next}");

    for number in [1, 2] {
        hub.advance(3600).await;
        let jobs = hub.jobs_when(number).await;
        let job = hub.ended(&path(&jobs[0])).await;
        assert_eq!(job["status"]["stage"], "COMPLETED");
        assert_eq!(job["initiator"], json!({ "type": "scheduled-job", "id": scheduled["id"] }));
        assert_eq!(hub.log(&path(&job), "").await[0].trim(), "20");
        let (_, now) = hub.send(Method::GET, &place(&scheduled), json!(null)).await;
        assert_eq!(now["status"]["lastJob"]["id"], job["id"]);
        assert!(now["status"]["nextJobRunAt"].as_str().unwrap() > next);
    }
}

#[tokio::test]
async fn a_schedule_is_suspended_resumed_changed_triggered_and_deleted() {
    let hub = hub();
    let (_, scheduled) = hub.schedule("true", json!({ "suspend": true })).await;
    let one = place(&scheduled);
    assert!(scheduled["status"].get("nextJobRunAt").is_none());
    hub.advance(7200).await;
    let post = async |action: &str, body: Value| {
        hub.send(Method::POST, &format!("{one}/{action}"), body).await
    };
    let (status, resumed) = post("resume", json!(null)).await;
    assert_eq!((status, &resumed["suspend"]), (200, &json!(false)));
    assert!(resumed["status"]["nextJobRunAt"].is_string());
    let (_, changed) = post("schedule", json!({ "schedule": "0 0 1 1 *" })).await;
    assert!(changed["status"]["nextJobRunAt"].as_str().unwrap().contains("-01-01T00:00:00"));
    assert_eq!(post("schedule", json!({ "schedule": "soon" })).await.0, 400);
    // What was missed while it was suspended is not made up for.
    assert!(hub.jobs().await.is_empty());

    let (status, job) = post("run", json!(null)).await;
    assert_eq!(status, 200, "{job}");
    assert_eq!(hub.ended(&path(&job)).await["status"]["stage"], "COMPLETED");
    let labels = json!({ "labels": { "b": "2" } });
    let (_, labelled) = hub.send(Method::PUT, &format!("{one}/labels"), labels).await;
    assert_eq!(labelled["jobSpec"]["labels"], json!({ "b": "2" }));
    let count = async |query: &str| {
        let (_, list) = hub.send(Method::GET, &format!("{ALL}{query}"), json!(null)).await;
        list.as_array().unwrap().len()
    };
    assert_eq!(
        (count("").await, count("?label=b%3D2").await, count("?label=b%3D1").await),
        (1, 1, 0)
    );

    assert_eq!(post("suspend", json!(null)).await.1["suspend"], true);
    assert_eq!(hub.send(Method::DELETE, &one, json!(null)).await.0, 200);
    assert_eq!(hub.send(Method::GET, &one, json!(null)).await.0, 404);
    assert_eq!(hub.jobs().await.len(), 1);
}

#[tokio::test]
async fn without_concurrency_a_job_does_not_start_while_another_one_runs() {
    let hub = hub();
    let (_, one) = hub.schedule("sleep 300", json!({})).await;
    let run = async |scheduled: &Value| {
        hub.send(Method::POST, &format!("{}/run", place(scheduled)), json!(null)).await.0
    };
    assert_eq!((run(&one).await, run(&one).await), (200, 409));
    hub.advance(3600).await;
    let (_, several) = hub.schedule("sleep 300", json!({ "concurrency": true })).await;
    assert_eq!((run(&several).await, run(&several).await), (200, 200));
    assert_eq!(hub.jobs_when(3).await.len(), 3);
}

#[tokio::test]
async fn scheduled_jobs_of_others_are_invisible_and_need_rights_when_they_start() {
    let hub = hub();
    let (_, own) = hub.schedule("true", json!({})).await;
    let one = place(&own);
    let status = async |token: &str, method: Method, path: &str| {
        hub.server.send(token, method, path, json!({})).await.0
    };
    assert_eq!(status("hf_bob", Method::GET, &one).await, 404);
    assert_eq!(status("hf_bob", Method::DELETE, &one).await, 404);
    assert_eq!(status("hf_bob", Method::GET, ALL).await, 403);
    assert_eq!(status("", Method::GET, ALL).await, 401);
    assert_eq!(status("hf_ann_reads", Method::DELETE, &one).await, 403);
    let (refused, _) = hub.schedule("true", json!({ "schedule": "61 * * * *" })).await;
    assert_eq!(refused, 400);

    let mut body = json!({ "jobSpec": shell("true", json!({})), "schedule": "@hourly" });
    body["jobSpec"]["labels"] = json!({ "of": "acme" });
    let (status, shared) =
        hub.server.send(ANN, Method::POST, "/api/scheduled-jobs/acme", body).await;
    assert_eq!((status, &shared["owner"]["type"]), (200, &json!("org")));
    hub.root.run(&["org", "leave", "acme", "ann"]);
    hub.advance(3600).await;
    hub.jobs_when(1).await;
    let (_, jobs) = hub.server.send("hf_guest", Method::GET, "/api/jobs/acme", json!(null)).await;
    assert_eq!(jobs, json!([]));
}

#[tokio::test]
async fn a_schedule_that_cannot_start_does_not_delay_the_others() {
    let hub = hub();
    let (_, broken) = hub.schedule("true", json!({})).await;
    let id = broken["id"].as_str().unwrap();
    hub.change(&format!("UPDATE scheduled_jobs SET secrets = x'00' WHERE object_id = '{id}'"));
    hub.schedule("true", json!({})).await;
    for number in [1, 2] {
        hub.advance(3600).await;
        let jobs = hub.jobs_when(number).await;
        assert_ne!(jobs[0]["initiator"]["id"], id);
        hub.ended(&path(&jobs[0])).await;
    }
    let (_, broken) = hub.send(Method::GET, &place(&broken), json!(null)).await;
    assert_eq!(broken["suspend"], false);
}

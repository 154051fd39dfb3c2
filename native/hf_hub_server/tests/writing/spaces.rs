//! Spaces: settings, secrets, stages, logs, search.

use std::fs;
use std::path::Path;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::common::header;
use crate::hub::{ANN, BOB, Hub, READER, error, hub, hub_with};

const APP: &str = "/api/spaces/ann/app";
const SECRET: &str = "hunter2-is-no-secret";

impl Hub {
    /// Creates the Space `ann/app` with an app file.
    async fn space(&self, more: Value) -> Response {
        let mut body = json!({
            "name": "app", "type": "space", "sdk": "gradio",
            "files": [{ "path": "app.py", "content": "print()" }],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/api/repos/create", body).await
    }

    async fn runtime(&self) -> Value {
        self.server.json(&format!("{APP}/runtime")).await
    }

    async fn change(&self, route: &str, body: Value) -> Value {
        let response = self.post(&format!("{APP}/{route}"), body).await;
        assert_eq!(response.status(), 200, "{route}");
        response.json().await.unwrap()
    }

    async fn refusal(&self, route: &str, body: Value) -> (u16, String) {
        error(self.post(&format!("{APP}/{route}"), body).await).await
    }
}

#[tokio::test]
async fn the_runtime_shows_that_a_space_does_not_run() {
    let hub = hub().await;
    assert_eq!(hub.space(json!({})).await.status(), 200);
    let runtime = hub.runtime().await;
    assert_eq!(runtime["stage"], "STOPPED");
    assert_eq!(runtime["errorMessage"], "The Local Hub does not run Spaces");
    assert_eq!(runtime["hardware"], json!({ "current": null, "requested": "cpu-basic" }));
    assert_eq!(runtime["gcTimeout"], 172_800);

    let paused = hub.change("pause", json!(null)).await;
    assert_eq!((&paused["stage"], paused.get("errorMessage")), (&json!("PAUSED"), None));
    let info = hub.server.json(APP).await;
    assert_eq!(info["runtime"]["stage"], "PAUSED");
    let listed = hub.server.json("/api/spaces?expand=runtime").await;
    assert_eq!(listed[0]["runtime"], info["runtime"]);
    assert_eq!(hub.change("restart?factory=true", json!(null)).await["stage"], "STOPPED");

    let empty = json!({ "name": "empty", "type": "space", "sdk": "docker" });
    hub.post("/api/repos/create", empty).await;
    let runtime = hub.server.json("/api/spaces/ann/empty/runtime").await;
    assert_eq!(runtime["stage"], "NO_APP_FILE");
}

#[tokio::test]
async fn stages_follow_a_script_from_each_start() {
    let hub = hub().await;
    hub.space(json!({})).await;
    hub.root.run(&["space", "stage", "ann/app", "BUILDING:0.3", "RUNNING"]);
    assert_eq!(hub.runtime().await["stage"], "BUILDING");
    tokio::time::sleep(std::time::Duration::from_millis(320)).await;
    let runtime = hub.runtime().await;
    assert_eq!(runtime["stage"], "RUNNING");
    assert_eq!(runtime["hardware"]["current"], "cpu-basic");
    assert_eq!(runtime["replicas"]["current"], 1);
    assert_eq!(hub.change("restart", json!(null)).await["stage"], "BUILDING");
    hub.root.run(&["space", "stage", "ann/app", "RUNNING"]);
    assert_eq!(hub.change("pause", json!(null)).await["stage"], "PAUSED");
    assert_eq!(hub.change("hardware", json!({ "flavor": "l4x1" })).await["stage"], "PAUSED");
    assert_eq!(hub.change("restart", json!(null)).await["stage"], "RUNNING");
    hub.root.run(&["space", "stage", "ann/app"]);
    assert_eq!(hub.runtime().await["stage"], "STOPPED");
    let wrong = hub.root.command(&["space", "stage", "ann/app", "ASLEEP"]).output().unwrap();
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the stages are NO_APP_FILE"));
}

#[tokio::test]
async fn settings_are_those_of_the_last_request_and_outlive_the_server() {
    let mut hub = hub().await;
    let settings = json!({
        "hardware": "t4-small", "sleepTimeSeconds": 300, "storageTier": "small",
        "secrets": [{ "key": "TOKEN", "value": SECRET, "description": "d" }],
        "variables": [{ "key": "MODE", "value": "fast" }],
        "volumes": [{ "type": "model", "source": "acme/r", "mountPath": "/data" }],
    });
    assert_eq!(hub.space(settings).await.status(), 200);
    let volume =
        json!({ "type": "model", "source": "acme/r", "mountPath": "/data", "readOnly": true });
    let runtime = hub.runtime().await;
    assert_eq!(runtime["hardware"]["requested"], "t4-small");
    assert_eq!((&runtime["gcTimeout"], &runtime["storage"]), (&json!(300), &json!("small")));
    assert_eq!(runtime["volumes"], json!([volume]));

    assert_eq!(hub.change("sleeptime", json!({ "seconds": -1 })).await["gcTimeout"], -1);
    assert_eq!(hub.change("dev-mode", json!({ "enabled": true })).await["devMode"], true);
    assert_eq!(hub.change("storage", json!({ "tier": "large" })).await["storage"], "large");
    hub.change("variables", json!({ "key": "MODE", "value": "slow", "description": "how" })).await;

    drop(std::mem::replace(&mut hub.server, hub.root.serve(&["--test-control"])));
    let runtime = hub.runtime().await;
    assert_eq!((&runtime["devMode"], &runtime["storage"]), (&json!(true), &json!("large")));
    let variables = hub.server.json(&format!("{APP}/variables")).await;
    assert_eq!(variables["MODE"]["value"], "slow");
    assert_eq!(variables["MODE"]["description"], "how");
    let env: Value = serde_json::from_str(&hub.root.run(&["space", "env", "ann/app"])).unwrap();
    assert_eq!(env, json!({ "MODE": "slow", "TOKEN": SECRET }));
    // Renamed, everything stays with it.
    let moved = json!({ "fromRepo": "ann/app", "toRepo": "ann/new", "type": "space" });
    assert_eq!(hub.post("/api/repos/move", moved).await.status(), 200);
    let runtime = hub.server.json("/api/spaces/ann/new/runtime").await;
    assert_eq!(runtime["storage"], "large");
}

/// Returns the files below a folder that contain a text.
fn containing(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(containing(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn secrets_are_not_returned_and_not_in_plain_text_on_disk() {
    let hub = hub().await;
    hub.space(json!({ "secrets": [{ "key": "A", "value": SECRET }] })).await;
    let set = json!({ "key": "B", "value": SECRET, "description": "for B" });
    let answers = [
        hub.change("secrets", set).await,
        hub.change("variables", json!({ "key": "V", "value": "visible" })).await,
        hub.server.get_as(ANN, &format!("{APP}/secrets")).await.json().await.unwrap(),
        hub.runtime().await,
        hub.server.json(APP).await,
        hub.change("duplicate", json!({ "repository": "ann/copy" })).await,
        hub.server.get_as(ANN, "/api/spaces/ann/copy/secrets").await.json().await.unwrap(),
        hub.server.json("/api/spaces/ann/copy/variables").await,
    ];
    for answer in &answers {
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    assert_eq!(answers[2]["B"]["description"], "for B");
    assert_eq!(answers[2]["A"].get("value"), None);
    assert_eq!(answers[6], json!({}), "secrets are not copied");
    assert_eq!(answers[7]["V"]["value"], "visible", "variables are copied");
    assert_eq!(containing(&hub.root.path(), SECRET), Vec::<String>::new());
    assert_ne!(containing(&hub.root.path(), "visible"), Vec::<String>::new());

    let wrong = json!({ "key": "1 A", "value": SECRET });
    let (status, message) = hub.refusal("secrets", wrong).await;
    assert_eq!((status, message.contains(SECRET)), (400, false));
    let wrong = json!({ "key": "A", "value": [SECRET] });
    let (status, message) = hub.refusal("secrets", wrong).await;
    assert_eq!((status, message.contains(SECRET)), (400, false), "{message}");
    let gone =
        hub.send(Method::DELETE, ANN, &format!("{APP}/secrets"), json!({ "key": "A" })).await;
    assert_eq!(gone.json::<Value>().await.unwrap().as_object().unwrap().len(), 1);
    let again =
        hub.send(Method::DELETE, ANN, &format!("{APP}/secrets"), json!({ "key": "A" })).await;
    assert_eq!(again.status(), 200, "a missing key is no error");
}

#[tokio::test]
async fn a_name_cannot_be_a_variable_and_a_secret() {
    let hub = hub().await;
    hub.space(json!({})).await;
    hub.change("secrets", json!({ "key": "A", "value": "1" })).await;
    hub.change("variables", json!({ "key": "A", "value": "2" })).await;
    let runtime = hub.runtime().await;
    assert_eq!(runtime["stage"], "CONFIG_ERROR");
    assert_eq!(runtime["errorMessage"], "Collision on variables and secrets names");
}

#[tokio::test]
async fn only_those_who_may_write_change_a_space() {
    let hub = hub().await;
    hub.space(json!({})).await;
    for (route, body) in [
        ("pause", json!({})),
        ("restart", json!({})),
        ("hardware", json!({ "flavor": "cpu-basic" })),
        ("sleeptime", json!({ "seconds": 60 })),
        ("storage", json!({ "tier": "small" })),
        ("dev-mode", json!({ "enabled": true })),
        ("secrets", json!({ "key": "A", "value": "1" })),
        ("variables", json!({ "key": "A", "value": "1" })),
    ] {
        let path = format!("{APP}/{route}");
        for (token, status) in [("", 401), (BOB, 403), (READER, 403)] {
            let answer = hub.send(Method::POST, token, &path, body.clone()).await;
            assert_eq!(answer.status(), status, "{route} {token}");
        }
    }
    let volumes = format!("{APP}/volumes");
    assert_eq!(hub.send(Method::PUT, BOB, &volumes, json!({ "volumes": [] })).await.status(), 403);
    assert_eq!(hub.send(Method::DELETE, BOB, &volumes, json!({})).await.status(), 403);
    for route in ["secrets", "logs/run", "logs/build"] {
        assert_eq!(hub.server.get_as(BOB, &format!("{APP}/{route}")).await.status(), 403);
    }
    assert_eq!(hub.server.get(&format!("{APP}/variables")).await.status(), 200);
    assert_eq!(hub.server.get("/api/models/acme/r/runtime").await.status(), 404);
    assert_eq!(hub.server.get(&format!("{APP}/pause")).await.status(), 405);
    assert_eq!(hub.server.get(&format!("{APP}/logs/other")).await.status(), 404);
}

#[tokio::test]
async fn values_that_a_space_cannot_have_are_refused() {
    let hub = hub().await;
    hub.space(json!({})).await;
    let (status, message) = hub.refusal("hardware", json!({ "flavor": "h900" })).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("Invalid hardware flavor \"h900\". Must be one of [cpu-basic, "));
    for seconds in [json!(0), json!(-2), json!(1.5), json!("1"), json!(null)] {
        assert_eq!(hub.refusal("sleeptime", json!({ "seconds": seconds })).await.0, 400);
    }
    let (status, message) = hub.refusal("storage", json!({ "tier": "huge" })).await;
    assert_eq!((status, message.contains("[small, medium, large]")), (400, true));
    hub.change("storage", json!({ "tier": "medium" })).await;
    assert_eq!(hub.refusal("storage", json!({ "tier": "small" })).await.0, 400);
    let storage = format!("{APP}/storage");
    assert_eq!(hub.send(Method::DELETE, ANN, &storage, json!(null)).await.status(), 200);
    assert_eq!(hub.send(Method::DELETE, ANN, &storage, json!(null)).await.status(), 400);
    for key in ["", "1A", "A-B", "Ä", "A B", "A\n", &"A".repeat(257)] {
        let body = json!({ "key": key, "value": "" });
        assert_eq!(hub.refusal("variables", body.clone()).await.0, 400, "{key:?}");
        assert_eq!(hub.space(json!({ "name": "other", "secrets": [body] })).await.status(), 400);
    }
    let long = "x".repeat((32 << 10) + 1);
    assert_eq!(hub.refusal("variables", json!({ "key": "A", "value": long })).await.0, 400);
    assert_eq!(hub.server.get("/api/spaces/ann/other").await.status(), 401, "not created");

    let volume = |more: Value| {
        let mut volume = json!({ "type": "model", "source": "acme/r", "mountPath": "/data" });
        volume.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        volume
    };
    for volumes in [
        json!([volume(json!({ "type": "disk" }))]),
        json!([volume(json!({ "source": "acme/none" }))]),
        json!([volume(json!({ "source": "../../etc" }))]),
        json!([volume(json!({ "mountPath": "data" }))]),
        json!([volume(json!({ "mountPath": "/" }))]),
        json!([volume(json!({ "mountPath": "/a/../../etc" }))]),
        json!([volume(json!({ "path": "../x" }))]),
        json!([volume(json!({})), volume(json!({}))]),
        json!({}),
    ] {
        let path = format!("{APP}/volumes");
        let answer = hub.send(Method::PUT, ANN, &path, json!({ "volumes": volumes })).await;
        assert_eq!(answer.status(), 400, "{volumes}");
    }
    let none = hub.send(Method::DELETE, ANN, &format!("{APP}/volumes"), json!(null)).await;
    assert_eq!(error(none).await, (400, "This Space has no volumes".into()));
}

#[tokio::test]
async fn a_static_space_is_always_up() {
    let hub = hub().await;
    let site = json!({
        "name": "site", "type": "space", "sdk": "static",
        "files": [{ "path": "index.html", "content": "<p>hi" }],
    });
    assert_eq!(hub.post("/api/repos/create", site).await.status(), 200);
    let runtime = hub.server.json("/api/spaces/ann/site/runtime").await;
    assert_eq!(runtime["stage"], "RUNNING");
    assert_eq!(runtime["hardware"], json!({ "current": null, "requested": null }));
    for route in ["pause", "restart", "hardware", "sleeptime", "storage", "dev-mode"] {
        let answer = hub.post(&format!("/api/spaces/ann/site/{route}"), json!({})).await;
        let (status, message) = error(answer).await;
        assert_eq!(status, 400, "{route}");
        assert!(message.starts_with("A static Space cannot "), "{message}");
    }
    let zero = json!({ "flavor": "zero-a10g" });
    hub.post("/api/repos/create", json!({ "name": "d", "type": "space", "sdk": "docker" })).await;
    assert_eq!(hub.post("/api/spaces/ann/d/hardware", zero).await.status(), 400);
}

#[tokio::test]
async fn a_log_is_sent_line_by_line_while_it_grows() {
    let hub = hub().await;
    hub.space(json!({})).await;
    hub.root.run(&["space", "log", "ann/app", "first"]);
    hub.root.run(&["space", "log", "ann/app", "built", "--build"]);
    let mut response = hub.server.get_as(ANN, &format!("{APP}/logs/run")).await;
    assert_eq!(header(&response, "content-type"), "text/event-stream; charset=utf-8");
    let event = |bytes: &[u8]| -> Value {
        serde_json::from_slice(bytes.strip_prefix(b"data: ").unwrap()).unwrap()
    };
    let chunk = response.chunk().await.unwrap().unwrap();
    assert_eq!(event(&chunk)["data"], "first\n");
    assert!(event(&chunk)["timestamp"].is_string());
    hub.root.run(&["space", "log", "ann/app", "second"]);
    assert_eq!(event(&response.chunk().await.unwrap().unwrap())["data"], "second\n");
    let mut build = hub.server.get_as(ANN, &format!("{APP}/logs/build")).await;
    assert_eq!(event(&build.chunk().await.unwrap().unwrap())["data"], "built\n");
    // The log of a deleted Space is removed; a new one of that name has its own.
    let named = json!({ "name": "app", "type": "space" });
    hub.send(Method::DELETE, ANN, "/api/repos/delete", named).await;
    hub.space(json!({})).await;
    hub.root.run(&["space", "log", "ann/app", "new"]);
    let mut response = hub.server.get_as(ANN, &format!("{APP}/logs/run")).await;
    assert_eq!(event(&response.chunk().await.unwrap().unwrap())["data"], "new\n");
    assert_eq!(fs::read_dir(hub.root.path().join("spaces")).unwrap().count(), 1);
}

#[tokio::test]
async fn an_open_log_ends_when_a_new_request_for_it_would_fail() {
    let hub = hub_with(&["--idle-timeout", "1"]).await;
    for (name, command) in [
        ("deleted", None),
        ("disabled", Some(["repo", "set", "ann/disabled", "--type", "space", "--disabled"])),
    ] {
        hub.space(json!({ "name": name })).await;
        let mut log = hub.server.get_as(ANN, &format!("/api/spaces/ann/{name}/logs/run")).await;
        assert_eq!(log.chunk().await.unwrap().unwrap(), "data:\n\n", "kept open without a line");
        if let Some(command) = command {
            hub.root.run(&command);
        } else {
            let named = json!({ "name": name, "type": "space" });
            hub.send(Method::DELETE, ANN, "/api/repos/delete", named).await;
        }
        while log.chunk().await.unwrap().is_some() {}
    }
}

#[tokio::test]
async fn a_commit_is_loaded_into_a_running_app_or_starts_it_again() {
    let hub = hub().await;
    hub.space(json!({})).await;
    hub.root.run(&["space", "stage", "ann/app", "RUNNING"]);
    let commit = |query: &'static str, text: &'static str| {
        let lines =
            crate::hub::body(&json!({ "summary": "s" }), &[crate::hub::file("app.py", text)]);
        let path = format!("{APP}/commit/main{query}");
        hub.server.request(Method::POST, &path).bearer_auth(ANN).body(lines).send()
    };
    assert_eq!(commit("?hot_reload=1", "1").await.unwrap().status(), 200);
    let runtime = hub.runtime().await;
    assert_eq!(runtime["hotReloading"]["status"], "created");
    assert_eq!(commit("", "2").await.unwrap().status(), 200);
    assert_eq!(hub.runtime().await.get("hotReloading"), None);
}

#[tokio::test]
async fn each_way_to_move_the_main_branch_starts_a_space_again() {
    let hub = hub().await;
    hub.space(json!({})).await;
    hub.root.run(&["space", "stage", "ann/app", "BUILDING:0.2", "RUNNING"]);
    let line = crate::hub::file("app.py", "2");
    let lines = crate::hub::body(&json!({ "summary": "s" }), &[line]);
    let commit = |route: &str| {
        let request = hub.server.request(Method::POST, &format!("{APP}/{route}"));
        request.bearer_auth(ANN).body(lines.clone()).send()
    };
    let running = async || {
        tokio::time::sleep(std::time::Duration::from_millis(220)).await;
        assert_eq!(hub.runtime().await["stage"], "RUNNING");
    };
    running().await;
    assert_eq!(commit("commit/main?create_pr=1").await.unwrap().status(), 200);
    assert_eq!(hub.runtime().await["stage"], "RUNNING", "a pull request is not main");
    let merged = hub.post(&format!("{APP}/discussions/1/merge"), json!({})).await;
    assert_eq!(merged.status(), 200);
    assert_eq!(hub.runtime().await["stage"], "BUILDING");
    running().await;
    let squashed = hub.post(&format!("{APP}/super-squash/main"), json!({ "message": "m" })).await;
    assert_eq!(squashed.status(), 200);
    assert_eq!(hub.runtime().await["stage"], "BUILDING");
}

#[tokio::test]
async fn finds_hardware_templates_and_spaces_by_words() {
    let hub = hub().await;
    let readme = "---\ntitle: Image maker\nsdk: gradio\nshort_description: draws cats\n\
                  tags: [template]\n---\n";
    let files =
        json!([{ "path": "README.md", "content": readme }, { "path": "app.py", "content": "1" }]);
    hub.space(json!({ "files": files })).await;
    hub.space(json!({ "name": "cats", "private": true })).await;
    let names = |found: &Value| -> Vec<String> {
        let found = found.as_array().unwrap().iter();
        found.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = "/api/spaces/semantic-search?includeNonRunning=True&q=";
    let found = hub.server.json(&format!("{all}image%20cats")).await;
    assert_eq!(names(&found), ["ann/app"]);
    assert_eq!(found[0]["title"], "Image maker");
    assert_eq!(found[0]["ai_short_description"], "draws cats");
    assert!((0.0..=1.0).contains(&found[0]["semanticRelevancyScore"].as_f64().unwrap()));
    let found: Value = hub.server.get_as(ANN, &format!("{all}cats")).await.json().await.unwrap();
    assert_eq!(names(&found), ["ann/cats", "ann/app"]);
    assert_eq!(names(&hub.server.json(&format!("{all}cats&sdk=docker")).await).len(), 0);
    let running = "/api/spaces/semantic-search?q=cats";
    assert_eq!(names(&hub.server.json(running).await).len(), 0);
    hub.root.run(&["space", "stage", "ann/app", "RUNNING"]);
    assert_eq!(names(&hub.server.json(running).await), ["ann/app"]);
    for query in ["", "%20", &"x".repeat(2000)] {
        assert_eq!(hub.server.get(&format!("{all}{query}")).await.status(), 400);
    }

    let hardware = hub.server.json("/api/spaces/hardware").await;
    assert_eq!(
        (&hardware[0]["name"], &hardware[0]["accelerator"]),
        (&json!("cpu-basic"), &json!(null))
    );
    let templates = hub.server.json("/api/spaces/templates").await;
    let expected = json!({
        "name": "Image maker", "repoId": "ann/app", "sdk": "gradio", "preferredPrivate": false,
    });
    assert_eq!(templates, json!({ "templates": [expected] }));
    let copy = json!({ "name": "mine", "template": "ann/app", "files": [] });
    assert_eq!(hub.space(copy).await.status(), 200);
    assert_eq!(hub.server.get("/api/spaces/ann/mine/tree/main").await.status(), 200);
    let copy = json!({ "name": "none", "template": "ann/none" });
    assert_eq!(hub.space(copy).await.status(), 400);
    assert_eq!(hub.server.get("/api/spaces/zero-gpu/quota").await.status(), 401);
    let quota: Value =
        hub.server.get_as(READER, "/api/spaces/zero-gpu/quota").await.json().await.unwrap();
    assert_eq!(quota["base"], quota["current"]);
}

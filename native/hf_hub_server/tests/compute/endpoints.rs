//! Inference endpoints: their states, what is stored of them, and the catalog.

use reqwest::Method;
use serde_json::{Value, json};

use crate::Hub;

const ALL: &str = "/v2/endpoint/ann";
const ONE: &str = "/v2/endpoint/ann/my-bert";
const SECRET: &str = "hunter2-is-no-secret";

fn body(more: Value) -> Value {
    let mut body = json!({
        "name": "my-bert", "type": "authenticated",
        "provider": { "vendor": "aws", "region": "us-east-1" },
        "compute": {
            "accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x4",
            "scaling": { "minReplica": 2, "maxReplica": 3, "scaleToZeroTimeout": null },
        },
        "model": {
            "repository": "acme/bert", "framework": "pytorch", "revision": null,
            "image": { "huggingface": {} },
        },
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

impl Hub {
    async fn state(&self) -> Value {
        self.send(Method::GET, ONE, json!(null)).await.1["status"]["state"].clone()
    }

    async fn act(&self, action: &str) -> (u16, Value) {
        let (status, endpoint) =
            self.send(Method::POST, &format!("{ONE}/{action}"), json!(null)).await;
        let found = endpoint["status"]["state"].clone();
        (status, if found.is_null() { endpoint["error"].clone() } else { found })
    }

    async fn forward(&self, seconds: u32) {
        self.send(Method::POST, "/_test/clock", json!({ "seconds": seconds })).await;
    }
}

#[tokio::test]
async fn an_endpoint_goes_through_the_states_of_the_hub() {
    let hub = Hub::new(&["--test-control", "--endpoint-start", "100"]);
    let (status, created) = hub.send(Method::POST, ALL, body(json!({}))).await;
    assert_eq!((status, &created["status"]["state"]), (200, &json!("pending")), "{created}");
    assert!(created["status"].get("url").is_none());
    assert_eq!(
        (&created["model"]["task"], &created["healthRoute"]),
        (&json!(null), &json!("/health"))
    );
    hub.forward(60).await;
    assert_eq!(hub.state().await, "initializing");
    assert_eq!(hub.act("resume").await.0, 400);
    hub.forward(60).await;
    let (_, running) = hub.send(Method::GET, ONE, json!(null)).await;
    assert_eq!(running["status"]["state"], "running");
    assert_eq!(
        (&running["status"]["readyReplica"], &running["status"]["targetReplica"]),
        (&json!(2), &json!(2))
    );
    let url = running["status"]["url"].as_str().unwrap();
    assert_eq!(hub.send(Method::GET, &format!("{url}/health"), json!(null)).await.0, 200);
    let (status, error) = hub.send(Method::POST, url, json!({ "inputs": "x" })).await;
    assert_eq!(status, 501);
    assert!(error["error"].as_str().unwrap().contains("--endpoint-url"));
    assert_eq!(
        hub.server.send("hf_bob", Method::GET, &format!("{url}/health"), json!(null)).await.0,
        404
    );
    assert_eq!(
        hub.server.send("", Method::GET, &format!("{url}/health"), json!(null)).await.0,
        401
    );
    let already = hub.act("resume").await.1;
    assert!(already.as_str().unwrap().contains("already running"));

    let change =
        json!({ "compute": { "scaling": { "maxReplica": 4 } }, "model": { "task": "fill-mask" } });
    let (_, updated) = hub.send(Method::PUT, ONE, change).await;
    assert_eq!(updated["status"]["state"], "updating");
    assert_eq!(
        updated["compute"]["scaling"],
        json!({ "minReplica": 2, "maxReplica": 4, "scaleToZeroTimeout": null })
    );
    assert_eq!(
        (&updated["model"]["task"], &updated["model"]["framework"]),
        (&json!("fill-mask"), &json!("pytorch"))
    );
    hub.forward(101).await;
    assert_eq!(hub.state().await, "running");

    assert_eq!(hub.act("pause").await, (200, json!("paused")));
    assert_eq!(hub.act("scale-to-zero").await, (200, json!("paused")));
    assert_eq!(hub.send(Method::GET, &format!("{url}/health"), json!(null)).await.0, 503);
    assert_eq!(hub.act("resume").await, (200, json!("pending")));
    hub.forward(101).await;
    // A request starts an endpoint that is scaled to zero.
    assert_eq!(hub.act("scale-to-zero").await, (200, json!("scaledToZero")));
    assert_eq!(hub.send(Method::POST, url, json!({})).await.0, 503);
    assert_eq!(hub.state().await, "pending");

    hub.root.run(&["endpoint", "state", "ann/my-bert", "pending:0", "failed"]);
    assert_eq!(hub.state().await, "failed");
    assert_eq!(hub.act("resume").await, (200, json!("failed")));
    let wrong = hub.root.command(&["endpoint", "state", "ann/my-bert", "asleep"]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("the states are pending, initializing")
    );

    assert_eq!(hub.send(Method::DELETE, ONE, json!(null)).await.0, 200);
    assert_eq!(hub.send(Method::GET, ONE, json!(null)).await.0, 404);
}

#[tokio::test]
async fn secrets_are_neither_shown_nor_stored_and_bad_endpoints_are_rejected() {
    let hub = Hub::new(&["--endpoint-url", "http://127.0.0.1:9/v1"]);
    let model = json!({
        "repository": "acme/bert", "secrets": { "KEY": SECRET },
        "image": { "custom": { "url": "x", "credentials": { "username": "u", "password": SECRET } } },
    });
    let (status, created) = hub.send(Method::POST, ALL, body(json!({ "model": model }))).await;
    assert_eq!(status, 200, "{created}");
    assert_eq!(created["model"]["secrets"], json!({ "KEY": "hidden" }));
    assert_eq!(created["model"]["image"]["custom"]["credentials"]["password"], "hidden");
    assert_eq!(created["status"]["url"], "http://127.0.0.1:9/v1");
    let change = json!({ "model": { "secrets": { "KEY": SECRET } } });
    assert!(!hub.send(Method::PUT, ONE, change).await.1.to_string().contains(SECRET));
    for file in ["hub.db", "hub.db-wal"] {
        let content = std::fs::read(hub.root.path().join(file)).unwrap_or_default();
        assert!(!content.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{file}");
    }
    assert_eq!(hub.send(Method::POST, ALL, body(json!({}))).await.0, 409);
    for (more, part) in [
        (json!({ "name": "My_Bert" }), "lower case"),
        (json!({ "name": "n", "type": "open" }), "must be one of [public"),
        (json!({ "name": "n", "model": {} }), "model.repository"),
        (json!({ "name": "n", "provider": null }), "provider.vendor"),
    ] {
        let (status, error) = hub.send(Method::POST, ALL, body(more)).await;
        assert_eq!(status, 400);
        assert!(error["error"].as_str().unwrap().contains(part), "{error}");
    }
    let large = json!({ "model": { "args": "x".repeat(256 << 10) } });
    let (status, error) = hub.send(Method::PUT, ONE, large).await;
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("at most 262144 bytes"), "{error}");
    let scaling = json!({ "compute": { "scaling": { "minReplica": 9 } } });
    assert_eq!(hub.send(Method::PUT, ONE, scaling).await.0, 400);

    let status = async |token: &str, method: Method, path: &str| {
        hub.server.send(token, method, path, body(json!({}))).await.0
    };
    assert_eq!(status("hf_bob", Method::GET, ONE).await, 404);
    assert_eq!(status("hf_bob", Method::DELETE, ONE).await, 404);
    assert_eq!(status("hf_bob", Method::GET, ALL).await, 403);
    assert_eq!(status("", Method::GET, ALL).await, 401);
    assert_eq!(status("hf_ann_reads", Method::DELETE, ONE).await, 403);
    assert_eq!(status("hf_guest", Method::POST, "/v2/endpoint/acme").await, 403);
    let (_, list) = hub.send(Method::GET, ALL, json!(null)).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn hardware_has_quotas_and_the_catalog_deploys_the_models_of_the_hub() {
    let hub = Hub::new(&[]);
    hub.send(Method::POST, ALL, body(json!({}))).await;
    let (_, hardware) = hub.send(Method::GET, "/v2/provider/ann", json!(null)).await;
    let computes = hardware["vendors"][0]["regions"][0]["computes"].as_array().unwrap();
    let l4 = computes.iter().find(|unit| unit["id"] == "aws-us-east-1-nvidia-l4-x1").unwrap();
    assert_eq!(l4["quota"], json!({ "maxAccelerators": 16, "usedAccelerators": 8 }));

    let card = b"---\nlicense: mit\npipeline_tag: text-generation\n---\n".as_slice();
    hub.root.import("acme/Tiny_LM", &[("README.md", card)], &[]);
    hub.root.import("acme/other", &[("a", b"")], &[]);
    let list = async |query: &str| {
        let (_, list) =
            hub.send(Method::GET, &format!("/api/v1/catalog/list{query}"), json!(null)).await;
        list["items"].as_array().unwrap().clone()
    };
    let [model] = list("").await.try_into().unwrap();
    assert_eq!((&model["repoId"], &model["license"]), (&json!("acme/Tiny_LM"), &json!("mit")));
    assert_eq!(
        list("?task=text-generation&engine=vllm&accelerator=gpu&search=tiny").await.len(),
        1
    );
    assert_eq!(list("?task=fill-mask").await.len(), 0);

    let wanted = json!({ "namespace": "ann" });
    let path = "/api/v1/catalog/model/acme/Tiny_LM/deploy";
    let (status, made) = hub.send(Method::POST, path, wanted.clone()).await;
    assert_eq!(status, 200, "{made}");
    assert!(made["endpoint"]["name"].as_str().unwrap().starts_with("tiny-lm-"), "{made}");
    assert_eq!(made["endpoint"]["model"]["repository"], "acme/Tiny_LM");
    let recipe = model["recipes"][0]["publicId"].as_str().unwrap();
    let path = format!("/api/v1/catalog/recipe/{recipe}/deploy");
    let named = json!({ "namespace": "ann", "config": { "name": "mine" } });
    assert_eq!(hub.send(Method::POST, &path, named).await.1["endpoint"]["name"], "mine");
    let of_bob = hub.server.send("hf_bob", Method::POST, &path, wanted).await;
    assert_eq!(of_bob.0, 403);
    let none = "/api/v1/catalog/model/acme/other/deploy";
    assert_eq!(hub.send(Method::POST, none, json!({ "namespace": "ann" })).await.0, 404);
}

//! The catalog: the models of this Hub that have a task, each with one way to deploy it.

use std::sync::Arc;

use axum::Router;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::response;
use super::super::{GET, POST, on, owned};
use super::config::Sent;
use super::{WHAT, add, shown};
use crate::store::{Found, RepoKind, Search};

const CATALOG: &str = "/api/v1/catalog";
/// Maximum number of models in a response.
const MOST: usize = 1000;
/// Number of models to read at a time.
const PAGE: usize = 1000;
/// Maximum length of the part of a name that is that of the model.
const LONGEST: usize = 26;

/// The routes.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let below = |path: &str| format!("{CATALOG}/{path}");
    Router::new()
        .route(&below("list"), on(GET, list))
        .route(&below("recipe/{id}/deploy"), on(POST, deploy))
        .route(&below("model/{name}/deploy"), on(POST, deploy))
        .route(&below("model/{owner}/{name}/deploy"), on(POST, deploy))
}

/// A model that can be deployed.
struct Model {
    found: Found,
    task: String,
}

impl Model {
    fn engine(&self) -> &'static str {
        match self.task.as_str() {
            "text-generation" | "image-text-to-text" => "vllm",
            "sentence-similarity" | "feature-extraction" | "text-ranking" => "tei",
            _ => "huggingface",
        }
    }

    fn accelerator(&self) -> &'static str {
        if self.engine() == "vllm" { "gpu" } else { "cpu" }
    }

    fn recipe(&self) -> String {
        format!("{}-{}", self.found.settings.object_id, self.engine())
    }

    fn license(&self) -> Option<&str> {
        self.found.facts.get("cardData").and_then(|card| card["license"].as_str())
    }

    fn shown(&self) -> Value {
        let id = &self.found.key.id;
        json!({
            "repoId": id.to_string(),
            "modelName": id.name(),
            "authorName": id.namespace(),
            "license": self.license(),
            "task": self.task,
            "createdAt": response::date(self.found.settings.created_at),
            "recipes": [{
                "publicId": self.recipe(), "accelerator": self.accelerator(),
                "engineType": self.engine(),
            }],
        })
    }
}

/// Returns the first models that fit, and whose id contains a text.
fn models(
    call: &Call,
    text: Option<String>,
    fits: impl Fn(&Model) -> bool,
    limit: usize,
) -> Result<Vec<Model>, ApiError> {
    let mut search = Search {
        words: text.into_iter().collect(),
        limit: Some(PAGE),
        details: true,
        ..Search::new(RepoKind::Model, call.caller.viewer())
    };
    let mut models = Vec::new();
    loop {
        let found = call.hub.store.search(&search)?;
        search.skip += PAGE;
        let is_last = found.len() < PAGE;
        let with_task = found.into_iter().filter_map(|found| {
            let task = found.facts.get("pipeline_tag").and_then(Value::as_str)?.to_owned();
            Some(Model { found, task })
        });
        models.extend(with_task.filter(&fits));
        if is_last || models.len() >= limit {
            models.truncate(limit);
            return Ok(models);
        }
    }
}

/// Handles `GET /api/v1/catalog/list`.
fn list(call: &Call) -> Reply {
    let wanted = |name: &str| call.query.get(name).map(str::to_lowercase);
    let fits = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| value.is_some_and(|v| v.eq_ignore_ascii_case(wanted)))
    };
    let (task, license) = (wanted("task"), wanted("license"));
    let (accelerator, engine) = (wanted("accelerator"), wanted("engine"));
    let fits = |model: &Model| {
        fits(&task, Some(&model.task))
            && fits(&license, model.license())
            && fits(&accelerator, Some(model.accelerator()))
            && fits(&engine, Some(model.engine()))
    };
    let limit = call.query.number("limit").unwrap_or(MOST).min(MOST);
    let models = models(call, wanted("search"), fits, limit)?;
    let items = models.iter().map(Model::shown).collect::<Vec<_>>();
    Ok(response::json(&json!({ "items": items })))
}

/// Handles `POST /api/v1/catalog/recipe/{id}/deploy` and `…/model/{repo}/deploy`.
fn deploy(call: &Call) -> Reply {
    #[derive(Default, Deserialize)]
    struct Config {
        name: Option<String>,
    }

    #[derive(Deserialize)]
    struct Wanted {
        namespace: String,
        #[serde(default)]
        config: Option<Config>,
        #[serde(default)]
        accelerator: Option<String>,
    }

    call.caller.writer()?;
    let wanted: Wanted = call.body.json()?;
    owned::check_writer(call, &wanted.namespace, WHAT)?;
    let repo = match (call.param("owner"), call.param("name")) {
        (Ok(owner), Ok(name)) => Some(format!("{owner}/{name}")),
        (_, name) => name.ok().map(str::to_owned),
    };
    let is_wanted = |model: &Model| match &repo {
        Some(repo) => model.found.key.id.to_string().eq_ignore_ascii_case(repo),
        None => call.param("id").is_ok_and(|id| id == model.recipe()),
    };
    let found = models(call, repo.clone(), is_wanted, 1)?.pop();
    let fits = |model: &Model| wanted.accelerator.as_ref().is_none_or(|a| a == model.accelerator());
    let model = found.filter(fits);
    let model = model.ok_or_else(|| ApiError::not_found("The catalog has no such recipe"))?;
    let name = wanted.config.unwrap_or_default().name;
    let sent = body(&model, &name.map_or_else(|| new_name(&model), Ok)?)?;
    let endpoint = add(call, wanted.namespace, sent)?;
    Ok(response::json(&json!({ "endpoint": shown(call, &endpoint) })))
}

fn new_name(model: &Model) -> Result<String, ApiError> {
    let name = model.found.key.id.name().to_ascii_lowercase();
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let mut random = [0; 2];
    getrandom::fill(&mut random)?;
    Ok(format!("{}-{}", &name[..name.len().min(LONGEST)], hex::encode(random)))
}

fn body(model: &Model, name: &str) -> Result<Sent, ApiError> {
    let (kind, size) =
        if model.accelerator() == "gpu" { ("nvidia-l4", "x1") } else { ("intel-icl", "x2") };
    let image =
        if model.engine() == "vllm" { json!({ "vLLM": {} }) } else { json!({ "huggingface": {} }) };
    Ok(serde_json::from_value(json!({
        "name": name,
        "type": "authenticated",
        "provider": { "vendor": "aws", "region": "us-east-1" },
        "compute": {
            "accelerator": model.accelerator(), "instanceType": kind, "instanceSize": size,
            "scaling": { "minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15 },
        },
        "model": {
            "repository": model.found.key.id.to_string(), "framework": "pytorch",
            "task": model.task, "image": image,
        },
    }))?)
}

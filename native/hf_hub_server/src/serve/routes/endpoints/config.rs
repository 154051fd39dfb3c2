//! What is asked for in the bodies that create and change endpoints. Values of secrets are not kept:
//! nothing here needs them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::error::ApiError;

const TYPES: [&str; 4] = ["public", "authenticated", "protected", "private"];
/// Maximum length of a name.
const LONGEST: usize = 32;
/// Maximum size of a configuration in JSON.
const MAX_SIZE: usize = 256 << 10;
/// What is shown instead of a secret.
const HIDDEN: &str = "hidden";

/// An endpoint in a body.
#[derive(Deserialize)]
pub(super) struct Sent {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) config: Map<String, Value>,
}

impl Sent {
    /// Checks the endpoint, and returns its name and the rest.
    pub(super) fn check(self) -> Result<(String, Map<String, Value>), ApiError> {
        let Self { name, config } = self;
        let is_valid =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_valid) {
            return Err(ApiError::bad_request(format!(
                "The name of an endpoint has 1 to {LONGEST} lower case letters, digits and dashes"
            )));
        }
        Ok((name, check(config)?))
    }
}

/// Returns the configuration after a change: only what is in the body is changed.
pub(super) fn changed(
    mut config: Map<String, Value>,
    sent: Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    for (name, value) in sent.into_iter().filter(|(name, value)| name != "name" && !value.is_null())
    {
        match (config.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(config.insert(name, value)),
        }
    }
    check(config)
}

/// An image is replaced as a whole, as it may be one of another engine.
fn merge(old: &mut Map<String, Value>, new: Map<String, Value>) {
    for (name, value) in new.into_iter().filter(|(_, value)| !value.is_null()) {
        match (old.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if name == "scaling" => merge(old, new),
            (_, value) => drop(old.insert(name, value)),
        }
    }
}

fn check(config: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut config = Value::Object(config);
    for path in [
        "/provider/vendor",
        "/provider/region",
        "/compute/accelerator",
        "/compute/instanceType",
        "/compute/instanceSize",
        "/model/repository",
    ] {
        if !config.pointer(path).is_some_and(Value::is_string) {
            let message = format!("\"{}\" is required", path[1..].replace('/', "."));
            return Err(ApiError::bad_request(message));
        }
    }
    let kind = config["type"].as_str().unwrap_or("authenticated").to_owned();
    if !TYPES.contains(&kind.as_str()) {
        let message = format!("\"type\" must be one of [{}]", TYPES.join(", "));
        return Err(ApiError::bad_request(message));
    }
    config["type"] = kind.into();
    check_scaling(&mut config)?;
    // Clients expect all of them.
    for (name, default) in [
        ("framework", json!("custom")),
        ("revision", Value::Null),
        ("task", Value::Null),
        ("image", json!({ "huggingface": {} })),
    ] {
        let known = config["model"][name].take();
        config["model"][name] = if known.is_null() { default } else { known };
    }
    hide(&mut config);
    if config.to_string().len() > MAX_SIZE {
        let message = format!("The configuration of an endpoint has at most {MAX_SIZE} bytes");
        return Err(ApiError::bad_request(message));
    }
    match config {
        Value::Object(config) => Ok(config),
        _ => Err(ApiError::bad_request("Invalid body")),
    }
}

fn check_scaling(config: &mut Value) -> Result<(), ApiError> {
    let scaling = &mut config["compute"]["scaling"];
    if !scaling.is_object() {
        *scaling = json!({});
    }
    for name in ["minReplica", "maxReplica"] {
        if scaling[name].is_null() {
            scaling[name] = 1.into();
        }
    }
    let number = |name: &str| scaling[name].as_u64();
    match (number("minReplica"), number("maxReplica")) {
        (Some(least), Some(most)) if least <= most && most > 0 => Ok(()),
        _ => Err(ApiError::bad_request(
            "\"compute.scaling\" needs numbers with minReplica <= maxReplica and maxReplica > 0",
        )),
    }
}

/// Removes the values of secrets.
fn hide(config: &mut Value) {
    if let Some(secrets) = config["model"]["secrets"].as_object_mut() {
        secrets.values_mut().for_each(|value| *value = HIDDEN.into());
    }
    let images = config["model"]["image"].as_object_mut();
    for image in images.into_iter().flat_map(Map::values_mut) {
        if let Some(password) = image.pointer_mut("/credentials/password") {
            *password = HIDDEN.into();
        }
    }
}

/// Returns the number of replicas that run at least.
pub(super) fn replicas(config: &Map<String, Value>) -> u64 {
    let scaling = config.get("compute").map(|compute| &compute["scaling"]);
    let least = scaling.and_then(|scaling| scaling["minReplica"].as_u64());
    // One that is scaled to zero is started by a request.
    least.unwrap_or(1).max(1)
}

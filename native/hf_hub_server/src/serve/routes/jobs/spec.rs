//! The specification of a job in a request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::call::Call;
use super::super::super::error::ApiError;
use super::super::super::jobs;
use super::super::hardware;
use crate::store::{JobExpose, JobSpec};

/// Maximum number of arguments, variables, secrets, labels or ports.
const MOST: usize = 1000;
/// Maximum length of a name or a label.
const LONGEST: usize = 256;
const MAX_ATTEMPTS: u32 = 100;

/// Labels in a body.
type Labels = BTreeMap<String, String>;

/// A job in a body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    #[serde(default)]
    docker_image: Option<String>,
    #[serde(default)]
    space_id: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    environment: Map<String, Value>,
    #[serde(default)]
    secrets: Option<Map<String, Value>>,
    flavor: String,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    volumes: Vec<Value>,
    #[serde(default)]
    expose: Option<JobExpose>,
    #[serde(default)]
    ssh: Option<Value>,
    #[serde(default)]
    network: Option<Value>,
}

impl Sent {
    /// Checks the specification, and returns it with the secrets.
    pub(super) fn check(
        self,
        timeout: u64,
    ) -> Result<(JobSpec, BTreeMap<String, String>), ApiError> {
        if self.docker_image.is_some() == self.space_id.is_some() {
            let message = "Exactly one of \"dockerImage\" and \"spaceId\" is required";
            return Err(ApiError::bad_request(message));
        }
        check_command(&self.command, &self.arguments)?;
        hardware::check_for_job(&self.flavor)?;
        if !self.volumes.is_empty() {
            return Err(unavailable("volumes are not mounted: download what the job needs"));
        }
        if self.ssh.is_some_and(|ssh| ssh["enabled"] != json!(false)) {
            return Err(unavailable("there is no SSH"));
        }
        let attempts = self.attempts.unwrap_or(1);
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            let message = format!("\"attempts\" must be a number from 1 to {MAX_ATTEMPTS}");
            return Err(ApiError::bad_request(message));
        }
        let spec = JobSpec {
            docker_image: self.docker_image,
            space_id: self.space_id,
            command: self.command,
            arguments: self.arguments,
            environment: variables(self.environment)?,
            flavor: self.flavor,
            timeout: self.timeout_seconds.unwrap_or(timeout).max(1),
            retry: attempts - 1,
            labels: check_labels(self.labels.unwrap_or_default())?,
            expose: self.expose.map(check_expose).transpose()?.flatten(),
            network: self.network,
        };
        Ok((spec, variables(self.secrets.unwrap_or_default())?))
    }
}

fn unavailable(what: &str) -> ApiError {
    let message = format!("Jobs of the Local Hub run on its own machine, without images: {what}");
    ApiError::bad_request(message)
}

fn check_command(command: &[String], arguments: &[String]) -> Result<(), ApiError> {
    let Some(program) = command.first() else {
        return Err(unavailable("a command is required"));
    };
    if command.len() + arguments.len() > MOST {
        return Err(ApiError::bad_request(format!("A command has at most {MOST} arguments")));
    }
    if program.is_empty() || command.iter().chain(arguments).any(|text| text.contains('\0')) {
        return Err(ApiError::bad_request("A command has no empty name and no NUL"));
    }
    // Without it, the reason of the failure would only be in the log.
    if program == "uv" && !jobs::is_installed(program) {
        return Err(ApiError::not_installed(program));
    }
    Ok(())
}

/// Checks variables or secrets. Errors do not show values.
fn variables(sent: Map<String, Value>) -> Result<BTreeMap<String, String>, ApiError> {
    if sent.len() > MOST {
        return Err(ApiError::bad_request(format!("A job has at most {MOST} variables")));
    }
    sent.into_iter().map(|(name, value)| variable(name, value)).collect()
}

fn variable(name: String, value: Value) -> Result<(String, String), ApiError> {
    if name.is_empty() || name.len() > LONGEST || name.contains(['=', '\0']) {
        return Err(ApiError::bad_request("Invalid name of an environment variable"));
    }
    let text = match value {
        Value::String(text) if !text.contains('\0') => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => {
            let message = format!("The environment variable {name} must be text without NUL");
            return Err(ApiError::bad_request(message));
        }
    };
    Ok((name, text))
}

/// Returns the labels in a body.
pub(super) fn sent_labels(call: &Call) -> Result<Labels, ApiError> {
    #[derive(Deserialize)]
    struct Sent {
        labels: Labels,
    }

    check_labels(call.body.json::<Sent>()?.labels)
}

fn check_labels(labels: Labels) -> Result<Labels, ApiError> {
    let is_short = |text: &String| text.len() <= LONGEST;
    if labels.len() > MOST || !labels.iter().all(|(name, value)| is_short(name) && is_short(value))
    {
        return Err(ApiError::bad_request(format!(
            "A job has at most {MOST} labels, and a label at most {LONGEST} bytes"
        )));
    }
    if labels.keys().any(|name| name.is_empty() || name.contains('=')) {
        return Err(ApiError::bad_request("The name of a label must not be empty or have a ="));
    }
    Ok(labels)
}

/// Checks ports; none are the same as no list.
pub(super) fn check_expose(expose: JobExpose) -> Result<Option<JobExpose>, ApiError> {
    let JobExpose { ports, ports_public } = &expose;
    if ports.len() > MOST || ports.contains(&0) {
        return Err(ApiError::bad_request("Ports must be numbers from 1 to 65535"));
    }
    if !ports_public.iter().all(|port| ports.contains(port)) {
        return Err(ApiError::bad_request("Public ports must be among the exposed ones"));
    }
    Ok((!ports.is_empty()).then_some(expose))
}

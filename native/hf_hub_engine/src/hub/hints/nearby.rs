//! Suggests what was meant: asks the Hub one more question about a name that does not exist.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        hint::Hint,
        ids::{Repo, RepoRevision, RepoType, Revision},
    },
    hub::{api::Call, client::Hub},
};

/// Maximum time that an error waits for a suggestion.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of suggested branches and tags.
const SUGGESTED: usize = 5;

/// Maximum length of a suggested name.
const NAME_LIMIT: usize = 100;

/// Adds to a "not found" error the type of an existing repository of this name, or the branches and
/// tags most similar to the revision. Sends one request, to the same Hub; without a response the
/// error is unchanged.
pub async fn suggesting(hub: &Hub, repo: &Repo, revision: &Revision, error: Error) -> Error {
    // Without a status, the error does not come from the Hub.
    let is_about_it = error.status().is_some() && error.repo_id() == Some(&*repo.to_string());
    let question = async {
        match error.kind() {
            ErrorKind::RepoNotFound if is_about_it => other_type(hub, repo).await,
            ErrorKind::RevisionNotFound if is_about_it => {
                nearest(hub, repo, revision, error.message()).await
            }
            _ => Ok(None),
        }
    };
    let limit = hub.deadline.map_or(TIMEOUT, |deadline| deadline.min(TIMEOUT));
    match tokio::time::timeout(limit, question).await {
        Ok(Ok(Some((message, hint)))) => error.restated(message, hint.into_iter().collect()),
        _ => error,
    }
}

/// The result; its error names what was meant, where the Hub knows that.
pub async fn or_meant<T>(hub: &Hub, place: &RepoRevision, result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => Err(suggesting(hub, &place.repo, &place.revision, error).await),
    }
}

/// Models and datasets are commonly confused.
async fn other_type(hub: &Hub, repo: &Repo) -> Result<Option<(String, Option<Hint>)>> {
    let (kind, other) = match repo.kind() {
        RepoType::Model => ("model", RepoType::Dataset),
        RepoType::Dataset => ("dataset", RepoType::Model),
        RepoType::Space => ("space", RepoType::Model),
        RepoType::Bucket => return Ok(None),
    };
    let found = Repo::new(other, repo.id())?;
    let url = hub.url(&format!("api/{}s/{}", other.name(), repo.id()));
    let answer = hub.exchange_once(&Call { method: Method::HEAD, ..Call::get(url) }).await?;
    let is_there = answer.status == 200;
    Ok(is_there.then(|| {
        let repo_type = other.name();
        let message = format!("{kind} repository \"{found}\" not found: it is a {repo_type}");
        (message, Some(Hint::RepoType { repo_type }))
    }))
}

async fn nearest(
    hub: &Hub,
    repo: &Repo,
    revision: &Revision,
    message: &str,
) -> Result<Option<(String, Option<Hint>)>> {
    let answer = hub.exchange_once(&Call::get(hub.api_url(repo, "refs"))).await?;
    let refs: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let names = ["branches", "tags"].into_iter().filter_map(|list| refs.get(list)?.as_array());
    let names = names.flatten().filter_map(|entry| entry.get("name")?.as_str());
    let wanted = revision.as_str().to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .filter(|name| name.len() <= NAME_LIMIT)
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let names: Vec<_> =
        scored.iter().take(SUGGESTED).map(|(_, name)| format!("{name:?}")).collect();
    Ok((!names.is_empty())
        .then(|| (format!("{message}; nearest branches and tags: {}", names.join(", ")), None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::hints,
        testing::{self, Server, reply},
    };

    async fn explained(hub: &Hub, kind: ErrorKind) -> Error {
        let repo = Repo::new(RepoType::Model, "org/data").unwrap();
        let revision = Revision::parse("v2").unwrap();
        let error = Error::new(kind, "x").with_status(404);
        let error = hints::repository(hub, &repo, &revision, error);
        suggesting(hub, &repo, &revision, error).await
    }

    #[tokio::test]
    async fn suggests_the_other_repo_type() {
        let server = Server::start([reply("200 OK", "", b"")]).await;
        let error = explained(&testing::hub(&server.url), ErrorKind::RepoNotFound).await;
        assert_eq!(error.message(), "model repository \"org/data\" not found: it is a dataset");
        assert_eq!(error.hints(), [Hint::RepoType { repo_type: "dataset" }]);
        assert_eq!(server.requests().len(), 1);
        assert!(server.requests()[0].starts_with("head /api/datasets/org/data "));
    }

    #[tokio::test]
    async fn suggests_similar_branches_and_tags() {
        let refs = br#"{"branches": [{"name": "main"}, {"name": 1}], "tags": [{"name": "v2.0"}, {"name": "V2\n"}]}"#;
        let server = Server::start([reply("200 OK", "", refs)]).await;
        let error = explained(&testing::hub(&server.url), ErrorKind::RevisionNotFound).await;
        let words =
            "has no revision \"v2\"; nearest branches and tags: \"V2\\n\", \"v2.0\", \"main\"";
        assert!(error.message().ends_with(words), "{error}");
    }

    #[tokio::test]
    async fn keeps_the_error_without_a_response() {
        for answer in [reply("404 Not Found", "", b""), reply("200 OK", "", b"<html>")] {
            let server = Server::start([answer]).await;
            let hub = testing::hub(&server.url);
            let error = explained(&hub, ErrorKind::RevisionNotFound).await;
            assert!(error.message().ends_with("has no revision \"v2\""), "{error}");
        }
        let server = Server::start([]).await;
        let hub = Hub { offline: true, ..testing::hub(&server.url) };
        explained(&hub, ErrorKind::RepoNotFound).await;
        let hub = testing::hub(&server.url);
        explained(&hub, ErrorKind::EntryNotFound).await;
        assert!(server.requests().is_empty());
    }
}

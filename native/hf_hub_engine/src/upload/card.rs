//! Validates the metadata of a card on the Hub before anything is uploaded.

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
    },
    upload::{Addition, commit_response::shown, digest::index, session::Session},
};

/// The file name of a card.
pub(super) const NAME: &str = "README.md";

/// Maximum size of a card that is validated here.
const LIMIT: u64 = 10 << 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    content: &'a str,
    repo_type: &'static str,
}

#[derive(Default, Deserialize)]
struct Response {
    #[serde(default)]
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
struct Warning {
    #[serde(default)]
    message: String,
}

/// Returns the warnings for a card; fails if the Hub would reject it.
pub(super) async fn check(session: &Session, card: &Addition) -> Result<Vec<String>> {
    let Some(content) = text(card).await? else { return Ok(Vec::new()) };
    let question = Question { content: &content, repo_type: session.target.repo.kind().name() };
    let response: Result<Response> =
        session.ask(session.hub.url("api/validate-yaml"), &question).await;
    let response = response.map_err(|error| {
        if error.kind() != ErrorKind::BadRequest {
            return error;
        }
        let said = error
            .message()
            .trim_start_matches("Invalid metadata in README.md")
            .trim_start_matches([':', ';', ' ']);
        let message =
            format!("the metadata of {NAME} is not valid, so nothing was uploaded: {said}");
        error.with_message(message).with_path(NAME)
    })?;
    Ok(response
        .warnings
        .into_iter()
        .map(|warning| format!("{NAME}: {}", shown(&warning.message)))
        .collect())
}

/// Returns a file's content as text; `None` if it is too large.
pub(super) async fn text(file: &Addition) -> Result<Option<String>> {
    if file.stamp.size > LIMIT {
        return Ok(None);
    }
    let file = file.clone();
    blocking::run(move || {
        let mut bytes = vec![0; index(file.stamp.size)];
        file.open()?.read(0, &mut bytes)?;
        String::from_utf8(bytes).map(Some).map_err(|_| {
            let message = format!("\"{}\" is not UTF-8 text", file.path);
            Error::new(ErrorKind::BadRequest, message).with_path(&file.path)
        })
    })
    .await
}

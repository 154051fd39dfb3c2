//! Xet storage over HTTP: the API that `hf_xet` speaks, on the content listener.
//!
//! Requests have a token of their own, which is for one repository; links to ranges of xorbs are
//! signed. The routes of the Hub itself are in `token`.

mod chunks;
mod holder;
mod reconstructions;
mod shards;
mod token;
mod xorbs;

pub(super) use token::{
    announce, announce_in_bucket, get as token, of_bucket as bucket_token, upload_action,
};

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::task::spawn_blocking;

use super::super::call::Reply;
use super::super::error::ApiError;
use super::super::hub::Hub;
use crate::store::{Invalid, XetHash, parse_hash};
use holder::Holder;
use token::Right;

/// The routes on the content listener.
pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/v1/chunks/{prefix}/{hash}", get(chunks::get))
        .route("/v1/reconstructions/{hash}", get(reconstructions::v1))
        .route("/v2/reconstructions/{hash}", get(reconstructions::v2))
        .route("/v1/xorb-grants/{prefix}/{hash}", post(xorbs::grant))
        .route("/v1/xorb-commits/{prefix}/{hash}/grant/{id}", post(xorbs::commit))
        .route("/v1/xorbs/{prefix}/{hash}", post(xorbs::post).head(xorbs::head))
        .route("/v1/shards", post(shards::v1))
        .route("/v2/shards", post(shards::v2))
        .route("/v1/telemetry", post(drop_telemetry))
        .route("/xet/xorbs/{hash}/{range}", get(xorbs::fetch))
        .route("/xet/grants/{hash}/{size}", axum::routing::put(xorbs::put))
}

/// What a route knows of a request besides its body.
struct Asked {
    hub: Arc<Hub>,
    head: Parts,
    params: Vec<(String, String)>,
}

impl Asked {
    fn new(hub: Arc<Hub>, head: Parts, params: &RawPathParams) -> Self {
        let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { hub, head, params: params.collect() }
    }

    fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Returns the hash in the path, whose prefix has to be one that clients use.
    fn hash(&self) -> Result<XetHash, ApiError> {
        let prefix = self.param("prefix");
        if !matches!(prefix, "" | "default" | "default-merkledb") {
            return Err(ApiError::bad_request("Unknown prefix"));
        }
        parse_hash(self.param("hash")).ok_or_else(|| ApiError::bad_request("Invalid hash"))
    }

    /// Returns the repository or the bucket that the token is for.
    fn holder(&self, right: Right) -> Result<Holder, ApiError> {
        token::check(&self.hub, self.headers(), right)
    }
}

/// Runs a handler without a body off the async threads.
async fn answer(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
    handler: fn(&Asked) -> Reply,
) -> Response {
    let asked = Asked::new(hub, request.into_parts().0, &params);
    finish(spawn_blocking(move || handler(&asked)).await)
}

fn finish(done: Result<Reply, tokio::task::JoinError>) -> Response {
    done.unwrap_or_else(|panic| Err(panic.into())).into_response()
}

/// Returns the error about something a client has sent, or that of the storage.
fn failure(err: anyhow::Error) -> ApiError {
    match err.downcast::<Invalid>() {
        Ok(Invalid(message)) => ApiError::bad_request(message),
        Err(err) => err.into(),
    }
}

/// Receives the statistics that clients send about their transfers, and drops them.
async fn drop_telemetry(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    match hub.intake.whole(request.into_body()).await {
        Ok(_) => axum::http::StatusCode::NO_CONTENT.into_response(),
        Err(broken) => broken.into_response(),
    }
}

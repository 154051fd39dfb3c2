//! Whether a chunk is stored already, in whatever repository.

use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::super::super::call::Reply;
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::token::Right;
use super::{Asked, answer};

/// Handles `GET /v1/chunks/{prefix}/{hash}`.
pub(super) async fn get(
    state: State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    answer(state, params, request, find).await
}

fn find(asked: &Asked) -> Reply {
    asked.holder(Right::Write)?;
    let shard = asked.hub.store.xet().shard_with(&asked.hash()?)?;
    let shard = shard.ok_or_else(|| ApiError::not_found("This chunk is not known"))?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))];
    Ok((headers, shard).into_response())
}

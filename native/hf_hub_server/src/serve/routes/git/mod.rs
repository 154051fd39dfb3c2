//! Cloning, fetching and pushing: git's protocol over HTTP.
//!
//! The responses to a clone or a fetch come from the `upload-pack` of the installed git: this module
//! only passes bytes between it and the client.

mod commands;
mod push;
mod rules;

pub(super) use push::receive as receive_pack;

use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;

use async_stream::try_stream;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use flate2::read::GzDecoder;
use futures_util::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::intake::MAX_WHOLE;
use crate::store::{Repo, git_program};

const PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";
/// Maximum size of the client's negotiation request, compressed or not.
const MAX_REQUEST: u64 = MAX_WHOLE;
const CHUNK: usize = 64 << 10;

/// Handles `GET /{id}/info/refs`.
pub(super) fn refs(call: &Call, repo: &Repo) -> Reply {
    match call.query.get("service") {
        Some("git-upload-pack") => {}
        Some("git-receive-pack") => return push::refs(call, repo),
        _ => return Err(ApiError::bad_request("Only git's smart protocol is supported")),
    }
    let child = start(call, repo, &["--advertise-refs"])?;
    let banner = Bytes::from_static(b"001e# service=git-upload-pack\n0000");
    Ok(stream(ADVERTISEMENT, output(child, Some(banner))))
}

/// Handles `POST /{id}/git-upload-pack`.
pub(super) fn upload_pack(call: &Call, repo: &Repo) -> Reply {
    call.caller.check_files(repo)?;
    let request = request(call)?;
    let mut child = start(call, repo, &[])?;
    if let Some(mut stdin) = child.stdin.take() {
        // Concurrently with the output, to avoid a deadlock. A child that has exited ignores it.
        tokio::spawn(async move { drop(stdin.write_all(&request).await) });
    }
    Ok(stream(RESULT, output(child, None)))
}

/// Returns the whole request, which git compresses if it is long.
fn request(call: &Call) -> Result<Vec<u8>, ApiError> {
    let sent = call.body.bytes()?;
    if call.headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding != "gzip") {
        return Ok(sent);
    }
    let mut request = Vec::new();
    let read = GzDecoder::new(sent.as_slice()).take(MAX_REQUEST + 1).read_to_end(&mut request);
    read.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))?;
    if request.len() as u64 > MAX_REQUEST { Err(ApiError::too_large()) } else { Ok(request) }
}

fn start(call: &Call, repo: &Repo, options: &[&str]) -> Result<Child, ApiError> {
    call.caller.check_files(repo)?;
    let mut command = command(repo.git_dir()?, options);
    if let Some(protocol) = call.headers.get(PROTOCOL).and_then(|value| value.to_str().ok()) {
        command.env("GIT_PROTOCOL", protocol);
    }
    command.spawn().map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => ApiError::not_installed("git"),
        _ => err.into(),
    })
}

fn command(git_dir: &Path, options: &[&str]) -> Command {
    let mut command = Command::from(git_program(git_dir));
    command.args(["upload-pack", "--strict", "--stateless-rpc"]).args(options).arg(git_dir);
    command.stdin(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Streams the child's output; it is stopped when the client leaves.
fn output(child: Child, banner: Option<Bytes>) -> Body {
    Body::from_stream(pieces(child, banner))
}

fn pieces(mut child: Child, banner: Option<Bytes>) -> impl Stream<Item = io::Result<Bytes>> {
    let stdin = child.stdin.take();
    try_stream! {
        drop(stdin);
        if let Some(banner) = banner {
            yield banner;
        }
        if let Some(mut stdout) = child.stdout.take() {
            let mut chunk = vec![0; CHUNK];
            loop {
                let read = stdout.read(&mut chunk).await?;
                if read == 0 {
                    break;
                }
                yield Bytes::copy_from_slice(&chunk[..read]);
            }
        }
        let status = child.wait().await?;
        if !status.success() {
            // The response is cut off, so that the client does not take it for complete.
            Err(io::Error::other("git upload-pack failed"))?;
        }
    }
}

fn stream(media_type: &'static str, body: Body) -> axum::response::Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CACHE_CONTROL, NO_CACHE)];
    (headers, body).into_response()
}

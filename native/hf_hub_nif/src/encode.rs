//! Encodes the messages of a job as terms.

use bytes::Bytes;
use hf_hub_engine::hub::{api::ApiResponse, events::Event};
use rustler::{Atom, Encoder, Env, NewBinary, Term};
use serde::Serialize;

use crate::{atoms, json, serial};

/// The result of a job, built when it is sent.
pub(crate) struct Reply(Box<dyn for<'a> Fn(Env<'a>) -> Term<'a> + Send>);

impl Reply {
    /// Creates a reply with a report of the engine.
    pub(crate) fn new(report: impl Serialize + Send + 'static) -> Self {
        Self(Box::new(move |env| serial::term(env, &report)))
    }

    /// Creates a reply with the response of an API route.
    pub(crate) fn response((response, is_json): (ApiResponse, bool)) -> Self {
        Self(Box::new(move |env| self::response(env, &response, is_json)))
    }

    /// Creates the reply of a job without a result.
    pub(crate) fn done() -> Self {
        Self(Box::new(|env| atoms::done().encode(env)))
    }
}

impl Encoder for Reply {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        self.0(env)
    }
}

/// What a stream sends for each unit of demand.
pub(crate) enum Piece {
    Bytes(Bytes),
    Event(Event),
}

impl Encoder for Piece {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Self::Bytes(bytes) => binary(env, bytes),
            Self::Event(event) => {
                let text = event.data.as_bytes();
                let data = json::term(env, text).unwrap_or_else(|_| binary(env, text));
                with(serial::term(env, event), atoms::data(), data)
            }
        }
    }
}

/// Encodes the response of an API route: JSON as terms, anything else as a binary. `broken` is the error
/// of a body that is not valid JSON.
fn response<'a>(env: Env<'a>, response: &ApiResponse, is_json: bool) -> Term<'a> {
    let (body, broken) = if !is_json || response.body.is_empty() {
        (binary(env, &response.body), None)
    } else {
        match json::term(env, &response.body) {
            Ok(term) => (term, None),
            Err(error) => (binary(env, b""), Some(error.to_string())),
        }
    };
    let response = with(serial::term(env, response), atoms::body(), body);
    with(response, atoms::broken(), broken)
}

fn with(map: Term<'_>, key: Atom, value: impl Encoder) -> Term<'_> {
    map.map_put(key, value).unwrap_or(map)
}

/// Copies bytes to a binary of the BEAM: measured to be cheaper for streams than sharing.
pub(crate) fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// Returns an atom of a closed list of names.
pub(crate) fn atom(env: Env, name: &str) -> Atom {
    Atom::from_str(env, name).unwrap_or_else(|_| atoms::error())
}

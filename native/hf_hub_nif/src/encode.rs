//! What a job sends, as terms.

use bytes::Bytes;
use hf_hub_engine::hub::{api::ApiResponse, events::Event};
use rustler::{Atom, Encoder, Env, NewBinary, Term};
use serde::Serialize;

use crate::{atoms, json, serial};

/// What a job ends with, built when it is sent.
pub(crate) struct Reply(Box<dyn for<'a> Fn(Env<'a>) -> Term<'a> + Send>);

impl Reply {
    /// A report of the engine.
    pub(crate) fn new(report: impl Serialize + Send + 'static) -> Self {
        Self(Box::new(move |env| serial::term(env, &report)))
    }

    /// The answer of an API.
    pub(crate) fn answer((answer, is_json): (ApiResponse, bool)) -> Self {
        Self(Box::new(move |env| self::answer(env, &answer, is_json)))
    }

    /// That there is nothing more to say.
    pub(crate) fn done() -> Self {
        Self(Box::new(|env| atoms::done().encode(env)))
    }
}

impl Encoder for Reply {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        self.0(env)
    }
}

/// What a stream sends for each permit.
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

/// An answer of an API: JSON as terms, anything else as a binary. `broken` says why JSON cannot be read.
fn answer<'a>(env: Env<'a>, answer: &ApiResponse, is_json: bool) -> Term<'a> {
    let (body, broken) = if !is_json || answer.body.is_empty() {
        (binary(env, &answer.body), None)
    } else {
        match json::term(env, &answer.body) {
            Ok(term) => (term, None),
            Err(error) => (binary(env, b""), Some(error.to_string())),
        }
    };
    let answer = with(serial::term(env, answer), atoms::body(), body);
    with(answer, atoms::broken(), broken)
}

fn with<'a>(map: Term<'a>, key: Atom, value: impl Encoder) -> Term<'a> {
    map.map_put(key, value).unwrap_or(map)
}

/// Bytes as a binary of the BEAM. Copied: measured cheaper for streams than sharing.
pub(crate) fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// An atom of a closed list of names.
pub(crate) fn atom(env: Env, name: &str) -> Atom {
    Atom::from_str(env, name).unwrap_or_else(|_| atoms::error())
}

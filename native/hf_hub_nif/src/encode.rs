//! Encodes the messages of a job as terms.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hf_hub_engine::{
    base::{
        json::leniently,
        random_access::{Contents, RandomAccess},
    },
    hub::{api::ApiResponse, events::Event},
};
use rustler::{Atom, Encoder, Env, OwnedEnv, ResourceArc, Term, env::SavedTerm};
use serde::Serialize;

use crate::{Held, OpenFile, Text, atoms, serial, structs, term};

/// Number of bytes from which on a JSON text is parsed by the owner of the job, on the heap of its process: the terms
/// of a message are in many small pieces, which take as much memory again while they are copied.
const LONG: usize = 64 << 10;

/// The result of a job or a piece of a stream, built when it is sent.
pub(crate) struct Reply(Box<dyn for<'a> Fn(Env<'a>) -> Term<'a> + Send>);

impl Reply {
    /// Creates a reply with a report of the engine.
    pub(crate) fn new(report: impl Serialize + Send + 'static) -> Self {
        Self(Box::new(move |env| serial::term(env, &report)))
    }

    /// Same as [`Self::new`], with structs in place of the maps that `tables` has.
    pub(crate) fn structs(
        report: impl Serialize + Send + 'static,
        tables: Option<(OwnedEnv, SavedTerm)>,
    ) -> Self {
        Self(Box::new(move |env| {
            let report = serial::term(env, &report);
            loaded(env, tables.as_ref())
                .and_then(|it| structs::decoded(report, it))
                .unwrap_or(report)
        }))
    }

    /// Creates a reply with the response of an API route: JSON as terms, a long text as a [`Text`] and its size,
    /// anything else as a binary. Objects are decoded by `tables`. `broken` is the error of a body that is not valid
    /// JSON.
    pub(crate) fn response(response: ApiResponse, tables: Option<(OwnedEnv, SavedTerm)>) -> Self {
        Self(Box::new(move |env| {
            let (body, broken) = match response.json() {
                None => (term::binary(env, &response.body), None),
                Some(text) if text.len() < LONG => json(env, text, loaded(env, tables.as_ref())),
                Some(text) => {
                    let unparsed = ResourceArc::new(Text(Mutex::new(Some(response.body.clone()))));
                    ((unparsed, text.len()).encode(env), None)
                }
            };
            let response = with(serial::term(env, &response), atoms::body(), body);
            with(response, atoms::broken(), broken)
        }))
    }

    /// Creates a piece of an event stream, whose data may be JSON.
    pub(crate) fn event(event: Event) -> Self {
        Self(Box::new(move |env| {
            let text = event.data.as_bytes();
            let data = leniently(text, |text| serial::json(env, text));
            let data = data.unwrap_or_else(|_| term::binary(env, text));
            with(serial::term(env, &event), atoms::data(), data)
        }))
    }

    /// Creates a piece of a file.
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self(Box::new(move |env| term::binary(env, &bytes)))
    }

    /// Creates bytes that were read, to which a binary refers unless they are few.
    pub(crate) fn contents(contents: Contents) -> Self {
        match contents {
            Contents::Small(bytes) => Self::bytes(bytes.into()),
            Contents::Large(_) => {
                let held = ResourceArc::new(Held(Some(contents)));
                Self(Box::new(move |env| held.make_binary(env, Held::bytes).to_term(env)))
            }
        }
    }

    /// Creates the handle of an open file, with its size.
    pub(crate) fn file(file: RandomAccess) -> Self {
        let (size, file) = (file.size(), ResourceArc::new(OpenFile(Arc::new(file))));
        Self(Box::new(move |env| (&file, size).encode(env)))
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

/// Parses JSON, whose objects are decoded by `tables`. Returns why a text is not valid, too.
pub(crate) fn json<'a>(
    env: Env<'a>,
    text: &[u8],
    tables: Option<Term<'a>>,
) -> (Term<'a>, Option<String>) {
    match leniently(text, |text| serial::json(env, text)) {
        Ok(body) => (tables.and_then(|it| structs::decoded(body, it)).unwrap_or(body), None),
        Err(error) => (term::binary(env, b""), Some(error.to_string())),
    }
}

/// Returns the tables of a spec in this environment.
fn loaded<'a>(env: Env<'a>, tables: Option<&(OwnedEnv, SavedTerm)>) -> Option<Term<'a>> {
    tables.map(|(of, saved)| of.run(|of| saved.load(of).in_env(env)))
}

fn with(map: Term<'_>, key: Atom, value: impl Encoder) -> Term<'_> {
    map.map_put(key, value).unwrap_or(map)
}

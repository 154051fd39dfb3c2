//! A request as a caller describes it.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::RepoRevision,
        input,
        progress::Progress,
    },
    hub::{
        api::{ApiResponse, Call, Segment, pages::List},
        client::Hub,
        events::{self, Event, Events},
        hints,
    },
};

/// A request.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of a request")]
pub struct Request {
    method: String,
    url: String,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    /// The parts of the body, in order.
    body: Option<Vec<Segment>>,
    json: Option<Value>,
    /// Whether the request may be repeated.
    repeatable: bool,
    /// Whether the response is parsed as JSON regardless of its content type.
    parse: bool,
    /// Whether the body contains a secret.
    secret: bool,
    /// Whether an error may cost another request, to suggest what was meant.
    suggest: bool,
    /// The repository and revision that an error is about.
    place: Option<RepoRevision>,
}

/// A request whose response is a stream of events.
#[derive(Debug, Deserialize)]
pub struct Listen {
    request: Request,
    reconnect: bool,
    #[serde(deserialize_with = "input::some_millis")]
    quiet: Option<Duration>,
    ends_at_deadline: bool,
}

impl Request {
    fn call(&mut self) -> Result<Call> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidName, format!("the {what} of a request cannot be used"))
        };
        let kind = self.content_type.as_deref().unwrap_or("application/json").parse();
        let kind: HeaderValue = kind.map_err(|_| wrong("content type"))?;
        let json = self.json.take().map(|json| vec![Segment::Bytes(json.to_string().into())]);
        let body = json.or_else(|| self.body.take());
        let header = |(name, value): &(String, String)| -> Option<(HeaderName, HeaderValue)> {
            Some((name.parse().ok()?, value.parse().ok()?))
        };
        let headers: Option<HeaderMap> = self.headers.iter().map(header).collect();
        Ok(Call {
            headers: headers.ok_or_else(|| wrong("headers"))?,
            method: self.method.parse().map_err(|_| wrong("method"))?,
            body: body.map(|body| (kind, body)),
            secret: self.secret,
            repeatable: self.repeatable,
            ..Call::get(self.url.parse().map_err(|_| wrong("URL"))?)
        })
    }

    /// Sends the request, or the one for the next page of a list.
    pub async fn send(
        mut self,
        hub: &Hub,
        list: Option<&mut List>,
        progress: &Progress,
    ) -> Result<ApiResponse> {
        let call = self.call()?;
        let response = match list {
            Some(list) => hub.within_deadline(progress, list.page(hub, &call, progress)).await,
            None => hub.exchange(&call, progress).await,
        };
        let response = response.map_err(|error| hints::about(hub, self.place.as_ref(), error));
        let response = match self.place.filter(|_| self.suggest) {
            Some(place) => hints::or_meant(hub, &place, response).await?,
            None => response?,
        };
        Ok(ApiResponse { parse: self.parse, ..response })
    }
}

/// Events that are being read.
pub struct Listening {
    hub: Hub,
    place: Option<RepoRevision>,
    events: Events,
}

impl Listening {
    /// Opens the stream.
    pub async fn open(hub: Hub, mut listen: Listen, progress: Progress) -> Result<Self> {
        let call = listen.request.call()?;
        let place = listen.request.place;
        let Listen { reconnect, quiet, ends_at_deadline, .. } = listen;
        let spec = events::Spec { call, reconnect, quiet, ends_at_deadline };
        match Events::open(hub.clone(), spec, progress).await {
            Ok(events) => Ok(Self { hub, place, events }),
            Err(error) => Err(hints::about(&hub, place.as_ref(), error)),
        }
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        let event = self.events.next().await;
        event.map_err(|error| hints::about(&self.hub, self.place.as_ref(), error))
    }
}

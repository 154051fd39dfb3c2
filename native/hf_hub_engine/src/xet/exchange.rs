//! Requests to a storage, with an access token that is renewed when the storage refuses it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT},
};
use tokio::sync::Mutex;

use super::{
    Access,
    access::{Granted, Tokens},
};
use crate::{
    base::error::{Error, ErrorKind, Result},
    transport::{Body, Client, Peer, Request, Response, Timeouts},
};

/// How often a request is sent, and the first pause between them: another way can take over.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// What requests to one storage have in common.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) client: Client,
    pub(super) timeouts: Timeouts,
    pub(super) access: Access,
    /// The current token: the first one may expire.
    token: Mutex<String>,
    /// Where renewed access is kept for other calls.
    tokens: Tokens,
}

impl Exchange {
    pub(super) fn new(client: Client, timeouts: Timeouts, access: Access, tokens: Tokens) -> Self {
        let token = access.token.clone().into();
        Self { client, timeouts, access, token, tokens }
    }

    /// Returns a URL of the storage.
    pub(super) fn url(&self, path: &str) -> Result<Url> {
        let base = self.access.storage.as_str().trim_end_matches('/');
        format!("{base}/{path}").parse().map_err(|_| invalid("its address is invalid"))
    }

    /// Sends a request with the token. If that is refused, another one is requested once.
    pub(super) async fn authorized(&self, call: Call<'_>) -> Result<Response> {
        let token = self.token.lock().await.clone();
        match self.send(call.clone(), Some(&token)).await {
            Err(error) if error.status() == Some(401) => {
                let token = self.renewed(&token).await?;
                self.send(call, Some(&token)).await.map_err(unauthorized)
            }
            sent => sent,
        }
    }

    /// Sends a request to a link, which has no token.
    pub(super) async fn linked(&self, call: Call<'_>) -> Result<Response> {
        self.send(call, None).await
    }

    async fn send(&self, call: Call<'_>, token: Option<&str>) -> Result<Response> {
        let mut headers = call.headers;
        if let Some(agent) = self.access.headers.get(USER_AGENT) {
            headers.entry(USER_AGENT).or_insert_with(|| agent.clone());
        }
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let body = call.body.map(|body| body());
        self.request(call.method, call.url, headers, body, Peer::Store).await
    }

    async fn request(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Body>,
        peer: Peer,
    ) -> Result<Response> {
        let timeouts = self.timeouts;
        // Each on a connection of its own, like the parts of a file over HTTP.
        let alone = peer == Peer::Store;
        self.client.send(Request { method, url, headers, body, timeouts, alone, peer }).await
    }

    /// Returns a token other than the refused one, which the Hub grants.
    async fn renewed(&self, refused: &str) -> Result<String> {
        let mut token = self.token.lock().await;
        if *token == refused {
            let Access { route, headers, .. } = &self.access;
            let granted = patiently(|| async {
                let (url, headers) = (route.clone(), headers.clone());
                let response = self.request(Method::GET, url, headers, None, Peer::Hub).await?;
                let body = not_moved(response)?.bytes(Granted::LONGEST).await?;
                Granted::read(&body).ok_or_else(|| invalid("the Hub granted no access token"))
            });
            let Granted { access_token, exp: expires, cas_url } = granted.await?;
            self.tokens.forget(refused);
            if Url::parse(&cas_url).ok().as_ref() != Some(&self.access.storage) {
                return Err(invalid("the Hub names another one").with_kind(ErrorKind::Unauthorized));
            }
            let renewed = Access { token: access_token.clone(), expires, ..self.access.clone() };
            self.tokens.keep(renewed);
            *token = access_token;
        }
        Ok(token.clone())
    }

    /// Whether a link is as secure as the storage.
    pub(super) fn is_secure(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.access.storage.scheme() == "http"
    }
}

/// A request, which may be sent several times.
#[derive(Clone)]
pub(super) struct Call<'a> {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<&'a (dyn Fn() -> Body + Send + Sync)>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    pub(super) fn headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    pub(super) fn json(mut self) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    pub(super) fn body(self, body: &'a (dyn Fn() -> Body + Send + Sync)) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// Repeats what may succeed later.
pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(
    request: impl Fn() -> F,
) -> Result<T> {
    let mut attempt = 1;
    loop {
        match request().await {
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                let pause = error.retry_after().unwrap_or(PAUSE * 3_u32.pow(attempt - 1));
                tokio::time::sleep(pause.min(PAUSE * 9)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Returns a response that is not a redirect.
pub(super) fn not_moved(response: Response) -> Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(invalid("it redirects to elsewhere").with_url(response.url()))
}

pub(super) fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("invalid response of the storage: {why}"))
}

pub(super) fn header(value: &str) -> Result<HeaderValue> {
    value.parse().map_err(|_| invalid("the access token cannot be sent"))
}

/// Returns bytes as the body of each attempt at a request.
pub(super) fn again(bytes: &Bytes) -> impl Fn() -> Body + Send + Sync + '_ {
    || Body::from(bytes.clone())
}

fn unauthorized(error: Error) -> Error {
    if error.status() == Some(401) { error.with_kind(ErrorKind::Unauthorized) } else { error }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = header(&format!("Bearer {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

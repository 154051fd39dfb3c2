//! The requests of a download to a storage: plans, with the access token, and parts of objects by
//! the links in them, without it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE, USER_AGENT},
};
use tokio::sync::Mutex;

use super::{
    Access,
    access::Granted,
    chunks::{Chunks, Unpacking},
    plan::{self, Block, Plan},
};
use crate::{
    base::error::{Error, ErrorKind, Result},
    transport::{Client, Peer, Request, Response, Timeouts},
};

/// Maximum size of a plan.
const PLAN: usize = 16 << 20;

/// How often a request is sent, and the first pause between them: HTTP can take over.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// Maximum number of redirects of a link.
const REDIRECTS: usize = 5;

/// Requests for one file.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) client: Client,
    pub(super) timeouts: Timeouts,
    /// How long the storage may take for a plan.
    pub(super) plan_timeout: Duration,
    pub(super) access: Access,
    /// The current token: the first one may expire.
    pub(super) token: Mutex<String>,
    pub(super) hash: String,
}

impl Requests {
    /// Returns the plan for a range of the file. A token that is refused is renewed once.
    pub(super) async fn plan(&self, range: Range<u64>) -> Result<Plan> {
        let planned = tokio::time::timeout(self.plan_timeout, self.planned(&range)).await;
        let body = planned.unwrap_or_else(|_| {
            let seconds = self.plan_timeout.as_secs();
            let message = format!("the storage has sent no plan of the file within {seconds} s");
            Err(self.access.failed(ErrorKind::Timeout, message))
        });
        self.read(&body?, range.end - range.start).map_err(|why| {
            let message = format!("the storage sent an invalid plan of the file: {why}");
            self.access.failed(ErrorKind::InvalidResponse, message)
        })
    }

    async fn planned(&self, range: &Range<u64>) -> Result<Bytes> {
        let token = self.token.lock().await.clone();
        match self.ask(&token, range).await {
            Err(error) if error.status() == Some(401) => {
                let token = self.renewed(&token).await?;
                self.ask(&token, range).await.map_err(unauthorized)
            }
            asked => asked,
        }
    }

    /// Reads a plan, whose links must be as secure as the storage.
    fn read(&self, body: &[u8], wanted: u64) -> std::result::Result<Plan, &'static str> {
        let plan = plan::read(body, wanted)?;
        let are_secure = plan.blocks.iter().all(|block| self.is_secure(&block.url));
        are_secure.then_some(plan).ok_or("a link in it is plain http, which is not followed")
    }

    fn is_secure(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.access.storage.scheme() == "http"
    }

    async fn ask(&self, token: &str, range: &Range<u64>) -> Result<Bytes> {
        let mut headers = self.agent();
        headers.insert(AUTHORIZATION, bearer(token)?);
        headers.insert(RANGE, header(&format!("bytes={}-{}", range.start, range.end - 1))?);
        for version in ["v2", "v1"] {
            let base = self.access.storage.as_str().trim_end_matches('/');
            let url = format!("{base}/{version}/reconstructions/{}", self.hash);
            let url: Url = url.parse().map_err(|_| invalid("its address is invalid"))?;
            let asked = patiently(|| async {
                let response = self.send(url.clone(), headers.clone(), Peer::Store).await?;
                not_moved(response)?.bytes(PLAN).await
            });
            match asked.await {
                Err(error) if version == "v2" && matches!(error.status(), Some(404 | 501)) => {}
                asked => return asked,
            }
        }
        Err(invalid("it knows no version of the protocol"))
    }

    /// Returns a token other than the refused one, which the Hub grants.
    async fn renewed(&self, refused: &str) -> Result<String> {
        let mut token = self.token.lock().await;
        if *token == refused {
            let Access { route, headers, .. } = &self.access;
            let granted = patiently(|| async {
                let response = self.send(route.clone(), headers.clone(), Peer::Hub).await?;
                let body = not_moved(response)?.bytes(Granted::LONGEST).await?;
                Granted::read(&body).ok_or_else(|| invalid("the Hub granted no access token"))
            });
            *token = granted.await?.access_token;
        }
        Ok(token.clone())
    }

    /// Fetches and unpacks a part of an object.
    pub(super) async fn block(&self, block: &Block) -> Result<Chunks> {
        patiently(|| self.fetch(block)).await
    }

    async fn fetch(&self, block: &Block) -> Result<Chunks> {
        let mut headers = self.agent();
        let range = format!("bytes={}-{}", block.bytes.start, block.bytes.end - 1);
        headers.insert(RANGE, header(&range)?);
        let mut response = self.send(block.url.clone(), headers.clone(), Peer::Store).await?;
        for _ in 0..REDIRECTS {
            let Some(location) = redirect(&response) else { break };
            let next =
                response.url().join(location).map_err(|_| invalid("a redirect is invalid"))?;
            if !self.is_secure(&next) {
                return Err(invalid("it redirects to plain http").with_url(response.url()));
            }
            response = self.send(next, headers.clone(), Peer::Store).await?;
        }
        let mut response = not_moved(response)?;
        let mut unpacking = Unpacking::new(block);
        while let Some(bytes) = response.chunk().await? {
            unpacking.push(&bytes).map_err(|why| broken(why).with_url(&block.url))?;
        }
        unpacking.finish().ok_or_else(|| {
            let message = "the connection to the storage broke";
            Error::new(ErrorKind::Transport, message).with_url(&block.url)
        })
    }

    async fn send(&self, url: Url, headers: HeaderMap, peer: Peer) -> Result<Response> {
        let (method, timeouts) = (Method::GET, self.timeouts);
        // Each on a connection of its own, like the parts of a file over HTTP.
        let alone = peer == Peer::Store;
        self.client.send(Request { method, url, headers, body: None, timeouts, alone, peer }).await
    }

    fn agent(&self) -> HeaderMap {
        let agent = self.access.headers.get(USER_AGENT).cloned();
        agent.into_iter().map(|agent| (USER_AGENT, agent)).collect()
    }
}

/// Repeats what may succeed later.
async fn patiently<T, F: Future<Output = Result<T>>>(request: impl Fn() -> F) -> Result<T> {
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

fn redirect(response: &Response) -> Option<&str> {
    response.header(LOCATION.as_str()).filter(|_| response.status().is_redirection())
}

fn not_moved(response: Response) -> Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(invalid("it redirects to elsewhere").with_url(response.url()))
}

fn unauthorized(error: Error) -> Error {
    if error.status() == Some(401) { error.with_kind(ErrorKind::Unauthorized) } else { error }
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the storage sent an invalid object: {why}"))
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("invalid response of the storage: {why}"))
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = header(&format!("Bearer {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn header(value: &str) -> Result<HeaderValue> {
    value.parse().map_err(|_| invalid("the access token cannot be sent"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transport::ClientConfig;

    #[test]
    fn links_of_a_secure_storage_must_be_secure() {
        for (storage, link, is_right) in [
            ("http", "http", true),
            ("http", "https", true),
            ("https", "https", true),
            ("https", "http", false),
        ] {
            let url: Url = format!("{storage}://cas.example").parse().unwrap();
            let wait = Duration::from_secs(1);
            let access = Access {
                storage: url.clone(),
                token: "secret".to_owned(),
                expires: 0,
                route: url,
                headers: HeaderMap::new(),
            };
            let requests = Requests {
                client: Client::new(ClientConfig::default()),
                timeouts: Timeouts { headers: wait, idle: wait },
                plan_timeout: wait,
                token: access.token.clone().into(),
                access,
                hash: "ab".repeat(32),
            };
            let bounds = json!({ "start": 0, "end": 1 });
            let ranges = json!([{ "chunks": bounds, "bytes": bounds }]);
            let plan = json!({
                "offset_into_first_range": 0,
                "terms": [{ "hash": "x", "unpacked_length": 9, "range": bounds }],
                "xorbs": { "x": [{ "url": format!("{link}://cas.example/x"), "ranges": ranges }] },
            });
            let read = requests.read(plan.to_string().as_bytes(), 9);
            assert_eq!(read.is_ok(), is_right, "{storage} {link}");
        }
    }
}

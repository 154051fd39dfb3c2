//! Reads what a client still sends after the response was decided.
//!
//! A client that is still writing when the connection ends never sees the response: the kernel
//! resets the connection. So the response is sent at once, and the body is read to its end and
//! discarded.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::StreamExt;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Maximum number of bytes to read for a client that does not read its response.
const MAX: u64 = 4 << 30;
/// A client that sends nothing for so long is not in the middle of the body.
const IDLE: Duration = Duration::from_secs(2);

/// Lets an app respond before it has read the body.
pub(super) fn layer(app: Router) -> Router {
    app.layer(middleware::from_fn(linger))
}

async fn linger(request: Request, next: Next) -> Response {
    // A client that sends `Expect` waits before it sends the body.
    let asks_first = request.headers().contains_key(EXPECT);
    if asks_first || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (sender, rest) = oneshot::channel();
    let request = request.map(|inner| Body::new(Lent { inner, give_back: Some(sender) }));
    let response = next.run(request).await;
    tokio::spawn(async {
        if let Ok(rest) = rest.await {
            drain(rest).await;
        }
    });
    response
}

async fn drain(body: Body) {
    let mut left = MAX;
    let mut stream = body.into_data_stream();
    while let Ok(Some(Ok(chunk))) = timeout(IDLE, stream.next()).await {
        match left.checked_sub(chunk.len() as u64) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// A body that is returned to its owner when it is no longer read.
struct Lent {
    inner: Body,
    give_back: Option<oneshot::Sender<Body>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(owner) = self.give_back.take() {
            // The owner is gone if the client has left.
            let _ = owner.send(mem::take(&mut self.inner));
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

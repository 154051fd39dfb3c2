//! Timeouts of request bodies: a body that stalls, or arrives too slowly, is aborted.
//!
//! Only time spent waiting for the client counts. Request heads have a timeout of their own, in
//! [`super::listener`].

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::{self, Next};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Minimum number of bytes of a body ...
const LEAST: u64 = 64 << 10;
/// ... per this number of idle timeouts spent waiting for the client.
const WINDOW: u32 = 6;

/// Aborts the bodies of requests to `app` that receive nothing for this long.
pub(super) fn layer(app: Router, idle: Duration) -> Router {
    app.layer(middleware::from_fn(move |request: Request, next: Next| {
        let is_empty = request.body().is_end_stream();
        let request = if is_empty { request } else { request.map(|body| Timed::body(body, idle)) };
        next.run(request)
    }))
}

/// Whether a body was aborted by a timeout.
pub(super) fn is_timeout(err: &(dyn Error + 'static)) -> bool {
    err.is::<TimedOut>() || err.source().is_some_and(is_timeout)
}

#[derive(Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body stopped arriving")
    }
}

impl Error for TimedOut {}

struct Timed {
    inner: Body,
    idle: Duration,
    /// When the client is given up, and since when it has been waited for.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting_since: Option<Instant>,
    /// Time waited and bytes received in the current window.
    waited: Duration,
    received: u64,
}

impl Timed {
    fn body(inner: Body, idle: Duration) -> Body {
        let (waited, received) = (Duration::ZERO, 0);
        Body::new(Self { inner, idle, alarm: None, waiting_since: None, waited, received })
    }

    fn count(&mut self, bytes: usize) {
        self.waited += self.waiting_since.take().map(|since| since.elapsed()).unwrap_or_default();
        self.received += bytes as u64;
        if self.received >= LEAST {
            (self.waited, self.received) = (Duration::ZERO, 0);
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (idle, waited) = (self.idle, self.waited);
        let rest = idle.saturating_mul(WINDOW).saturating_sub(waited);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(Instant::now())));
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            alarm.as_mut().reset(now + idle.min(rest));
        }
        alarm.as_mut().poll(cx)
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                let bytes = data.map_or(0, Bytes::len);
                self.count(bytes);
                Poll::Ready(frame)
            }
            Poll::Pending => self.wait(cx).map(|()| Some(Err(axum::Error::new(TimedOut)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use async_stream::stream;
    use futures_util::{Stream, StreamExt};
    use tokio::time::sleep;

    use super::*;

    const IDLE: Duration = Duration::from_mins(1);

    /// Pieces of some size, each after a pause.
    fn pieces(
        count: usize,
        size: usize,
        pause: Duration,
    ) -> impl Stream<Item = Result<Bytes, axum::Error>> {
        stream! {
            for _ in 0..count {
                sleep(pause).await;
                yield Ok(Bytes::from(vec![b'x'; size]));
            }
        }
    }

    /// Returns the received bytes, and whether a timeout aborted them.
    async fn receive(
        pieces: impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static,
    ) -> (usize, bool) {
        let mut stream = Timed::body(Body::from_stream(pieces), IDLE).into_data_stream();
        let mut size = 0;
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => size += piece.len(),
                Err(err) => return (size, is_timeout(&err)),
            }
        }
        (size, false)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_aborted_after_the_idle_timeout() {
        let started = Instant::now();
        assert_eq!(receive(pieces(2, 10, Duration::from_hours(1))).await, (0, true));
        assert_eq!(started.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_is_aborted_and_a_slow_one_arrives() {
        let pause = Duration::from_secs(50);
        assert_eq!(receive(pieces(100, 1, pause)).await, (7, true));
        assert_eq!(receive(pieces(100, 10 << 10, pause)).await, (100 * (10 << 10), false));
        // A small body of a slow client is complete before it counts as dripping.
        assert_eq!(receive(pieces(5, 1, pause)).await, (5, false));
    }
}

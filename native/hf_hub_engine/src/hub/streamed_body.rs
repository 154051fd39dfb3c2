//! A request body that is read from disk while it is sent, with only a few pieces in memory.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::{
    base::{blocking, error::Result},
    hub::client::Hub,
    transport::{Body, Moved, Request, Response},
};

/// Maximum number of pieces that wait to be sent.
const QUEUE: usize = 2;

/// Produces the pieces of a body in order, on threads that may block.
pub(crate) trait Pieces: Send + 'static {
    /// Returns the total number of bytes.
    fn length(&self) -> u64;

    /// Returns the maximum size of a piece.
    fn capacity(&self) -> usize;

    /// Reads the next piece into this empty buffer; `None` after the last one.
    fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Bytes>>;
}

/// Sends `request` with a body made of `pieces`, and calls `sent` for each. If reading one fails,
/// the request is aborted, so that the server cannot take it for complete.
pub(crate) async fn send(
    hub: &Hub,
    mut request: Request,
    pieces: impl Pieces,
    mut sent: impl FnMut(u64),
) -> Result<Response> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let moved = Moved::default();
    let end = Fed { receiver, left: pieces.length(), moved: moved.clone() };
    request.body = Some(Body::new(reqwest::Body::wrap(end), moved.clone()));
    let answer = hub.send(request);
    let pump = pump(hub, pieces, sender, &moved, &mut sent);
    tokio::pin!(answer, pump);
    let mut done = false;
    loop {
        tokio::select! {
            biased;
            result = &mut pump, if !done => {
                result?;
                done = true;
            }
            response = &mut answer => return response,
        }
    }
}

async fn pump(
    hub: &Hub,
    mut pieces: impl Pieces,
    sender: mpsc::Sender<Bytes>,
    moved: &Moved,
    sent: &mut impl FnMut(u64),
) -> Result<()> {
    loop {
        // Allocated here: each of the many blocking threads would otherwise keep memory of its own.
        let buffer = Vec::with_capacity(pieces.capacity());
        let (piece, back) = blocking::run(move || (pieces.next(buffer), pieces)).await;
        pieces = back;
        let Some(piece) = piece? else { return Ok(()) };
        let length = piece.len();
        let waits = moved.waits();
        hub.flow.pass(length).await;
        drop(waits);
        if sender.send(piece).await.is_err() {
            // The receiver is gone: the response has the reason.
            return Ok(());
        }
        sent(length as u64);
    }
}

/// The end that the connection reads.
#[derive(Debug)]
struct Fed {
    receiver: mpsc::Receiver<Bytes>,
    left: u64,
    moved: Moved,
}

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(context).map(|piece| {
            let piece = piece?;
            self.moved.add(piece.len());
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::{Method, header::HeaderMap};

    use super::*;
    use crate::{
        base::{bandwidth::Bandwidth, limits::Flow},
        testing::{self, Server},
        transport::{Peer, Timeouts},
    };

    struct One(Option<Bytes>);

    impl Pieces for One {
        fn length(&self) -> u64 {
            self.0.as_ref().map_or(0, |piece| piece.len() as u64)
        }

        fn capacity(&self) -> usize {
            0
        }

        fn next(&mut self, _: Vec<u8>) -> Result<Option<Bytes>> {
            Ok(self.0.take())
        }
    }

    #[tokio::test]
    async fn a_body_that_waits_for_the_bandwidth_is_not_stalled() {
        let server = Server::start([]).await;
        let mut hub = testing::hub(&server.url);
        hub.flow = Flow::new(1, vec![Bandwidth::new(Some(1))]);
        let wait = Duration::from_millis(50);
        let request = Request {
            method: Method::PUT,
            url: server.url.parse().unwrap(),
            headers: HeaderMap::new(),
            body: None,
            timeouts: Timeouts { headers: wait, idle: wait },
            alone: true,
            peer: Peer::Store,
        };
        let pieces = One(Some(Bytes::from_static(&[0; 1000])));
        tokio::select! {
            sent = send(&hub, request, pieces, |_| {}) => unreachable!("{sent:?}"),
            () = tokio::time::sleep(8 * wait) => {}
        }
    }
}

//! Accepts connections: counts them, closes those that send no request, and lets a request close
//! its connection.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// Counts current and total connections.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    open: AtomicU64,
    accepted: AtomicU64,
}

impl Gauge {
    /// Returns the number of open connections.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns the number of connections accepted since the start.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Size of the buffer for the head of a request, and for reading ahead in its body.
const BUFFER: usize = 128 << 10;

/// Accepts connections and serves `app` on each, for as long as the server runs. A client must
/// complete the TLS handshake and send the head of a request within `idle`.
pub(super) async fn listen(
    mut socket: TcpListener,
    gauge: Arc<Gauge>,
    app: Router,
    tls: Option<TlsAcceptor>,
    idle: Duration,
) {
    loop {
        // axum's own accept waits a moment if the process is out of file descriptors.
        let (stream, _) = Listener::accept(&mut socket).await;
        // Otherwise small responses wait for an acknowledgement; if this fails, the connection is
        // gone.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        if let Ok(stream) = CountedStream::new(stream, gauge.clone()) {
            tokio::spawn(serve(stream, app.clone(), tls.clone(), idle));
        }
    }
}

async fn serve(stream: CountedStream, app: Router, tls: Option<TlsAcceptor>, idle: Duration) {
    let connection = Connection { handle: stream.handle.clone() };
    let app = app.layer(Extension(ConnectInfo(connection)));
    match tls {
        None => exchange(stream, app, idle).await,
        Some(tls) => {
            // In a task of its own: a slow client does not block others.
            if let Ok(Ok(stream)) = timeout(idle, tls.accept(stream)).await {
                exchange(stream, app, idle).await;
            }
        }
    }
}

async fn exchange<S>(stream: S, app: Router, idle: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        app.clone().call(request.map(Body::new))
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(idle).max_buf_size(BUFFER);
    // Ends when the client leaves; errors cannot be reported to it.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// A connection that is removed from the count when it is dropped.
#[derive(Debug)]
pub(super) struct CountedStream {
    stream: TcpStream,
    handle: Arc<std::net::TcpStream>,
    gauge: Arc<Gauge>,
}

impl CountedStream {
    fn new(stream: TcpStream, gauge: Arc<Gauge>) -> io::Result<Self> {
        let stream = stream.into_std()?;
        let handle = Arc::new(stream.try_clone()?);
        gauge.open.fetch_add(1, Ordering::Relaxed);
        gauge.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Self { stream: TcpStream::from_std(stream)?, handle, gauge })
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        // A handle that a request still holds must not keep the connection open.
        let _ = self.handle.shutdown(Shutdown::Both);
        self.gauge.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's handle to its connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    handle: Arc<std::net::TcpStream>,
}

impl Connection {
    /// Closes the connection at once, whatever has not been sent yet.
    pub(super) fn hang_up(&self) {
        // Fails only if the client has closed it already.
        let _ = self.handle.shutdown(Shutdown::Both);
    }

    /// Closes the connection and waits until the server has noticed, which ends the request.
    pub(super) async fn end(connection: Option<&Self>) {
        if let Some(connection) = connection {
            connection.hang_up();
        }
        std::future::pending::<()>().await;
    }
}

//! A listener that counts its connections and lets a request hang up on its client.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How many connections there are and were.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    open: AtomicU64,
    accepted: AtomicU64,
}

impl Gauge {
    /// Connections open now.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections accepted since the start.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// A TCP listener with a gauge.
#[derive(Debug)]
pub(super) struct CountingListener {
    socket: TcpListener,
    gauge: Arc<Gauge>,
}

impl CountingListener {
    /// Wraps a bound listener.
    pub(super) fn new(socket: TcpListener, gauge: Arc<Gauge>) -> Self {
        Self { socket, gauge }
    }
}

impl Listener for CountingListener {
    type Io = CountedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CountedStream, SocketAddr) {
        loop {
            // axum's own accept waits a moment when the process is out of file descriptors.
            let (stream, address) = Listener::accept(&mut self.socket).await;
            // Without it small answers wait for an acknowledgement; a connection that fails here is gone.
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            if let Ok(stream) = CountedStream::new(stream, self.gauge.clone()) {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A connection that leaves the gauge when it is dropped.
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
        // A handle that is still held by a request must not keep the client waiting.
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

/// A request's hold on the connection it came by.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    handle: Arc<std::net::TcpStream>,
}

impl Connection {
    /// Ends the connection at once, whatever has not been sent yet.
    pub(super) fn hang_up(&self) {
        // It fails only when the client was faster.
        let _ = self.handle.shutdown(Shutdown::Both);
    }

    /// Hangs up and waits until the server has noticed, which ends the request.
    pub(super) async fn end(connection: Option<&Self>) {
        if let Some(connection) = connection {
            connection.hang_up();
        }
        std::future::pending::<()>().await;
    }
}

impl Connected<IncomingStream<'_, CountingListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, CountingListener>) -> Self {
        Self { handle: stream.io().handle.clone() }
    }
}

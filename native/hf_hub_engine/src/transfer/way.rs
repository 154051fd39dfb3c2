//! Chooses how the bytes of a file arrive: over HTTP, or from Xet storage. If one way fails, the
//! other one continues.

use std::time::Duration;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Proof},
        progress::FileProgress,
    },
    hub::file_metadata::Content,
    transfer::{Outcome, Transfer},
    xet::{self, Mode},
};

/// How long the storage may take for a plan if HTTP can take over. What follows is limited by the
/// idle timeout: on slow connections, an object of 64 MiB takes minutes.
pub(crate) const PLAN_TIMEOUT: Duration = Duration::from_secs(10);

/// The same if nothing else has the content.
pub(crate) const LONG_PLAN_TIMEOUT: Duration = Duration::from_mins(5);

/// How the bytes of a file have arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// Whether they came from Xet storage.
    pub(crate) by_xet: bool,
    /// Why the other way has failed.
    pub(crate) detour: Option<String>,
}

impl Transfer<'_> {
    /// Runs the transfer, beginning with a response that is already open, if there is one. Drops
    /// `network` when all bytes have been received.
    pub(crate) async fn run<T>(
        &self,
        content: Option<Content>,
        network: T,
        progress: &FileProgress,
    ) -> Result<(Outcome, Way)> {
        let network = &mut Some(network);
        let Some(file) = self.in_xet() else {
            return Ok((self.by_http(content, network, progress).await?, Way::default()));
        };
        if matches!(content, Some(Content::InXet)) {
            let outcome = Box::pin(self.by_xet(file, LONG_PLAN_TIMEOUT, network, progress)).await?;
            return Ok((outcome, Way { by_xet: true, detour: None }));
        }
        let by_xet = self.hub.xet.mode == Mode::Always;
        // An open response would only occupy its connection.
        let (content, later) = match content {
            Some(Content::There(url)) if by_xet => (None, Some(Content::There(url))),
            content => (content.filter(|_| !by_xet), None),
        };
        let first = if by_xet {
            Box::pin(self.by_xet(file, PLAN_TIMEOUT, network, progress)).await
        } else {
            Box::pin(self.by_http(content, network, progress)).await
        };
        let error = match first {
            Ok(outcome) => return Ok((outcome, Way { by_xet, detour: None })),
            Err(error) if may_succeed_otherwise(&error, by_xet) => error,
            Err(error) => return Err(error),
        };
        progress.restart();
        progress.operation().set_trouble(error.message());
        // What has arrived is kept, unless it is wrong.
        let resume = error.kind() != ErrorKind::ChecksumMismatch;
        let other = Transfer { slot: self.slot.clone(), lock: self.lock.clone(), resume, ..*self };
        let second = if by_xet {
            Box::pin(other.by_http(later, network, progress)).await
        } else {
            Box::pin(other.by_xet(file, LONG_PLAN_TIMEOUT, network, progress)).await
        };
        let detour = Some(in_words(&error));
        match second {
            Ok(outcome) => Ok((outcome, Way { by_xet: !by_xet, detour })),
            Err(second) if by_xet => Err(both(second, &error, "Xet")),
            Err(second) => Err(both(error, &second, "Xet")),
        }
    }

    /// Returns the file in Xet storage, if its content can be downloaded from there and verified.
    fn in_xet(&self) -> Option<&xet::File> {
        let sums = self.metadata.etag.checksums();
        let is_verifiable = sums.iter().map(Checksum::proof).any(|proof| proof == Proof::Sha256);
        let is_possible =
            self.hub.xet.is_usable() && self.metadata.size.is_some_and(|size| size > 0);
        self.metadata.xet.as_deref().filter(|_| is_verifiable && is_possible)
    }
}

/// Whether the other way may avoid this failure.
pub(crate) fn may_succeed_otherwise(error: &Error, by_xet: bool) -> bool {
    if error.is_from_a_store() {
        return error.kind() != ErrorKind::Cancelled;
    }
    match error.kind() {
        ErrorKind::Io | ErrorKind::Cancelled | ErrorKind::Offline => false,
        ErrorKind::Transport
        | ErrorKind::Timeout
        | ErrorKind::Server
        | ErrorKind::Http
        | ErrorKind::ChecksumMismatch
        | ErrorKind::InvalidResponse => true,
        // What the Hub itself refuses over HTTP, it refuses for Xet, too.
        _ => by_xet,
    }
}

/// Returns the error of both ways: that of HTTP, with the other one's message.
fn both(http: Error, other: &Error, name: &str) -> Error {
    let message = format!("{}; {name} has failed, too: {}", http.message(), in_words(other));
    http.with_message(message)
}

fn in_words(error: &Error) -> String {
    match error.reason() {
        Some(reason) => format!("{error}: {reason}"),
        None => error.to_string(),
    }
}

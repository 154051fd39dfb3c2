//! One connection of a transfer: claims a part, fetches it, claims the next.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{StatusCode, Url};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        progress::Activity,
    },
    cache::partial::too_long,
    hub::{
        client::{self, Span},
        file_metadata::{self, Content, Given, Located},
    },
    transfer::{Crew, Source, plan::Claim, retry_budget::Pause},
    transport::Response,
};

/// How long to wait before another look at what others do.
const GLANCE: Duration = Duration::from_millis(5);

/// Why a connection ended.
pub(super) enum End {
    /// There is nothing left for it to do.
    Idle,
    /// The server asks for less, and others go on.
    Refused,
    /// The whole crew ends here.
    Stop(Stop),
}

/// Why a crew ended.
pub(super) enum Stop {
    /// All parts are in place.
    Done,
    /// The file on the Hub is another one by now.
    Changed,
    /// What has arrived is of no use with this server.
    StartOver,
}

/// What came of a part.
enum Part {
    Complete,
    Changed,
}

impl Crew<'_> {
    /// Works until nothing is left to claim.
    pub(super) async fn connection(&self, mut opened: Option<Response>) -> Result<End> {
        let _working = Counted::one(&self.working);
        loop {
            if self.is_one_too_many() {
                return Ok(End::Idle);
            }
            let Some(mut claim) = self.plan().claim() else { return Ok(End::Idle) };
            let (mut asked, began) = (None, Instant::now());
            let part = self.fetch(&mut claim, opened.take(), &mut asked).await;
            self.plan().release(&claim);
            match part {
                Ok(Part::Complete) => {}
                Ok(Part::Changed) => return Ok(End::Stop(Stop::Changed)),
                Err(error) => {
                    if let Some(end) = self.recover(error, asked, began).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    fn is_one_too_many(&self) -> bool {
        self.working.load(Relaxed) > self.wanted.load(Relaxed)
    }

    /// Fetches a part. `asked` becomes the URL of the content host, if it was asked.
    async fn fetch(
        &self,
        claim: &mut Claim,
        opened: Option<Response>,
        asked: &mut Option<Url>,
    ) -> Result<Part> {
        // The answer at hand begins at zero; beyond that it cannot serve.
        let opened = opened.filter(|_| claim.at == 0);
        let bounded = self.bounded && opened.is_none();
        let response = match opened {
            Some(response) => response,
            None => match self.open(claim, asked).await? {
                Some(response) => response,
                None => return Ok(Part::Changed),
            },
        };
        let span = Span { first: claim.at, end: self.bounded.then_some(claim.end) };
        match part_of(&response, span, self.size())? {
            // A 200 begins at zero, whatever was asked.
            None if claim.at > 0 => return Err(whole_answer(&response)),
            None => {
                check_length(&response, self.size())?;
                // Asked for a part, the server knows none: this answer brings all there is.
                self.alone.fetch_or(bounded, Relaxed);
                let _whole = Counted::one(&self.whole);
                self.receive(response, claim, false).await?;
            }
            Some(()) => {
                self.patience().served();
                self.receive(response, claim, bounded).await?;
            }
        }
        Ok(Part::Complete)
    }

    /// Opens the content at the claim; `None` if the file has changed meanwhile.
    async fn open(&self, claim: &Claim, asked: &mut Option<Url>) -> Result<Option<Response>> {
        let hub = self.transfer.hub;
        let span = Span { first: claim.at, end: self.bounded.then_some(claim.end) };
        let url = {
            // Held while the Hub is asked: one answer does for all connections.
            let mut source = self.source.lock().await;
            match &*source {
                Source::At(url) => url.clone(),
                Source::Unknown => match self.locate(span).await? {
                    Some(Content::Here(response)) => return Ok(Some(response)),
                    Some(Content::There(url)) => {
                        *source = Source::At(url.clone());
                        url
                    }
                    None => return Ok(None),
                },
            }
        };
        *asked = Some(url.clone());
        let response = file_metadata::open_content(hub, &url, span).await?;
        if !self.is_proved() {
            file_metadata::check_kind(&response, self.transfer.url)?;
        }
        Ok(Some(response))
    }

    async fn locate(&self, span: Span) -> Result<Option<Content>> {
        let Self { transfer, .. } = self;
        let announced = transfer.metadata;
        let known = Some(announced).filter(|_| self.is_proved());
        let given = Given { pinned: transfer.pinned, known };
        let Located { metadata, content, by_hub } =
            file_metadata::locate(transfer.hub, transfer.url, span, given).await?;
        // An etag of another kind is no contradiction where the content has to agree with a checksum anyway. But
        // a checksum that a Hub sends with the file counts for more than one of its listing.
        let comparable = match (self.is_proved(), transfer.listed) {
            (false, _) => true,
            (true, true) => by_hub && metadata.etag.is_proof(),
            (true, false) => metadata.etag.proof() == announced.etag.proof(),
        };
        let resized = transfer.listed && metadata.size.is_some() && metadata.size != announced.size;
        let changed = comparable && (metadata.etag != announced.etag || (by_hub && resized));
        Ok(Some(content).filter(|_| !changed))
    }

    /// Takes the body. One that is not `bounded` goes on beyond the claim, as far as
    /// nobody else fetches what follows.
    async fn receive(
        &self,
        mut response: Response,
        claim: &mut Claim,
        bounded: bool,
    ) -> Result<()> {
        self.progress.operation().set_activity(Activity::Downloading, None);
        while let Some(mut chunk) = response.chunk().await? {
            self.transfer.hub.flow.pass(chunk.len()).await;
            while !chunk.is_empty() {
                if claim.at == claim.end && !self.extend(claim, bounded).await {
                    return self.beyond(claim);
                }
                let room = usize::try_from(claim.end - claim.at).unwrap_or(usize::MAX);
                self.take(claim, chunk.split_to(room.min(chunk.len()))).await?;
            }
            let whole = self.is_proved() && Some(claim.at) == self.size();
            if claim.at == claim.end && (bounded || whole) {
                return Ok(());
            }
        }
        if self.size().is_none() {
            claim.end = claim.at;
        }
        if claim.at < claim.end {
            let message = "the connection ended before the file did";
            return Err(Error::new(ErrorKind::Transport, message).with_url(response.url()));
        }
        Ok(())
    }

    /// Goes on with what follows the claim, if nobody else fetches it. An answer that brings
    /// the whole file waits for the others to find out that they are not needed.
    async fn extend(&self, claim: &mut Claim, bounded: bool) -> bool {
        loop {
            let allowed = !bounded || !self.is_one_too_many();
            if allowed && self.plan().extend(claim) {
                return true;
            }
            let is_end = self.size().is_none_or(|size| claim.end >= size);
            let others = self.working.load(Relaxed) > 1;
            if bounded || is_end || !others || !self.alone.load(Relaxed) {
                return false;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The body goes on where the claim ends: that is somebody else's, or nobody's.
    fn beyond(&self, claim: &Claim) -> Result<()> {
        match self.size().filter(|size| claim.end >= *size) {
            Some(size) => Err(too_long(size)),
            None => Ok(()),
        }
    }

    async fn take(&self, claim: &mut Claim, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        if self.size().is_none() {
            self.transfer.hub.flow.check_unannounced(claim.at + length)?;
        }
        self.writer.write(claim.at, bytes).await?;
        claim.at += length;
        self.present.fetch_add(length, Relaxed);
        self.progress.received(length);
        Ok(())
    }

    /// Decides what a failure means: go on after a pause (`None`), end this connection or
    /// all of them, or give up.
    async fn recover(
        &self,
        error: Error,
        asked: Option<Url>,
        began: Instant,
    ) -> Result<Option<End>> {
        let expired = asked.as_ref().filter(|_| may_have_expired(&error));
        if let Some(url) = &expired
            && !self.forget(url).await
        {
            return Ok(None); // Another connection has renewed it meanwhile.
        }
        let no_range = matches!(error.status(), Some(200 | 206 | 416)) && self.asks_for_parts();
        if no_range && self.whole.load(Relaxed) > 0 {
            // Another connection is getting the whole file already.
            self.alone.store(true, Relaxed);
            return Ok(Some(End::Idle));
        }
        let error = if no_range { error.with_kind(ErrorKind::Transport) } else { error };
        let (pause, renewable, starts_over) = {
            let mut patience = self.patience();
            (
                patience.failed(&error, self.reached(), began, Instant::now()),
                expired.is_some() && patience.may_renew(),
                // Without a proof, nobody can say that two answers are of one content.
                (no_range && patience.starts_over()) || !self.is_proved(),
            )
        };
        if let Some(url) =
            asked.filter(|_| error.status().is_none() && self.patience().failures() > 1)
        {
            // The content may be somewhere else by now.
            self.forget(&url).await;
        }
        self.progress.operation().set_trouble(error.message());
        let others = self.working.load(Relaxed) > 1;
        match pause {
            _ if renewable => return Ok(None),
            _ if others && matches!(error.status(), Some(429 | 503)) => {
                return Ok(Some(End::Refused));
            }
            None => return Err(self.give_up(error)),
            Some(Pause { wait, left: Some(left) }) => {
                // Until bytes come, over whatever connection.
                self.progress.operation().set_activity(Activity::Stalled, Some(left));
                tokio::time::sleep(wait).await;
            }
            Some(Pause { wait, .. }) if others => tokio::time::sleep(wait).await,
            Some(Pause { wait, .. }) => {
                client::pause(self.progress.operation(), &error, wait).await?;
            }
        }
        Ok(starts_over.then_some(End::Stop(Stop::StartOver)))
    }

    fn asks_for_parts(&self) -> bool {
        self.bounded || self.reached() > 0
    }

    /// Drops a signed URL that is refused, because it has expired; the Hub makes another.
    /// False if that has been done already.
    async fn forget(&self, url: &Url) -> bool {
        let mut source = self.source.lock().await;
        let current = matches!(&*source, Source::At(current) if current == url);
        if current {
            *source = Source::Unknown;
        }
        current
    }

    fn reached(&self) -> u64 {
        self.present.load(Relaxed)
    }
}

/// Whether a signed link may have been refused because it is too old.
pub(super) fn may_have_expired(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 410))
}

/// Counts a connection as long as it does something.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn one(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The error for the whole file where a part was asked for.
fn whole_answer(response: &Response) -> Error {
    let message = "a part was asked for and the server sent the whole file";
    Error::new(ErrorKind::Transport, message)
        .with_status(response.status().as_u16())
        .with_url(response.url())
}

/// A whole file of another length is another file: a login page, or a mirror's mistake.
fn check_length(response: &Response, size: Option<u64>) -> Result<()> {
    match (file_metadata::body_size(response), size) {
        (Some(sent), Some(size)) if sent != size => {
            let kind = response.header("content-type").unwrap_or("an unnamed kind");
            let message =
                format!("the server sends {sent} bytes ({kind}) where the Hub announced {size}");
            Err(Error::new(ErrorKind::Transport, message).with_url(response.url()))
        }
        _ => Ok(()),
    }
}

/// Whether the body is the part that begins at `first`; `None` if it is the whole file.
fn part_of(response: &Response, asked: Span, size: Option<u64>) -> Result<Option<()>> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(None);
    }
    let fits = |total: Option<u64>| size.is_none() || total.is_none() || total == size;
    match file_metadata::part_of(response, asked, size) {
        Some((begins, total)) if begins == asked.first && fits(total) => Ok(Some(())),
        _ => Err(file_metadata::another_part(response, asked.first)),
    }
}

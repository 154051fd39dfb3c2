//! One connection of a transfer: takes a part, fetches it, takes the next one.

use std::{
    pin::pin,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{StatusCode, Url};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        presence::Present,
        progress::Activity,
        repeated_timeout::RepeatedTimeout,
        sizes,
    },
    cache::partial::too_long,
    hub::{
        client::{self, ByteRange},
        file_metadata::{self, Content, Given, Located},
    },
    transfer::{Connections, Source, block::Block, plan::Part, retry_budget::Pause},
    transport::Response,
};

/// Interval at which the state of other connections is polled.
const GLANCE: Duration = Duration::from_millis(5);

/// How long received bytes wait for the rest of their block.
const LINGER: Duration = Duration::from_millis(20);

/// Why a connection ended.
pub(super) enum End {
    /// There is nothing left to fetch.
    Idle,
    /// The server asks for fewer connections, and others continue.
    Refused,
    /// All connections of the transfer end.
    Stop(Stop),
}

/// Why all connections of a transfer ended.
pub(super) enum Stop {
    /// All parts are in place.
    Done,
    /// The file changed on the Hub.
    Changed,
    /// The bytes received so far cannot be continued with this server.
    StartOver,
}

/// What one connection is doing.
struct Line {
    /// The URL of the content host, if the part was requested from it.
    asked: Option<Url>,
    /// Counts the connection, from its first bytes on.
    flowing: Option<Present>,
    /// Received bytes that are not written yet.
    block: Block,
    /// Limits how long they wait.
    linger: RepeatedTimeout,
}

/// The result of fetching a part.
enum Fetched {
    Complete,
    Changed,
}

impl Connections<'_> {
    /// Fetches parts until none is left.
    pub(super) async fn connection(&self, mut opened: Option<Response>) -> Result<End> {
        let _working = self.working.enter();
        let linger = RepeatedTimeout::new(LINGER);
        let mut line = Line { asked: None, flowing: None, block: Block::default(), linger };
        loop {
            if self.is_one_too_many() {
                return Ok(End::Idle);
            }
            let Some(mut part) = self.plan().next_part() else { return Ok(End::Idle) };
            let began = Instant::now();
            line.asked = None;
            let fetched = self.fetch(&mut part, opened.take(), &mut line).await;
            self.plan().release(&part);
            match fetched {
                Ok(Fetched::Complete) => {}
                Ok(Fetched::Changed) => return Ok(End::Stop(Stop::Changed)),
                Err(error) => {
                    if let Some(end) = self.recover(error, line.asked.take(), began).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    fn is_one_too_many(&self) -> bool {
        self.working.count() > self.wanted.load(Relaxed)
    }

    /// Fetches a part.
    async fn fetch(
        &self,
        part: &mut Part,
        opened: Option<Response>,
        line: &mut Line,
    ) -> Result<Fetched> {
        // The open response begins at zero; it cannot serve a part that begins later.
        let opened = opened.filter(|_| part.at == 0);
        let bounded = self.bounded && opened.is_none();
        let response = match opened {
            Some(response) => response,
            None => match self.open(part, &mut line.asked).await? {
                Some(response) => response,
                None => return Ok(Fetched::Changed),
            },
        };
        let range = ByteRange { first: part.at, end: self.bounded.then_some(part.end) };
        match part_of(&response, range, self.size())? {
            // A 200 response begins at zero, whatever was requested.
            None if part.at > 0 => return Err(whole_answer(&response)),
            None => {
                check_length(&response, self.size())?;
                // A part was requested and the server supports no ranges: this response contains
                // the whole file.
                self.alone.fetch_or(bounded, Relaxed);
                let _whole = self.whole.enter();
                self.receive(response, part, false, line).await?;
            }
            Some(()) => {
                self.retry_budget().served();
                self.receive(response, part, bounded, line).await?;
            }
        }
        Ok(Fetched::Complete)
    }

    /// Opens the content at the part's position; `None` if the file changed meanwhile.
    async fn open(&self, part: &Part, asked: &mut Option<Url>) -> Result<Option<Response>> {
        let hub = self.transfer.hub;
        let range = ByteRange { first: part.at, end: self.bounded.then_some(part.end) };
        let url = {
            // Held during the request to the Hub: one response serves all connections.
            let mut source = self.source.lock().await;
            match &*source {
                Source::At(url) => url.clone(),
                Source::Unknown => match self.locate(range).await? {
                    Some(Content::Here(response)) => return Ok(Some(response)),
                    Some(Content::There(url)) => {
                        *source = Source::At(url.clone());
                        url
                    }
                    Some(Content::InXet) => return Err(file_metadata::only_in_xet(hub)),
                    None => return Ok(None),
                },
            }
        };
        *asked = Some(url.clone());
        let response = file_metadata::open_content(hub, &url, range).await?;
        if !self.is_proved() {
            file_metadata::check_kind(&response, self.transfer.url)?;
        }
        Ok(Some(response))
    }

    async fn locate(&self, range: ByteRange) -> Result<Option<Content>> {
        let Self { transfer, .. } = self;
        let announced = transfer.metadata;
        let known = Some(announced).filter(|_| self.is_proved());
        let given = Given { pinned: transfer.pinned, known };
        let Located { metadata, content, by_hub } =
            file_metadata::locate(transfer.hub, transfer.url, range, given).await?;
        // An etag of another kind is not a conflict if the content is verified with a checksum
        // anyway. But a checksum that a Hub sends with the file takes precedence over that of a
        // listing.
        let comparable = match (self.is_proved(), transfer.listed) {
            (false, _) => true,
            (true, true) => by_hub && metadata.etag.is_proof(),
            (true, false) => metadata.etag.proof() == announced.etag.proof(),
        };
        let resized = transfer.listed && metadata.size.is_some() && metadata.size != announced.size;
        let changed = comparable && (metadata.etag != announced.etag || (by_hub && resized));
        Ok(Some(content).filter(|_| !changed))
    }

    /// Receives the body. If it is not `bounded`, it continues beyond the part while no other
    /// connection fetches the following bytes.
    async fn receive(
        &self,
        mut response: Response,
        part: &mut Part,
        bounded: bool,
        line: &mut Line,
    ) -> Result<()> {
        self.progress.operation().set_activity(Activity::Downloading, None);
        line.block = Block::at(part.at);
        let received = self.receive_into(line, &mut response, part, bounded).await;
        // What arrived before a failure is kept, too.
        self.put(&mut line.block).await.and(received)?;
        if self.size().is_none() {
            part.end = part.at;
        }
        if part.at < part.end {
            let message = "the connection closed before the end of the file";
            return Err(Error::new(ErrorKind::Transport, message).with_url(response.url()));
        }
        Ok(())
    }

    /// Receives until the end of the part or of the body. The last bytes may remain in the block.
    async fn receive_into(
        &self,
        line: &mut Line,
        response: &mut Response,
        part: &mut Part,
        bounded: bool,
    ) -> Result<()> {
        let Line { block, flowing, linger, .. } = line;
        while let Some(mut chunk) = self.next_chunk(response, block, linger).await? {
            flowing.get_or_insert_with(|| self.flowing.enter());
            while !chunk.is_empty() {
                if part.at == part.end {
                    self.put(block).await?;
                    if !self.extend(part, bounded).await {
                        return self.beyond(part);
                    }
                }
                let room = usize::try_from(block.room().min(part.end - part.at));
                let room = room.unwrap_or(usize::MAX);
                self.take(part, chunk.split_to(room.min(chunk.len())), block).await?;
            }
            let whole = self.is_proved() && Some(part.at) == self.size();
            if part.at == part.end && (bounded || whole) {
                break;
            }
        }
        Ok(())
    }

    /// Waits for the next bytes of the body, and writes those that are in `block` if it takes long.
    async fn next_chunk(
        &self,
        response: &mut Response,
        block: &mut Block,
        linger: &mut RepeatedTimeout,
    ) -> Result<Option<Bytes>> {
        let mut chunk = pin!(async {
            let chunk = response.chunk().await?;
            self.transfer.hub.flow.pass(chunk.as_ref().map_or(0, Bytes::len)).await;
            Ok(chunk)
        });
        if block.length() > 0 {
            if let Some(chunk) = linger.wait(&mut chunk).await {
                return chunk;
            }
            self.put(block).await?;
        }
        chunk.await
    }

    /// Extends the part by the following bytes if no other connection fetches them. A response with
    /// the whole file waits until the others notice that they are not needed.
    async fn extend(&self, part: &mut Part, bounded: bool) -> bool {
        loop {
            let allowed = !bounded || !self.is_one_too_many();
            if allowed && self.plan().extend(part) {
                return true;
            }
            let is_end = self.size().is_none_or(|size| part.end >= size);
            let others = self.working.count() > 1;
            if bounded || is_end || !others || !self.alone.load(Relaxed) {
                return false;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Checks where the body continues beyond the part: those bytes belong to another connection,
    /// or to none.
    fn beyond(&self, part: &Part) -> Result<()> {
        match self.size().filter(|size| part.end >= *size) {
            Some(size) => Err(too_long(size)),
            None => Ok(()),
        }
    }

    async fn take(&self, part: &mut Part, bytes: Bytes, block: &mut Block) -> Result<()> {
        part.at += bytes.len() as u64;
        if self.size().is_none() {
            self.transfer.hub.flow.check_unannounced(part.at)?;
        }
        block.push(bytes);
        if block.room() == 0 { self.put(block).await } else { Ok(()) }
    }

    /// Writes what is in `block`.
    async fn put(&self, block: &mut Block) -> Result<()> {
        let block = block.take();
        let length = block.length();
        if length > 0 {
            self.writer.write(block).await?;
            self.present.fetch_add(length, Relaxed);
            self.progress.received(length);
        }
        Ok(())
    }

    /// Decides what a failure means: continue after a pause (`None`), end this connection or all of
    /// them, or give up.
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
            return Ok(None); // Another connection has already renewed it.
        }
        let no_range = matches!(error.status(), Some(200 | 206 | 416)) && self.asks_for_parts();
        if no_range && self.whole.is_any() {
            // Another connection is already receiving the whole file.
            self.alone.store(true, Relaxed);
            return Ok(Some(End::Idle));
        }
        let error = if no_range { error.with_kind(ErrorKind::Transport) } else { error };
        let (pause, renewable, starts_over) = {
            let mut retry_budget = self.retry_budget();
            if self.transfer.hub.has_answered() {
                retry_budget.answered();
            }
            (
                retry_budget.failed(&error, self.reached(), began, Instant::now()),
                expired.is_some() && retry_budget.may_renew(),
                // Without a checksum, it is unknown whether two responses have the same content.
                (no_range && retry_budget.starts_over()) || !self.is_proved(),
            )
        };
        if let Some(url) =
            asked.filter(|_| error.status().is_none() && self.retry_budget().failures() > 1)
        {
            // The content may have moved.
            self.forget(&url).await;
        }
        self.progress.operation().set_trouble(error.message());
        let others = self.working.count() > 1;
        match pause {
            _ if renewable => return Ok(None),
            _ if others && matches!(error.status(), Some(429 | 503)) => {
                return Ok(Some(End::Refused));
            }
            None => return Err(self.give_up(error)),
            Some(Pause { wait, left: Some(left) }) => {
                // Until bytes arrive over any connection.
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

    /// Drops a rejected signed URL, which has expired; the Hub creates a new one. Returns false if
    /// that was done already.
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

/// Whether a signed link may have been rejected because it has expired.
pub(super) fn may_have_expired(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 410))
}

/// Returns the error for a whole file in response to a range request.
fn whole_answer(response: &Response) -> Error {
    let message = "the server ignored the Range header and sent the whole file";
    Error::new(ErrorKind::Transport, message)
        .with_status(response.status().as_u16())
        .with_url(response.url())
}

/// Returns an error for a whole file of another length: a login page, or a broken mirror.
fn check_length(response: &Response, size: Option<u64>) -> Result<()> {
    match (file_metadata::body_size(response), size) {
        (Some(sent), Some(size)) if sent != size => {
            let kind = response.header("content-type").unwrap_or("an unnamed kind");
            let sent = sizes::counted(sent, "bytes");
            let message =
                format!("the server sends {sent} ({kind}) where the Hub announced {size}");
            Err(Error::new(ErrorKind::Transport, message).with_url(response.url()))
        }
        _ => Ok(()),
    }
}

/// Returns whether the body is the part that begins at `first`; `None` if it is the whole file.
fn part_of(response: &Response, asked: ByteRange, size: Option<u64>) -> Result<Option<()>> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(None);
    }
    let fits = |total: Option<u64>| size.is_none() || total.is_none() || total == size;
    match file_metadata::part_of(response, asked, size) {
        Some((begins, total)) if begins == asked.first && fits(total) => Ok(Some(())),
        _ => Err(file_metadata::another_part(response, asked.first)),
    }
}

//! Receives a file from Xet storage: everything that is missing of it.
//!
//! The bytes are written and hashed like those of HTTP, so a storage that sends wrong ones is
//! detected, and an interrupted transfer resumes, over either way.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    base::{
        error::{ErrorKind, Result},
        progress::{Activity, FileProgress},
        sizes,
    },
    cache::partial::too_long,
    hub::{client::Hub, xet_access},
    transfer::{Outcome, Transfer, block::Block, writer::Writer},
    xet::{Access, File, Order, Part, Storage},
};

impl Transfer<'_> {
    /// Fetches everything that is missing. Drops `network` when all bytes have been received.
    pub(super) async fn by_xet<T>(
        &self,
        file: &File,
        plan_timeout: Duration,
        network: &mut Option<T>,
        progress: &FileProgress,
    ) -> Result<Outcome> {
        let hub = Hub { retry: self.hub.retry.once(), ..self.hub.clone() };
        let (repo, commit) = (self.repo, &self.metadata.commit);
        let access = xet_access::to_read(&hub, repo, commit, file, progress.operation()).await?;
        let storage = self.hub.xet.storage(None)?;
        let (writer, present) = self.writer(0).await?;
        progress.resumed(present.total());
        let size = self.metadata.size.unwrap_or_default();
        let order = if writer.is_ordered() { Order::OfTheFile } else { Order::OfArrival };
        let source = Source { transfer: self, file, storage: &*storage, access: &access };
        let ranges = present.missing(size);
        if !ranges.is_empty() {
            let part = Part { ranges, order, plan_timeout };
            if let Err(error) = source.receive(part, &writer, progress).await {
                // The next attempt resumes what this one leaves.
                writer.close().await;
                if error.kind() == ErrorKind::Unauthorized {
                    self.hub.xet.shared.forget(&access);
                }
                return Err(error);
            }
        }
        drop(network.take());
        writer.finish().await.map(Box::new).map(Outcome::Complete)
    }
}

/// A file in a storage.
struct Source<'a> {
    transfer: &'a Transfer<'a>,
    file: &'a File,
    storage: &'a dyn Storage,
    access: &'a Access,
}

impl Source<'_> {
    async fn receive(&self, part: Part, writer: &Writer, progress: &FileProgress) -> Result<()> {
        let (start, end) = (part.ranges[0].start, part.ranges.last().map_or(0, |last| last.end));
        let wanted: u64 = part.ranges.iter().map(|range| range.end - range.start).sum();
        let (access, mut received) = (self.access, 0);
        let mut stream = self.storage.download(access, self.file, part).await?;
        progress.operation().set_activity(Activity::Downloading, None);
        while let Some((at, bytes)) = stream.next().await? {
            let length = bytes.len() as u64;
            if at < start || at > end || length > end - at {
                return Err(too_long(end));
            }
            received += length;
            self.take(at, bytes, writer, progress).await?;
        }
        if received < wanted {
            let missing = sizes::counted(wanted - received, "bytes");
            let message = format!("the storage did not send {missing} of the file");
            return Err(access.failed(ErrorKind::Transport, message));
        }
        Ok(())
    }

    async fn take(
        &self,
        mut at: u64,
        mut bytes: Bytes,
        writer: &Writer,
        progress: &FileProgress,
    ) -> Result<()> {
        while !bytes.is_empty() {
            let mut block = Block::at(at);
            let room = usize::try_from(block.room()).unwrap_or(usize::MAX);
            let piece = bytes.split_to(room.min(bytes.len()));
            let length = piece.len() as u64;
            self.transfer.hub.flow.pass(piece.len()).await;
            block.push(piece);
            writer.write(block).await?;
            at += length;
            progress.received(length);
        }
        Ok(())
    }
}

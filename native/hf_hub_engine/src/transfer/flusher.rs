//! Flushes a large file to disk while it arrives, so that little is left to do at the end.

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Flusher;
#[cfg(target_os = "linux")]
pub(crate) use linux::Flusher;

#[cfg(target_os = "linux")]
mod linux {
    use std::{num::NonZeroU64, ops::Range};

    use rustix::fs::{Advice, fadvise};

    use crate::{
        base::{error::Result, ranges::Ranges},
        cache::partial::Partial,
    };

    /// Number of bytes after which the kernel starts to write them to disk.
    const EVERY: u64 = 8 << 20;

    /// Makes the kernel write in the background.
    #[derive(Default)]
    pub(crate) struct Flusher {
        unflushed: Ranges,
        bytes: u64,
    }

    impl Flusher {
        /// Records that the bytes of `range` were written to `partial`.
        #[expect(clippy::unnecessary_wraps, reason = "fails elsewhere")]
        pub(crate) fn wrote(&mut self, range: Range<u64>, partial: &Partial) -> Result<()> {
            self.bytes += range.end - range.start;
            self.unflushed.add(range);
            if self.bytes >= EVERY {
                self.bytes = 0;
                for range in std::mem::take(&mut self.unflushed).iter() {
                    // Starts to write dirty pages, and drops those that are on disk already: none,
                    // because these are new. Only the final flush has to succeed.
                    let length = NonZeroU64::new(range.end - range.start);
                    let _ = fadvise(partial.file(), range.start, length, Advice::DontNeed);
                }
            }
            Ok(())
        }

        /// Waits for nothing: the final flush does.
        #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "waits elsewhere")]
        pub(crate) fn join(self) -> Result<()> {
            Ok(())
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::{base::etag::Etag, cache::partial::Slot};

        #[test]
        fn flushes_what_was_written_in_any_order_and_keeps_it() {
            let dir = tempfile::tempdir().unwrap();
            let etag = Etag::parse(&"a".repeat(64)).unwrap();
            let slot = Slot {
                dir: dir.path().to_owned(),
                stem: etag.to_string(),
                etag,
                size: Some(2 * EVERY),
            };
            let mut partial = Partial::create(slot).unwrap();
            let (mut flusher, piece) = (Flusher::default(), 1 << 20);
            let content: Vec<u8> = (0..2 * EVERY).map(|n| (n >> 20).to_le_bytes()[0]).collect();
            let chunks = content.chunks(piece).enumerate().rev();
            for (n, (place, bytes)) in chunks.enumerate() {
                let offset = (place * piece) as u64;
                partial.write(offset, bytes).unwrap();
                flusher.wrote(offset..offset + piece as u64, &partial).unwrap();
                let expected = (n as u64 + 1) * piece as u64 % EVERY;
                assert_eq!(flusher.unflushed.total(), expected);
            }
            flusher.join().unwrap();
            let name = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
            let written = std::fs::read(name.path()).unwrap();
            assert!(written[..content.len()] == content);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::{fs::File, io, ops::Range};

    use crate::{
        base::error::{Error, ErrorKind, Result},
        cache::partial::Partial,
    };

    /// Number of bytes after which the thread flushes.
    const EVERY: u64 = 64 << 20;

    /// Has a thread that flushes.
    #[derive(Default)]
    pub(crate) struct Flusher {
        unflushed: u64,
        thread: Option<std::thread::JoinHandle<io::Result<()>>>,
    }

    impl Flusher {
        /// Records that the bytes of `range` were written to `partial`.
        pub(crate) fn wrote(&mut self, range: Range<u64>, partial: &Partial) -> Result<()> {
            self.unflushed += range.end - range.start;
            let busy = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
            if self.unflushed < EVERY || busy {
                return Ok(());
            }
            self.finish()?;
            self.unflushed = 0;
            let file: File = partial.reader()?;
            // Without the thread, there is more to flush at the end.
            let name = "hf_hub_flush".to_owned();
            self.thread =
                std::thread::Builder::new().name(name).spawn(move || file.sync_data()).ok();
            Ok(())
        }

        /// Waits for the thread.
        pub(crate) fn join(mut self) -> Result<()> {
            self.finish()
        }

        fn finish(&mut self) -> Result<()> {
            match self.thread.take().map(std::thread::JoinHandle::join) {
                None | Some(Ok(Ok(()))) => Ok(()),
                Some(Ok(Err(source))) => {
                    Err(Error::new(ErrorKind::Io, "cannot flush the downloaded file to disk")
                        .with_source(source))
                }
                Some(Err(panic)) => std::panic::resume_unwind(panic),
            }
        }
    }
}

//! Reads the content of a file from its xorbs, in constant memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use anyhow::{Context, Result, bail};

use super::xorb::{Index, read_chunk, unpack};
use super::{Term, XetFile, XetHash, XetStore};

/// Number of terms that are read from the database at a time.
const TERMS: usize = 256;
/// Compressed bytes that are read from a xorb at a time.
const READ_AHEAD: usize = 512 << 10;

/// A range of the content of a file.
#[derive(Debug)]
pub(crate) struct XetContent {
    store: XetStore,
    terms: Terms,
    position: u64,
    end: u64,
    /// The term that is being read.
    run: Option<Run>,
    packed: Vec<u8>,
    /// The content of a chunk, and how much of it was taken.
    chunk: Vec<u8>,
    taken: usize,
}

/// Where the terms are.
#[derive(Debug)]
enum Terms {
    /// In the database; the queue has the next ones.
    Stored { file: i64, next: VecDeque<Term> },
    /// Only here: the file is being verified.
    Given(VecDeque<Term>),
}

#[derive(Debug)]
struct Run {
    xorb: XetHash,
    index: Index,
    reader: BufReader<File>,
    /// The chunks that are left.
    chunks: Range<usize>,
}

impl XetStore {
    /// Opens the content of a file.
    pub(crate) fn content(&self, file: &XetFile, range: Range<u64>) -> XetContent {
        let end = range.end.min(file.size);
        let terms = Terms::Stored { file: file.id(), next: VecDeque::new() };
        XetContent::new(self.clone(), terms, range.start..end)
    }

    /// Opens the content of a file that is not stored yet.
    pub(super) fn content_of(&self, terms: &[Term]) -> XetContent {
        let end = terms.last().map_or(0, |term| term.range().end);
        XetContent::new(self.clone(), Terms::Given(terms.iter().cloned().collect()), 0..end)
    }
}

impl XetContent {
    fn new(store: XetStore, terms: Terms, range: Range<u64>) -> Self {
        let (packed, chunk) = (Vec::new(), Vec::new());
        let Range { start: position, end } = range;
        Self { store, terms, position, end, run: None, packed, chunk, taken: 0 }
    }

    /// Returns the next bytes, which are part of one chunk; none at the end.
    pub(crate) fn fill(&mut self) -> Result<&[u8]> {
        if self.taken == self.chunk.len() {
            self.next_chunk()?;
        }
        Ok(&self.chunk[self.taken..])
    }

    /// Marks bytes as taken.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    fn next_chunk(&mut self) -> Result<()> {
        self.chunk.clear();
        self.taken = 0;
        if self.position >= self.end {
            return Ok(());
        }
        let mut skip = 0;
        let mut run = match self.run.take() {
            Some(run) if !run.chunks.is_empty() => run,
            other => {
                let (run, before) = self.next_run(other)?;
                skip = before;
                run
            }
        };
        let packing = read_chunk(&mut run.reader, &mut self.packed)?.context("a xorb is cut")?;
        self.chunk.extend_from_slice(&unpack(packing, &self.packed)?);
        run.chunks.start += 1;
        self.run = Some(run);
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        self.chunk.truncate(skip.saturating_add(left));
        let gained = self.chunk.len().checked_sub(skip).filter(|gained| *gained > 0);
        self.position += gained.context("a chunk is too short")? as u64;
        self.taken = skip;
        Ok(())
    }

    /// Opens the term with the current position, and returns where that is in its first chunk.
    fn next_run(&mut self, last: Option<Run>) -> Result<(Run, usize)> {
        let term = self.next_term()?;
        if !term.range().contains(&self.position) {
            bail!("the terms of the file have a gap at {}", self.position);
        }
        let (index, mut reader) = match last {
            Some(run) if run.xorb == term.xorb => (run.index, run.reader),
            _ => {
                let found = self.store.xorb(&term.xorb)?;
                let hash = term.xorb.hex();
                let (file, index) = found.with_context(|| format!("the xorb {hash} is missing"))?;
                (index, BufReader::with_capacity(READ_AHEAD, file))
            }
        };
        if term.chunks.end > index.count() {
            bail!("the xorb {} has fewer chunks than a file needs", term.xorb.hex());
        }
        let position = index.unpacked(&term.chunks).start + (self.position - term.start);
        let first = index.chunk_at(position);
        let chunks = first..term.chunks.end;
        let skip = position - index.unpacked(&chunks).start;
        let seek_to = index.packed(&chunks).start;
        let now = reader.stream_position()?;
        match i64::try_from(seek_to).ok().zip(i64::try_from(now).ok()) {
            Some((wanted, now)) => reader.seek_relative(wanted - now)?,
            None => drop(reader.seek(SeekFrom::Start(seek_to))?),
        }
        Ok((Run { xorb: term.xorb, index, reader, chunks }, usize::try_from(skip)?))
    }

    fn next_term(&mut self) -> Result<Term> {
        let next = match &mut self.terms {
            Terms::Given(next) => next,
            Terms::Stored { file, next } => {
                if next.is_empty() {
                    *next = self.store.terms(*file, &(self.position..self.end), TERMS)?.into();
                }
                next
            }
        };
        next.pop_front().context("the file has been removed")
    }
}

impl Read for XetContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.fill().map_err(io::Error::other)?;
        let count = here.len().min(buffer.len());
        buffer[..count].copy_from_slice(&here[..count]);
        self.take(count);
        Ok(count)
    }
}

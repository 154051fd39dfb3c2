//! Partial files of interrupted attempts, whose content is copied into a new one while that
//! receives what is missing.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use super::{Slot, open_orphan};
use crate::{
    base::{disk::write_all_at, ranges::Ranges},
    cache::resume_record,
};

/// Maximum number of bytes copied at a time: what is received meanwhile waits.
const PIECE: u64 = 1 << 20;

/// Claimed partial files, and what remains to be copied from them. Those that are left when this is
/// dropped stay for the next attempt.
#[derive(Debug, Default)]
pub struct Orphans {
    claimed: VecDeque<Orphan>,
    present: Ranges,
    /// The size of the file, if known.
    size: Option<u64>,
    /// The last piece.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Orphan {
    path: PathBuf,
    file: File,
    left: VecDeque<Range<u64>>,
    /// The slot if there is no room for a copy: copies from the end, and truncates the file.
    moves: Option<Slot>,
}

impl Orphans {
    /// Claims the partial files of earlier attempts. If the copying was interrupted, too, there are
    /// several, which complement each other.
    pub(super) fn claim(slot: &Slot, alone: bool, is_short: bool) -> Self {
        let mut orphans = Self { size: slot.size, ..Self::default() };
        for (path, _) in slot.orphans() {
            let Some(mut file) = open_orphan(&path, alone, is_short) else { continue };
            let new = slot.present_in(&mut file).without(&orphans.present);
            if new.total() == 0 {
                continue;
            }
            let Some(path) = slot.claim(&path) else { continue };
            let left = new.iter().collect();
            let moves = is_short.then(|| slot.clone());
            orphans.claimed.push_back(Orphan { path, file, left, moves });
            new.iter().for_each(|range| orphans.present.add(range));
        }
        orphans
    }

    /// Returns the ranges that they have together.
    pub fn present(&self) -> &Ranges {
        &self.present
    }

    /// Leaves out the ranges between two gaps that are shorter than `least`, which are received
    /// again. They must not be copied then: the hash may be that of the bytes that were received.
    pub fn drop_islands(&mut self, least: u64) {
        let all = self.present.clone();
        self.present = all.without_islands(self.size.unwrap_or(u64::MAX), least);
        let dropped = all.without(&self.present);
        for orphan in &mut self.claimed {
            let left: Ranges = orphan.left.drain(..).collect();
            orphan.left = left.without(&dropped).iter().collect();
        }
    }

    /// Whether everything is copied.
    pub fn is_empty(&self) -> bool {
        self.claimed.is_empty()
    }

    /// Returns where the next piece belongs.
    pub fn next_offset(&self) -> Option<u64> {
        self.claimed.iter().find_map(Orphan::next).map(|piece| piece.start)
    }

    /// Returns the next bytes to copy, and their position; `None` if none are left. To be called
    /// when the bytes before are written: it removes what is not needed any more.
    pub fn next_piece(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        while let Some(orphan) = self.claimed.front_mut() {
            if let Some(offset) = orphan.read_next(&mut self.buffer)? {
                return Ok(Some((offset, &self.buffer)));
            }
            // If it cannot be removed, it will be claimed again, which is harmless.
            let _ = fs::remove_file(&orphan.path);
            self.claimed.pop_front();
        }
        Ok(None)
    }

    /// Removes what is left.
    pub fn discard(&mut self) {
        for orphan in self.claimed.drain(..) {
            let _ = fs::remove_file(orphan.path);
        }
    }
}

impl Orphan {
    /// Returns the first bytes that are left, or the last ones if the file is moved.
    fn next(&self) -> Option<Range<u64>> {
        if self.moves.is_some() {
            let last = self.left.back()?;
            return Some(last.start.max(last.end.saturating_sub(PIECE))..last.end);
        }
        let first = self.left.front()?;
        Some(first.start..first.end.min(first.start + PIECE))
    }

    /// Reads the next bytes, and returns their position.
    fn read_next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let Some(piece) = self.next() else { return Ok(None) };
        self.truncate(piece.end)?;
        buffer.clear();
        self.file.seek(SeekFrom::Start(piece.start))?;
        (&self.file).take(piece.end - piece.start).read_to_end(buffer)?;
        if buffer.len() as u64 != piece.end - piece.start {
            // Its writer is alive and has truncated it.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.took(&piece);
        Ok(Some(piece.start))
    }

    /// Frees the space of what was moved, which is behind `end`.
    fn truncate(&self, end: u64) -> io::Result<()> {
        let Some(slot) = &self.moves else { return Ok(()) };
        self.file.set_len(end)?;
        let left: Ranges = self.left.iter().cloned().collect();
        let Some(size) = slot.size.filter(|_| !left.is_prefix()) else { return Ok(()) };
        // Without a record, which was behind it, too, gaps would count as received.
        resume_record::encode(&slot.etag, size, &left).map_or(Ok(()), |record| {
            write_all_at(&self.file, &[record], resume_record::position(size))
        })
    }

    fn took(&mut self, piece: &Range<u64>) {
        let range = if self.moves.is_some() { self.left.pop_back() } else { self.left.pop_front() };
        let Some(range) = range else { return };
        if range.start < piece.start {
            self.left.push_back(range.start..piece.start);
        }
        if piece.end < range.end {
            self.left.push_front(piece.end..range.end);
        }
    }
}

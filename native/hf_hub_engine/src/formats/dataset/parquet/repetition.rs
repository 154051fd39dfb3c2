//! Finds out how many values a row has, before they are decoded: a few bytes of levels may stand for
//! any number of them.

use ::parquet::basic::Encoding;

use crate::formats::dataset::{
    TOO_MANY,
    parquet::{
        MAX_VALUES,
        delta::{INVALID, Reader, bits},
    },
};

/// The rows of a column of lists, as its pages are read.
pub(super) struct Repetition {
    /// Number of bits of a level; 0 where a row has one value.
    width: u8,
    /// Number of values of the current row so far.
    values: usize,
}

impl Repetition {
    pub(super) fn new(highest: i16) -> Self {
        let width = u8::try_from(16 - highest.max(0).leading_zeros()).unwrap_or(16);
        Self { width, values: 0 }
    }

    /// Counts the values of each row of a page, which begins with its levels. They have a length
    /// of their own in a page of version 1; in one of version 2 it is given.
    pub(super) fn count(
        &mut self,
        page: &[u8],
        length: Option<usize>,
        encoding: Encoding,
        values: usize,
    ) -> Result<(), String> {
        if self.width == 0 {
            return Ok(());
        }
        if encoding != Encoding::RLE {
            // Only files of the oldest writers: as if all values were of one row.
            return self.add(values);
        }
        let levels = match length {
            Some(length) => page.get(..length),
            None => page.split_first_chunk().and_then(|(length, rest)| {
                rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
            }),
        };
        self.runs(levels.ok_or(INVALID)?, values)
    }

    /// Counts runs of the same level, and levels that are packed in groups of 8.
    fn runs(&mut self, bytes: &[u8], values: usize) -> Result<(), String> {
        let mut reader = Reader { bytes, at: 0 };
        let mut left = values;
        while left > 0 {
            let head = reader.varint()?;
            let number = usize::try_from(head >> 1).map_err(|_| INVALID)?;
            if head & 1 == 0 {
                let level = reader.take(usize::from(self.width).div_ceil(8))?;
                let count = number.min(left);
                left -= count;
                if level.iter().all(|byte| *byte == 0) {
                    self.values = usize::from(count > 0);
                } else {
                    self.add(count)?;
                }
                continue;
            }
            // The last group may be cut.
            let most = left.div_ceil(8).min(number) * usize::from(self.width);
            let packed = reader.take(most.min(bytes.len() - reader.at))?;
            let count = (packed.len() * 8 / usize::from(self.width)).min(number * 8).min(left);
            if count == 0 {
                return Err(INVALID.to_owned());
            }
            left -= count;
            for at in 0..count {
                if bits(packed, at * usize::from(self.width), self.width) == 0 {
                    self.values = 0;
                }
                self.add(1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, values: usize) -> Result<(), String> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES { Err(TOO_MANY.to_owned()) } else { Ok(()) }
    }
}

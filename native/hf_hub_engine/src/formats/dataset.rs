//! Reads the rows of a dataset's files: Parquet, CSV and JSON, on this machine or on a Hub.
//!
//! Rows are read in batches, on threads that may block: of a Parquet file only the chunks of the
//! wanted columns, of the other formats a piece after the other. Nothing in a file is trusted:
//! counts, sizes and nesting are limited, and a panic of a library is an error of the file.

mod csv;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg_attr(
    not(feature = "parquet"),
    expect(dead_code, reason = "other files are read from their beginning only")
)]
mod source;
mod value;

#[cfg(test)]
mod tests;

use std::{any::Any, collections::VecDeque, panic::AssertUnwindSafe, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking::{self, Watch},
        error::{Error, ErrorKind, Result},
        ids::{RepoPath, RepoRevision},
        input::RawPath,
    },
    formats::dataset::{
        source::{Source, Waiter},
        value::Column,
    },
    hub::client::Hub,
};

pub use value::{Field, Kind, Value};

/// Maximum number of rows of a batch, and of bytes unless one row has more.
const BATCH_ROWS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// Maximum number of bytes of one row of a text format, and of its values.
const ROW_BYTES: usize = 256 << 20;
const ROW_VALUES: usize = 1 << 30;
/// Maximum number of columns of a text format.
const MAX_COLUMNS: usize = 100_000;
const TOO_MANY: &str = "a row has too many values";

/// Which rows to read.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// The files, in order.
    pub files: Vec<DataFile>,
    /// The columns, in order; `None` for all.
    pub columns: Option<Vec<String>>,
    /// Maximum number of rows.
    pub limit: Option<u64>,
}

/// A file with rows.
#[derive(Clone, Debug, Deserialize)]
pub struct DataFile {
    /// Its path in the repository, for errors.
    pub name: RepoPath,
    /// Its format.
    pub format: Format,
    /// Whether it is compressed with gzip.
    pub gzip: bool,
    /// What separates values of CSV, unless it is what the format announces.
    pub delimiter: Option<u8>,
    /// Where it is on this machine.
    pub path: Option<RawPath>,
    /// Where it is on the Hub, unless it is on this machine.
    pub place: Option<RepoRevision>,
    /// Its size on the Hub.
    pub size: Option<u64>,
}

/// Formats of files with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// A JSON object in each line, or a JSON array of objects.
    Json,
}

/// A piece of a stream of rows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// The columns: the first piece.
    Fields(Vec<Field>),
    /// The next rows.
    Rows(Batch),
}

/// Rows by their columns.
#[derive(Debug, Serialize)]
pub struct Batch {
    /// Number of rows.
    pub count: usize,
    /// The values of each column.
    pub columns: Vec<Vec<Value>>,
}

/// An open file, from which rows are read by their columns. All functions may block.
trait Table: Send {
    /// The columns of the file.
    fn fields(&self) -> &[Field];

    /// Reads up to about [`BATCH_ROWS`] rows; `None` at the end.
    fn next(&mut self) -> std::result::Result<Option<Vec<Column>>, Broken>;
}

/// Collects a batch of a text format. `add` appends the next row to the columns, and returns its
/// bytes; `None` at the end.
fn batch(
    columns: usize,
    mut add: impl FnMut(&mut [Column]) -> std::result::Result<Option<usize>, Broken>,
) -> std::result::Result<Option<Vec<Column>>, Broken> {
    let mut batch: Vec<Column> = (0..columns).map(|_| Vec::new()).collect();
    let (mut count, mut bytes) = (0, 0);
    while count < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(read) = add(&mut batch)? else { break };
        count += 1;
        // Rows may be shorter than the header, and have a value for each column.
        bytes += read + columns * size_of::<Value>();
    }
    Ok((count > 0).then_some(batch))
}

/// Why rows cannot be read: what is wrong with the file, or another error.
enum Broken {
    Content(String),
    Other(Error),
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self::Content(why)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        source::broken(error)
    }
}

/// The rows of several files. Dropping it closes the files and connections.
pub struct Rows(Option<Box<State>>);

struct State {
    hub: Hub,
    waiter: Waiter,
    files: VecDeque<DataFile>,
    wanted: Option<Vec<String>>,
    left: u64,
    /// The columns of the first file, which those of the others have to match.
    fields: Option<Arc<[Field]>>,
    shown: bool,
    open: Option<(DataFile, Box<dyn Table>)>,
    pending: Vec<std::vec::IntoIter<Value>>,
}

impl Rows {
    /// Prepares the rows. Files are opened when rows are wanted.
    pub fn new(hub: &Hub, spec: Spec, watch: &Watch) -> Self {
        Self(Some(Box::new(State {
            hub: hub.clone(),
            waiter: Waiter::new(watch.stop.clone()),
            files: spec.files.into(),
            wanted: spec.columns,
            left: spec.limit.unwrap_or(u64::MAX),
            fields: None,
            shown: false,
            open: None,
            pending: Vec::new(),
        })))
    }

    /// Returns the next piece; `None` at the end. After an error there are no more.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        let Some(mut state) = self.0.take() else { return Ok(None) };
        // If this future is dropped, the thread ends with the batch and closes what is open.
        let (state, piece) = blocking::run(move || {
            let piece = state.step();
            (state, piece)
        })
        .await;
        let piece = piece?;
        if piece.is_some() {
            self.0 = Some(state);
        }
        Ok(piece)
    }
}

impl State {
    fn step(&mut self) -> Result<Option<Piece>> {
        if !self.shown {
            self.shown = true;
            self.open_next()?;
            let fields = self.fields.as_ref().map(|fields| fields.to_vec());
            return Ok(fields.map(Piece::Fields));
        }
        while self.left > 0 {
            self.waiter.check()?;
            if self.pending.first().is_some_and(|column| column.len() > 0) {
                return self.take().map(|batch| Some(Piece::Rows(batch)));
            }
            if self.open.is_none() && !self.open_next()? {
                break;
            }
            self.read()?;
        }
        // What is not read any more is closed now, and not when the stream is dropped.
        self.open = None;
        self.files.clear();
        Ok(None)
    }

    /// Opens the next file, if there is one.
    fn open_next(&mut self) -> Result<bool> {
        let Some(file) = self.files.pop_front() else { return Ok(false) };
        let table = contained(&file, || {
            let source = Source::open(&self.hub, &file, &self.waiter)?;
            let wanted = Wanted { columns: self.wanted.as_deref(), fields: self.fields.as_deref() };
            let table = table(&file, source, &wanted)?;
            match table.fields() {
                [] if self.wanted.is_some() => Err(no_columns().into()),
                [] => Err("it has no columns".to_owned().into()),
                _ => Ok(table),
            }
        })?;
        match &self.fields {
            None => self.fields = Some(table.fields().into()),
            Some(fields) => value::check_same(&file, fields, table.fields())?,
        }
        self.open = Some((file, table));
        Ok(true)
    }

    fn read(&mut self) -> Result<()> {
        let Some((file, table)) = &mut self.open else { return Ok(()) };
        match contained(file, || table.next())? {
            Some(columns) => self.pending = columns.into_iter().map(Vec::into_iter).collect(),
            None => self.open = None,
        }
        Ok(())
    }

    /// Takes the next rows.
    fn take(&mut self) -> Result<Batch> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(BATCH_ROWS);
        let rows = self.pending.first().map_or(0, ExactSizeIterator::len).min(most);
        let count = match (fitting(&self.pending, rows), &self.open) {
            (Err(why), Some((file, _))) => return Err(named(file, why.into())),
            (count, _) => count.unwrap_or(1),
        };
        let columns = self.pending.iter_mut().map(|values| values.by_ref().take(count).collect());
        let columns = columns.collect();
        self.left -= count as u64;
        Ok(Batch { count, columns })
    }
}

/// Returns how many of so many rows are a batch: those of up to [`BATCH_BYTES`], or one.
fn fitting(
    columns: &[std::vec::IntoIter<Value>],
    rows: usize,
) -> std::result::Result<usize, String> {
    let size = |row: usize| columns.iter().map(|values| values.as_slice()[row].bytes()).sum();
    let mut bytes: usize = size(0);
    // A value of a dictionary is in a file once, and in each row that has it.
    if bytes > ROW_VALUES {
        return Err(format!("a row has values of more than {ROW_VALUES} bytes"));
    }
    let fits = |row: &usize| {
        bytes += size(*row);
        bytes <= BATCH_BYTES
    };
    Ok(1 + (1..rows).take_while(fits).count())
}

/// What is wanted of a file.
struct Wanted<'a> {
    columns: Option<&'a [String]>,
    /// The columns of the first file: values have their types where a format has none of its own.
    fields: Option<&'a [Field]>,
}

impl Wanted<'_> {
    /// Returns the positions of the wanted columns among those of a file. Those of other files than
    /// the first may be in another order.
    fn positions(&self, names: &[String]) -> Result<Vec<usize>> {
        if let (None, Some(first)) = (self.columns, self.fields)
            && first.len() == names.len()
        {
            let first: Vec<String> = first.iter().map(|field| field.name.clone()).collect();
            // Where a column is missing, the error shows what the first file has instead.
            return Ok(value::positions(names, Some(&first))
                .unwrap_or_else(|_| (0..names.len()).collect()));
        }
        value::positions(names, self.columns)
    }
}

fn no_columns() -> Error {
    Error::new(ErrorKind::BadRequest, "the option `columns` names no column")
}

fn table(
    file: &DataFile,
    source: Source,
    wanted: &Wanted<'_>,
) -> std::result::Result<Box<dyn Table>, Broken> {
    Ok(match file.format {
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::Parquet::open(source, wanted)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let message = "this build of hf_hub's native code has no reader of Parquet: it was built without the \
                           feature `parquet`";
            return Err(Error::new(ErrorKind::BadRequest, message).into());
        }
        Format::Csv | Format::Tsv => {
            let own = if file.format == Format::Csv { b',' } else { b'\t' };
            let delimiter = file.delimiter.unwrap_or(own);
            Box::new(csv::Csv::open(source.text(file.gzip)?, delimiter, wanted)?)
        }
        Format::Json => Box::new(json::Json::open(source.text(file.gzip)?, wanted)?),
    })
}

/// Runs work on an untrusted file; a panic in it, which only a library can cause, is an error of the file.
fn contained<T>(
    file: &DataFile,
    work: impl FnOnce() -> std::result::Result<T, Broken>,
) -> Result<T> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(work));
    let result = result.unwrap_or_else(|panic| Err(Broken::Content(reason(&*panic))));
    result.map_err(|broken| named(file, broken))
}

fn named(file: &DataFile, broken: Broken) -> Error {
    match broken {
        Broken::Other(error) => error,
        Broken::Content(why) => {
            let message = format!("invalid {} file `{}`: {why}", file.format.name(), file.name);
            Error::new(ErrorKind::InvalidResponse, message).with_path(&file.name)
        }
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    blocking::panicked(panic)
        .message()
        .rsplit("native code: ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Json => "JSON",
        }
    }
}

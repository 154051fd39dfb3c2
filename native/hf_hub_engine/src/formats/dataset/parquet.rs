//! Reads Parquet: the footer first, then of each row group the chunks of the wanted columns.
//!
//! The crate `parquet` decodes metadata and values. It trusts some counts in a file, for which it
//! would allocate any amount of memory, so [`thrift`] checks the footer before it, and [`pages`]
//! every page.

mod codec;
mod column;
mod delta;
mod pages;
mod repetition;
mod schema;
mod thrift;

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use ::parquet::{
    basic::Type as Physical,
    column::reader::get_column_reader,
    errors::ParquetError,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
    schema::types::ColumnDescriptor,
};

use crate::{
    base::{error::Error, sizes},
    formats::dataset::{
        BATCH_BYTES, BATCH_ROWS, Broken, TOO_MANY, Table, Wanted,
        parquet::{
            column::Leaf,
            pages::{Group, Pages},
            repetition::Repetition,
            schema::Node,
            thrift::Wrong,
        },
        source::Source,
        value::{self, Column, Field},
    },
};

const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED: &[u8] = b"PARE";
/// Length and magic number at the end of a file.
const TAIL: u64 = 8;
/// Size of the first read of the end of a file, in which most footers fit.
const FIRST_READ: u64 = 64 << 10;
const MAX_FOOTER: u64 = 32 << 20;
/// Number of rows that are read first, where nothing is known about their size.
const FIRST_ROWS: usize = 16;
/// Number of levels of a column that one read should not exceed.
const LEVELS: usize = 256 << 10;
/// Maximum number of values of one row in lists.
const MAX_VALUES: usize = 8 << 20;

/// An open file.
pub(super) struct Parquet {
    source: Arc<Source>,
    metadata: ParquetMetaData,
    /// The wanted columns.
    nodes: Vec<Node>,
    fields: Vec<Field>,
    groups: Range<usize>,
    /// Leaves of the row group that is being read, by their position, and its rows that are left.
    leaves: Vec<Option<Leaf>>,
    left: usize,
    /// Number of rows to read next.
    rows: usize,
}

impl Parquet {
    pub(super) fn open(source: Source, wanted: &Wanted<'_>) -> Result<Self, Broken> {
        let metadata = footer(&source)?;
        let mut nodes = schema::columns(metadata.file_metadata().schema())?;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let positions = wanted.positions(&names)?;
        let mut all: Vec<Option<Node>> = nodes.drain(..).map(Some).collect();
        let nodes: Vec<Node> = positions.iter().filter_map(|at| all[*at].take()).collect();
        let field = |node: &Node| Field { name: node.name.clone(), kind: node.kind.clone() };
        Ok(Self {
            fields: nodes.iter().map(field).collect(),
            source: Arc::new(source),
            groups: 0..metadata.num_row_groups(),
            metadata,
            nodes,
            leaves: Vec::new(),
            left: 0,
            rows: FIRST_ROWS,
        })
    }

    /// Begins the next row group that has rows; returns whether there is one.
    fn next_group(&mut self) -> Result<bool, Broken> {
        self.leaves.clear();
        for at in self.groups.by_ref() {
            let group = self.metadata.row_group(at);
            let rows = usize::try_from(group.num_rows())
                .map_err(|_| "a negative number of rows".to_owned())?;
            if rows > 0 {
                self.leaves = leaves(&self.source, group, &self.nodes)?;
                self.left = rows;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads rows of each wanted leaf; all have to have the same number of them.
    fn read(&mut self) -> Result<usize, Broken> {
        self.leaves.iter_mut().flatten().for_each(Leaf::clear);
        let rows = self.read_lists(self.rows.min(self.left))?;
        let others = self.leaves.iter_mut().flatten().filter(|leaf| !leaf.is_repeated());
        for leaf in others {
            read(leaf, rows)?;
        }
        self.left -= rows;
        Ok(rows)
    }

    /// Reads rows of the leaves in lists, one after the other, until they have many values;
    /// returns how many rows that were.
    fn read_lists(&mut self, most: usize) -> Result<usize, Broken> {
        let mut lists: Vec<&mut Leaf> =
            self.leaves.iter_mut().flatten().filter(|leaf| leaf.is_repeated()).collect();
        if lists.is_empty() {
            return Ok(most);
        }
        let (mut rows, mut levels) = (0, 0);
        while rows < most && levels < LEVELS {
            let before = levels;
            for leaf in &mut lists {
                let held = leaf.levels();
                read(leaf, 1)?;
                levels += leaf.levels() - held;
                if levels - before > MAX_VALUES {
                    return Err(TOO_MANY.to_owned().into());
                }
            }
            rows += 1;
        }
        Ok(rows)
    }

    /// Chooses the number of rows to read next by what the last ones took.
    fn adapt(&mut self, rows: usize, columns: &[Column]) {
        let bytes: usize = columns.iter().flatten().map(value::Value::bytes).sum();
        let levels = self.leaves.iter().flatten().map(Leaf::levels).max().unwrap_or(0);
        let of_bytes = rows.saturating_mul(BATCH_BYTES) / bytes.max(1);
        let of_levels = rows.saturating_mul(LEVELS) / levels.max(1);
        self.rows = of_bytes.min(of_levels).min(rows.saturating_mul(8)).clamp(1, BATCH_ROWS);
    }
}

impl Table for Parquet {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn next(&mut self) -> Result<Option<Vec<Column>>, Broken> {
        if self.left == 0 && !self.next_group()? {
            return Ok(None);
        }
        let rows = self.read()?;
        let mut columns = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let values = (0..rows).map(|_| column::value(node, &mut self.leaves));
            columns.push(values.collect::<Result<Column, String>>()?);
        }
        if !self.leaves.iter().flatten().all(Leaf::is_done) {
            return Err("the values of a column do not match its levels".to_owned().into());
        }
        self.adapt(rows, &columns);
        Ok(Some(columns))
    }
}

fn read(leaf: &mut Leaf, rows: usize) -> Result<(), Broken> {
    if leaf.read(rows).map_err(broken)? == rows {
        return Ok(());
    }
    Err("a column has fewer rows than it announces".to_owned().into())
}

/// Reads and checks the footer.
fn footer(source: &Source) -> Result<ParquetMetaData, Broken> {
    let size = source.size();
    let invalid = |why: &str| Broken::Content(why.to_owned());
    let first = size.min(FIRST_READ);
    let end = source.read(size - first..size)?;
    let Some((rest, tail)) = end.split_last_chunk::<8>() else {
        return Err(invalid("it is too short"));
    };
    let [a, b, c, d, magic @ ..] = *tail;
    if magic == ENCRYPTED {
        return Err(invalid("it is encrypted, which is not supported"));
    }
    if magic != MAGIC {
        return Err(invalid("it does not end as Parquet files do"));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > MAX_FOOTER || length + TAIL > size {
        let announced = sizes::counted(length, "bytes");
        return Err(Broken::Content(format!("its footer announces {announced}")));
    }
    let start = usize::try_from(length).ok().and_then(|length| rest.len().checked_sub(length));
    let footer = match start {
        Some(start) => end.slice(start..rest.len()),
        None => source.read(size - TAIL - length..size - TAIL)?,
    };
    thrift::check_footer(&footer).map_err(|wrong| match wrong {
        Wrong::Invalid(why) => Broken::Content(format!("invalid footer: {why}")),
        Wrong::Short => invalid("its footer is truncated"),
    })?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(broken)
}

/// Opens the leaves of the wanted columns in a row group.
fn leaves(
    source: &Arc<Source>,
    group: &RowGroupMetaData,
    nodes: &[Node],
) -> Result<Vec<Option<Leaf>>, Broken> {
    let wanted: Vec<usize> = nodes.iter().flat_map(|node| node.leaves.clone()).collect();
    let ranges =
        wanted.iter().map(|at| chunk(source, group, *at)).collect::<Result<Vec<_>, _>>()?;
    let bytes = Arc::new(Group::open(source, &ranges)?);
    let mut leaves: Vec<Option<Leaf>> = Vec::new();
    leaves.resize_with(group.num_columns(), || None);
    let kinds = nodes.iter().flat_map(leaf_kinds);
    for ((at, range), kind) in wanted.iter().zip(ranges).zip(kinds) {
        let column = group.column(*at);
        let descriptor = column.column_descr_ptr();
        let leaf = codec::Leaf {
            codec: column.compression(),
            has_definitions: descriptor.max_def_level() > 0,
            has_repetitions: descriptor.max_rep_level() > 0,
            width: width(&descriptor),
        };
        let rows = Repetition::new(descriptor.max_rep_level());
        let pages = Pages::new(&bytes, range, leaf, rows);
        let reader = get_column_reader(descriptor, Box::new(pages));
        leaves[*at] = Some(Leaf::new(reader, kind, &leaf));
    }
    Ok(leaves)
}

fn leaf_kinds(node: &Node) -> Vec<value::Kind> {
    match &node.shape {
        schema::Shape::Leaf => vec![node.kind.clone()],
        schema::Shape::Struct(_, nodes) => nodes.iter().flat_map(leaf_kinds).collect(),
        schema::Shape::List(_, _, item) => leaf_kinds(item),
        schema::Shape::Map(_, _, entry) => {
            [&entry.0, &entry.1].into_iter().flat_map(leaf_kinds).collect()
        }
    }
}

/// Returns where a column chunk is.
fn chunk(source: &Source, group: &RowGroupMetaData, at: usize) -> Result<Range<u64>, Broken> {
    let column = group.column(at);
    let data = column.data_page_offset();
    // Some writers announce a dictionary that does not exist, at 0.
    let start =
        column.dictionary_page_offset().filter(|offset| (1..data).contains(offset)).unwrap_or(data);
    let range = u64::try_from(start).ok().zip(u64::try_from(column.compressed_size()).ok());
    let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
    range.filter(|range| range.end <= source.size()).ok_or_else(|| {
        Broken::Content(format!(
            "column `{}` extends beyond the file",
            column.column_path().string()
        ))
    })
}

fn width(column: &ColumnDescriptor) -> Option<usize> {
    match column.physical_type() {
        Physical::BOOLEAN => Some(1),
        Physical::INT32 | Physical::FLOAT => Some(4),
        Physical::INT64 | Physical::DOUBLE => Some(8),
        Physical::INT96 => Some(12),
        Physical::FIXED_LEN_BYTE_ARRAY => Some(usize::try_from(column.type_length()).unwrap_or(0)),
        Physical::BYTE_ARRAY => None,
    }
}

/// Returns what the crate failed with: the error of a request, or wrong content.
fn broken(error: ParquetError) -> Broken {
    match error {
        ParquetError::External(error) => match error.downcast::<Error>() {
            Ok(error) => Broken::Other(*error),
            Err(error) => Broken::Content(error.to_string()),
        },
        ParquetError::General(why) | ParquetError::EOF(why) | ParquetError::NYI(why) => {
            Broken::Content(why)
        }
        other => Broken::Content(other.to_string()),
    }
}

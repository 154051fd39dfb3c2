//! Reads the compact protocol of Thrift, as far as a file has to be checked before a library reads
//! it: what a footer and a page announce about themselves.
//!
//! The library ignores what it does not expect, so this refuses it: a value that the two read
//! differently would be a way past the checks.

/// Maximum depth of structures, which the stack has to hold.
const MAX_DEPTH: u8 = 24;
/// Maximum number of items of a list.
const MAX_ITEMS: u64 = 1_000_000;
/// Maximum number of nodes of a schema, and of levels.
const MAX_NODES: u64 = 100_000;
const MAX_LEVELS: usize = 64;
/// Maximum size of a schema: the library stores the whole path of each leaf, and each node is part
/// of the types of all above it.
const MAX_SCHEMA: u64 = 64 << 20;
const NODE: u64 = 64;
/// Maximum number of chunks of columns in all row groups.
const MAX_CHUNKS: u64 = 500_000;

/// Why something cannot be read: it is not valid, or there is not enough of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wrong {
    Invalid(&'static str),
    Short,
}

type Result<T> = std::result::Result<T, Wrong>;

const OTHER_KIND: Wrong = Wrong::Invalid("a field has a value of another kind");

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I32: u8 = 5;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

/// A position in a text of Thrift.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Wrong::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Wrong::Invalid("a number is too long"))
    }

    fn integer(&mut self) -> Result<i32> {
        let value = self.varint()?;
        let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
        i32::try_from(value).map_err(|_| Wrong::Invalid("a number is too large"))
    }

    fn pass(&mut self, bytes: u64) -> Result<()> {
        let left = (self.bytes.len() - self.at) as u64;
        if bytes > left {
            return Err(Wrong::Short);
        }
        self.at += usize::try_from(bytes).map_err(|_| Wrong::Short)?;
        Ok(())
    }

    /// Reads the fields of a structure, whose numbers ascend; `field` returns whether it has read
    /// the value.
    fn fields(
        &mut self,
        depth: u8,
        field: &mut dyn FnMut(&mut Self, i16, u8) -> Result<bool>,
    ) -> Result<()> {
        let mut id: i16 = 0;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Ok(());
            }
            // A step of zero stands for a number in full, which no structure of Parquet needs.
            let step = Some(head >> 4).filter(|step| *step > 0);
            let next = step.and_then(|step| id.checked_add(i16::from(step)));
            id = next.ok_or(Wrong::Invalid("a field has an unusual number"))?;
            if !field(self, id, kind)? {
                self.skip(kind, depth)?;
            }
        }
    }

    fn list(&mut self) -> Result<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        if count > MAX_ITEMS {
            return Err(Wrong::Invalid("a list is too long"));
        }
        Ok((count, head & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Result<()> {
        let deeper = depth.checked_sub(1).ok_or(Wrong::Invalid("it is nested too deeply"))?;
        match kind {
            // The value of a truth value is its kind.
            TRUE | FALSE => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                if matches!(kind, TRUE | FALSE) && count > 0 {
                    return Err(Wrong::Invalid("it has a list of truth values"));
                }
                (0..count).try_for_each(|_| self.skip(kind, deeper))
            }
            STRUCT => self.fields(deeper, &mut |_, _, _| Ok(false)),
            _ => Err(Wrong::Invalid("it has a value of an unknown kind")),
        }
    }
}

/// Checks that a footer can be given to a library, which trusts its counts and its nesting.
pub(super) fn check_footer(footer: &[u8]) -> Result<()> {
    let mut chunks = 0;
    Thrift::new(footer).fields(MAX_DEPTH, &mut |thrift, id, kind| {
        match id {
            2 | 4 if kind != LIST => return Err(OTHER_KIND),
            2 => check_schema(thrift)?,
            4 => check_groups(thrift, &mut chunks)?,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// Row groups have a list of chunks in their first field.
fn check_groups(thrift: &mut Thrift<'_>, chunks: &mut u64) -> Result<()> {
    let groups = structures(thrift)?;
    for _ in 0..groups {
        thrift.fields(MAX_DEPTH, &mut |thrift, id, kind| {
            if id != 1 {
                return Ok(false);
            }
            if kind != LIST {
                return Err(OTHER_KIND);
            }
            let count = structures(thrift)?;
            *chunks += count;
            if *chunks > MAX_CHUNKS {
                return Err(Wrong::Invalid("it has too many row groups and columns"));
            }
            (0..count).try_for_each(|_| thrift.skip(STRUCT, MAX_DEPTH)).map(|()| true)
        })?;
    }
    Ok(())
}

/// Returns the number of structures in a list, which follow.
fn structures(thrift: &mut Thrift<'_>) -> Result<u64> {
    let (count, kind) = thrift.list()?;
    if kind != STRUCT && count > 0 {
        return Err(OTHER_KIND);
    }
    Ok(count)
}

/// Nodes follow each other in the order of a tree; each has the number of its children.
fn check_schema(thrift: &mut Thrift<'_>) -> Result<()> {
    let count = structures(thrift)?;
    if count > MAX_NODES {
        return Err(Wrong::Invalid("its schema has too many nodes"));
    }
    // Of each open node, how many of its children are left and the length of its path.
    let mut open: Vec<(u64, u64)> = Vec::new();
    let mut size = 0;
    for left in (0..count).rev() {
        let (name, children) = node(thrift)?;
        if children > left {
            return Err(Wrong::Invalid("its schema is not a tree"));
        }
        let depth = open.len() as u64 + 1;
        let path = open.last().map_or(0, |(_, path)| *path) + name;
        size += path + depth * (name + NODE);
        if size > MAX_SCHEMA {
            return Err(Wrong::Invalid("its schema is too large"));
        }
        if let Some((open, _)) = open.last_mut() {
            *open -= 1;
        }
        open.push((children, path));
        while open.last().is_some_and(|(children, _)| *children == 0) {
            open.pop();
        }
        if open.len() > MAX_LEVELS {
            return Err(Wrong::Invalid("its schema is nested too deeply"));
        }
    }
    Ok(())
}

/// Reads a node of a schema; returns the length of its name, and the number of its children.
fn node(thrift: &mut Thrift<'_>) -> Result<(u64, u64)> {
    let (mut name, mut children) = (0, 0);
    thrift.fields(MAX_DEPTH, &mut |thrift, id, kind| {
        match (id, kind) {
            (4, BINARY) => {
                name = thrift.varint()?;
                thrift.pass(name)?;
            }
            (5, I32) => children = thrift.integer()?,
            (4 | 5, _) => return Err(OTHER_KIND),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let children =
        u64::try_from(children).map_err(|_| Wrong::Invalid("its schema is not a tree"))?;
    Ok((name, children))
}

/// What a page announces about itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PageHeader {
    pub kind: i32,
    pub unpacked: i32,
    pub packed: i32,
    pub values: i32,
    pub nulls: i32,
    pub rows: i32,
    pub encoding: i32,
    pub definition_encoding: i32,
    pub repetition_encoding: i32,
    pub definition_bytes: i32,
    pub repetition_bytes: i32,
    /// Whether the values of a page of version 2 are compressed.
    pub is_packed: bool,
}

pub(super) const DATA: i32 = 0;
pub(super) const DICTIONARY: i32 = 2;
pub(super) const DATA_2: i32 = 3;

impl PageHeader {
    /// Reads a header; also returns its length.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut header = Self { is_packed: true, ..Self::default() };
        let mut thrift = Thrift::new(bytes);
        thrift.fields(MAX_DEPTH, &mut |thrift, id, kind| {
            match (id, kind) {
                (1, I32) => header.kind = thrift.integer()?,
                (2, I32) => header.unpacked = thrift.integer()?,
                (3, I32) => header.packed = thrift.integer()?,
                (5 | 7 | 8, STRUCT) => header.read_part(thrift, id)?,
                (1..=3 | 5 | 7 | 8, _) => return Err(OTHER_KIND),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((header, thrift.at))
    }

    fn read_part(&mut self, thrift: &mut Thrift<'_>, part: i16) -> Result<()> {
        thrift.fields(MAX_DEPTH, &mut |thrift, id, kind| {
            let field = match (part, id) {
                (_, 1) => &mut self.values,
                (5 | 7, 2) | (8, 4) => &mut self.encoding,
                (5, 3) => &mut self.definition_encoding,
                (5, 4) => &mut self.repetition_encoding,
                (8, 2) => &mut self.nulls,
                (8, 3) => &mut self.rows,
                (8, 5) => &mut self.definition_bytes,
                (8, 6) => &mut self.repetition_bytes,
                (8, 7) if matches!(kind, TRUE | FALSE) => {
                    self.is_packed = kind == TRUE;
                    return Ok(true);
                }
                (8, 7) => return Err(OTHER_KIND),
                _ => return Ok(false),
            };
            if kind != I32 {
                return Err(OTHER_KIND);
            }
            *field = thrift.integer()?;
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer with a schema of nodes that have these numbers of children.
    fn footer(children: &[u8]) -> Vec<u8> {
        // Field 2: a list of structures; in each, field 5: an integer.
        let mut footer = vec![0x29, 0xfc];
        footer.extend(varint(children.len()));
        for count in children {
            footer.extend([0x55, count * 2, 0]);
        }
        footer.push(0);
        footer
    }

    #[test]
    fn a_schema_that_a_stack_would_not_hold_is_refused() {
        assert_eq!(check_footer(&footer(&[2, 0, 1, 0])), Ok(()));
        let mut deep = vec![1; 63];
        deep.push(0);
        assert_eq!(check_footer(&footer(&deep)), Ok(()));
        let mut deeper = vec![1; 90_000];
        deeper.push(0);
        let refused = Err(Wrong::Invalid("its schema is nested too deeply"));
        assert_eq!(check_footer(&footer(&deeper)), refused);
    }

    #[test]
    fn what_the_library_would_read_in_another_way_is_refused() {
        let number = Err(Wrong::Invalid("a field has an unusual number"));
        // The number of children as I64, the schema and groups as a set, chunks as a set, a list as
        // a text.
        for (footer, found) in [
            (vec![0x29, 0x1c, 0x56, 2, 0, 0], Err(OTHER_KIND)),
            (vec![0x2a, 0x1c, 0x55, 2, 0, 0], Err(OTHER_KIND)),
            (vec![0x4a, 0x1c, 0, 0], Err(OTHER_KIND)),
            (vec![0x28, 1, 0, 0], Err(OTHER_KIND)),
            (vec![0x49, 0x1c, 0x1a, 0x1c, 0, 0, 0], Err(OTHER_KIND)),
            // 65,538 is 2 in 16 bits.
            (vec![0x09, 0x84, 0x80, 0x08, 0x1c, 0, 0], number.clone()),
            (vec![0x09, 0x04, 0x1c, 0, 0], number.clone()),
            ([vec![0xf1; 2184], vec![0]].concat(), Ok(())),
            ([vec![0xf1; 2185], vec![0]].concat(), number),
            // The library takes truth values in lists to have no bytes.
            (
                vec![0x69, 0x31, 0x29, 0x1c, 0x55, 0],
                Err(Wrong::Invalid("it has a list of truth values")),
            ),
        ] {
            assert_eq!(check_footer(&footer), found, "{footer:?}");
        }
        for header in [[0x16, 0, 0], [0x25, 0, 0], [0x26, 0, 0], [0x58, 0, 0]] {
            let is_known = header[0] == 0x25;
            assert_eq!(PageHeader::read(&header).is_ok(), is_known, "{header:?}");
        }
    }

    fn varint(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    }

    /// A library stores the path of each leaf, so a long name of a group counts for each of them.
    #[test]
    fn a_schema_whose_paths_need_much_memory_is_refused() {
        let schema = |name: usize, leaves: usize| {
            let head = [vec![0x29, 0xfc], varint(leaves + 1), vec![0x48], varint(name)].concat();
            let rest =
                [vec![0x15], varint(leaves * 2), vec![0], [0x55, 0, 0].repeat(leaves)].concat();
            check_footer(&[head, vec![b'x'; name], rest, vec![0]].concat())
        };
        assert_eq!(schema(1_000_000, 10), Ok(()));
        let refused = Err(Wrong::Invalid("its schema is too large"));
        assert_eq!(schema(1_000_000, 100), refused);
        assert_eq!(schema(10, 90_000), Ok(()));
    }

    #[test]
    fn the_chunks_of_all_row_groups_are_counted() {
        let groups = |groups: usize, chunks: usize| {
            let group = [vec![0x19, 0xfc], varint(chunks), vec![0; chunks], vec![0]].concat();
            let head = [vec![0x49, 0xfc], varint(groups)].concat();
            check_footer(&[head, group.repeat(groups), vec![0]].concat())
        };
        assert_eq!(groups(50, 10_000), Ok(()));
        assert_eq!(
            groups(51, 10_000),
            Err(Wrong::Invalid("it has too many row groups and columns"))
        );
        let other = check_footer(&[0x49, 0x15, 0, 0]);
        assert_eq!(other, Err(OTHER_KIND));
    }

    #[test]
    fn counts_that_do_not_fit_are_refused() {
        let no_tree = Err(Wrong::Invalid("its schema is not a tree"));
        assert_eq!(check_footer(&footer(&[3, 0])), no_tree);
        // A list of 2^60 items, and texts longer than the footer.
        assert!(
            check_footer(&[0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err()
        );
        assert_eq!(check_footer(&[0x68, 0x7f]), Err(Wrong::Short));
        // A list of lists of lists …
        assert!(check_footer(&[vec![0x49], vec![0x19; 100_000]].concat()).is_err());
    }
}

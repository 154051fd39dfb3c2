use std::io::Write;

use ::parquet::{
    basic::{Compression, Encoding, GzipLevel},
    column::page::{Page, PageReader},
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use tempfile::NamedTempFile;

use super::*;
use crate::formats::dataset::{Value, value::Kind};

fn on_disk(bytes: &[u8]) -> (NamedTempFile, Source) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, bytes).unwrap();
    let source = Source::on_disk(file.path()).unwrap();
    (file, source)
}

/// A file of 300 rows in three row groups.
fn written() -> Vec<u8> {
    let schema = "message m { required int64 id; optional binary text (UTF8); \
                  optional group tags (LIST) { repeated group list { optional int64 element; } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for group in 0..3_i64 {
        let mut columns = writer.next_row_group().unwrap();
        let ids: Vec<i64> = (group * 100..group * 100 + 100).collect();
        let mut column = columns.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let texts: Vec<ByteArray> =
            (0..50).map(|n| ByteArray::from(&*format!("text {}", n % 5))).collect();
        let levels: Vec<i16> = (0..100).map(|n| n % 2).collect();
        let mut column = columns.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
        column.close().unwrap();
        // [n, nil], [], nil, [n] …
        let (levels, again): (Vec<i16>, Vec<i16>) =
            [(3, 0), (2, 1), (1, 0), (0, 0), (3, 0)].into_iter().cycle().take(125).unzip();
        let mut column = columns.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&ids[..50], Some(&levels), Some(&again)).unwrap();
        column.close().unwrap();
        columns.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn read(bytes: &[u8], columns: Option<&[String]>) -> Result<Vec<Column>, String> {
    let (_file, source) = on_disk(bytes);
    let why = |broken| match broken {
        Broken::Content(why) => why,
        Broken::Other(error) => error.to_string(),
    };
    let wanted = Wanted { columns, fields: None };
    let mut file = Parquet::open(source, &wanted).map_err(why)?;
    let mut all: Vec<Column> = file.fields().iter().map(|_| Vec::new()).collect();
    while let Some(columns) = file.next().map_err(why)? {
        all.iter_mut().zip(columns).for_each(|(all, more)| all.extend(more));
    }
    Ok(all)
}

#[test]
fn rows_are_those_that_were_written() {
    let columns = read(&written(), None).unwrap();
    assert_eq!(columns[0], (0..300).map(Value::Signed).collect::<Vec<_>>());
    assert_eq!(columns[1][..3], [Value::Null, text("text 0"), Value::Null]);
    let list = Value::List;
    let expected = [
        list(vec![Value::Signed(0), Value::Null]),
        list(vec![]),
        Value::Null,
        list(vec![Value::Signed(1)]),
        list(vec![Value::Signed(2), Value::Null]),
    ];
    assert_eq!(columns[2][..5], expected);
    assert_eq!(columns[2].len(), 300);
    let chosen = read(&written(), Some(&["text".to_owned(), "id".to_owned()])).unwrap();
    assert_eq!(chosen, [columns[1].clone(), columns[0].clone()]);
    assert_eq!(
        read(&written(), Some(&["texts".to_owned()])).unwrap_err(),
        "no column \"texts\"; similar: \"text\""
    );
}

fn text(text: &str) -> Value {
    Value::Bytes(text.to_owned().into())
}

/// No byte of a file may end the process, whatever it is. A panic of the library may be the result.
#[test]
fn changed_and_truncated_files_are_read_or_refused() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let bytes = written();
    let mut refused = 0;
    let mut attempt = |bytes: &[u8]| {
        let result = std::panic::catch_unwind(|| read(bytes, None).map(drop));
        refused += u32::from(!matches!(result, Ok(Ok(()))));
    };
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let mut changed = bytes.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..changed.len());
            changed[at] = random.u8(..);
        }
        attempt(&changed);
    }
    (0..bytes.len()).step_by(29).for_each(|length| attempt(&bytes[..length]));
    std::panic::set_hook(hook);
    assert!(refused > 200, "only {refused} were refused");
}

/// The header of a page of version 1, or of a dictionary.
fn header(kind: i32, unpacked: i64, packed: i64, values: i64, encoding: i64) -> Vec<u8> {
    let number = |bytes: &mut Vec<u8>, value: i64| {
        bytes.push(0x15);
        let mut value = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while value >= 0x80 {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
    };
    let mut bytes = Vec::new();
    for value in [kind.into(), unpacked, packed] {
        number(&mut bytes, value);
    }
    bytes.push(if kind == thrift::DICTIONARY { 0x4c } else { 0x2c });
    let rest: &[i64] = if kind == thrift::DICTIONARY { &[] } else { &[3, 3] };
    [values, encoding].iter().chain(rest).for_each(|value| number(&mut bytes, *value));
    bytes.extend([0, 0]);
    bytes
}

fn leaf(codec: Compression, width: Option<usize>) -> codec::Leaf {
    codec::Leaf { codec, has_definitions: false, has_repetitions: false, width }
}

fn page(header: &[u8], body: &[u8], leaf: codec::Leaf) -> Result<Page, String> {
    let bytes = [header, body].concat();
    let (_file, source) = on_disk(&bytes);
    let group = Arc::new(Group::open(&Arc::new(source), &[]).unwrap_or_else(|_| unreachable!()));
    let rows = Repetition::new(i16::from(leaf.has_repetitions));
    let mut pages = Pages::new(&group, 0..bytes.len() as u64, leaf, rows);
    pages.get_next_page().map(Option::unwrap).map_err(|error| error.to_string())
}

fn zeros(length: usize) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(&vec![0; length]).unwrap();
    writer.finish().unwrap()
}

#[test]
fn pages_that_lie_about_their_size_are_refused() {
    use thrift::{DATA, DICTIONARY};
    let gzip = || leaf(Compression::GZIP(GzipLevel::default()), Some(8));
    let packed = zeros(1 << 20);
    let length = i64::try_from(packed.len()).unwrap();
    // It unpacks to more than it announces, of which only one byte is read.
    let error = page(&header(DATA, 80, length, 10, 0), &packed, gzip()).unwrap_err();
    assert!(error.contains("another size than it announces"), "{error}");
    let error = page(&header(DATA, 1 << 30, length, 10, 0), &packed, gzip()).unwrap_err();
    assert!(error.contains("announces 1073741824 bytes"), "{error}");
    let error = page(&header(DATA, -8, length, 10, 0), &packed, gzip()).unwrap_err();
    assert!(error.contains("negative size"), "{error}");
    let error = page(&header(DATA, 80, 1 << 20, 10, 0), &packed, gzip()).unwrap_err();
    assert!(error.contains("extends beyond its column"), "{error}");
    let error = page(
        &header(DICTIONARY, 16, 16, 1 << 30, 0),
        &[0; 16],
        leaf(Compression::UNCOMPRESSED, Some(8)),
    );
    assert!(error.unwrap_err().contains("announces 1073741824 values"));
    let many = codec::Leaf { has_repetitions: true, ..leaf(Compression::UNCOMPRESSED, Some(8)) };
    let mut levels = vec![6, 0, 0, 0];
    levels.extend(run(1 << 30, 1));
    let error = page(&header(DATA, 10, 10, 1 << 30, 0), &levels, many).unwrap_err();
    assert!(error.contains("too many values"), "{error}");
}

/// A run of the same level, of which there are less than 2^34.
fn run(count: u64, level: u8) -> [u8; 6] {
    let byte = |at: u32| u8::try_from((count << 1) >> (7 * at) & 0x7f).unwrap() | 0x80;
    [byte(0), byte(1), byte(2), byte(3), byte(4) & 0x7f, level]
}

#[test]
fn the_values_of_a_row_are_limited_and_not_those_of_a_page() {
    let many = MAX_VALUES as u64 + 1;
    let count = |rows: &mut Repetition, levels: &[u8], values: u64| {
        let values = usize::try_from(values).unwrap();
        rows.count(levels, Some(levels.len()), Encoding::RLE, values)
    };
    let mut rows = Repetition::new(1);
    count(&mut rows, &run(many, 0), many).unwrap();
    // Less than the last row may still have; then packed levels, of which one begins a row.
    count(&mut rows, &run(many - 3, 1), many - 3).unwrap();
    count(&mut rows, &[3, 0b1111_1101], 8).unwrap();
    assert_eq!(count(&mut rows, &run(many - 7, 1), many - 7).unwrap_err(), TOO_MANY);
    assert!(count(&mut rows, &[], 1).unwrap_err().contains("levels"));
}

#[test]
fn rows_of_long_lists_are_read_a_few_at_a_time() {
    let schema =
        parse_message_type("message m { repeated boolean d; required int64 id; }").unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let mut columns = writer.next_row_group().unwrap();
    let length = LEVELS / 2;
    let levels: Vec<i16> =
        (0..3 * length).map(|at| (at % length).min(1).try_into().unwrap()).collect();
    let values = vec![true; levels.len()];
    let mut column = columns.next_column().unwrap().unwrap();
    let definitions = vec![1; levels.len()];
    column.typed::<BoolType>().write_batch(&values, Some(&definitions), Some(&levels)).unwrap();
    column.close().unwrap();
    let mut column = columns.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[0, 1, 2], None, None).unwrap();
    column.close().unwrap();
    columns.close().unwrap();
    let (_file, source) = on_disk(&writer.into_inner().unwrap());
    let wanted = Wanted { columns: None, fields: None };
    let mut file = Parquet::open(source, &wanted).unwrap_or_else(|_| panic!("it is right"));
    let mut next = || file.next().unwrap_or_else(|_| panic!("it is right"));
    let columns = next().unwrap();
    assert_eq!(columns[1], [Value::Signed(0), Value::Signed(1)]);
    assert!(matches!(&columns[0][1], Value::List(items) if items.len() == length));
    assert_eq!(next().unwrap()[1], [Value::Signed(2)]);
    assert!(next().is_none());
}

#[test]
fn the_values_of_dictionaries_count_for_all_columns() {
    let header = header(thrift::DICTIONARY, 64 << 20, 16, 16 << 20, 0);
    let bytes = [&header[..], &[0; 16]].concat();
    let (_file, source) = on_disk(&bytes);
    let group = Arc::new(Group::open(&Arc::new(source), &[]).unwrap_or_else(|_| unreachable!()));
    let leaf = leaf(Compression::UNCOMPRESSED, None);
    let mut columns: Vec<Pages> = (0..4)
        .map(|_| Pages::new(&group, 0..bytes.len() as u64, leaf, Repetition::new(0)))
        .collect();
    let read: Vec<bool> = columns.iter_mut().map(|pages| pages.get_next_page().is_ok()).collect();
    assert_eq!(read, [true, true, true, false]);
}

#[test]
fn long_decimal_numbers_are_refused() {
    let decimal = |length: usize| {
        let schema =
            parse_message_type("message m { required binary d (DECIMAL(10, 2)); }").unwrap();
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
        let mut columns = writer.next_row_group().unwrap();
        let mut column = columns.next_column().unwrap().unwrap();
        let value = ByteArray::from([&vec![0; length - 1][..], &[150]].concat());
        column.typed::<ByteArrayType>().write_batch(&[value], None, None).unwrap();
        column.close().unwrap();
        columns.close().unwrap();
        read(&writer.into_inner().unwrap(), None)
    };
    assert_eq!(decimal(32).unwrap()[0], [text("1.50")]);
    assert_eq!(decimal(33).unwrap_err(), "a decimal number has more than 32 bytes");
}

#[test]
fn differences_are_decoded_to_plain_values_within_limits() {
    let plain = leaf(Compression::UNCOMPRESSED, None);
    // Blocks of 128, 4 parts, 3 values, the first is 1; then 1, 3 by differences of 0 and 2.
    let lengths =
        [&[0x80, 0x01, 4, 3, 2, 0, 2, 0, 0, 0][..], &[0b1000, 0, 0, 0, 0, 0, 0, 0]].concat();
    let body = [&lengths[..], b"abcde"].concat();
    let size = i64::try_from(body.len()).unwrap();
    match page(&header(thrift::DATA, size, size, 3, 6), &body, plain).unwrap() {
        Page::DataPage { buf, encoding, .. } => {
            assert_eq!(encoding, Encoding::PLAIN);
            assert_eq!(&*buf, b"\x01\0\0\0a\x01\0\0\0b\x03\0\0\0cde");
        }
        _ => panic!("expected a page of data"),
    }
    // More numbers than fit in a page, of which each block needs two bytes.
    let mut many = vec![0x80, 0x80, 0x04, 1];
    many.extend(&run(100 << 20, 0)[..5]);
    many.resize(4096, 0);
    let error = page(&header(thrift::DATA, 4096, 4096, i32::MAX.into(), 6), &many, plain);
    assert!(error.unwrap_err().contains("invalid differences"));
    // More lengths than the page has values, and lengths beyond its end.
    for (at, byte) in [(3, 0x7f), (10, 0xff)] {
        let mut changed = body.clone();
        changed[at] = byte;
        let error = page(&header(thrift::DATA, size, size, 3, 6), &changed, plain).unwrap_err();
        assert!(error.contains("invalid differences"), "{error}");
    }
}

#[test]
fn leaves_have_the_types_of_their_columns() {
    let schema = "message m { required int32 a (INTEGER(8, false)); required int64 b (TIMESTAMP(NANOS, true)); \
                  required int64 f (TIMESTAMP_MICROS); \
                  required fixed_len_byte_array(5) c (DECIMAL(10, 2)); repeated int32 d; \
                  required group e (MAP) { repeated group key_value { required binary key (UTF8); optional int32 value; } } }";
    let nodes = schema::columns(&parse_message_type(schema).unwrap()).unwrap();
    let kinds: Vec<String> = nodes.iter().map(|node| format!("{:?}", node.kind)).collect();
    assert_eq!(nodes[0].kind, Kind::Unsigned(8));
    assert_eq!(kinds[1], "Timestamp(Stamp { unit: Nanosecond, utc: true })");
    // As Arrow reads what older writers announce.
    assert_eq!(kinds[2], "Timestamp(Stamp { unit: Microsecond, utc: false })");
    assert_eq!(kinds[3], "Decimal(Decimal { precision: 10, scale: 2 })");
    assert_eq!(kinds[4..], ["List(Signed(32))", "Map([String, Signed(32)])"]);
}

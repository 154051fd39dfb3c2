use super::*;

/// Reads all rows of a text.
fn rows(format: Format, text: &[u8]) -> Result<Vec<Vec<Value>>> {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&path, text).unwrap();
    let file = DataFile {
        name: RepoPath::parse("train.x").unwrap(),
        format,
        gzip: false,
        path: None,
        place: None,
        size: None,
    };
    let wanted = Wanted { columns: None, fields: None };
    let mut open = contained(&file, || table(&file, Source::on_disk(path.path())?, &wanted))?;
    let mut columns: Vec<Vec<Value>> = open.fields().iter().map(|_| Vec::new()).collect();
    while let Some(more) = contained(&file, || open.next())? {
        columns.iter_mut().zip(more).for_each(|(column, more)| column.extend(more));
    }
    Ok(columns)
}

fn error(format: Format, text: &[u8]) -> String {
    rows(format, text).expect_err("it is wrong").message().to_owned()
}

#[test]
fn errors_of_texts_name_the_place() {
    let csv = |text: &str| error(Format::Csv, text.as_bytes());
    assert_eq!(csv(""), "invalid CSV file `train.x`: it is empty");
    assert_eq!(
        csv("a,b\n1,2\n3,4,5\n"),
        "invalid CSV file `train.x`: line 3: it has 3 values, and the header has 2 names"
    );
    let mut later = "a\n".to_owned() + &"1\n".repeat(10_000);
    later.push_str("x\n");
    assert_eq!(
        csv(&later),
        "invalid CSV file `train.x`: line 10002: column \"a\": expected an integer, as in the first rows, got \"x\""
    );
    assert!(error(Format::Csv, b"a\n\xff\n").contains("expected UTF-8"));
    let json = |text: &str| error(Format::Json, text.as_bytes());
    assert_eq!(json(""), "invalid JSON file `train.x`: it has no rows");
    assert_eq!(json("{\"a\":1}\n3"), "invalid JSON file `train.x`: row 2: expected an object");
    assert!(json("{\"a\":1}\n{\"a\":").contains("row 2: EOF"));
    assert!(json(&("{\"a\":".to_owned() + &"[".repeat(100_000))).contains("recursion limit"));
}

#[test]
fn a_panic_of_a_library_is_an_error_of_the_file() {
    let file = DataFile {
        name: RepoPath::parse("data/x.parquet").unwrap(),
        format: Format::Parquet,
        gzip: false,
        path: None,
        place: None,
        size: None,
    };
    let error = contained::<()>(&file, || panic!("index out of range")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert_eq!(error.message(), "invalid Parquet file `data/x.parquet`: index out of range");
}

#[test]
fn a_column_without_values_takes_those_of_later_files_only_as_they_are() {
    let file = DataFile {
        name: RepoPath::parse("b.parquet").unwrap(),
        format: Format::Parquet,
        gzip: false,
        path: None,
        place: None,
        size: None,
    };
    let fields = |kind| [Field { name: "a".to_owned(), kind }];
    let check = |kind| value::check_same(&file, &fields(Kind::Null), &fields(kind));
    assert!(check(Kind::List(Box::new(Kind::String))).is_ok());
    let error = check(Kind::List(Box::new(Kind::Date))).unwrap_err();
    assert!(error.message().contains("of another type than in the first file"));
}

use super::*;

fn file(name: &str, format: Format) -> DataFile {
    let name = RepoPath::parse(name).unwrap();
    DataFile { name, format, gzip: false, delimiter: None, path: None, place: None, size: None }
}

/// Reads all rows of a text.
fn rows(format: Format, text: &[u8]) -> Result<Vec<Vec<Value>>> {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&path, text).unwrap();
    let file = file("train.x", format);
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
        "invalid CSV file `train.x`: line 3: it has more values than the header, which has 2 names"
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

/// Compared with `datasets`, whose rows these are.
#[test]
fn numbers_that_json_does_not_have_are_floats_where_datasets_keeps_them() {
    let shown = |text: &str| format!("{:?}", rows(Format::Json, text.as_bytes()).unwrap());
    for (text, columns) in [
        ("{\"a\":1}\n{\"a\":NaN}\n{\"a\":-Infinity}", "[[Float(1.0), Float(NaN), Float(-inf)]]"),
        ("{\"a\":NaN}", "[[Float(NaN)]]"),
        ("{\"a\":[Infinity,1]}", "[[List([Float(inf), Float(1.0)])]]"),
        ("{\n\"a\":NaN\n}", "[[Float(NaN)]]"),
        ("[{\"a\":NaN},{\"a\":1}]", "[[Null, Signed(1)]]"),
        (
            "{\"a\":NaN,\"m\":1}\n{\"a\":1.5,\"m\":null}",
            "[[Float(NaN), Float(1.5)], [Signed(1), Null]]",
        ),
        ("{\"a\":NaN,\"m\":{}}\n{\"a\":2}", "[[Null, Signed(2)], [Json(Object {}), Null]]"),
        ("{\"a\":NaN}\n{\"a\":\"x\"}", "[[Null, Json(String(\"x\"))]]"),
    ] {
        assert_eq!(shown(text), columns, "{text}");
    }
    // What decides on the types is past.
    let row = format!("{{\"a\":\"{}\",\"i\":1}}\n", "x".repeat(1 << 20));
    let later = row.repeat(10) + "{\"a\":Infinity}\n";
    let columns = rows(Format::Json, later.as_bytes()).unwrap();
    assert_eq!(columns[0].last(), Some(&Value::Bytes("inf".into())));
    assert!(
        error(Format::Json, (later + "{\"i\":NaN}").as_bytes()).contains("expected an integer")
    );
}

#[test]
fn a_panic_of_a_library_is_an_error_of_the_file() {
    let file = file("data/x.parquet", Format::Parquet);
    let error = contained::<()>(&file, || panic!("index out of range")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert_eq!(error.message(), "invalid Parquet file `data/x.parquet`: index out of range");
}

#[test]
fn a_column_without_values_takes_those_of_later_files_only_as_they_are() {
    let file = file("b.parquet", Format::Parquet);
    let fields = |kind| [Field { name: "a".to_owned(), kind }];
    let check = |kind| value::check_same(&file, &fields(Kind::Null), &fields(kind));
    assert!(check(Kind::List(Box::new(Kind::String))).is_ok());
    let error = check(Kind::List(Box::new(Kind::Date))).unwrap_err();
    assert!(error.message().contains("of another type than in the first file"));
}

/// Its value is in the file once, and would be copied for each item of the list.
#[test]
fn a_row_that_would_need_too_much_memory_is_refused() {
    let long = Value::Bytes(vec![b'x'; 1 << 20].into());
    let names: Arc<[String]> = ["n".repeat(1 << 20)].into();
    for item in [long, Value::Struct(names, vec![Value::Null])] {
        let row = |count: usize| Value::List(vec![item.clone(); count]);
        let fit = |column: Vec<Value>| fitting(&[column.into_iter()], 3);
        assert_eq!(fit(vec![row(1), row(1), row(1)]), Ok(3));
        assert_eq!(fit(vec![row(1), row(1), row(900)]), Ok(2));
        assert_eq!(fit(vec![row(900), row(1), row(1)]), Ok(1));
        assert!(fit(vec![row(1025), row(1), row(1)]).unwrap_err().contains("1073741824 bytes"));
    }
}

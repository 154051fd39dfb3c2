use serde_json::json;

use super::*;

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => scalar::plain(&number.to_string()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(value).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(name, item)| (name, value(item))).collect())
        }
    }
}

fn object(json: serde_json::Value) -> Map {
    match value(json) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

fn read(yaml: &str) -> Result<Map> {
    Ok(super::read(yaml, 0)?.data)
}

fn rebuilt(card: &Card) -> String {
    let yaml = render(&card.data, &card.yaml).unwrap();
    [card.head.as_str(), &yaml, &card.tail, &card.body].concat()
}

const SOURCE: &str = "# About the licence\nlicense: mit   # yes\ntags:\n- a\n- 'b'\n\nmodel-index:\n- name: x\n  results: []\nown: {deep: [1, 2.50], none: null}\ntext: |\n  one\n\n  two\n";

#[test]
fn splits_readmes_like_the_hub() {
    let card = parse("---\nlicense: mit\nlanguage: no\n---\n\n# Hi\n---\nno yaml\n").unwrap();
    assert_eq!(card.data, object(json!({"license": "mit", "language": "no"})));
    assert_eq!(card.order, ["license", "language"]);
    assert_eq!(card.body, "\n# Hi\n---\nno yaml\n");
    for (text, body) in [
        ("# Hi", "# Hi"),
        ("", ""),
        ("---\nno end", "---\nno end"),
        ("---\n---\n# Hi", "---\n---\n# Hi"),
        ("text\n---\na: 1\n---\n", "text\n---\na: 1\n---\n"),
        ("---\n\n---\n# Hi", "# Hi"),
        ("\u{feff}# Hi", "# Hi"),
        ("---\na: 1\n---", ""),
        ("\n \n---\r\na: 1\r\n--- \t\r\nHi", "Hi"),
        ("---\ra: 1\r---\nHi", "Hi"),
    ] {
        let card = parse(text).unwrap();
        assert_eq!(card.body, body, "{text:?}");
        assert_eq!(rebuilt(&card), text);
    }
}

#[test]
fn unchanged_entries_stay_as_written() {
    let text = format!("\u{feff}---\n{SOURCE}---  \n# Hi \u{2028} \r\n\n");
    assert_eq!(rebuilt(&parse(&text).unwrap()), text);
    let mut card = parse(&text).unwrap();
    card.data.insert("license".into(), value(json!("apache-2.0")));
    card.data.insert("new".into(), value(json!({"b": 1, "a": [true]})));
    card.data.shift_remove("tags");
    let expected = text
        .replace("license: mit   # yes", "license: apache-2.0")
        .replace("tags:\n- a\n- 'b'\n", "")
        .replace("  two\n", "  two\nnew:\n  b: 1\n  a:\n  - true\n");
    let changed = rebuilt(&card);
    assert_eq!(
        changed.replace("\n\nmodel-index", "\nmodel-index"),
        expected.replace("\n\nmodel-index", "\nmodel-index")
    );
    assert_eq!(parse(&changed).unwrap().data, card.data);
}

#[test]
fn nested_names_keep_their_order() {
    let source = "z:\n  w: 1\n  x: {c: 1, b: 2}\nlist:\n- q: 1\n  p: 2\n";
    let mut data = read(source).unwrap();
    data["z"] = value(json!({"a": 0, "x": {"b": 3, "c": 1}, "w": 1}));
    data["list"] = value(json!([{"p": 2, "q": 1}, {"p": 4, "q": 3}]));
    let rendered = render(&data, source).unwrap();
    assert_eq!(
        rendered,
        "z:\n  w: 1\n  x:\n    c: 1\n    b: 3\n  a: 0\nlist:\n- q: 1\n  p: 2\n- q: 3\n  p: 4"
    );
}

#[test]
fn keeps_line_endings() {
    let mut data = read("a: 1\r\nb: 2\r\n").unwrap();
    data["b"] = value(json!([1, 2]));
    assert_eq!(render(&data, "a: 1\r\nb: 2\r\n").unwrap(), "a: 1\r\nb:\r\n- 1\r\n- 2");
}

/// The YAML after `change`, which must parse to the changed data.
fn changed(source: &str, change: impl FnOnce(&mut Map)) -> String {
    let mut data = read(source).unwrap();
    change(&mut data);
    let rendered = render(&data, source).unwrap();
    assert!(is_same(&read(&rendered).unwrap(), &data), "{rendered}");
    rendered
}

#[test]
fn unchanged_entries_keep_anchors_aliases_and_merges() {
    let source =
        "base: &b {x: 1, y: 2}\nother: *b\nmore:\n  <<: *b\n  y: 3\nzip: 0123456\ncount: 1";
    let more = read(source).unwrap()["more"].clone();
    assert_eq!(more, value(json!({"y": 3, "x": 1})));
    let edit = changed(source, |data| data["count"] = value(json!(2)));
    assert_eq!(edit, source.replace("count: 1", "count: 2"));
    let edit = changed(source, |data| drop(data.shift_remove("zip")));
    assert_eq!(edit, source.replace("zip: 0123456\n", ""));
}

#[test]
fn entries_that_refer_to_a_changed_entry_are_written_without_the_reference() {
    let source = "base: &b {x: 1}\nother: *b\nlast: &c 5\nlist: [*c, *c]";
    let edit = changed(source, |data| data["base"] = value(json!({"x": 2})));
    assert_eq!(edit, "base:\n  x: 2\nother:\n  x: 1\nlast: &c 5\nlist: [*c, *c]");
    let edit = changed(source, |data| drop(data.shift_remove("last")));
    assert_eq!(edit, "base: &b {x: 1}\nother: *b\nlist:\n- 5\n- 5");
}

#[test]
fn a_merge_stays_until_one_of_its_entries_is_removed() {
    let source = "base: &b {x: 1, z: 2}\n<<: *b\ncount: 1";
    let edit = changed(source, |data| data["count"] = value(json!(2)));
    assert_eq!(edit, source.replace("count: 1", "count: 2"));
    let edit = changed(source, |data| data["x"] = value(json!(5)));
    assert_eq!(edit, "base: &b {x: 1, z: 2}\n<<: *b\nx: 5\ncount: 1");
    let edit = changed(source, |data| drop(data.shift_remove("x")));
    assert_eq!(edit, "base: &b {x: 1, z: 2}\nz: 2\ncount: 1");
}

#[test]
fn multi_line_texts_survive_a_round_trip() {
    for text in [
        "a\n",
        "a\nb",
        "a\n b\n",
        " a\nb",
        "\na",
        "a\n\n",
        "a\n\nb\n",
        "\n",
        "a\n \nb",
        "# x\n# y",
        "a\tb\nc",
        "a\u{85}b\nc",
        "--- \n...",
        "a: b\n- c",
        "\u{feff}a\nb",
        "a\r\nb",
    ] {
        for data in
            [json!({"k": text}), json!({"k": [[text], {"a": {"b": text}}]}), json!({text: 1})]
        {
            let data = object(data);
            let written = write(&data).unwrap();
            assert_eq!(read(&written).unwrap(), data, "{text:?} as {written:?}");
        }
    }
}

#[test]
fn reads_and_writes_numbers_of_any_size_and_non_finite_ones() {
    let source = "big: 18446744073709551616\nhash: 4225332178759948e04347560002921719079454\nloss: .nan\nmax: .inf\nmin: -.INF";
    let data = read(source).unwrap();
    assert_eq!(data["hash"], Value::Text("4225332178759948e04347560002921719079454".to_owned()));
    assert_eq!(data["loss"], Value::NotFinite(NotFinite::Nan));
    assert_eq!(data["min"], Value::NotFinite(NotFinite::NegInfinity));
    let written = write(&data).unwrap();
    assert_eq!(
        written,
        "big: 18446744073709551616\nhash: '4225332178759948e04347560002921719079454'\nloss: .nan\nmax: .inf\nmin: -.inf"
    );
    assert_eq!(read(&written).unwrap(), data);
}

#[test]
fn errors_name_the_line_of_the_readme_and_the_key() {
    for (yaml, message) in [
        ("a: 1\nb:\n  x: 1\n  y: 2\n  x: 3", "line 6: duplicate key \"x\": already on line 4"),
        ("a: 1\na: 2", "line 3: duplicate key \"a\": already on line 2"),
        ("1: a\n\"1\": b", "line 3: duplicate key \"1\": already on line 2"),
        ("a: 1\n~: x", "line 3: the key \"~\" is null: write a name, or put it in quotes"),
        ("a: {null: x}", "line 2: the key \"null\" is null: write a name, or put it in quotes"),
        ("a: 1\n: x", "line 3: the key \"~\" is null: write a name, or put it in quotes"),
        ("a: 1\n? [x]\n: y", "line 3: a key is a list or a mapping, expected a text"),
        ("a: 1\nb:\n  <<: 5", "line 4: the key \"<<\" merges mappings only"),
        ("a: &a [*a]", "line 2: an alias refers to a value that contains it"),
        ("- a", "line 2: expected names with values, such as `license: mit`"),
    ] {
        let error = parse(&format!("---\n{yaml}\n---\n")).unwrap_err();
        assert_eq!(error.message(), format!("invalid card metadata: {message}"));
    }
    let error = parse("\n\n---\na: [\n---\n").unwrap_err();
    assert!(error.message().contains("line 4"), "{}", error.message());
}

#[test]
fn quotes_texts_that_look_like_other_values() {
    let data = object(json!({
        "a": "no", "b": "1.0", "c": "null", "d": "2024-01-01", "e": "- x", "f": "a: b", "g": "# c", "h": "",
        "i": " x ", "j": "yes", "k": "0x1F", "l": "12:30:00", "m": "é ✓", "n": "one\ntwo\n", "o": "\u{1}", "yes": 1, "1": "x",
    }));
    let text = write(&data).unwrap();
    assert_eq!(read(&text).unwrap(), data, "{text}");
    for quoted in ["'no'", "'yes'", "'1.0'", "'2024-01-01'"] {
        assert!(text.contains(quoted) || text.contains(&quoted.replace('\'', "\"")), "{text}");
    }
}

#[test]
fn rejects_invalid_and_malicious_metadata() {
    let bomb = (0..60).map(|_| "b: &b [*b,*b]\n").collect::<String>();
    let deep = "[".repeat(10_000);
    let lines = (0..3000).map(|depth| " ".repeat(depth) + "a:");
    let nested = lines.collect::<Vec<_>>().join("\n");
    let anchors =
        (1..200).map(|n| format!("a{n}: &a{n} {}*a{}{}\n", "[".repeat(60), n - 1, "]".repeat(60)));
    let chained = anchors.fold("a0: &a0 1\n".to_owned(), |text, line| text + &line);
    let long = format!("t: &t {}\nl: [{}]", "x".repeat(1 << 20), "*t, ".repeat(100_000));
    let harm = [&bomb, &deep, &nested, &chained, &long].map(String::as_str);
    let wrong = ["- list", "text", "a: [", "a: 1\na: 2", "\t- x: [", "a: 1\n...\nb: 2"];
    for yaml in wrong.into_iter().chain(harm) {
        let error = parse(&format!("---\n{yaml}\n---\n")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCard, "{yaml:.100}");
    }
}

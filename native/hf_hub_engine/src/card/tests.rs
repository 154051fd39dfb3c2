use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn rebuilt(card: &Card) -> String {
    let yaml = render(&card.data, &card.yaml).unwrap();
    [card.head.as_str(), &yaml, &card.tail, &card.body].concat()
}

const SOURCE: &str = "# About the licence\nlicense: mit   # yes\ntags:\n- a\n- 'b'\n\nmodel-index:\n- name: x\n  results: []\nown: {deep: [1, 2.50], none: null}\ntext: |\n  one\n\n  two\n";

#[test]
fn takes_readmes_apart_as_the_hub_does() {
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
fn what_nobody_changed_stays_as_it_was() {
    let text = format!("\u{feff}---\n{SOURCE}---  \n# Hi \u{2028} \r\n\n");
    assert_eq!(rebuilt(&parse(&text).unwrap()), text);
    let mut card = parse(&text).unwrap();
    card.data.insert("license".into(), json!("apache-2.0"));
    card.data.insert("new".into(), json!({"b": 1, "a": [true]}));
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
    data["z"] = json!({"a": 0, "x": {"b": 3, "c": 1}, "w": 1});
    data["list"] = json!([{"p": 2, "q": 1}, {"p": 4, "q": 3}]);
    let rendered = render(&data, source).unwrap();
    assert_eq!(
        rendered,
        "z:\n  w: 1\n  x:\n    c: 1\n    b: 3\n  a: 0\nlist:\n- q: 1\n  p: 2\n- q: 3\n  p: 4"
    );
}

#[test]
fn lines_end_as_they_did() {
    let mut data = read("a: 1\r\nb: 2\r\n").unwrap();
    data["b"] = json!([1, 2]);
    assert_eq!(render(&data, "a: 1\r\nb: 2\r\n").unwrap(), "a: 1\r\nb:\r\n- 1\r\n- 2");
}

#[test]
fn entries_that_depend_on_each_other_are_written_anew() {
    let source = "base: &b {x: 1}\nother: *b\nn: 1\n";
    let mut data = read(source).unwrap();
    data["n"] = json!(2);
    let rendered = render(&data, source).unwrap();
    assert_eq!(read(&rendered).unwrap(), data);
    assert!(!rendered.contains('&'));
}

#[test]
fn texts_that_look_like_something_else_are_quoted() {
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
fn refuses_what_is_no_metadata_or_means_harm() {
    let bomb = (0..60).map(|_| "b: &b [*b,*b]\n").collect::<String>();
    let deep = "[".repeat(10_000);
    let lines = (0..3000).map(|depth| " ".repeat(depth) + "a:");
    let nested = lines.collect::<Vec<_>>().join("\n");
    for yaml in ["- list", "text", "a: [", "a: 1\na: 2", "\t- x: [", &bomb, &deep, &nested] {
        let error = parse(&format!("---\n{yaml}\n---\n")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCard, "{yaml:.100}");
    }
}

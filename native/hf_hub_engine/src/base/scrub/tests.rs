use super::*;

/// Returns a random secret of the characters that RFC 6750 allows.
fn secret() -> String {
    let len = fastrand::usize(SHORT..60);
    let odd = ['-', '.', '_', '~', '+', '/', '='];
    let mut secret = String::from(["hf_", "", "api_org_"][fastrand::usize(0..3)]);
    while secret.len() < len {
        secret.push(match fastrand::u8(0..8) {
            0 => odd[fastrand::usize(0..odd.len())],
            _ => fastrand::alphanumeric(),
        });
    }
    secret
}

/// Escapes one character in one of the ways that servers do.
fn written(c: char) -> String {
    let code = u32::from(c);
    match fastrand::u8(0..12) {
        0 => format!("\\u{code:04x}"),
        1 => format!("\\u{code:04X}"),
        2 => format!("\\u{{{code:x}}}"),
        3 => format!("%{code:02x}"),
        4 => format!("%{code:02X}"),
        5 => format!("&#{code};"),
        6 => format!("&#x{code:X};"),
        7 => format!("\\x{code:02x}"),
        8 => c.to_ascii_uppercase().to_string(),
        9 => format!("\u{200b}{c}"),
        _ => c.to_string(),
    }
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns the text with all levels of escaping undone.
fn readable(text: &str) -> String {
    levels(text).last().unwrap().iter().map(|unit| unit.c.to_ascii_lowercase()).collect()
}

#[test]
fn hides_a_token_however_it_is_escaped() {
    for _ in 0..5_000 {
        let secret = secret();
        let scrub = Scrub::new([secret.as_str()]);
        let mut said = match fastrand::u8(0..3) {
            0 => secret.clone(),
            _ => secret.chars().map(written).collect(),
        };
        for _ in 0..fastrand::usize(0..3) {
            said = match fastrand::u8(0..3) {
                0 => json(&said),
                1 => said.replace('%', "%25"),
                _ => said.replace('&', "&amp;"),
            };
        }
        let text = format!("before ({said}) after");
        let shown = scrub.text(&text);
        assert!(shown.contains(HIDDEN), "{secret} {text} {shown}");
        assert!(!readable(&shown).contains(&readable(&secret)), "{text} {shown}");
        assert!(shown.starts_with("before (") && shown.ends_with(" after"), "{shown}");
        let details = serde_json::json!({ text.clone(): [{ "a": text }], "b": 1 });
        let shown = scrub.json(&details).to_string();
        assert!(!readable(&shown).contains(&readable(&secret)), "{shown}");
    }
}

#[test]
fn leaves_text_without_a_secret_unchanged() {
    let scrub = Scrub::new(["hf_CANARYabcdefghij", "abc", ""]);
    for text in [
        "",
        "hf_hub_server cannot be started; see hf_transformers_tiny_random",
        "the alphabet begins with abcd",
        "https://huggingface.co/api/models/a%2Fb?x=1 said \"no\" & that is \\ all",
        "repository \"hf_internaltestingtinyrandom\" not found",
        "hf://datasets/org/data@main/x, mail me at a@b.example",
        "100 % of it, \u{1f600} \\ud83d\\ude00 \\u00",
    ] {
        assert!(matches!(scrub.text(text), Cow::Borrowed(_)), "{text}: {}", scrub.text(text));
    }
}

#[test]
fn hides_unknown_secrets_by_their_shape() {
    let scrub = Scrub::default();
    let letters = "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh";
    for (text, shown) in [
        (format!("Bearer hf_{letters}."), "Bearer (the token)."),
        (format!("api_org_{letters}"), "(the token)"),
        (format!("hf_oauth_eyJhbGciOiJFZERTQSJ9.{letters}_-x rest"), "(the token) rest"),
        (format!("\\u0068f_{letters}"), "(the token)"),
        ("http://me:secret@hub.example/x".to_owned(), "http://****@hub.example/x"),
        ("http%3A%2F%2Fme:se%40cret@hub".to_owned(), "http%3A%2F%2F****@hub"),
    ] {
        assert_eq!(scrub.text(&text), shown);
    }
}

#[test]
fn hides_a_token_that_is_cut_off() {
    let scrub = Scrub::new(["hf_CANARYabcdefghijklmnop"]);
    assert_eq!(scrub.text("who is hf_CANARYabcdefg"), "who is (the token)");
    assert_eq!(scrub.text("HF_CANARYABCDEFGHIJKLMNOP?"), "(the token)?");
}

#[test]
fn hides_a_short_token_only_as_a_whole_word() {
    let scrub = Scrub::new(["abc"]);
    assert_eq!(scrub.text("abc, \"abc\" and abcd"), "(the token), \"(the token)\" and abcd");
}

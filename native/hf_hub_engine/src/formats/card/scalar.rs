//! The values of plain scalars, by the core schema of YAML 1.2.
//!
//! A scalar that YAML readers take for different numbers, or that no number type can hold, is a
//! text: it may be a hash, a version or a post code, and as a text it keeps all its characters.

use num_bigint::BigInt;

use super::value::{NotFinite, Value};

/// Python reads integers of up to this number of digits.
const MAX_DIGITS: usize = 4300;
/// The exponent of a 64-bit float has no more digits.
const MAX_EXPONENT_DIGITS: usize = 3;

/// Returns the value of a plain scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        _ if is_null(text) => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    }
}

/// Whether a plain scalar is null.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Returns the number that a scalar stands for in all readers.
pub(super) fn number(text: &str) -> Option<Value> {
    let (sign, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (&text[..1], rest),
        None => ("", text),
    };
    match (sign, unsigned) {
        (_, ".nan" | ".NaN" | ".NAN") if sign.is_empty() => Some(Value::NotFinite(NotFinite::Nan)),
        ("-", ".inf" | ".Inf" | ".INF") => Some(Value::NotFinite(NotFinite::NegInfinity)),
        (_, ".inf" | ".Inf" | ".INF") => Some(Value::NotFinite(NotFinite::Infinity)),
        _ => integer(sign, unsigned).map(Value::Integer).or_else(|| float(text, unsigned)),
    }
}

fn integer(sign: &str, unsigned: &str) -> Option<BigInt> {
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x") => (16, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        Some("0b") => (2, &unsigned[2..]),
        _ if has_leading_zero(unsigned) => return None,
        _ => (10, unsigned),
    };
    // YAML 1.1 and the Hub's reader allow underscores between digits.
    let grouped = digits.split('_').all(|group| !group.is_empty());
    let digits = digits.replace('_', "");
    if !grouped || digits.len() > MAX_DIGITS || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), radix)?;
    Some(if sign == "-" { -number } else { number })
}

fn float(text: &str, unsigned: &str) -> Option<Value> {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    let fits = exponent.is_none_or(|text| (1..=MAX_EXPONENT_DIGITS).contains(&text.len()));
    if !fits
        || !is_digits(exponent.unwrap_or_default())
        || !is_digits(whole)
        || !is_digits(fraction)
        || whole.len() + fraction.len() == 0
        || has_leading_zero(whole)
        || !(mantissa.contains('.') || exponent.is_some())
    {
        return None;
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let vanished = number == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    (!vanished).then_some(Value::Float(number))
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match plain(text) {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(number) => format!("int {number}"),
            Value::Float(number) => format!("float {number:?}"),
            Value::NotFinite(number) => number.as_yaml().to_owned(),
            Value::Text(text) => format!("text {text}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn numbers_keep_their_digits_or_are_texts() {
        let (hash, long) = ("1234567890".repeat(4), "9".repeat(4301));
        for text in [
            "0123456",
            "09111",
            "08",
            "00",
            "-007",
            "+00",
            "12e4567",
            "1e400",
            "-1e400",
            "12e-4567",
            "4225332178759948e04347560002921719079454",
            "0e1234",
            "00.5",
            "01e2",
            "007e1",
            "1__0",
            "_1",
            "1_",
            "1_0.5",
            "0.1_0",
            ".",
            "+",
            "-",
            "e5",
            "1e",
            "1e+",
            ".e5",
            "0x",
            "0b2",
            "0xg",
            "1.2.3",
            "1:30",
            "2001-01-01",
            "+.nan",
            "nan",
            "inf",
            "infinity",
            "no",
            "yes",
            "tRue",
            "1 2",
            "0o8",
            &long,
        ] {
            assert_eq!(shown(text), format!("text {text}"));
        }
        for (text, integer) in [
            ("0", "0"),
            ("-0", "0"),
            ("+5", "5"),
            ("-12", "-12"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("-0x1F", "-31"),
            ("0o7", "7"),
            ("0b101", "5"),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            (&hash, &hash),
        ] {
            assert_eq!(shown(text), format!("int {integer}"), "{text}");
        }
        for (text, float) in [
            ("1.0", "1.0"),
            ("123456.0", "123456.0"),
            ("1e3", "1000.0"),
            ("5.", "5.0"),
            (".5", "0.5"),
            ("+.5", "0.5"),
            ("-0.25", "-0.25"),
            ("1e-7", "1e-7"),
            ("12e03", "12000.0"),
            ("0.0", "0.0"),
            ("0e5", "0.0"),
            ("1E300", "1e300"),
        ] {
            assert_eq!(shown(text), format!("float {float}"), "{text}");
        }
        for text in [".nan", ".NaN", ".NAN"] {
            assert_eq!(shown(text), ".nan");
        }
        for text in [".inf", ".Inf", ".INF", "+.inf"] {
            assert_eq!(shown(text), ".inf");
        }
        for text in ["-.inf", "-.Inf", "-.INF"] {
            assert_eq!(shown(text), "-.inf");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(shown(text), "null");
        }
    }
}

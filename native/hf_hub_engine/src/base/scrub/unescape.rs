//! Undoes one level of escaping of a text and keeps the origin of each character.

/// A character, and the bytes of the text that it stands for.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) c: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Unit {
    /// Returns the characters of a text, unchanged.
    pub(super) fn of(text: &str) -> Vec<Self> {
        text.char_indices().map(|(start, c)| Self { c, start, end: start + c.len_utf8() }).collect()
    }

    /// Whether it is part of a word.
    pub(super) fn in_word(&self) -> bool {
        self.c.is_alphanumeric() || self.c == '_'
    }
}

/// Undoes one level of escaping: percent-encoding, backslashes of JSON and of debug output, and
/// HTML character references. Invisible characters are left out.
pub(super) fn unescaped(units: &[Unit]) -> Vec<Unit> {
    let (mut plain, mut at) = (Vec::with_capacity(units.len()), 0);
    while let Some(unit) = units.get(at) {
        let (c, len) = match unit.c {
            '%' => percent(&units[at..]),
            '\\' => backslash(&units[at..]),
            '&' => reference(&units[at..]),
            _ => None,
        }
        .unwrap_or((unit.c, 1));
        if !invisible(c) {
            plain.push(Unit { c, start: unit.start, end: units[at + len - 1].end });
        }
        at += len;
    }
    plain
}

fn invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Returns the ASCII character that `digits` stand for; tokens contain no other characters.
fn ascii(digits: &[Unit], radix: u32) -> Option<char> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number = digits.iter().try_fold(0, |number: u32, unit| {
        number.checked_mul(radix)?.checked_add(unit.c.to_digit(radix)?)
    })?;
    char::from_u32(number).filter(char::is_ascii)
}

/// `%68`
fn percent(units: &[Unit]) -> Option<(char, usize)> {
    Some((ascii(units.get(1..3)?, 16)?, 3))
}

/// `\u0068`, `\u{68}`, `\x68`, `\x{68}`, `\/`
fn backslash(units: &[Unit]) -> Option<(char, usize)> {
    let kind = units.get(1)?.c;
    match kind {
        'u' | 'x' if units.get(2).is_some_and(|unit| unit.c == '{') => {
            let len = units[3..].iter().take(9).position(|unit| unit.c == '}')?;
            Some((ascii(&units[3..3 + len], 16)?, len + 4))
        }
        'u' => Some((ascii(units.get(2..6)?, 16)?, 6)),
        'x' => Some((ascii(units.get(2..4)?, 16)?, 4)),
        'n' | 'r' | 't' | 'b' | 'f' => Some(('\n', 2)),
        _ if kind.is_ascii_punctuation() => Some((kind, 2)),
        _ => None,
    }
}

/// `&#104;`, `&#x68;`, `&amp;`
fn reference(units: &[Unit]) -> Option<(char, usize)> {
    let len = units.iter().take(12).position(|unit| unit.c == ';')?;
    let name = &units[1..len];
    let c = match name.first()?.c {
        '#' => match name.get(1)?.c {
            'x' | 'X' => ascii(&name[2..], 16)?,
            _ => ascii(&name[1..], 10)?,
        },
        _ => match name.iter().map(|unit| unit.c).collect::<String>().as_str() {
            "amp" => '&',
            "lowbar" => '_',
            "percnt" => '%',
            "bsol" => '\\',
            _ => return None,
        },
    };
    Some((c, len + 1))
}

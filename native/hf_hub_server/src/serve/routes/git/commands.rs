//! The lines of git's push protocol: which refs to move, and what became of them.

use git2::Oid;

use crate::store::{Moved, RefMove};

/// What the server offers to clients that push.
pub(super) const CAPABILITIES: &str =
    "report-status delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1";
/// The end of a section.
pub(super) const FLUSH: &[u8] = b"0000";
/// Maximum size of all commands.
const MAX_COMMANDS: usize = 1 << 20;
/// Maximum size of the content of a line with a band.
const MAX_BAND: usize = 65_515;
const LENGTH: usize = 4;

/// The commands of a push, as they arrive.
#[derive(Debug, Default)]
pub(super) struct Commands {
    buffer: Vec<u8>,
    parsed: usize,
    is_complete: bool,
    /// The refs to move.
    pub(super) moves: Vec<RefMove>,
    /// Which response the client wants.
    pub(super) features: Features,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    /// Whether to report what became of each ref.
    pub(super) report: bool,
    /// Whether the report is one of several bands, and there may be messages.
    pub(super) bands: bool,
    /// Whether to move all refs or none.
    pub(super) atomic: bool,
}

impl Commands {
    /// Takes bytes, and returns those that follow the commands.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        if self.is_complete {
            return Ok(bytes);
        }
        let before = self.buffer.len();
        // Whole lines only: what follows them is not buffered twice.
        self.buffer.extend_from_slice(bytes);
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                self.is_complete = true;
                let used = self.parsed - before;
                self.buffer = Vec::new();
                return Ok(&bytes[used..]);
            }
            self.line(&line)?;
        }
        if self.buffer.len() > MAX_COMMANDS {
            return Err("Too many refs in one push".into());
        }
        Ok(&[])
    }

    /// Whether all commands have arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the next whole line, empty at the end; `None` if it has not arrived yet.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let rest = &self.buffer[self.parsed..];
        let Some(length) = rest.get(..LENGTH) else { return Ok(None) };
        let is_hex = length.iter().all(u8::is_ascii_hexdigit);
        let length = str::from_utf8(length).ok().filter(|_| is_hex);
        let length = length.and_then(|length| usize::from_str_radix(length, 16).ok());
        let length = match length {
            Some(0) => LENGTH,
            Some(length) if length > LENGTH => length,
            _ => return Err("Invalid line in the push".into()),
        };
        let Some(line) = rest.get(LENGTH..length) else { return Ok(None) };
        let line = line.to_vec();
        self.parsed += length;
        Ok(Some(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|_| "The name of a ref is not UTF-8")?;
        let line = line.strip_suffix('\n').unwrap_or(line);
        let (command, features) = line.split_once('\0').unwrap_or((line, ""));
        if command.starts_with("shallow ") {
            return Ok(());
        }
        for feature in features.split(' ') {
            match feature {
                "report-status" => self.features.report = true,
                "side-band-64k" => self.features.bands = true,
                "atomic" => self.features.atomic = true,
                _ => {}
            }
        }
        let mut words = command.splitn(3, ' ');
        let (old, new, name) = (words.next(), words.next(), words.next());
        let ids = old.and_then(id).zip(new.and_then(id));
        let (Some((old, new)), Some(name)) = (ids, name) else {
            return Err("Invalid command in the push".into());
        };
        if self.moves.iter().any(|known| known.name == name) {
            return Err(format!("Multiple updates for ref {name:?}"));
        }
        // Zeros stand for no object.
        let [old, new] = [old, new].map(|oid| (!oid.is_zero()).then_some(oid));
        self.moves.push(RefMove { name: name.to_owned(), old, new });
        Ok(())
    }
}

fn id(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| Oid::from_str(text).ok())?
}

/// Returns a line with its length.
pub(super) fn line(content: &[u8]) -> Vec<u8> {
    let mut line = format!("{:04x}", content.len() + LENGTH).into_bytes();
    line.extend_from_slice(content);
    line
}

/// The response to a push.
pub(super) struct Report<'a> {
    /// Why the objects were not accepted.
    pub(super) unpack: Option<&'a str>,
    /// What became of each ref.
    pub(super) results: &'a [(&'a RefMove, Moved)],
    /// What git shows to its user.
    pub(super) messages: &'a str,
}

impl Report<'_> {
    /// Formats the response as the client wants it.
    pub(super) fn write(&self, features: Features) -> Vec<u8> {
        let mut body = Vec::new();
        if features.bands && !self.messages.is_empty() {
            band(2, self.messages.as_bytes(), &mut body);
        }
        let report = if features.report { self.lines() } else { Vec::new() };
        if features.bands {
            band(1, &report, &mut body);
            body.extend_from_slice(FLUSH);
        } else {
            body.extend_from_slice(&report);
        }
        body
    }

    fn lines(&self) -> Vec<u8> {
        let mut lines = line(format!("unpack {}\n", self.unpack.unwrap_or("ok")).as_bytes());
        for (wanted, result) in self.results {
            let text = match result {
                Moved::Done => format!("ok {}\n", wanted.name),
                Moved::Rejected(reason) => format!("ng {} {reason}\n", wanted.name),
            };
            lines.extend(line(text.as_bytes()));
        }
        lines.extend_from_slice(FLUSH);
        lines
    }
}

fn band(number: u8, content: &[u8], body: &mut Vec<u8>) {
    for chunk in content.chunks(MAX_BAND) {
        body.extend(line(&[&[number], chunk].concat()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn push(lines: &[String]) -> Vec<u8> {
        let mut bytes = lines.iter().flat_map(|text| line(text.as_bytes())).collect::<Vec<_>>();
        bytes.extend_from_slice(b"0000PACK");
        bytes
    }

    #[test]
    fn parses_commands_however_they_are_cut() {
        let lines = [
            format!("shallow {OLD}"),
            format!("{OLD} {ZERO} refs/heads/a b\0 report-status side-band-64k\n"),
            format!("{ZERO} {OLD} refs/tags/é"),
        ];
        for step in [1, 3, 50, 1000] {
            let mut commands = Commands::default();
            let mut rest = Vec::new();
            for piece in push(&lines).chunks(step) {
                rest.extend_from_slice(commands.take(piece).unwrap());
            }
            assert_eq!(rest, b"PACK", "{step}");
            let old = Some(Oid::from_str(OLD).unwrap());
            let moves = [
                RefMove { name: "refs/heads/a b".into(), old, new: None },
                RefMove { name: "refs/tags/é".into(), old: None, new: old },
            ];
            assert_eq!(commands.moves, moves);
            let Features { report, bands, atomic } = commands.features;
            assert!(report && bands && !atomic);
        }
    }

    #[test]
    fn rejects_what_is_no_command() {
        let twice = format!("{OLD} {ZERO} refs/heads/a");
        for bytes in [
            b"0001".to_vec(),
            b"+123".to_vec(),
            b"GET ".to_vec(),
            line(b"push-cert x"),
            line(format!("{OLD} {ZERO}").as_bytes()),
            line(format!("{OLD} {} refs/heads/a", &ZERO[1..]).as_bytes()),
            line(b"\xff"),
            push(&[twice.clone(), twice]),
        ] {
            assert!(Commands::default().take(&bytes).is_err(), "{bytes:?}");
        }
        let mut commands = Commands::default();
        let endless = (0..).map(|n| line(format!("shallow {n:060}").as_bytes()));
        let failed = endless.take(50_000).any(|line| commands.take(&line).is_err());
        assert!(failed, "the commands of a push are bounded");
    }

    #[test]
    fn long_messages_are_split() {
        let messages = "x".repeat(100_000);
        let report = Report { unpack: None, results: &[], messages: &messages };
        let features = Features { report: true, bands: true, atomic: false };
        let body = report.write(features);
        assert_eq!(&body[..5], b"fff0\x02");
        assert!(
            body.ends_with(b"0017\x01000eunpack ok\n00000000"),
            "{:?}",
            &body[body.len() - 40..]
        );
        let features = Features { report: true, ..Features::default() };
        assert_eq!(report.write(features), b"000eunpack ok\n0000");
        assert_eq!(report.write(Features::default()), b"");
    }
}

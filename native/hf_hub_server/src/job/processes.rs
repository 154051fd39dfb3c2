//! The processes of this machine, as Linux shows them below `/proc`. Other systems show none here.

use std::collections::HashMap;
use std::fs;

/// A process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) id: i32,
    parent: i32,
    /// Whether it has ended, and only its status is left.
    pub(crate) is_zombie: bool,
    /// Processor time, in ticks of [`ticks_per_second`].
    pub(crate) ticks: u64,
}

/// Returns the children of a process, their children and so on.
pub(crate) fn below(id: i32) -> Vec<Process> {
    let mut children = HashMap::<i32, Vec<Process>>::new();
    for process in all() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = children.remove(&id).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        // The process may have ended meanwhile.
        parse(id, &fs::read_to_string(entry.path().join("stat")).ok()?)
    })
}

/// Parses `/proc/ID/stat`: the name in parentheses may have any characters.
fn parse(id: i32, stat: &str) -> Option<Process> {
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect::<Vec<_>>();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        id,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
    })
}

/// Returns the unit of processor time.
pub(crate) fn ticks_per_second() -> u64 {
    #[cfg(unix)]
    return rustix::param::clock_ticks_per_second();
    #[cfg(not(unix))]
    return 100;
}

/// Returns the memory of a process in bytes, without the files that it shares with others.
pub(crate) fn memory(id: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let own = |line: &&str| line.starts_with("RssAnon:") || line.starts_with("RssShmem:");
    let sizes = status.lines().filter(own).filter_map(|line| line.split_ascii_whitespace().nth(1));
    sizes.filter_map(|size| size.parse::<u64>().ok()).sum::<u64>() << 10
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn parses_a_process_with_a_hostile_name() {
        let numbers =
            "S 7 8 8 0 -1 4194560 1 2 3 4 50 6 0 0 20 0 1 0 99 1000 123 18446744073709551615";
        let process = parse(9, &format!("9 (a) R 1) 2) {numbers}")).unwrap();
        let expected = Process { id: 9, parent: 7, is_zombie: false, ticks: 56 };
        assert_eq!(process, expected);
        assert_eq!(parse(9, "9 (cut"), None);
    }

    #[test]
    fn finds_the_children_of_a_child() {
        let mut child =
            std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut found = below(id);
        while found.is_empty() && std::time::Instant::now() < deadline {
            found = below(id);
        }
        assert!(below(i32::try_from(std::process::id()).unwrap()).len() > found.len());
        assert!(memory(id) > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.len(), 1);
        let _ = std::process::Command::new("kill").arg(found[0].id.to_string()).status();
    }
}

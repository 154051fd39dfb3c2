//! Selects the files of a listing. Names are checked only for selected files: others need not be
//! valid on this system.

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        fnmatch::{self, Filter},
        hint::Hint,
        ids::EntryPath,
    },
    cache::tree::{Entry, Tree},
};

/// Returns the selected files. Returns an error that names those that cannot be written here.
pub(super) fn select<'a>(tree: &'a Tree, filter: &Filter) -> Result<Vec<(EntryPath, &'a Entry)>> {
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for (path, entry) in tree.files().filter(|(path, _)| filter.accepts(path.as_str())) {
        match EntryPath::parse(path.as_str()) {
            Ok(path) => wanted.push((path, entry)),
            Err(error) => refused.push((path.as_str(), error)),
        }
    }
    if refused.is_empty() { Ok(wanted) } else { Err(unwritable(&refused)) }
}

fn unwritable(refused: &[(&str, Error)]) -> Error {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = refused.iter().take(SHOWN).map(|(_, why)| why.message()).collect();
    let more = refused.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let patterns: Vec<String> =
        refused.iter().take(SHOWN).map(|(path, _)| fnmatch::literal(path)).collect();
    let message =
        format!("these files cannot be written on this system: {}{more}", shown.join("; "));
    let error = Error::new(ErrorKind::InvalidName, message).with_path(refused[0].0);
    error.with_hints([Hint::SkipFiles { patterns }])
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNWRITABLE: [&str; 9] = [
        "a\nb.txt",
        "a\tb",
        "a\u{85}b",
        "a\u{7f}b",
        "Q: what.txt",
        "sub/A:b.txt",
        "\\lead.txt",
        ".git/config",
        "x[*]\t?",
    ];

    fn tree(names: &[&str]) -> Tree {
        let files = names.iter().map(|name| {
            serde_json::json!({"type": "file", "oid": "a".repeat(40), "size": 1, "path": name})
        });
        let mut tree = Tree::default();
        let page = serde_json::Value::Array(files.collect());
        tree.add_page(page.to_string().as_bytes()).unwrap();
        tree
    }

    fn filter(allow: &[&str], ignore: &[&str]) -> Filter {
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        Filter { allow: own(allow), ignore: own(ignore) }
    }

    #[test]
    fn only_selected_names_have_to_be_valid_here() {
        let long = "x".repeat(300);
        for name in UNWRITABLE.into_iter().chain([long.as_str()]) {
            let tree = tree(&["config.json", name]);
            let wanted = select(&tree, &filter(&["*.json"], &[])).unwrap();
            assert_eq!(wanted.len(), 1, "{name:?}");
            let error = select(&tree, &filter(&[], &[])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
            // The suggested option has the promised effect.
            let skipped = fnmatch::literal(name);
            assert_eq!(error.hints(), [Hint::SkipFiles { patterns: vec![skipped.clone()] }]);
            let wanted = select(&tree, &filter(&[], &[&skipped])).unwrap();
            assert_eq!(wanted[0].0.as_str(), "config.json", "{name:?}");
        }
    }

    #[test]
    fn names_three_files_and_counts_the_others() {
        let error = select(&tree(&UNWRITABLE), &filter(&[], &[])).unwrap_err();
        assert!(
            error.message().starts_with("these files cannot be written on this system: "),
            "{error}"
        );
        assert!(error.message().ends_with("; and 6 more"), "{error}");
    }
}

//! Finds the files of a folder to upload.
//!
//! Selects the same files as the Python client: links to files are followed, links to folders are
//! not; files of version control systems and of clients are skipped. Unlike it, leaves out files
//! that are rarely meant to be published.

use std::{fs::DirEntry, io, path::Path, sync::Arc};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        fnmatch::{self, Filter},
        hint::Hint,
    },
    upload::{
        Addition,
        path::{self, FORBIDDEN},
        source::{Root, Source, Stamp, unreadable},
        unwanted::Unwanted,
    },
};

/// Maximum number of files to name that were left out.
const NAMED: usize = 3;

/// Never uploaded, whatever the patterns.
const IGNORED: [&str; 8] = [
    ".git",
    ".git/*",
    "*/.git",
    "**/.git/**",
    ".cache/huggingface",
    ".cache/huggingface/*",
    "*/.cache/huggingface",
    "**/.cache/huggingface/**",
];

/// The result of a walk.
#[derive(Default)]
pub(super) struct Found {
    /// The files, sorted by path.
    pub(super) files: Vec<Addition>,
    /// Folders that were skipped because no commit may contain them.
    pub(super) refused: Vec<String>,
    /// Number of files that the filter was applied to.
    pub(super) seen: usize,
    /// Number of files that the filter accepts and that were left out.
    pub(super) unwanted: usize,
    /// The first of those.
    pub(super) unwanted_names: Vec<String>,
}

/// Finds the files below `root` that `filter` accepts, but not those in `unwanted`.
pub(super) fn find(root: &Arc<Root>, filter: &Filter, unwanted: &Unwanted) -> Result<Found> {
    let mut found = Found::default();
    let mut folders = vec![(root.dir.clone(), String::new())];
    while let Some((place, folder)) = folders.pop() {
        for entry in std::fs::read_dir(&place).map_err(|error| unreadable(&place, error))? {
            let entry = entry.map_err(|error| unreadable(&place, error))?;
            // A name that is not UTF-8 is an error only if the file is selected.
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), error))?;
            if kind.is_dir() {
                if is_refused(&name) {
                    found.refuse(name, &entry.path());
                } else {
                    folders.push((entry.path(), format!("{name}/")));
                }
            } else if !is_kept_out(&name) {
                found.seen += 1;
                if !filter.accepts(&name) {
                    continue;
                }
                if unwanted.leaves_out(&name, &filter.allow) {
                    found.leave_out(name);
                } else if let Some(file) = addition(root, &entry.path(), &name)? {
                    found.files.push(file);
                }
            }
        }
    }
    found.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    for (place, file) in found.files.iter_mut().enumerate() {
        file.place = place;
    }
    Ok(found)
}

impl Found {
    fn leave_out(&mut self, name: String) {
        self.unwanted += 1;
        if self.unwanted_names.len() < NAMED {
            self.unwanted_names.push(name);
        }
    }

    /// Files of version control systems and of clients are skipped without a warning.
    fn refuse(&mut self, name: String, folder: &Path) {
        let own = |entry: std::io::Result<DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name() != "huggingface")
        };
        if folder.ends_with(".cache")
            && std::fs::read_dir(folder).is_ok_and(|mut inside| inside.any(own))
        {
            self.refused.push(name);
        }
    }
}

fn is_refused(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| FORBIDDEN.contains(&last))
}

fn is_kept_out(name: &str) -> bool {
    IGNORED.iter().any(|ignored| fnmatch::matches(ignored, name))
}

/// Returns `None` for what is not a file: a socket, a link to a folder, a dangling link or a cycle.
fn addition(root: &Arc<Root>, file: &Path, name: &str) -> Result<Option<Addition>> {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if is_link(file) && error.kind() != io::ErrorKind::PermissionDenied => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(file, error)),
    };
    if file.strip_prefix(&root.dir).is_ok_and(|below| below.to_str().is_none()) {
        return Err(no_text(file));
    }
    Ok(Some(Addition {
        path: path::parse_addition(&format!("{}{name}", root.prefix))?,
        source: Source::Below(root.clone()),
        stamp: Stamp::of(&metadata),
        known: None,
        place: 0,
    }))
}

fn is_link(file: &Path) -> bool {
    std::fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_symlink())
}

fn no_text(file: &Path) -> Error {
    let message =
        format!("the name of `{}` is not valid UTF-8, which the Hub requires", file.display());
    Error::new(ErrorKind::InvalidName, message).with_hints([Hint::ExcludeFile])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path, prefix: &str, filter: &Filter) -> Vec<String> {
        let root = Arc::new(Root { dir: dir.to_owned(), prefix: prefix.to_owned() });
        let found = find(&root, filter, &Unwanted::default()).unwrap();
        found.files.iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn finds_the_same_files_as_the_python_client() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            ".gitattributes",
            ".github/x.yml",
            ".git/config",
            "sub/.git/config",
            ".cache/huggingface/download/x",
            "sub/.cache/y",
            "run[1]/model..bin",
            "b.txt",
            "a b.txt",
            "a/b.log",
        ] {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink(dir.path().join("b.txt"), dir.path().join("link.txt")).unwrap();
            symlink(dir.path().join("run[1]"), dir.path().join("linked")).unwrap();
            symlink(dir.path().join("none"), dir.path().join("broken")).unwrap();
            symlink("loop", dir.path().join("loop")).unwrap();
            symlink(dir.path(), dir.path().join("a/up")).unwrap();
        }
        let all = names(dir.path(), "", &Filter::default());
        let wanted = [
            ".gitattributes",
            ".github/x.yml",
            "a b.txt",
            "a/b.log",
            "b.txt",
            "link.txt",
            "run[1]/model..bin",
        ];
        assert_eq!(all, wanted);
        let root = Arc::new(Root { dir: dir.path().to_owned(), prefix: String::new() });
        let found = find(&root, &Filter::default(), &Unwanted::default()).unwrap();
        assert_eq!(found.refused, ["sub/.cache"]);
        let filter = Filter {
            allow: vec!["*.txt".to_owned(), "a/".to_owned()],
            ignore: vec!["*b.txt".to_owned()],
        };
        assert_eq!(names(dir.path(), "in/", &filter), ["in/a/b.log", "in/link.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn invalid_names_matter_only_for_selected_files() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"odd\xff"));
        std::fs::create_dir(&odd).unwrap();
        for file in [dir.path().join("a.json"), odd.join("b.bin"), dir.path().join("c\n.bin")] {
            std::fs::write(file, "x").unwrap();
        }
        let root = Arc::new(Root { dir: dir.path().to_owned(), prefix: String::new() });
        let error = |ignore: &[&str]| {
            let ignore = ignore.iter().map(|pattern| (*pattern).to_owned()).collect();
            let filter = Filter { allow: Vec::new(), ignore };
            let error = find(&root, &filter, &Unwanted::default()).err().unwrap();
            error.message().to_owned()
        };
        assert!(error(&["c*"]).contains("b.bin` is not valid UTF-8"), "{}", error(&["c*"]));
        assert!(error(&["odd*"]).contains("control character"), "{}", error(&["odd*"]));
        let filter = Filter { allow: vec!["*.json".to_owned()], ignore: Vec::new() };
        assert_eq!(names(dir.path(), "", &filter), ["a.json"]);
    }

    #[test]
    fn names_the_folder_that_cannot_be_read() {
        let root = Arc::new(Root { dir: "/nowhere/at/all".into(), prefix: String::new() });
        let error = find(&root, &Filter::default(), &Unwanted::default()).err().unwrap();
        assert_eq!(error.message(), "cannot read `/nowhere/at/all`: it does not exist");
    }
}

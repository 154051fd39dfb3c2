//! What a push may contain: the same rules as for commits through the API.

use std::fmt::Write;

use anyhow::Result;
use git2::Oid;

use super::super::super::hub::Hub;
use super::super::commit::{self, MAX_REGULAR};
use crate::store::{
    Added, Attributes, Entry, EntryKind, Git, LfsStore, MAX_POINTER_SIZE, Pointer, Repo, Seen,
};

/// Maximum number of files and folders of a commit: what lists them has to hold them.
const MAX_ENTRIES: u64 = 1_000_000;
/// Maximum length of a path in bytes.
const MAX_PATH: usize = commit::MAX_PATH;
/// Number of files that a message names.
const SHOWN: usize = 20;
const RULE: &str = "-------------------------------------------------------------------------";
const README: &str = "README.md";
const ATTRIBUTES: &str = ".gitattributes";

/// A ref with the commit that it shall point to.
pub(super) struct Tip<'a> {
    pub(super) name: &'a str,
    pub(super) commit: Oid,
    /// The commit that it points to.
    pub(super) before: Option<Oid>,
}

/// Why a push is rejected, or what its author should know.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The message of a rejected push.
    pub(super) rejection: Option<String>,
    /// Messages of an accepted one.
    pub(super) warnings: String,
}

/// Names of files, of which a message shows the first.
#[derive(Debug, Default)]
struct Files {
    shown: Vec<String>,
    count: usize,
}

impl Files {
    fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(shown(path));
        }
    }

    fn list(&self, suffix: &str) -> String {
        let mut list = String::new();
        for path in &self.shown {
            let _ = writeln!(list, "  - {path}{suffix}");
        }
        if self.count > self.shown.len() {
            let _ = writeln!(list, "  and {} more", self.count - self.shown.len());
        }
        list
    }
}

/// The files of a push that break a rule.
#[derive(Debug, Default)]
struct Offences {
    names: Files,
    large: Files,
    missing: Files,
    sizes: Files,
    /// Pointers to large files, for the check of `.gitattributes`.
    pointers: Vec<(String, Oid)>,
}

/// Checks everything that a push adds.
pub(super) fn check(hub: &Hub, repo: &Repo, git: &Git, tips: &[Tip<'_>]) -> Result<Findings> {
    let (mut seen, mut findings) = (Seen::default(), Findings::default());
    let known = git.tips()?;
    let lfs = hub.store.lfs();
    for tip in tips {
        let mut offences = Offences::default();
        for commit in git.between(&known, &[tip.commit])? {
            let extent = git.extent(commit, &mut seen)?;
            if extent.longest_path > MAX_PATH {
                let limit = format!("a path of more than {MAX_PATH} bytes");
                return Ok(rejected(&contains(&limit)));
            }
            if extent.entries > MAX_ENTRIES {
                let limit = format!("more than {MAX_ENTRIES} files and folders");
                return Ok(rejected(&contains(&limit)));
            }
            git.added(commit, &mut seen, &mut |added| offences.look(&lfs, repo, git, &added))?;
        }
        if let Some(message) = offences.message(tip.name) {
            return Ok(rejected(&message));
        }
        if let Some(message) = check_readme(repo, git, tip)? {
            return Ok(rejected(&message));
        }
        findings.warnings.push_str(&untracked(git, tip.commit, &offences.pointers)?);
    }
    Ok(findings)
}

impl Offences {
    fn look(&mut self, lfs: &LfsStore, repo: &Repo, git: &Git, added: &Added) -> Result<()> {
        let path = str::from_utf8(&added.path).ok().filter(|path| commit::check_path(path).is_ok());
        let Some(path) = path else {
            self.names.add(&added.path);
            return Ok(());
        };
        let Some((oid, size)) = added.blob else { return Ok(()) };
        if size > MAX_REGULAR {
            self.large.add(&added.path);
        }
        if size > MAX_POINTER_SIZE {
            return Ok(());
        }
        // Knowing a hash must not give access to the content.
        if let Some(pointer) = git.read_blob(oid, Pointer::parse)? {
            match lfs.size(&pointer.oid) {
                Some(size) if repo.holds(lfs, &pointer.oid)? => {
                    if size != pointer.size {
                        self.sizes.add(&added.path);
                    }
                    self.pointers.push((path.to_owned(), oid));
                }
                _ => self.missing.add(&added.path),
            }
        }
        Ok(())
    }

    fn message(&self, name: &str) -> Option<String> {
        if self.names.count > 0 {
            let names = self.names.list("");
            return Some(format!("{}Offending files:\n{names}", contains("invalid file names")));
        }
        if self.large.count > 0 {
            return Some(format!(
                "{}Please use https://git-lfs.github.com/ to store large files.\n\
                 See also: https://hf.co/docs/hub/repositories-getting-started#terminal\n\n\
                 Offending files:\n{}",
                contains("files larger than 10 MiB"),
                self.large.list(&format!(" (ref: {name})"))
            ));
        }
        if self.missing.count > 0 {
            return Some(format!(
                "Your push was rejected because an LFS pointer pointed to a file that does not exist.\n\
                 For instance, this can happen if you used git push --no-verify to push your changes.\n\
                 Offending file:\n{}",
                self.missing.list("")
            ));
        }
        (self.sizes.count > 0).then(|| {
            format!(
                "Your push was rejected because the size in an LFS pointer is not that of the file it \
                 points to.\nOffending file:\n{}",
                self.sizes.list("")
            )
        })
    }
}

/// Checks the metadata of a README that differs from the one before.
fn check_readme(repo: &Repo, git: &Git, tip: &Tip<'_>) -> Result<Option<String>> {
    let readme = |commit| git.entry(commit, README);
    let Some(Entry { oid, kind: EntryKind::File { size }, .. }) = readme(tip.commit)? else {
        return Ok(None);
    };
    let before = tip.before.map(readme).transpose()?.flatten();
    if size > MAX_REGULAR || before.is_some_and(|before| before.oid == oid) {
        return Ok(None);
    }
    let errors = commit::readme_errors(repo.key.kind, &git.blob(oid)?);
    if errors.is_empty() {
        return Ok(None);
    }
    let errors = errors.iter().map(|error| format!("\t- Error: {}\n", shown(error.as_bytes())));
    let errors = errors.collect::<Vec<_>>().concat();
    Ok(Some(format!(
        "Sorry, your push was rejected during YAML metadata verification:\n{errors}{RULE}\n\
         Please find the documentation at:\nhttps://huggingface.co/docs/hub/model-cards#model-card-metadata\n"
    )))
}

/// Returns a warning about pointers that git would check out as text.
fn untracked(git: &Git, tip: Oid, pointers: &[(String, Oid)]) -> Result<String> {
    if pointers.is_empty() {
        return Ok(String::new());
    }
    let attributes = match git.entry(tip, ATTRIBUTES)? {
        Some(Entry { oid, kind: EntryKind::File { .. }, .. }) => git.blob(oid)?,
        _ => Vec::new(),
    };
    let attributes = Attributes::parse(&attributes);
    let mut files = Files::default();
    for (path, oid) in pointers {
        let is_there =
            || Ok::<_, git2::Error>(git.entry(tip, path)?.is_some_and(|e| e.oid == *oid));
        if !attributes.is_lfs(path) && is_there()? {
            files.add(path.as_bytes());
        }
    }
    if files.count == 0 {
        return Ok(String::new());
    }
    let list = files.list("");
    Ok(format!("warning: {ATTRIBUTES} does not assign these LFS files to git-lfs:\n{list}"))
}

fn contains(what: &str) -> String {
    format!("Your push was rejected because it contains {what}.\n")
}

fn rejected(message: &str) -> Findings {
    let rejection = Some(format!("{RULE}\n{message}{RULE}\n"));
    Findings { rejection, warnings: String::new() }
}

/// Returns a name on one line, without characters that control a terminal.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let is_plain = |c: char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
    let short = name.chars().take(MAX_PATH);
    short.map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

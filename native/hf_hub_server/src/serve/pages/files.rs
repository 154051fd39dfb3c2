//! The files of a repository: folders, sizes, and the README of the folder.

use axum::http::StatusCode;
use git2::Oid;
use maud::{Markup, html};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::markdown::{self, Folder, Place};
use super::format::{self, count, date, size};
use super::layout::{self, sanitized};
use super::lists::{badges, tags, title};
use crate::store::{Entry, EntryKind, Git, MAIN, Repo, facts};

/// Maximum number of entries of a folder on one page.
const PAGE: usize = 500;
/// Maximum number of branches or tags on the page.
const MAX_REFS: usize = 200;
const README: &str = "README.md";

/// A revision of a repository, opened.
pub(super) struct Checkout<'a> {
    pub(super) repo: &'a Repo,
    pub(super) git: Git,
    pub(super) commit: Oid,
    /// The revision as it was requested.
    pub(super) revision: String,
}

impl<'a> Checkout<'a> {
    /// Opens a revision.
    pub(super) fn new(repo: &'a Repo, revision: &str) -> Result<Self, ApiError> {
        let (git, commit) = checkout(repo, revision)?;
        Ok(Self { repo, git, commit, revision: revision.to_owned() })
    }

    /// Returns the URL of something at this revision.
    pub(super) fn url(&self, view: &str, path: &str) -> String {
        let (page, revision) = (format::page(&self.repo.key), format::revision(&self.revision));
        let path = format::path(path);
        format!("{page}/{view}/{revision}/{path}").trim_end_matches('/').to_owned()
    }

    /// Returns where relative links in a file of this folder lead.
    pub(super) fn place(&self, folder: &str) -> Place {
        Place::Folder(Folder {
            page: format::page(&self.repo.key),
            revision: format::revision(&self.revision),
            path: folder.to_owned(),
        })
    }
}

/// Handles `/{id}` and `/{id}/tree/{revision}[/{path}]`.
pub(super) fn get(call: &Call, repo: &Repo, revision: Option<&str>, path: &str) -> Reply {
    let heading = format!("{} {}", repo.key.id, if path.is_empty() { "" } else { path });
    let checkout = match Checkout::new(repo, revision.unwrap_or(MAIN)) {
        Ok(checkout) => checkout,
        // A repository without a main branch.
        Err(err) if revision.is_none() && err.status() == StatusCode::NOT_FOUND => {
            let main = html! { (head(call, repo, "files")) p.empty { "This repository has no files yet." } };
            return Ok(layout::page(call, heading.trim(), &main));
        }
        Err(err) => return Err(err),
    };
    let listed = checkout.git.list(checkout.commit, path, false)?;
    let mut listed = listed.ok_or_else(ApiError::page_not_found)?;
    let page = call.query.number("p").unwrap_or_default().min(1_000_000);
    let total = listed.len();
    // Folders first, as people expect them.
    listed.sort_by_key(|listed| !listed.is_folder);
    let entries = listed.into_iter().skip(page * PAGE).take(PAGE);
    let entries = entries.map(|listed| checkout.git.describe(listed));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let has_next = (page + 1) * PAGE < total;
    let main = html! {
        (head(call, repo, "files"))
        @if path.is_empty() { (facts_of(call, &checkout)?) }
        section aria-labelledby="files" {
            h2 id="files" { "Files" @if !path.is_empty() { " in " (crumbs(&checkout, path)) } }
            (revisions(&checkout, path)?)
            (last_commit(&checkout)?)
            (table(&checkout, path, &entries))
            (layout::pager(call, page, has_next))
        }
        (readme(call, &checkout, path)?)
    };
    Ok(layout::page(call, heading.trim(), &main))
}

/// Shows the name of a repository and its pages.
pub(super) fn head(call: &Call, repo: &Repo, current: &str) -> Markup {
    let page = format::page(&repo.key);
    let kind = repo.key.kind;
    let is_current = |name: &str| (name == current).then_some("page");
    html! {
        div.repo {
            p.meta { a href=(format!("/{}", kind.plural())) { (title(kind)) } }
            h1 {
                @if let Some(namespace) = repo.key.id.namespace() {
                    a href=(format!("/{namespace}")) { (namespace) } "/" wbr;
                }
                a href=(page) { (repo.key.id.name()) }
                (badges(&repo.settings))
            }
            nav.tabs aria-label="Pages of the repository" {
                a href=(page) aria-current=[is_current("files")] { "Files" }
                a href=(format!("{page}/commits/{MAIN}")) aria-current=[is_current("commits")] { "Commits" }
                @if repo.settings.has_discussions() {
                    a href=(format!("{page}/discussions")) aria-current=[is_current("discussions")] { "Community" }
                }
            }
            @if call.caller.check_files(repo).is_err() {
                p.notice { "Only users with access can read the files of this repository; its owners grant it." }
            }
        }
    }
}

fn facts_of(call: &Call, checkout: &Checkout<'_>) -> Result<Markup, ApiError> {
    let store = &call.hub.store;
    let facts = if let Some(facts) = store.known_facts(checkout.repo, checkout.commit)? {
        facts
    } else {
        let kind = checkout.repo.key.kind;
        facts(kind, &checkout.git, &store.lfs(), checkout.commit)?.properties
    };
    let names = facts.get("tags").and_then(|tags| tags.as_array());
    let names = names.into_iter().flatten().filter_map(|tag| tag.as_str()).collect::<Vec<_>>();
    let storage = facts.get("usedStorage").and_then(serde_json::Value::as_u64);
    let likes = store.popularity(checkout.repo)?.likes;
    Ok(html! {
        (tags(checkout.repo.key.kind, &names))
        p.meta {
            @if let Some(storage) = storage { span { (size(storage)) } }
            span { (count(likes.unsigned_abs(), "like")) }
            span { "Created " (date(checkout.repo.settings.created_at)) }
        }
    })
}

/// Shows the path of a file or folder, each part with a link.
pub(super) fn crumbs(checkout: &Checkout<'_>, path: &str) -> Markup {
    format::crumbs(checkout.repo.key.id.name(), path, |path| checkout.url("tree", path))
}

fn revisions(checkout: &Checkout<'_>, path: &str) -> Result<Markup, ApiError> {
    let refs = checkout.git.refs(true)?;
    let groups = [
        ("Branches", refs.branches, ""),
        ("Tags", refs.tags, ""),
        ("Pull requests", refs.pull_requests.unwrap_or_default(), "refs/pr/"),
        ("Converted copies", refs.converts, "refs/convert/"),
    ];
    let url = |revision: &str| {
        let (page, path) = (format::page(&checkout.repo.key), format::path(path));
        format!("{page}/tree/{}/{path}", format::revision(revision))
            .trim_end_matches('/')
            .to_owned()
    };
    Ok(html! {
        details.refs {
            summary { "At " strong { (checkout.revision) } }
            @for (label, refs, prefix) in &groups {
                @if !refs.is_empty() {
                    h3 { (label) }
                    ul { @for found in refs.iter().take(MAX_REFS) {
                        li { a href=(url(&format!("{prefix}{}", found.name))) { (found.name) } }
                    } }
                    @if refs.len() > MAX_REFS { p.meta { "and " (refs.len() - MAX_REFS) " more" } }
                }
            }
        }
    })
}

fn last_commit(checkout: &Checkout<'_>) -> Result<Markup, ApiError> {
    let commit = checkout.git.commit_info(checkout.commit)?;
    let id = commit.oid.to_string();
    Ok(html! {
        p.commit {
            bdi { (commit.author) } ": "
            a href=(checkout.url("commits", "")) { bdi { (commit.title) } }
            " " code { (&id[..7]) } " " (date(commit.date))
        }
    })
}

fn table(checkout: &Checkout<'_>, path: &str, entries: &[Entry]) -> Markup {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    html! {
        @if entries.is_empty() {
            p.empty { "This folder is empty." }
        } @else {
            table.files {
                thead { tr { th scope="col" { "Name" } th.size scope="col" { "Size" } } }
                tbody {
                    @if !path.is_empty() {
                        tr { td { a href=(checkout.url("tree", parent)) { "‥" span.hidden { " up" } } } td {} }
                    }
                    @for entry in entries { (row(checkout, entry)) }
                }
            }
        }
    }
}

fn row(checkout: &Checkout<'_>, entry: &Entry) -> Markup {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    html! {
        tr {
            @if matches!(entry.kind, EntryKind::Folder) {
                td { a.folder href=(checkout.url("tree", &entry.path)) { bdi { (name) } "/" } }
                td.size {}
            } @else {
                td {
                    a href=(checkout.url("blob", &entry.path)) { bdi { (name) } }
                    @if matches!(entry.kind, EntryKind::Lfs { .. }) { " " span.badge { "LFS" } }
                }
                td.size {
                    a href=(checkout.url("resolve", &entry.path)) download aria-label=(format!("Download {name}")) {
                        (size(entry.size()))
                    }
                }
            }
        }
    }
}

fn readme(call: &Call, checkout: &Checkout<'_>, folder: &str) -> Result<Markup, ApiError> {
    let path = if folder.is_empty() { README.to_owned() } else { format!("{folder}/{README}") };
    let Some(entry) = checkout.git.entry(checkout.commit, &path)? else { return Ok(html! {}) };
    let EntryKind::File { size: bytes } = entry.kind else { return Ok(html! {}) };
    if call.caller.check_files(checkout.repo).is_err() {
        return Ok(html! {});
    }
    let shown = if bytes > markdown::MAX_TEXT as u64 {
        html! { p.empty { "This README of " (size(bytes)) " is too large to be shown. " a href=(checkout.url("resolve", &path)) { "Download it" } } }
    } else {
        let text = String::from_utf8_lossy(&checkout.git.blob(entry.oid)?).into_owned();
        let html = markdown::html(&text, checkout.place(folder));
        if html.trim().is_empty() {
            html! { p.empty { "This README has no text." } }
        } else {
            sanitized(html)
        }
    };
    Ok(html! {
        section aria-labelledby="readme" {
            h2 id="readme" { "README" }
            div.markdown { (shown) }
        }
    })
}

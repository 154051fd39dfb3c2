//! Pages of buckets: the list, folders and files.

use std::io::Read;

use maud::{Markup, html};
use percent_encoding::utf8_percent_encode;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::find_bucket;
use super::super::response::PATH_SET;
use super::blob::{IMAGES, MAX_IMAGE, MAX_READ, MAX_SHOWN, text};
use super::format::{self, count, date, size};
use super::layout::{self, SearchField};
use super::lists::{PAGE as CARDS, shorten};
use crate::store::{Bucket, BucketEntry, BucketFile, BucketSearch};

/// Maximum number of entries of a folder on one page.
const PAGE: usize = 500;

/// What to show of a bucket; paths are decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum View {
    /// All buckets.
    List,
    /// A folder, `""` for the root.
    Folder { namespace: String, name: String, path: String },
    /// A file.
    File { namespace: String, name: String, path: String },
}

/// Shows a page of buckets.
pub(super) fn get(call: &Call, view: &View) -> Reply {
    match view {
        View::List => list(call),
        View::Folder { namespace, name, path } => {
            folder(call, &find_bucket(call, namespace, name)?, path)
        }
        View::File { namespace, name, path } => {
            file(call, &find_bucket(call, namespace, name)?, path)
        }
    }
}

fn list(call: &Call) -> Reply {
    let searched = call.query.get("search").map(shorten).unwrap_or_default();
    let page = call.query.number("p").unwrap_or_default().min(1_000_000);
    let text = (!searched.is_empty()).then(|| searched.to_owned());
    let mut found = search(call, None, text, page * CARDS, CARDS + 1)?;
    let has_next = found.len() > CARDS;
    found.truncate(CARDS);
    let main = html! {
        h1 { "Buckets" }
        (layout::search(&SearchField { action: "/buckets", value: searched }, "Search buckets"))
        (cards(&found))
        (layout::pager(call, page, has_next))
    };
    Ok(layout::page(call, "Buckets", &main))
}

fn search(
    call: &Call,
    namespace: Option<&str>,
    text: Option<String>,
    skip: usize,
    limit: usize,
) -> Result<Vec<Bucket>, ApiError> {
    let namespace = namespace.map(str::to_owned);
    let search = BucketSearch { namespace, readable: call.caller.namespaces(), text, skip, limit };
    Ok(call.hub.store.buckets().list(&search)?)
}

/// Shows the buckets of a user or an organization, if there are any.
pub(super) fn of_owner(call: &Call, namespace: &str) -> Result<Markup, ApiError> {
    let found = search(call, Some(namespace), None, 0, CARDS)?;
    Ok(html! {
        @if !found.is_empty() {
            section { h2 { a href="/buckets" { "Buckets" } } (cards(&found)) }
        }
    })
}

fn cards(found: &[Bucket]) -> Markup {
    html! {
        @if found.is_empty() {
            p.empty { "There is nothing here yet." }
        } @else {
            ul.cards { @for bucket in found { li {
                a.id href=(url(bucket, "", "")) { (bucket.id()) }
                @if bucket.private { " " span.badge { "private" } }
                p.meta {
                    span { "Updated " (date(bucket.updated_at)) }
                    span { (count(bucket.files.unsigned_abs(), "file")) }
                    span { (size(bucket.size.unsigned_abs())) }
                }
            } } }
        }
    }
}

/// Returns the address of something in a bucket.
fn url(bucket: &Bucket, view: &str, path: &str) -> String {
    let url = format!("/buckets/{}/{view}/{}", bucket.id(), utf8_percent_encode(path, PATH_SET));
    url.trim_end_matches('/').to_owned()
}

fn head(bucket: &Bucket) -> Markup {
    html! {
        div.repo {
            p.meta { a href="/buckets" { "Buckets" } }
            h1 {
                a href=(format!("/{}", bucket.namespace)) { (bucket.namespace) } "/" wbr;
                a href=(url(bucket, "", "")) { (bucket.name) }
                @if bucket.private { " " span.badge { "private" } }
            }
            p.meta {
                span { (count(bucket.files.unsigned_abs(), "file")) }
                span { (size(bucket.size.unsigned_abs())) }
                span { "Created " (date(bucket.created_at)) }
                span { "Updated " (date(bucket.updated_at)) }
            }
        }
    }
}

fn folder(call: &Call, bucket: &Bucket, path: &str) -> Reply {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let from = call.query.get("from").unwrap_or_default();
    let buckets = call.hub.store.buckets();
    let mut entries = buckets.tree(bucket, &prefix, from, false, PAGE + 1)?;
    if entries.is_empty() && !path.is_empty() {
        return Err(ApiError::page_not_found());
    }
    let has_next = entries.len() > PAGE;
    entries.truncate(PAGE);
    let next = entries.last().filter(|_| has_next).map(BucketEntry::following);
    let main = html! {
        (head(bucket))
        section aria-labelledby="files" {
            h2 id="files" { "Files" @if !path.is_empty() { " in " (crumbs(bucket, path)) } }
            (table(bucket, path, &entries))
            @if let Some(next) = next {
                nav.pager aria-label="Pages" {
                    a rel="next" href=(format!("{}?{}", call.raw_path, call.query.with("from", &next))) { "Next →" }
                }
            }
        }
    };
    Ok(layout::page(call, format!("{} {path}", bucket.id()).trim(), &main))
}

fn crumbs(bucket: &Bucket, path: &str) -> Markup {
    format::crumbs(&bucket.name, path, |path| url(bucket, "tree", path))
}

fn table(bucket: &Bucket, path: &str, entries: &[BucketEntry]) -> Markup {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    html! {
        @if entries.is_empty() {
            p.empty { "This bucket has no files yet." }
        } @else {
            table.files {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Uploaded" } th.size scope="col" { "Size" } } }
                tbody {
                    @if !path.is_empty() {
                        tr { td { a href=(url(bucket, "tree", parent)) { "‥" span.hidden { " up" } } } td {} td {} }
                    }
                    @for entry in entries { (row(bucket, entry)) }
                }
            }
        }
    }
}

fn row(bucket: &Bucket, entry: &BucketEntry) -> Markup {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    match entry {
        BucketEntry::Folder(path) => html! {
            tr { td { a.folder href=(url(bucket, "tree", path)) { bdi { (name(path)) } "/" } } td {} td.size {} }
        },
        BucketEntry::File(file) => html! {
            tr {
                td { a href=(url(bucket, "blob", &file.path)) { bdi { (name(&file.path)) } } }
                td { (date(file.uploaded_at)) }
                td.size {
                    a href=(url(bucket, "resolve", &file.path)) download aria-label=(format!("Download {}", name(&file.path))) {
                        (size(file.size))
                    }
                }
            }
        },
    }
}

fn file(call: &Call, bucket: &Bucket, path: &str) -> Reply {
    let found = call.hub.store.buckets().file(bucket, path)?;
    let found = found.ok_or_else(ApiError::page_not_found)?;
    let main = html! {
        (head(bucket))
        section {
            h2 { (crumbs(bucket, path)) }
            p.meta {
                span { (size(found.size)) }
                span { "Xet hash " code.hash { (found.hash) } }
                span { "Uploaded " (date(found.uploaded_at)) }
                span { a href=(url(bucket, "resolve", path)) download { "Download" } }
            }
            (content(call, bucket, &found)?)
        }
    };
    Ok(layout::page(call, &format!("{path} · {}", bucket.id()), &main))
}

fn content(call: &Call, bucket: &Bucket, file: &BucketFile) -> Result<Markup, ApiError> {
    let suffix = file.path.rsplit_once('.').map(|(_, suffix)| suffix.to_lowercase());
    if IMAGES.contains(&suffix.unwrap_or_default().as_str()) && file.size <= MAX_IMAGE {
        let url = url(bucket, "resolve", &file.path);
        return Ok(html! { p { img.shown src=(url) alt=(file.path); } });
    }
    if file.size == 0 {
        return Ok(html! { p.empty { "This file is empty." } });
    }
    if file.size > MAX_READ {
        return Ok(html! { p.empty { "This file is too large to be shown." } });
    }
    let _room = call.hub.intake.room_for_read(file.size);
    let stored = call.hub.store.lfs().find(&file.oid)?.ok_or_else(ApiError::page_not_found)?;
    let mut read = Vec::new();
    stored.reader()?.read_to_end(&mut read)?;
    let Some(text) = text(&read) else {
        return Ok(html! { p.empty { "This file is not text." } });
    };
    let shown = &text[..text.floor_char_boundary(MAX_SHOWN)];
    Ok(html! {
        pre.text tabindex="0" { code { (shown) } }
        @if shown.len() < text.len() {
            p.empty { "Only the first " (size(shown.len() as u64)) " of " (size(file.size)) " are shown." }
        }
    })
}

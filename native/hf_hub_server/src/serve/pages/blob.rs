//! One file: text, Markdown or an image, or a link to download it.

use maud::{Markup, html};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::markdown;
use super::files::{Checkout, crumbs, head};
use super::format::size;
use super::layout::{self, sanitized};
use crate::store::{Entry, EntryKind, Repo};

/// Larger texts are cut off.
pub(super) const MAX_SHOWN: usize = 256 << 10;
/// Larger files are not read.
pub(super) const MAX_READ: u64 = 10 << 20;
/// Larger images are not loaded.
pub(super) const MAX_IMAGE: u64 = 10 << 20;
/// Images that browsers recognize by their content.
pub(super) const IMAGES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "ico"];

/// Handles `/{id}/blob/{revision}/{path}`.
pub(super) fn get(call: &Call, repo: &Repo, revision: &str, path: &str) -> Reply {
    let checkout = Checkout::new(repo, revision)?;
    let entry = checkout.git.entry(checkout.commit, path)?;
    let entry = entry.filter(|entry| !matches!(entry.kind, EntryKind::Folder));
    let entry = entry.ok_or_else(ApiError::page_not_found)?;
    let may_read = call.caller.check_files(repo).is_ok();
    let main = html! {
        (head(call, repo, "files"))
        section {
            h2 { (crumbs(&checkout, path)) }
            p.meta {
                span { (size(entry.size())) }
                @if let EntryKind::Lfs { pointer, .. } = &entry.kind {
                    span { "LFS, SHA-256 " code.hash { (pointer.oid) } }
                }
                @if may_read {
                    span { a href=(checkout.url("resolve", path)) download { "Download" } }
                    span { a href=(checkout.url("raw", path)) { "Raw" } }
                }
            }
            @if may_read { (content(call, &checkout, &entry)?) }
        }
    };
    Ok(layout::page(call, &format!("{path} · {}", repo.key.id), &main))
}

fn content(call: &Call, checkout: &Checkout<'_>, entry: &Entry) -> Result<Markup, ApiError> {
    let suffix = entry.path.rsplit_once('.').map(|(_, suffix)| suffix.to_lowercase());
    let suffix = suffix.as_deref().unwrap_or_default();
    if IMAGES.contains(&suffix) && entry.size() <= MAX_IMAGE {
        let url = checkout.url("resolve", &entry.path);
        return Ok(html! { p { img.shown src=(url) alt=(entry.path); } });
    }
    let EntryKind::File { size: bytes } = entry.kind else {
        return Ok(html! { p.empty { "Large files are not shown here." } });
    };
    if bytes > MAX_READ {
        return Ok(html! { p.empty { "This file is too large to be shown." } });
    }
    let _room = call.hub.intake.room_for_read(bytes);
    let content = checkout.git.blob(entry.oid)?;
    let Some(text) = text(&content) else {
        return Ok(html! { p.empty { "This file is not text." } });
    };
    if text.is_empty() {
        return Ok(html! { p.empty { "This file is empty." } });
    }
    if suffix == "md" && text.len() <= markdown::MAX_TEXT {
        let folder = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let html = markdown::html(text, checkout.place(folder));
        return Ok(html! { div.markdown { (sanitized(html)) } });
    }
    let shown = &text[..text.floor_char_boundary(MAX_SHOWN)];
    Ok(html! {
        pre.text tabindex="0" { code { (shown) } }
        @if shown.len() < text.len() {
            p.empty { "Only the first " (size(shown.len() as u64)) " of " (size(bytes)) " are shown." }
        }
    })
}

/// Returns text; `None` for other content.
pub(super) fn text(content: &[u8]) -> Option<&str> {
    str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

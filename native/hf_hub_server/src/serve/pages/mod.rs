//! Pages for people who open the address of the Hub in a browser: read only, without scripts.
//!
//! They are at the addresses of the Hub's own pages, for requests that accept HTML; all other
//! requests get what they got without pages. A page shows what the API shows to the same caller.

mod blob;
#[cfg(feature = "xet")]
mod buckets;
mod commits;
mod discussions;
mod files;
mod format;
mod layout;
mod lists;
mod login;
mod path;
mod user;

pub(super) use layout::{icon, style};
pub(super) use login::get as login;

use axum::http::header::ACCEPT;
use axum::http::{Method, StatusCode};

use super::call::{Call, Reply};
use super::error::ApiError;
use super::lookup::open;
use super::response;
use crate::store::{Lookup, Repo, RepoKey};

use path::{Page, View};

/// Responds with a page; `None` if the request is not for one.
pub(super) fn get(call: &Call) -> Option<Reply> {
    let is_read = call.method == Method::GET || call.method == Method::HEAD;
    if !is_read || !accepts_html(call) {
        return None;
    }
    let page = path::parse(&call.raw_path)?;
    Some(Ok(show(call, &page).unwrap_or_else(|err| layout::failure(call, &err))))
}

/// Whether the client is a browser that shows a page. Others accept anything, or something else.
fn accepts_html(call: &Call) -> bool {
    let accepted = call.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn show(call: &Call, page: &Page) -> Reply {
    match page {
        Page::Home => lists::home(call),
        Page::List(kind) => lists::get(call, *kind),
        Page::Repo { key, view, around } => repository(call, key, view, around),
        #[cfg(feature = "xet")]
        Page::Bucket(view) if call.hub.options.xet => buckets::get(call, view),
        #[cfg(feature = "xet")]
        Page::Bucket(_) => Err(ApiError::page_not_found()),
        Page::Unknown => Err(ApiError::page_not_found()),
    }
}

fn repository(
    call: &Call,
    key: &RepoKey,
    view: &View,
    (before, after): &(String, String),
) -> Reply {
    let repo = match open(call, key)? {
        Lookup::Found(repo) => repo,
        Lookup::Moved(id) => {
            let location = format!("{before}{id}{after}");
            return Ok(response::redirect(StatusCode::TEMPORARY_REDIRECT, &location));
        }
        // The address of a user looks like that of a model without a namespace.
        Lookup::Missing if before == "/" && after.is_empty() && key.id.namespace().is_none() => {
            return user::get(call, key.id.name());
        }
        Lookup::Missing => return Err(ApiError::page_not_found()),
    };
    if repo.settings.disabled {
        return Err(ApiError::disabled());
    }
    view_of(call, &repo, view)
}

fn view_of(call: &Call, repo: &Repo, view: &View) -> Reply {
    match view {
        View::Files { revision, path } => files::get(call, repo, revision.as_deref(), path),
        View::Blob { revision, path } => blob::get(call, repo, revision, path),
        View::Commits { revision } => commits::get(call, repo, revision),
        View::Discussions => discussions::list(call, repo),
        View::Discussion(num) => discussions::get(call, repo, *num),
    }
}

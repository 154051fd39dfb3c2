//! The front page, and lists of repositories.

use maud::{Markup, html};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::format::{self, date};
use super::layout::{self, SearchField, pager};
use crate::store::{Found, Gate, Order, RepoKind, Search, Settings};

/// Number of cards on a page.
pub(super) const PAGE: usize = 30;
/// Number of repositories of each kind on the front page and on those of users.
const NEWEST: usize = 6;
/// Maximum length of a search.
const MAX_SEARCH: usize = 200;
const MAX_TAGS: usize = 6;

/// Handles `/`.
pub(super) fn home(call: &Call) -> Reply {
    let main = html! {
        h1 { "Local Hub" }
        p.lead { "Models, datasets and Spaces on this machine or network." }
        (newest(call, None)?)
        section {
            h2 { "Use it" }
            p { "Clients of the Hugging Face Hub use this address with " code { "HF_ENDPOINT=" (call.hub.origins.hub(Some(&call.headers))) } "." }
        }
    };
    Ok(layout::page(call, "Models, datasets and Spaces", &main))
}

/// Shows the newest repositories of each kind, of a namespace or of all.
pub(super) fn newest(call: &Call, author: Option<&str>) -> Result<Markup, ApiError> {
    let mut sections = Vec::new();
    for kind in RepoKind::ALL {
        let limit = if author.is_some() { PAGE } else { NEWEST };
        let search = Search {
            author: author.map(str::to_owned),
            order: Order::Modified,
            limit: Some(limit + 1),
            ..Search::new(kind, call.caller.viewer())
        };
        let mut found = call.hub.store.search(&search)?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        sections.push((kind, found, has_more));
    }
    Ok(html! {
        @for (kind, found, has_more) in &sections {
            section {
                h2 { a href=(format!("/{}", kind.plural())) { (title(*kind)) } }
                (cards(found))
                @if *has_more { p { a href=(more(*kind, author)) { "All " (kind.plural()) } } }
            }
        }
    })
}

fn more(kind: RepoKind, author: Option<&str>) -> String {
    match author {
        Some(author) => format!("/{}?author={author}", kind.plural()),
        None => format!("/{}", kind.plural()),
    }
}

/// Handles `/models`, `/datasets` and `/spaces`.
pub(super) fn get(call: &Call, kind: RepoKind) -> Reply {
    let text = |name: &str| call.query.get(name).map(shorten).unwrap_or_default();
    let (searched, author, tag) = (text("search"), text("author"), text("other"));
    let page = call.query.number("p").unwrap_or_default().min(1_000_000);
    let sort = text("sort");
    let search = Search {
        words: searched.split_whitespace().map(str::to_owned).collect(),
        author: (!author.is_empty()).then(|| author.to_owned()),
        tags: call.query.get("other").into_iter().map(|tag| shorten(tag).to_owned()).collect(),
        order: order(sort),
        skip: page * PAGE,
        limit: Some(PAGE + 1),
        ..Search::new(kind, call.caller.viewer())
    };
    let mut found = call.hub.store.search(&search)?;
    let has_next = found.len() > PAGE;
    found.truncate(PAGE);
    let action = format!("/{}", kind.plural());
    let sorted = |by: &str| format!("{action}?{}", call.query.with("sort", by));
    let main = html! {
        h1 { (title(kind)) }
        (layout::search(&SearchField { action: &action, value: searched }, &format!("Search {}", kind.plural())))
        p.sort {
            "Sort by "
            @for (by, label) in [("modified", "last change"), ("created", "creation"), ("id", "name")] {
                @if by == sort || (sort.is_empty() && by == "modified") { strong { (label) } } @else { a href=(sorted(by)) { (label) } }
                " "
            }
        }
        @if !author.is_empty() || !tag.is_empty() {
            p { "Only those"
                @if !author.is_empty() { " of " strong { (author) } }
                @if !tag.is_empty() { " with the tag " strong { (tag) } }
                ". " a href=(action) { "Show all" }
            }
        }
        (cards(&found))
        (pager(call, page, has_next))
    };
    Ok(layout::page(call, title(kind), &main))
}

fn order(sort: &str) -> Order {
    match sort {
        "created" => Order::Created,
        "id" => Order::Id,
        _ => Order::Modified,
    }
}

/// Cuts off a long search.
pub(super) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SEARCH)]
}

/// Returns the heading of a kind.
pub(super) fn title(kind: RepoKind) -> &'static str {
    match kind {
        RepoKind::Model => "Models",
        RepoKind::Dataset => "Datasets",
        RepoKind::Space => "Spaces",
    }
}

fn cards(found: &[Found]) -> Markup {
    html! {
        @if found.is_empty() {
            p.empty { "There is nothing here yet." }
        } @else {
            ul.cards { @for repo in found { li { (card(repo)) } } }
        }
    }
}

fn card(repo: &Found) -> Markup {
    let task = repo.facts.get("pipeline_tag").and_then(|tag| tag.as_str());
    html! {
        a.id href=(format::page(&repo.key)) { (repo.key.id) }
        (badges(&repo.settings))
        p.meta {
            @if let Some(task) = task { span { (task) } }
            span { "Updated " (date(repo.modified_at)) }
            span { (format::size(repo.storage)) }
        }
    }
}

/// Shows who may see a repository.
pub(super) fn badges(settings: &Settings) -> Markup {
    html! {
        @if settings.private { " " span.badge { "private" } }
        @match settings.gated {
            Some(Gate::Auto) => { " " span.badge { "gated" } },
            Some(Gate::Manual) => { " " span.badge { "gated, by approval" } },
            None => {},
        }
    }
}

/// Shows tags, of which long lists are cut.
pub(super) fn tags(kind: RepoKind, tags: &[&str]) -> Markup {
    let url = |tag: &str| {
        let tag = form_urlencoded::byte_serialize(tag.as_bytes()).collect::<String>();
        format!("/{}?other={tag}", kind.plural())
    };
    html! {
        @if !tags.is_empty() {
            ul.tags aria-label="Tags" {
                @for tag in tags.iter().take(4 * MAX_TAGS) { li { a href=(url(tag)) { (tag) } } }
            }
        }
    }
}

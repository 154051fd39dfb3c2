//! The history of a revision.

use maud::html;

use super::super::call::{Call, Reply};
use super::files::{Checkout, head};
use super::format::{self, count, date};
use super::layout::{self, pager};
use crate::store::Repo;

const PAGE: usize = 50;

/// Handles `/{id}/commits/{revision}`.
pub(super) fn get(call: &Call, repo: &Repo, revision: &str) -> Reply {
    let checkout = Checkout::new(repo, revision)?;
    let page = call.query.number("p").unwrap_or_default().min(1_000_000);
    let (total, commits) = checkout.git.history(checkout.commit, page * PAGE, PAGE)?;
    let tree = format::page(&repo.key);
    let main = html! {
        (head(call, repo, "commits"))
        section {
            h2 { "Commits of " bdi { (revision) } }
            p.meta { (count(total as u64, "commit")) }
            @if commits.is_empty() { p.empty { "There are no commits on this page." } }
            ul.list {
                @for commit in &commits {
                    li {
                        a href=(format!("{tree}/tree/{}", commit.oid)) {
                            bdi { @if commit.title.is_empty() { "(no message)" } @else { (commit.title) } }
                        }
                        @if !commit.message.is_empty() { pre.message { (commit.message) } }
                        p.meta {
                            span { bdi { (commit.author) } }
                            span { (date(commit.date)) }
                            span { code { (&commit.oid.to_string()[..7]) } }
                        }
                    }
                }
            }
            (pager(call, page, (page + 1) * PAGE < total))
        }
    };
    Ok(layout::page(call, &format!("Commits of {}", repo.key.id), &main))
}

//! The files of a commit, by the Hub's listing.

use std::{path::Path, time::Duration};

use reqwest::Url;
use serde::Deserialize;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::{Commit, Repo, Revision},
        progress::Progress,
    },
    cache::tree::Tree,
    download::spec::Spec,
    hub::{
        api::{
            Call,
            pages::{Limits, Pages},
        },
        client::{self, Hub},
    },
};

/// Returns the commit that a revision points to on the Hub.
pub(crate) async fn commit_of(
    hub: &Hub,
    repo: &Repo,
    revision: &Revision,
    progress: &Progress,
) -> Result<Commit> {
    #[derive(Deserialize)]
    struct Info {
        sha: String,
    }
    let url = hub.api_url(repo, &format!("revision/{}", client::encode(revision.as_str())));
    let (json, _) = hub.page(&url, progress).await?;
    let unusable = || {
        Error::new(ErrorKind::InvalidResponse, "the Hub's response contains no commit")
            .with_url(&url)
    };
    let info: Info = crate::base::json::parse(&json)
        .map_err(|source| unusable().with_source(source).not_from_the_hub())?;
    Commit::parse(&info.sha).map_err(|_| unusable())
}

/// Returns the listing of a commit if it is cheap: the stored one, or the Hub's first page if it
/// arrives quickly. Used for suggestions, so failures are ignored.
pub(crate) async fn at_hand(hub: &Hub, spec: &Spec, commit: &Commit, file: &Path) -> Option<Tree> {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let kept = file.to_owned();
    if let Some(tree) = blocking::run(move || Tree::read(&kept)).await {
        return Some(tree);
    }
    let hub = Hub { retry: hub.retry.once(), ..hub.clone() };
    let (url, progress) = (url(&hub, &spec.repo, commit), Progress::default());
    let (json, next) = tokio::time::timeout(TIMEOUT, hub.page(&url, &progress)).await.ok()?.ok()?;
    let mut tree = Tree::default();
    tree.add_page(&json).ok()?;
    let whole = next.is_none() && tree.check_collisions().is_ok() && !spec.mode.dry_run;
    Some(if whole { keep(tree, file).await } else { tree })
}

/// Reads the whole listing.
pub(crate) async fn fetch(
    hub: &Hub,
    repo: &Repo,
    commit: &Commit,
    progress: &Progress,
) -> Result<Tree> {
    let first = Call { counted: true, ..Call::get(url(hub, repo, commit)) };
    let (mut tree, mut pages) = (Tree::default(), Pages::new(Limits::STANDARD));
    while let Some(page) = pages.next(hub, &first, progress).await? {
        tree.add_page(&page.body)?;
    }
    tree.check_collisions()?;
    Ok(tree)
}

fn url(hub: &Hub, repo: &Repo, commit: &Commit) -> Url {
    let mut url = hub.api_url(repo, &format!("tree/{}", client::encode(commit.as_str())));
    url.set_query(Some("recursive=true&expand=false"));
    url
}

/// Stores a listing. A failure costs a request later, nothing more.
pub(crate) async fn keep(tree: Tree, file: &Path) -> Tree {
    let file = file.to_owned();
    blocking::run(move || {
        let _ = tree.write(&file);
        tree
    })
    .await
}

//! Parses which page a URL path names.

use percent_encoding::percent_decode_str;

use super::super::target::revision_and_path;
#[cfg(feature = "xet")]
use super::buckets::View as BucketView;
use crate::store::{MAIN, RepoKey, RepoKind};

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The front page.
    Home,
    /// All repositories of a kind.
    List(RepoKind),
    /// A page of buckets.
    #[cfg(feature = "xet")]
    Bucket(BucketView),
    /// A page of a repository.
    Repo {
        /// The repository.
        key: RepoKey,
        /// What to show of it.
        view: View,
        /// The parts of the URL before and after the repository's id.
        around: (String, String),
    },
    /// No page, and not a route of another kind either.
    Unknown,
}

/// What to show of a repository. Revisions and paths are decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum View {
    /// A folder, `""` for the root; at the main branch without a revision.
    Files {
        /// The revision.
        revision: Option<String>,
        /// The folder.
        path: String,
    },
    /// A file.
    Blob {
        /// The revision.
        revision: String,
        /// The file.
        path: String,
    },
    /// The history.
    Commits {
        /// The revision.
        revision: String,
    },
    /// The discussions and pull requests.
    Discussions,
    /// One of them.
    Discussion(u64),
}

/// The first segments of routes that are not pages.
const OTHERS: [&str; 7] = ["api", "oauth", "papers", "splits", "parquet", "_test", "-"];
/// The second or third segments of routes below a repository that are not pages.
const RAW: [&str; 5] = ["resolve", "raw", "info", "git-upload-pack", "git-receive-pack"];
const VIEWS: [&str; 5] = ["tree", "blob", "commits", "commit", "discussions"];

/// Parses the raw path of a URL; `None` for routes that are not pages.
pub(super) fn parse(raw_path: &str) -> Option<Page> {
    let path = raw_path.strip_prefix('/')?;
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    let segments = path.split('/').collect::<Vec<_>>();
    if OTHERS.contains(&segments[0]) || segments.iter().skip(1).take(3).any(|s| RAW.contains(s)) {
        return None;
    }
    let page = match segments.as_slice() {
        [""] => Some(Page::Home),
        [kind] if RepoKind::from_plural(kind).is_some() => {
            RepoKind::from_plural(kind).map(Page::List)
        }
        #[cfg(feature = "xet")]
        ["buckets", rest @ ..] => bucket(rest).map(Page::Bucket),
        ["models", ..] | [] => None,
        [kind, rest @ ..] => match RepoKind::from_plural(kind) {
            Some(kind) => repository(kind, rest),
            None => repository(RepoKind::Model, &segments),
        },
    };
    Some(page.unwrap_or(Page::Unknown))
}

fn repository(kind: RepoKind, segments: &[&str]) -> Option<Page> {
    let is_view = |at: usize| segments.get(at).is_some_and(|segment| VIEWS.contains(segment));
    let split = if is_view(1)
        && segments.len() > 1
        && (!is_view(2) || segments.len() == 3)
        && is_complete(&segments[1..])
    {
        1
    } else {
        segments.len().min(2)
    };
    let (id, rest) = segments.split_at(split);
    let view = view(rest)?;
    let is_plain = |part: &&str| !part.to_ascii_lowercase().contains("%2f");
    let id = id.iter().all(is_plain).then(|| decode(&id.join("/")))??.parse().ok()?;
    let after = rest.iter().fold(String::new(), |after, segment| after + "/" + segment);
    let around = (format!("/{}", kind.url_prefix()), after);
    Some(Page::Repo { key: RepoKey::new(kind, id), view, around })
}

#[cfg(feature = "xet")]
fn bucket(segments: &[&str]) -> Option<BucketView> {
    let (id, rest) = segments.split_at(segments.len().min(2));
    let [namespace, name] = id else { return id.is_empty().then_some(BucketView::List) };
    let (namespace, name) = (decode(namespace)?, decode(name)?);
    let path = |parts: &[&str]| decode(&parts.join("/"));
    match rest {
        [] => Some(BucketView::Folder { namespace, name, path: String::new() }),
        ["tree", parts @ ..] => Some(BucketView::Folder { namespace, name, path: path(parts)? }),
        ["blob", parts @ ..] if !parts.is_empty() => {
            Some(BucketView::File { namespace, name, path: path(parts)? })
        }
        _ => None,
    }
}

/// Whether these segments name a view, and not the second half of an id.
fn is_complete(segments: &[&str]) -> bool {
    segments == ["discussions"] || segments.len() > 1
}

fn view(segments: &[&str]) -> Option<View> {
    match segments {
        [] => Some(View::Files { revision: None, path: String::new() }),
        ["discussions"] => Some(View::Discussions),
        ["discussions", num] => Some(View::Discussion(num.parse().ok()?)),
        ["commits"] => Some(View::Commits { revision: MAIN.to_owned() }),
        [word, rest @ ..] => {
            let (revision, path) = revision_and_path(rest)?;
            let path = path.unwrap_or_default();
            match *word {
                "tree" => Some(View::Files { revision: Some(revision), path }),
                "blob" if !path.is_empty() => Some(View::Blob { revision, path }),
                "commits" if path.is_empty() => Some(View::Commits { revision }),
                "commit" if path.is_empty() => Some(View::Files { revision: Some(revision), path }),
                _ => None,
            }
        }
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(path: &str) -> Option<(String, View)> {
        match parse(path)? {
            Page::Repo { key, view, .. } => Some((key.to_string(), view)),
            _ => None,
        }
    }

    fn files(revision: Option<&str>, path: &str) -> View {
        View::Files { revision: revision.map(str::to_owned), path: path.to_owned() }
    }

    #[test]
    fn parses_pages_of_repositories() {
        for (path, key, view) in [
            ("/a/r", "model a/r", files(None, "")),
            ("/a/r/", "model a/r", files(None, "")),
            ("/gpt2", "model gpt2", files(None, "")),
            ("/gpt2/tree/main", "model gpt2", files(Some("main"), "")),
            ("/a/tree", "model a/tree", files(None, "")),
            ("/a/tree/tree/main", "model a/tree", files(Some("main"), "")),
            (
                "/datasets/a/r/tree/refs%2Fpr%2F1/x%20y/z",
                "dataset a/r",
                files(Some("refs/pr/1"), "x y/z"),
            ),
            ("/spaces/a/r/commit/abc", "space a/r", files(Some("abc"), "")),
            (
                "/a/r/blob/main/tree/x",
                "model a/r",
                View::Blob { revision: "main".into(), path: "tree/x".into() },
            ),
            ("/a/r/commits/v1", "model a/r", View::Commits { revision: "v1".into() }),
            ("/a/r/discussions", "model a/r", View::Discussions),
            ("/gpt2/discussions/3", "model gpt2", View::Discussion(3)),
        ] {
            assert_eq!(repo(path), Some((key.to_owned(), view)), "{path}");
        }
    }

    #[test]
    fn other_routes_are_no_pages() {
        for path in [
            "/api/models",
            "/a/r/resolve/main/x",
            "/gpt2/resolve/main/x",
            "/a/r/info/refs",
            "/a/r.git/info/lfs/objects/batch",
            "/oauth/device",
            "/papers/1",
            "/datasets/a/r/raw/main/x",
            "/-/style.css",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
        for path in [
            "/a/b/c",
            "/a/r/blob/main",
            "/a/r/discussions/x",
            "/a%2Fb",
            "/%ff",
            "/a/..",
            "/models/x",
            "//",
        ] {
            assert_eq!(parse(path), Some(Page::Unknown), "{path}");
        }
        assert_eq!(parse("/"), Some(Page::Home));
        assert_eq!(parse("/buckets/a/b/resolve/x"), None);
        assert_eq!(parse("/datasets"), Some(Page::List(RepoKind::Dataset)));
    }
}

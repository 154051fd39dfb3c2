//! Parses which repository a URL path names, and the requested action.
//!
//! Uses the raw path, because an encoded slash is part of a revision or a file name and not a
//! separator. It does not check whether anything exists.

use percent_encoding::percent_decode_str;

use super::action::Action;
use super::routes::{access_requests, discussions, lfs_files, likes, spaces};
use crate::store::{RepoKey, RepoKind};

/// A repository route, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The repository.
    pub(super) key: RepoKey,
    /// The action.
    pub(super) action: Action,
    /// The parts of the URL before and after the repository's id: with another id in between, the
    /// URL names the same thing in another repository.
    pub(super) around: (String, String),
}

/// The end of a URL that contains what to do without Xet.
pub(super) const XET_HINT: &str = "set-HF_HUB_DISABLE_XET=1";

/// Actions that a further segment distinguishes from the second half of an id. Without one, see
/// [`Target::canonical`].
const ACTIONS: [&str; 15] = [
    "revision",
    "tree",
    "treesize",
    "paths-info",
    "safetensors-metadata",
    "commits",
    "refs",
    "discussions",
    "preupload",
    "commit",
    "branch",
    "tag",
    "super-squash",
    "xet-read-token",
    "xet-write-token",
];

impl Target {
    /// Returns the target without a namespace, if its URL can also be a route of a canonical
    /// repository: `/api/models/gpt2/likers`. A repository that is named like that has precedence.
    pub(super) fn canonical(&self) -> Option<Self> {
        let Action::Info { revision: None } = self.action else { return None };
        let (name, word) = (self.key.id.namespace()?, self.key.id.name());
        let action = plain(self.key.kind, &[word])?;
        target(self.key.kind, &[name], action, self.around.0.clone(), &[word])
    }

    /// Parses the raw path of a URL; `None` if it is not a repository route.
    pub(super) fn parse(raw_path: &str) -> Option<Self> {
        let segments = raw_path.strip_prefix('/')?.split('/').collect::<Vec<_>>();
        match segments.as_slice() {
            [id @ .., "info", "lfs", "objects", action] => lfs(id, action),
            [id @ .., "info", "refs"] if id.first() != Some(&"api") => {
                git(id, Action::GitRefs, "/info/refs")
            }
            [id @ .., "git-upload-pack"] => git(id, Action::GitUploadPack, "/git-upload-pack"),
            [id @ .., "git-receive-pack"] => git(id, Action::GitReceivePack, "/git-receive-pack"),
            [id @ .., "ask-access"] if id.first() != Some(&"api") => ask_access(id),
            ["api", "resolve-cache", kind, rest @ ..] => {
                resolve_cache(RepoKind::from_plural(kind)?, rest)
            }
            ["api", kind, rest @ ..] => api(RepoKind::from_plural(kind)?, rest),
            [kind, rest @ ..] => match RepoKind::from_plural(kind) {
                Some(kind) => resolve(kind, rest),
                None => resolve(RepoKind::Model, &segments),
            },
            [] => None,
        }
    }
}

fn resolve(kind: RepoKind, segments: &[&str]) -> Option<Target> {
    let place = |word| segments.iter().skip(1).take(2).position(|segment| *segment == word);
    let split = place("resolve").or_else(|| place("raw"))? + 1;
    let (id, rest) = (&segments[..split], &segments[split + 1..]);
    let (revision, path) = revision_and_path(rest)?;
    let path = path.filter(|path| !path.is_empty())?;
    let before = format!("/{}", kind.url_prefix());
    let action = match segments[split] {
        "raw" => Action::Raw { revision, path },
        _ => Action::Resolve { revision, path },
    };
    target(kind, id, action, before, &segments[split..])
}

fn lfs(segments: &[&str], action: &str) -> Option<Target> {
    let (kind, id) = typed(segments)?;
    let (name, namespace) = id.split_last()?;
    let id = namespace.iter().copied().chain([name.strip_suffix(".git")?]).collect::<Vec<_>>();
    let after = format!(".git/info/lfs/objects/{action}");
    let action = match action {
        "batch" => Action::LfsBatch,
        "verify" => Action::LfsVerify,
        _ => return None,
    };
    let mut target = target(kind, &id, action, format!("/{}", kind.url_prefix()), &[])?;
    target.around.1 = after;
    Some(target)
}

/// Parses git's own routes; the URL of a clone may end in `.git`.
fn git(segments: &[&str], action: Action, after: &str) -> Option<Target> {
    let (kind, id) = typed(segments)?;
    let (name, namespace) = id.split_last()?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let id = namespace.iter().copied().chain([name]).collect::<Vec<_>>();
    let mut target = target(kind, &id, action, format!("/{}", kind.url_prefix()), &[])?;
    target.around.1 = format!(".git{after}");
    Some(target)
}

/// Parses the route of the form on a gated repository's page.
fn ask_access(segments: &[&str]) -> Option<Target> {
    let (kind, id) = typed(segments)?;
    let action = Action::AccessRequests(access_requests::Route::Ask);
    target(kind, id, action, format!("/{}", kind.url_prefix()), &["ask-access"])
}

fn typed<'a, 'b>(segments: &'a [&'b str]) -> Option<(RepoKind, &'a [&'b str])> {
    match segments {
        [kind, rest @ ..] if RepoKind::from_plural(kind).is_some() => {
            Some((RepoKind::from_plural(kind)?, rest))
        }
        _ => Some((RepoKind::Model, segments)),
    }
}

fn resolve_cache(kind: RepoKind, segments: &[&str]) -> Option<Target> {
    let is_commit =
        |segment: &&str| segment.len() == 40 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    let split = segments.iter().skip(1).take(2).position(is_commit)? + 1;
    let (revision, path) = revision_and_path(&segments[split..])?;
    let action = Action::ResolveCache { revision, path: path.filter(|path| !path.is_empty())? };
    target(
        kind,
        &segments[..split],
        action,
        format!("/api/resolve-cache/{}/", kind.plural()),
        &segments[split..],
    )
}

fn api(kind: RepoKind, segments: &[&str]) -> Option<Target> {
    let is_action =
        |index: usize| segments.get(index).is_some_and(|segment| ACTIONS.contains(segment));
    // `gpt2/tree/…` is the tree of the canonical gpt2, not a repository named tree.
    let is_canonical = is_action(1) && segments.len() > 2;
    let split = if is_canonical { 1 } else { segments.len().min(2) };
    let rest = &segments[split..];
    let action = match rest {
        [] => Action::Info { revision: None },
        [name, after @ ..] => match plain(kind, rest) {
            Some(action) => action,
            None => with_revision(name, after)?,
        },
    };
    target(kind, &segments[..split], action, format!("/api/{}/", kind.plural()), rest)
}

/// Parses a route without a revision.
fn plain(kind: RepoKind, segments: &[&str]) -> Option<Action> {
    let of_space = spaces::Route::parse(segments).filter(|_| kind == RepoKind::Space);
    match segments {
        _ if of_space.is_some() => of_space.map(Action::Space),
        ["refs"] => Some(Action::Refs),
        ["auth-check"] => Some(Action::AuthCheck { write: false }),
        ["auth-check", "write"] => Some(Action::AuthCheck { write: true }),
        ["settings"] => Some(Action::Settings),
        ["duplicate"] => Some(Action::Duplicate),
        ["lfs-files", "duplicate"] => Some(Action::DuplicateLfs),
        ["lfs-files", ..] => lfs_files::Route::parse(segments).map(Action::LfsFiles),
        ["discussions", ..] => discussions::Route::parse(segments).map(Action::Discussions),
        ["user-access-request", ..] => {
            access_requests::Route::parse(segments).map(Action::AccessRequests)
        }
        _ => likes::Route::parse(segments).map(Action::Likes),
    }
}

fn with_revision(name: &str, rest: &[&str]) -> Option<Action> {
    let whole = || decode(&rest.join("/")).filter(|name| !name.is_empty());
    match name {
        "branch" => return Some(Action::Branch { name: whole()? }),
        "tag" => return Some(Action::Tag { name: whole()? }),
        "super-squash" => return Some(Action::SuperSquash { branch: whole()? }),
        "safetensors-metadata" => return Some(Action::SafetensorsMetadata { path: whole()? }),
        _ => {}
    }
    let (revision, path) = revision_and_path(rest)?;
    let folder = path.clone().unwrap_or_default().trim_end_matches('/').to_owned();
    match (name, path) {
        ("tree", _) => Some(Action::Tree { revision, path: folder }),
        ("treesize", _) => Some(Action::TreeSize { revision, path: folder }),
        ("revision", None) => Some(Action::Info { revision: Some(revision) }),
        ("paths-info", None) => Some(Action::PathsInfo { revision }),
        ("commits", None) => Some(Action::Commits { revision }),
        ("preupload", None) => Some(Action::Preupload { revision }),
        ("commit", None) => Some(Action::Commit { revision }),
        ("xet-read-token" | "xet-write-token", hint)
            if hint.as_deref().is_none_or(|hint| hint == XET_HINT) =>
        {
            let (write, with_hint) = (name == "xet-write-token", hint.is_some());
            Some(Action::XetToken { write, revision, with_hint })
        }
        _ => None,
    }
}

/// Splits what follows the action. The slashes of `refs/pr/1` may be encoded or not.
pub(super) fn revision_and_path(segments: &[&str]) -> Option<(String, Option<String>)> {
    let length = match segments {
        ["refs", "pr" | "convert", _, ..] => 3,
        [_, ..] => 1,
        [] => return None,
    };
    let (revision, path) = segments.split_at(length);
    let path = (!path.is_empty()).then(|| decode(&path.join("/")));
    let path = match path {
        Some(path) => Some(path?),
        None => None,
    };
    Some((decode(&revision.join("/"))?, path))
}

fn target(
    kind: RepoKind,
    id: &[&str],
    action: Action,
    before: String,
    after: &[&str],
) -> Option<Target> {
    // An encoded slash does not separate an owner from a name.
    let is_plain = |part: &&str| !part.to_ascii_lowercase().contains("%2f");
    let id = id.iter().all(is_plain).then(|| decode(&id.join("/")))??.parse().ok()?;
    let after = if after.is_empty() { String::new() } else { format!("/{}", after.join("/")) };
    Some(Target { key: RepoKey::new(kind, id), action, around: (before, after) })
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<(String, Action)> {
        Target::parse(path).map(|target| (target.key.to_string(), target.action))
    }

    fn resolve(revision: &str, path: &str) -> Action {
        Action::Resolve { revision: revision.into(), path: path.into() }
    }

    #[test]
    fn parses_file_routes() {
        let main = || resolve("main", "a.txt");
        for (path, key, action) in [
            ("/acme/r/resolve/main/a.txt", "model acme/r", main()),
            ("/gpt2/resolve/main/a.txt", "model gpt2", main()),
            ("/datasets/acme/r/resolve/main/a.txt", "dataset acme/r", main()),
            ("/spaces/acme/r/resolve/main/a.txt", "space acme/r", main()),
            ("/a/r/resolve/refs%2Fpr%2F1/d/a%20b", "model a/r", resolve("refs/pr/1", "d/a b")),
            ("/a/r/resolve/refs/pr/1/a", "model a/r", resolve("refs/pr/1", "a")),
            (
                "/a/r/resolve/feature%2Fx/..%2f..%2Fetc",
                "model a/r",
                resolve("feature/x", "../../etc"),
            ),
            (
                "/a/r/raw/main/resolve/x",
                "model a/r",
                Action::Raw { revision: "main".into(), path: "resolve/x".into() },
            ),
            ("/a/raw/resolve/main/a.txt", "model a/raw", main()),
            ("/a/r/resolve/main/resolve/main/x", "model a/r", resolve("main", "resolve/main/x")),
        ] {
            assert_eq!(parse(path), Some((key.to_owned(), action)), "{path}");
        }
    }

    #[test]
    fn parses_api_routes() {
        let tree = |path: &str| Action::Tree { revision: "main".into(), path: path.into() };
        let headers = |path: &str| Action::SafetensorsMetadata { path: path.into() };
        for (path, key, action) in [
            ("/api/models/acme/r", "model acme/r", Action::Info { revision: None }),
            ("/api/models/gpt2", "model gpt2", Action::Info { revision: None }),
            (
                "/api/datasets/a/r/revision/v1",
                "dataset a/r",
                Action::Info { revision: Some("v1".into()) },
            ),
            ("/api/models/gpt2/tree/main", "model gpt2", tree("")),
            ("/api/models/a/r/tree/main/sub%2Fdir", "model a/r", tree("sub/dir")),
            ("/api/models/a/r/tree/main/sub/dir/", "model a/r", tree("sub/dir")),
            ("/api/spaces/a/r/refs", "space a/r", Action::Refs),
            (
                "/api/models/gpt2/discussions/3",
                "model gpt2",
                Action::Discussions(discussions::Route::of(3)),
            ),
            ("/api/models/gpt2/safetensors-metadata/a/x.json", "model gpt2", headers("a/x.json")),
            (
                "/api/models/a/r/commits/main",
                "model a/r",
                Action::Commits { revision: "main".into() },
            ),
        ] {
            assert_eq!(parse(path), Some((key.to_owned(), action)), "{path}");
        }
    }

    #[test]
    fn parses_routes_that_write() {
        let name = |name: &str| name.to_owned();
        for (path, key, action) in [
            ("/api/models/a/r/commit/main", "model a/r", Action::Commit { revision: name("main") }),
            (
                "/api/models/a/r/commit/refs%2Fpr%2F1",
                "model a/r",
                Action::Commit { revision: name("refs/pr/1") },
            ),
            (
                "/api/spaces/a/r/preupload/main",
                "space a/r",
                Action::Preupload { revision: name("main") },
            ),
            ("/api/models/a/r/branch/x%2Fy", "model a/r", Action::Branch { name: name("x/y") }),
            ("/api/models/a/r/branch/x/y", "model a/r", Action::Branch { name: name("x/y") }),
            ("/api/models/a/r/tag/v1", "model a/r", Action::Tag { name: name("v1") }),
            ("/api/models/a/settings/settings", "model a/settings", Action::Settings),
            ("/api/models/a/settings", "model a/settings", Action::Info { revision: None }),
            ("/api/models/a/r/lfs-files/duplicate", "model a/r", Action::DuplicateLfs),
            (
                "/api/models/a/r/xet-write-token/main",
                "model a/r",
                Action::XetToken { write: true, revision: name("main"), with_hint: false },
            ),
            ("/a/r.git/info/lfs/objects/batch", "model a/r", Action::LfsBatch),
            ("/datasets/a/r.git/info/lfs/objects/verify", "dataset a/r", Action::LfsVerify),
        ] {
            assert_eq!(parse(path), Some((key.to_owned(), action)), "{path}");
        }
        let target = Target::parse("/datasets/a/r.git/info/lfs/objects/batch").unwrap();
        assert_eq!(target.around, ("/datasets/".into(), ".git/info/lfs/objects/batch".into()));
    }

    #[test]
    fn parses_git_routes() {
        for (path, key, action) in [
            ("/a/r/info/refs", "model a/r", Action::GitRefs),
            ("/datasets/a/r.git/info/refs", "dataset a/r", Action::GitRefs),
            ("/a/r.git/git-upload-pack", "model a/r", Action::GitUploadPack),
            ("/spaces/a/r/git-receive-pack", "space a/r", Action::GitReceivePack),
            ("/api/models/a/info/refs", "model a/info", Action::Refs),
        ] {
            assert_eq!(parse(path), Some((key.to_owned(), action)), "{path}");
        }
        let target = Target::parse("/datasets/a/old/info/refs").unwrap();
        assert_eq!(target.around, ("/datasets/".into(), ".git/info/refs".into()));
    }

    #[test]
    fn rejects_all_other_paths() {
        for path in [
            "",
            "/",
            "//",
            "/a",
            "/a/b/c",
            "/a/b/resolve/main",
            "/a/b/resolve/main/",
            "/api",
            "/api/models",
            "/api/kernels/a/b",
            "/api/models/a%2Fb",
            "/api/models/a/b/c",
            "/api/models/a/../tree/main",
            "/api/models/..%2f../x/tree/main",
            "/%ff/b/resolve/main/x",
            "/a/b/resolve/main/%ff",
            "/a/b/resolve/%ff/x",
            "/kernels/a/b/resolve/main/x",
            "/api/models/a/b/branch/",
            "/a/r/info/lfs/objects/batch",
            "/a/r.git/info/lfs/objects/x",
            "/.git/info/lfs/objects/batch",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn can_name_the_same_action_in_another_repository() {
        let target = Target::parse("/api/models/a/old/tree/main/sub%2Fdir").unwrap();
        assert_eq!(target.around, ("/api/models/".into(), "/tree/main/sub%2Fdir".into()));
        let target = Target::parse("/datasets/a/old/resolve/main/x").unwrap();
        assert_eq!(target.around, ("/datasets/".into(), "/resolve/main/x".into()));
    }

    #[test]
    fn a_route_of_a_canonical_repository_looks_like_the_id_of_another() {
        for word in ["likers", "refs", "discussions"] {
            let target = Target::parse(&format!("/api/models/gpt2/{word}")).unwrap();
            assert_eq!(target.canonical().unwrap().key.to_string(), "model gpt2");
        }
        let target = Target::parse("/api/models/gpt2/likers").unwrap();
        assert_eq!(target.key.to_string(), "model gpt2/likers");
        let canonical = target.canonical().unwrap();
        let expected = Target {
            key: RepoKey::new(RepoKind::Model, "gpt2".parse().unwrap()),
            action: Action::Likes(likes::Route::Likers),
            around: ("/api/models/".into(), "/likers".into()),
        };
        assert_eq!(canonical, expected);
        for other in ["/api/models/acme/r", "/api/models/acme/r/likers", "/api/models/gpt2"] {
            assert_eq!(Target::parse(other).unwrap().canonical(), None, "{other}");
        }
    }
}

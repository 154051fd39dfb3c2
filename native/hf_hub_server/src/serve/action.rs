//! What a request wants of a repository. A noun with several routes has an enum of its own.

use axum::http::Method;

use super::routes::{access_requests, discussions, lfs_files, likes, spaces};

/// The requested action. Paths and revisions are decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A file.
    Resolve {
        /// The revision.
        revision: String,
        /// The file.
        path: String,
    },
    /// A file as stored in git: for a large file, its pointer.
    Raw {
        /// The revision.
        revision: String,
        /// The file.
        path: String,
    },
    /// A file at a commit, after the redirect.
    ResolveCache {
        /// The commit.
        revision: String,
        /// The file.
        path: String,
    },
    /// Information about the repository; at `main` without a revision.
    Info {
        /// The revision.
        revision: Option<String>,
    },
    /// A folder.
    Tree {
        /// The revision.
        revision: String,
        /// The folder, `""` for the root.
        path: String,
    },
    /// The size of a folder.
    TreeSize {
        /// The revision.
        revision: String,
        /// The folder, `""` for the root.
        path: String,
    },
    /// Given files and folders.
    PathsInfo {
        /// The revision.
        revision: String,
    },
    /// The headers of a model's safetensors files.
    SafetensorsMetadata {
        /// The index that lists the files.
        path: String,
    },
    /// The history.
    Commits {
        /// The revision.
        revision: String,
    },
    /// Branches and tags.
    Refs,
    /// Whether the caller may read the files, or write.
    AuthCheck {
        /// Whether to check for write access.
        write: bool,
    },
    /// How to upload files.
    Preupload {
        /// The revision.
        revision: String,
    },
    /// A new commit.
    Commit {
        /// The branch or pull request.
        revision: String,
    },
    /// A branch to create or delete.
    Branch {
        /// Its name.
        name: String,
    },
    /// A tag to create or delete.
    Tag {
        /// When creating, the revision; when deleting, the tag.
        name: String,
    },
    /// Replaces a history by a single commit.
    SuperSquash {
        /// The branch.
        branch: String,
    },
    /// Changes settings.
    Settings,
    /// A copy under another name.
    Duplicate,
    /// Allows another repository to reference large files.
    DuplicateLfs,
    /// Where to upload large files.
    LfsBatch,
    /// Whether a large file has arrived.
    LfsVerify,
    /// The first request of `git clone` and `git fetch`.
    GitRefs,
    /// The objects for them.
    GitUploadPack,
    /// The request of `git push`.
    GitReceivePack,
    /// A token for Xet storage.
    XetToken {
        /// Whether to write.
        write: bool,
        /// The revision.
        revision: String,
        /// Whether the URL contains the hint for servers without Xet storage.
        with_hint: bool,
    },
    /// Likes.
    Likes(likes::Route),
    /// The large files that were ever uploaded.
    LfsFiles(lfs_files::Route),
    /// Discussions and pull requests.
    Discussions(discussions::Route),
    /// What only Spaces have.
    Space(spaces::Route),
    /// Access to a gated repository.
    AccessRequests(access_requests::Route),
}

impl Action {
    /// Whether the route supports the method.
    pub(super) fn allows(&self, method: &Method) -> bool {
        match self {
            Self::PathsInfo { .. }
            | Self::Preupload { .. }
            | Self::Commit { .. }
            | Self::SuperSquash { .. }
            | Self::Duplicate
            | Self::DuplicateLfs
            | Self::LfsBatch
            | Self::LfsVerify
            | Self::GitUploadPack
            | Self::GitReceivePack => method == Method::POST,
            Self::Branch { .. } | Self::Tag { .. } => {
                method == Method::POST || method == Method::DELETE
            }
            Self::Settings => method == Method::PUT,
            Self::Likes(route) => route.allows(method),
            Self::LfsFiles(route) => route.allows(method),
            Self::Discussions(route) => route.allows(method),
            Self::Space(route) => route.allows(method),
            Self::AccessRequests(route) => route.allows(method),
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

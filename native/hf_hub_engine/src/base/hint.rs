//! What a caller can do about an error, as data: the engine does not know how its callers name
//! functions and options, so they write the sentence.

use serde::Serialize;

/// A hint that an error carries in addition to its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "hint", rename_all = "snake_case")]
pub enum Hint {
    /// Choose another folder: this one is not writable.
    AnotherFolder,
    /// Free disk space, or choose another folder.
    FreeSpace,
    /// Name another cache: this one does not exist.
    AnotherCache,
    /// Adopt files that `hf_hub` 0.3 has stored.
    Adopt,
    /// Name this folder as the cache.
    UseCacheBelow {
        /// The folder.
        path: String,
    },
    /// Prune the cache.
    Prune,
    /// Remove corrupt files from the cache.
    Repair,
    /// Allow existing files to be replaced.
    Overwrite,
    /// Copy files instead of sharing disk blocks.
    CopyInstead,
    /// Create a token on this page, and sign in.
    CreateToken {
        /// The page for tokens.
        tokens: String,
    },
    /// Accept the terms of a gated repository, create a token, and sign in.
    AcceptTerms {
        /// The repository's page.
        page: String,
        /// The page for tokens.
        tokens: String,
    },
    /// Most ids have a namespace, and this one has none.
    Namespace,
    /// Check name and type of the repository.
    CheckName,
    /// Check the name of the bucket.
    CheckBucket,
    /// Check whether the token has access to the repository.
    CheckAccess {
        /// The repository's page.
        page: String,
        /// The page for tokens.
        tokens: String,
    },
    /// Sign in if the repository is private.
    SignIn {
        /// The repository's page.
        page: String,
    },
    /// Check the endpoint.
    CheckEndpoint,
    /// Open a pull request instead of committing to the branch.
    PullRequest,
    /// Use a token with write permission, or open a pull request.
    WritePermission {
        /// The repository.
        repo: String,
    },
    /// Create the repository first.
    CreateRepo,
    /// Create the bucket first.
    CreateBucket,
    /// Allow Xet: there is no other way to upload files to a bucket.
    AllowXet,
    /// Commit again on top of the current head.
    ParentCommit {
        /// The branch.
        revision: String,
    },
    /// Open the draft of a pull request before it is merged.
    OpenDraft,
    /// Open a closed discussion or pull request again.
    Reopen,
    /// Open another pull request: this one is merged.
    AnotherPullRequest,
    /// Commit the merged contents of the files with conflicts.
    SolveConflicts {
        /// The ref of the pull request.
        revision: String,
    },
    /// Allow discussions in the settings of the repository.
    EnableDiscussions,
    /// See which discussions exist.
    ListDiscussions,
    /// Mark the path as a folder.
    DeleteFolder,
    /// Upload the folder again, to this revision if there is one.
    UploadAgain {
        /// The ref of the pull request, if one was opened.
        revision: Option<String>,
    },
    /// Use this repository type.
    RepoType {
        /// The type's name.
        repo_type: &'static str,
    },
    /// See which setting is in effect.
    ExplainConfig,
    /// Configure the authority's certificate.
    CaFile,
    /// Check the expected checksum.
    ExpectedSha256,
    /// Turn off offline mode.
    GoOnline,
    /// Only local files are allowed.
    LocalFilesOnly,
    /// Request fewer entries.
    ShortenList,
    /// Rename the file, or exclude it.
    ExcludeFile,
    /// Exclude files by these patterns.
    SkipFiles {
        /// The patterns.
        patterns: Vec<String>,
    },
    /// Raise the maximum number of entries of an archive.
    MaxEntries,
    /// Raise the maximum size of an archive's contents.
    MaxSize,
    /// Correct the list of origins that may receive the token over plain http.
    HttpOrigins,
    /// Use https, or allow this origin to receive the token over plain http.
    AllowHttpToken {
        /// The origin.
        origin: String,
    },
}

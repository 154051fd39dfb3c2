//! What the Hub knows about a repository besides its git history.
//!
//! Kept as JSON beside the bare repository. A file that says only `moved_to` is the forwarding address a
//! rename leaves behind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::repo_id::RepoKey;

/// The settings file of one repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The database id clients see as `_id`: 24 hex digits.
    #[serde(rename = "_id")]
    pub(crate) object_id: String,
    /// When the repository was created.
    pub(crate) created_at: Timestamp,
    /// Visible to its owner and the members of its organisation only.
    #[serde(default)]
    pub(crate) private: bool,
    /// Whether files need granted access, and who grants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gated: Option<Gate>,
    /// Closed by the administrator.
    #[serde(default)]
    pub(crate) disabled: bool,
    /// Users who may read the files of a gated repository.
    #[serde(default)]
    pub(crate) granted: Vec<String>,
    /// What became of the requests of other users for access.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) requests: BTreeMap<String, AccessRequest>,
    /// The pull requests opened so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pull_requests: Vec<PullRequest>,
    /// Settings that change nothing here but are kept for those who set them, by their names in the API.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) more: Map<String, Value>,
}

/// What is known about a pull request besides its ref.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PullRequest {
    /// Its number.
    pub(crate) num: u64,
    /// What it is called.
    pub(crate) title: String,
    /// The user who opened it.
    pub(crate) author: String,
    /// When.
    pub(crate) created_at: Timestamp,
}

/// A request for access to a gated repository that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessRequest {
    /// Nobody has decided.
    Pending,
    /// The owner does not want it.
    Rejected,
}

/// Who grants access to a gated repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gate {
    /// Everybody who asks is let in.
    Auto,
    /// The owner decides.
    Manual,
}

/// What lies beside the place of a bare repository.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Card {
    /// The repository was renamed.
    Moved {
        /// Its new id.
        moved_to: String,
    },
    /// The repository is here.
    Here(Settings),
}

impl Settings {
    /// Lets a user read the files of a gated repository.
    pub(crate) fn grant(&mut self, user: String) {
        self.requests.remove(&user);
        if !self.granted.contains(&user) {
            self.granted.push(user);
        }
    }

    /// Notes what became of a user's request, who thus has no access.
    pub(crate) fn note(&mut self, user: String, request: AccessRequest) {
        self.granted.retain(|granted| *granted != user);
        self.requests.insert(user, request);
    }

    /// The settings of a repository created now.
    pub(crate) fn new(key: &RepoKey) -> Self {
        use sha2::{Digest, Sha256};

        let created_at = Timestamp::now();
        let digest = Sha256::digest(format!("{key} {created_at}"));
        Self {
            object_id: hex::encode(&digest[..12]),
            created_at,
            private: false,
            gated: None,
            disabled: false,
            granted: Vec::new(),
            requests: BTreeMap::new(),
            pull_requests: Vec::new(),
            more: Map::new(),
        }
    }
}

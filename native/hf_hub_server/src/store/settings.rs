//! What the Hub stores about a repository besides its git history.
//!
//! Stored as JSON beside the bare repository. A file with only `moved_to` is the redirect that a
//! rename leaves behind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::repo_id::RepoKey;

/// The settings file of one repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The database id that clients see as `_id`: 24 hex digits.
    #[serde(rename = "_id")]
    pub(crate) object_id: String,
    /// When the repository was created.
    pub(crate) created_at: Timestamp,
    /// Whether it is visible only to its owner and the members of its organisation.
    #[serde(default)]
    pub(crate) private: bool,
    /// Whether files require access, and who grants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gated: Option<Gate>,
    /// Whether the administrator has disabled it.
    #[serde(default)]
    pub(crate) disabled: bool,
    /// Users who may read the files of a gated repository.
    #[serde(default)]
    pub(crate) granted: Vec<String>,
    /// The access requests of other users.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) requests: BTreeMap<String, AccessRequest>,
    /// The pull requests opened so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pull_requests: Vec<PullRequest>,
    /// Settings without an effect, stored by their names in the API.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) more: Map<String, Value>,
}

/// Data of a pull request besides its ref.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PullRequest {
    /// Its number.
    pub(crate) num: u64,
    /// Its title.
    pub(crate) title: String,
    /// The user who opened it.
    pub(crate) author: String,
    /// When it was opened.
    pub(crate) created_at: Timestamp,
}

/// An access request that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessRequest {
    /// No decision yet.
    Pending,
    /// The owner has rejected it.
    Rejected,
}

/// Who grants access to a gated repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gate {
    /// Every request is granted.
    Auto,
    /// The owner decides.
    Manual,
}

/// The file beside the bare repository.
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
    /// Allows a user to read the files of a gated repository.
    pub(crate) fn grant(&mut self, user: String) {
        self.requests.remove(&user);
        if !self.granted.contains(&user) {
            self.granted.push(user);
        }
    }

    /// Records the access request of a user, who then has no access.
    pub(crate) fn note(&mut self, user: String, request: AccessRequest) {
        self.granted.retain(|granted| *granted != user);
        self.requests.insert(user, request);
    }

    /// Returns the settings of a new repository.
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

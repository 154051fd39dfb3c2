//! What the contents of Xet storage belong to: a repository or a bucket.

use anyhow::Result;

use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::limits;
use crate::store::{Bucket, Pointer, Repo, Stored};

/// The owner of contents.
pub(super) enum Holder {
    Repo(Box<Repo>),
    Bucket(Bucket),
}

impl Holder {
    /// Whether content belongs to it.
    pub(super) fn holds(&self, hub: &Hub, oid: &str) -> Result<bool> {
        match self {
            Self::Repo(repo) => repo.holds(&hub.store.lfs(), oid),
            Self::Bucket(bucket) => hub.store.buckets().holds(bucket, oid),
        }
    }

    /// Records that content belongs to it; returns whether the content is stored as it is, without
    /// Xet.
    pub(super) fn hold(&self, hub: &Hub, oid: &str) -> Result<bool> {
        let lfs = hub.store.lfs();
        let is_file = matches!(lfs.find(oid)?, Some(Stored::File(..)));
        match self {
            Self::Repo(repo) if is_file => repo.hold(&lfs, oid)?,
            Self::Repo(repo) => repo.hold_early(oid)?,
            // Its files name the content by the Xet hash, so it has to be there, too.
            Self::Bucket(bucket) => {
                hub.store.buckets().hold(bucket, oid)?;
                return Ok(false);
            }
        }
        Ok(is_file)
    }

    /// Rejects an upload that exceeds what its owner may store in private.
    pub(super) fn check_storage(&self, hub: &Hub, wanted: &[Pointer]) -> Result<(), ApiError> {
        match self {
            Self::Repo(repo) => limits::check_storage(hub, repo, wanted),
            Self::Bucket(Bucket { private, namespace, .. }) => {
                let holds = |oid: &str| self.holds(hub, oid);
                limits::check_private(hub, *private, Some(namespace), wanted, holds)
            }
        }
    }
}

//! Storage limits: those of a plan on the Hub, set on the command line here.

use super::super::error::ApiError;
use super::super::hub::Hub;
use crate::store::{Pointer, Repo};

/// Rejects an upload that exceeds what its owner may store in private repositories.
pub(super) fn check_storage(hub: &Hub, repo: &Repo, wanted: &[Pointer]) -> Result<(), ApiError> {
    let lfs = hub.store.lfs();
    let holds = |oid: &str| repo.holds(&lfs, oid);
    check_private(hub, repo.settings.private, repo.key.id.namespace(), wanted, holds)
}

/// Same as [`check_storage`], for what has contents: `holds` is whether it has one already.
pub(super) fn check_private(
    hub: &Hub,
    is_private: bool,
    namespace: Option<&str>,
    wanted: &[Pointer],
    holds: impl Fn(&str) -> anyhow::Result<bool>,
) -> Result<(), ApiError> {
    let Some(quota) = hub.options.private_quota.filter(|_| is_private) else {
        return Ok(());
    };
    let mut needed = hub.store.private_storage(namespace)?;
    for Pointer { oid, size } in wanted {
        if !(crate::store::is_oid(oid) && holds(oid)?) {
            needed = needed.saturating_add(*size);
        }
    }
    if needed > quota {
        return Err(ApiError::forbidden(
            "Private repository storage limit reached, please upgrade your plan to increase your private storage \
             limit.",
        ));
    }
    Ok(())
}

/// Returns the error for a file that exceeds the maximum size.
pub(super) fn too_large(hub: &Hub, object: &Pointer) -> Option<String> {
    let most = hub.options.max_file_size;
    (object.size > most).then(|| {
        format!(
            "This file of {} bytes is larger than the {most} bytes a file may have",
            object.size
        )
    })
}

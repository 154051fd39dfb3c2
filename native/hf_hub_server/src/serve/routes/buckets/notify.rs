//! What happens to buckets, as webhooks report it.

use serde_json::{Map, Value, json};

use super::super::super::call::Call;
use crate::console::complain;
use crate::store::{Bucket, Domain, User, Webhook, object_id};

/// A change of a bucket: its scope and action, and further entries of the payload.
pub(super) enum Change<'a> {
    Created,
    Deleted,
    /// To this bucket.
    Moved(&'a Bucket),
    Settings,
    Files,
}

/// Notifies the webhooks that watch a bucket. The change is made already, so a failure is reported on
/// standard error only.
pub(super) fn notify(call: &Call, bucket: &Bucket, change: &Change<'_>) {
    if let Err(err) = try_notify(call, bucket, change) {
        complain(&err.context("cannot notify webhooks"));
    }
}

fn try_notify(call: &Call, bucket: &Bucket, change: &Change<'_>) -> anyhow::Result<()> {
    let webhooks = call.hub.store.webhooks();
    let mut watching = webhooks.watching_bucket(bucket, Domain::Repo)?;
    watching.retain(|(_, owner): &(Webhook, User)| {
        !bucket.private || owner.belongs_to(&bucket.namespace)
    });
    let (scope, action) = match change {
        Change::Created => ("repo", "create"),
        Change::Deleted => ("repo", "delete"),
        Change::Moved(_) => ("repo", "move"),
        Change::Settings => ("repo.config", "update"),
        Change::Files => ("repo.content", "update"),
    };
    let payload = payload(call, bucket, change, &json!({ "action": action, "scope": scope }));
    call.send_to(&watching, bucket, &format!("{scope}:{action}"), &payload)?;
    match change {
        Change::Moved(new) => webhooks.follow_bucket(bucket, new),
        _ => Ok(()),
    }
}

fn payload(call: &Call, bucket: &Bucket, change: &Change<'_>, event: &Value) -> Map<String, Value> {
    // Not the host of this request: a client that causes an event would choose it.
    let base = call.hub.origins.hub(None);
    let (id, owner) = (bucket.id(), json!({ "id": object_id(&bucket.namespace) }));
    let repo = json!({
        "type": "bucket",
        "name": id,
        "id": bucket.object_id,
        "private": bucket.private,
        "url": { "web": format!("{base}/buckets/{id}"), "api": format!("{base}/api/buckets/{id}") },
        "owner": owner,
    });
    let mut payload = Map::from_iter([("event".into(), event.clone()), ("repo".into(), repo)]);
    match change {
        Change::Moved(new) => {
            let owner = json!({ "id": object_id(&new.namespace) });
            payload.insert("movedTo".into(), json!({ "name": new.id(), "owner": owner }));
        }
        Change::Settings => {
            payload.insert("updatedConfig".into(), json!({ "private": bucket.private }));
        }
        _ => {}
    }
    payload
}

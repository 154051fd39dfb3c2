//! `webhook`: shows webhooks and what was sent to them.

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{RootArg, print};
use crate::store::{Store, Webhook};

/// The commands for webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the webhooks of all users, one JSON object a line
    List {
        #[command(flatten)]
        root: RootArg,
    },
    /// List what waits for a webhook and what was sent to it, newest first, one JSON object a line
    Log {
        /// Id of the webhook
        id: String,
        #[command(flatten)]
        root: RootArg,
    },
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::List { root } => {
            let webhooks = root.open()?.webhooks().list(None)?;
            webhooks.iter().try_for_each(|webhook| print(&describe(webhook).to_string()))
        }
        Command::Log { id, root } => log(&root.open()?, &id),
    }
}

/// Everything but the secret.
fn describe(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.object_id,
        "owner": webhook.owner,
        "url": webhook.spec.url,
        "watched": webhook.spec.watched,
        "domains": webhook.spec.domains,
        "state": webhook.state,
        "lastTriggerAt": webhook.triggered_at,
    })
}

fn log(store: &Store, id: &str) -> Result<()> {
    let webhooks = store.webhooks();
    let found = webhooks.list(None)?.into_iter().find(|webhook| webhook.object_id == id);
    let webhook = found.with_context(|| format!("there is no webhook `{id}`"))?;
    for delivery in webhooks.log(&webhook)? {
        let line = json!({
            "id": delivery.object_id,
            "event": delivery.event,
            "state": delivery.state,
            "createdAt": delivery.created_at,
            "finishedAt": delivery.finished_at,
            "tries": delivery.tries,
            "url": delivery.url,
            "status": delivery.status,
            "response": delivery.note,
            "payload": serde_json::from_str::<Value>(&delivery.payload)?,
        });
        print(&line.to_string())?;
    }
    Ok(())
}

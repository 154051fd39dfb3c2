//! The log of the deliveries of a webhook.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::Transaction;

/// Number of finished deliveries of a webhook that are kept in its log.
const LOGGED: i64 = 100;

/// Gives up what waits for a webhook.
pub(super) fn give_up(tx: &Transaction<'_>, webhook: i64, why: &str) -> Result<()> {
    tx.execute(
        "UPDATE webhook_deliveries SET state = 'failed', finished_at = ?2, note = ?3
         WHERE webhook_id = ?1 AND state = 'waiting'",
        (webhook, Timestamp::now().as_microsecond(), why),
    )?;
    prune(tx, webhook)
}

/// Removes old deliveries from the log.
pub(super) fn prune(tx: &Transaction<'_>, webhook: i64) -> Result<()> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 AND state <> 'waiting' AND id <=
           (SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 AND state <> 'waiting'
            ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?;
    delete.execute((webhook, LOGGED))?;
    Ok(())
}

//! Pending device logins.
//!
//! A program shows a short code, the user confirms it elsewhere, and the program polls until that
//! is done (RFC 8628).

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::Deserialize;

use super::db::Db;
use super::token::{digest, random_hex};

/// Letters that are hard to confuse.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A pending login.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Login {
    /// SHA-256 of the program's code.
    digest: String,
    /// The code that the user types.
    user_code: String,
    expires_at: Timestamp,
    answer: Decision,
}

/// The user's decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// No decision yet.
    Pending,
    /// Approved; holds the user's name.
    Approved(String),
    /// Denied.
    Denied,
}

/// The codes of a new login.
#[derive(Debug)]
pub(crate) struct Codes {
    /// For the program.
    pub(crate) device: String,
    /// For the user.
    pub(crate) user: String,
}

/// The pending logins.
#[derive(Clone, Debug)]
pub(crate) struct Devices {
    db: Db,
}

impl Devices {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Starts a login.
    pub(crate) fn begin(&self, lifetime: Duration) -> Result<Codes> {
        let codes = Codes { device: random_hex()?, user: user_code()? };
        let login = Login {
            digest: digest(&codes.device),
            user_code: codes.user.clone(),
            expires_at: Timestamp::now() + lifetime,
            answer: Decision::Pending,
        };
        self.update(|tx| login.save(tx))?;
        Ok(codes)
    }

    /// Records the user's decision about a code.
    pub(crate) fn decide(&self, user_code: &str, answer: &Decision) -> Result<()> {
        let (decision, user) = answer.columns();
        let done = self.update(|tx| {
            Ok(tx.execute(
                "UPDATE logins SET decision = ?2, user = ?3 WHERE user_code = ?1",
                (user_code, decision, user),
            )?)
        })?;
        if done == 0 {
            bail!("there is no pending login with the code {user_code}");
        }
        Ok(())
    }

    /// Returns the decision about a login, which ends with anything but [`Decision::Pending`]. `None`
    /// for an unknown or expired login.
    pub(crate) fn ask(&self, device_code: &str) -> Result<Option<Decision>> {
        let wanted = digest(device_code);
        self.update(|tx| {
            let mut query =
                tx.prepare_cached("SELECT decision, user FROM logins WHERE digest = ?1")?;
            let columns = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
            let found = query.query_row([&wanted], columns).optional()?;
            let Some((decision, user)) = found else { return Ok(None) };
            let answer = Decision::from_columns(&decision, user);
            if answer != Decision::Pending {
                tx.execute("DELETE FROM logins WHERE digest = ?1", [&wanted])?;
            }
            Ok(Some(answer))
        })
    }

    fn update<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.db.write(|tx| {
            let now = Timestamp::now().as_microsecond();
            tx.execute("DELETE FROM logins WHERE expires_at <= ?1", [now])?;
            change(tx)
        })
    }
}

impl Login {
    pub(super) fn save(&self, tx: &Transaction<'_>) -> Result<()> {
        let (decision, user) = self.answer.columns();
        tx.execute(
            "INSERT INTO logins (digest, user_code, expires_at, decision, user)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (&self.digest, &self.user_code, self.expires_at.as_microsecond(), decision, user),
        )?;
        Ok(())
    }
}

impl Decision {
    fn columns(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Pending => ("pending", None),
            Self::Approved(user) => ("approved", Some(user)),
            Self::Denied => ("denied", None),
        }
    }

    fn from_columns(decision: &str, user: Option<String>) -> Self {
        match (decision, user) {
            ("approved", Some(user)) => Self::Approved(user),
            ("pending", _) => Self::Pending,
            _ => Self::Denied,
        }
    }
}

fn user_code() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    let mut code: String =
        bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    code.insert(4, '-');
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_waits_is_decided_once_and_expires() {
        let root = tempfile::tempdir().unwrap();
        let devices = Devices::new(Db::open(root.path(), |_| Ok(())).unwrap());
        let codes = devices.begin(Duration::from_mins(1)).unwrap();
        assert_eq!(devices.ask(&codes.device).unwrap(), Some(Decision::Pending));
        assert!(devices.decide("none", &Decision::Denied).is_err());
        devices.decide(&codes.user, &Decision::Approved("ann".into())).unwrap();
        assert_eq!(devices.ask(&codes.device).unwrap(), Some(Decision::Approved("ann".into())));
        assert_eq!(devices.ask(&codes.device).unwrap(), None);
        let late = devices.begin(Duration::ZERO).unwrap();
        assert_eq!(devices.ask(&late.device).unwrap(), None);
    }
}

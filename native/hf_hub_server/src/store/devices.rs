//! Pending device logins: `devices.json` in the root.
//!
//! A program shows a short code, the user confirms it elsewhere, and the program polls until that
//! is done (RFC 8628).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{self, Lock};
use super::token::{digest, random_hex};

/// Letters that are hard to confuse.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A pending login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    /// SHA-256 of the program's code.
    digest: String,
    /// The code that the user types.
    user_code: String,
    expires_at: Timestamp,
    answer: Decision,
}

/// The user's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The file of pending logins.
#[derive(Clone, Debug)]
pub(crate) struct Devices {
    path: PathBuf,
}

impl Devices {
    /// Opens the logins of the Hub at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { path: root.join("devices.json") }
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
        self.update(|logins| {
            logins.push(login);
            Ok(())
        })?;
        Ok(codes)
    }

    /// Records the user's decision about a code.
    pub(crate) fn decide(&self, user_code: &str, answer: Decision) -> Result<()> {
        self.update(|logins| {
            let login = logins.iter_mut().find(|login| login.user_code == user_code);
            login
                .with_context(|| format!("there is no pending login with the code {user_code}"))?
                .answer = answer;
            Ok(())
        })
    }

    /// Returns the decision about a login, which ends with anything but [`Decision::Pending`]. `None`
    /// for an unknown or expired login.
    pub(crate) fn ask(&self, device_code: &str) -> Result<Option<Decision>> {
        let wanted = digest(device_code);
        let mut answer = None;
        self.update(|logins| {
            answer = logins
                .iter()
                .find(|login| login.digest == wanted)
                .map(|login| login.answer.clone());
            logins.retain(|login| login.digest != wanted || login.answer == Decision::Pending);
            Ok(())
        })?;
        Ok(answer)
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Login>) -> Result<()>) -> Result<()> {
        let _lock = Lock::acquire(&self.path.with_extension("lock"))?;
        let mut logins: Vec<Login> = disk::read_json(&self.path)?.unwrap_or_default();
        let now = Timestamp::now();
        logins.retain(|login| now < login.expires_at);
        change(&mut logins)?;
        disk::write_json(&self.path, &logins)
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
        let devices = Devices::new(root.path());
        let codes = devices.begin(Duration::from_mins(1)).unwrap();
        assert_eq!(devices.ask(&codes.device).unwrap(), Some(Decision::Pending));
        assert!(devices.decide("none", Decision::Denied).is_err());
        devices.decide(&codes.user, Decision::Approved("ann".into())).unwrap();
        assert_eq!(devices.ask(&codes.device).unwrap(), Some(Decision::Approved("ann".into())));
        assert_eq!(devices.ask(&codes.device).unwrap(), None);
        let late = devices.begin(Duration::ZERO).unwrap();
        assert_eq!(devices.ask(&late.device).unwrap(), None);
    }
}

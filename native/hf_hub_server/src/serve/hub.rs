//! The state that every request needs: the store, the signer, the options.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::Clock;
use super::courier::Courier;
use super::endpoints::EndpointArgs;
use super::intake::Intake;
use super::jobs::Jobs;
use super::origins::Origins;
use super::sign::Signer;
use crate::store::Store;
#[cfg(feature = "xet")]
use crate::store::{Stored, XetFile};

/// Options of the server.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Sends small files without redirecting to the resolve cache.
    pub(super) direct: bool,
    /// Maximum number of entries on a page of a listing.
    pub(super) page_size: usize,
    /// How long a signed link is valid.
    pub(super) link_ttl: Duration,
    /// Minimum size of a file that is uploaded in parts.
    pub(super) multipart_threshold: u64,
    /// The size of these parts.
    pub(super) part_size: u64,
    /// Maximum size of a file.
    pub(super) max_file_size: u64,
    /// How inference endpoints behave.
    pub(super) endpoints: EndpointArgs,
    /// How long an open stream sends nothing.
    pub(super) keep_alive: Duration,
    /// Maximum size of the large files of a namespace in private repositories.
    pub(super) private_quota: Option<u64>,
    /// Whether clients may use Xet storage.
    #[cfg(feature = "xet")]
    pub(super) xet: bool,
}

/// The state shared by all requests.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) store: Store,
    pub(super) signer: Signer,
    pub(super) origins: Origins,
    pub(super) options: Options,
    pub(super) intake: Intake,
    pub(super) courier: Courier,
    /// The jobs, if they run here.
    pub(super) jobs: Option<Arc<Jobs>>,
    /// The time of schedules and states.
    pub(super) clock: Arc<Clock>,
}

impl Hub {
    /// Creates the state.
    pub(super) fn new(
        store: Store,
        key: &[u8],
        origins: Origins,
        options: Options,
        courier: Courier,
        jobs: Option<Arc<Jobs>>,
        clock: Arc<Clock>,
    ) -> anyhow::Result<Self> {
        let intake = Intake::new(store.lfs().incoming_dir()?);
        Ok(Self { store, signer: Signer::new(key), origins, options, intake, courier, jobs, clock })
    }

    /// Returns the file of Xet storage with the content of a large file, for clients that read it
    /// there.
    #[cfg(feature = "xet")]
    pub(super) fn xet_file(&self, is_lfs: bool, oid: &str) -> anyhow::Result<Option<XetFile>> {
        if !is_lfs || !self.options.xet {
            return Ok(None);
        }
        match self.store.lfs().find(oid)? {
            Some(Stored::Xet(_, file)) => Ok(Some(file)),
            _ => Ok(None),
        }
    }

    /// Returns the Xet hashes of those large files that clients may read in Xet storage.
    #[cfg(feature = "xet")]
    pub(super) fn xet_hashes(&self, oids: Vec<String>) -> anyhow::Result<HashMap<String, String>> {
        if !self.options.xet {
            return Ok(HashMap::new());
        }
        self.store.xet().hashes(oids)
    }

    /// Returns no hashes: there is no Xet storage.
    #[cfg(not(feature = "xet"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "they are with the feature")]
    pub(super) fn xet_hashes(&self, _: Vec<String>) -> anyhow::Result<HashMap<String, String>> {
        Ok(HashMap::new())
    }

    /// Returns the query that signs `path` for as long as links are valid.
    pub(super) fn sign(&self, path: &str) -> String {
        let expires = Timestamp::now().saturating_add(self.options.link_ttl);
        self.signer.query(path, expires.unwrap_or(Timestamp::MAX))
    }
}

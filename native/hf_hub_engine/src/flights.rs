//! Transfers under way, so that callers who want the same file share one.
//!
//! A flight runs in a task of its own and lives as long as somebody waits for it: the
//! caller who began it may leave, the others still get their file. When the last one
//! leaves, it is stopped.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    bandwidth::Bandwidth,
    blocking,
    download::{Report, Spec},
    error::{Error, ErrorKind, Result},
    hub::{self, Hub, Token},
    metadata::{Content, FileMetadata},
    names::Etag,
    places::{Place, Places},
    progress::{Activity, FileProgress, Progress},
};

/// How often those who wait look at the progress.
const LOOK: Duration = Duration::from_millis(50);

/// What two callers must have in common to share a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Where the content goes.
    pub(crate) path: PathBuf,
    /// Which content it is.
    pub(crate) etag: Etag,
    /// Where it comes from.
    pub(crate) endpoint: String,
    /// Who is asking.
    pub(crate) token: Option<Token>,
    /// Whether what is here may do.
    pub(crate) force: bool,
    /// The limits on bytes a second it keeps.
    pub(crate) bandwidth: Vec<usize>,
}

/// The transfers under way; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Flights(Arc<Mutex<HashMap<Key, Weak<Flight>>>>);

type Landing = Result<Option<Report>>;

/// One of them.
#[derive(Debug)]
pub(crate) struct Flight {
    progress: Progress,
    landing: watch::Receiver<Option<Landing>>,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Key {
    /// For the content `metadata` of `hub`, on its way to `path`.
    pub(crate) fn new(path: PathBuf, force: bool, hub: &Hub, metadata: &FileMetadata) -> Self {
        Self {
            path,
            force,
            bandwidth: hub.flow.bandwidth.iter().map(Bandwidth::id).collect(),
            etag: metadata.etag.clone(),
            endpoint: hub.endpoint.to_string(),
            token: hub.token.clone(),
        }
    }
}

/// What a transfer begins with.
#[derive(Default)]
pub(crate) struct Start {
    /// The response that the metadata came with.
    pub(crate) content: Option<Content>,
    /// The place of the download.
    pub(crate) place: Option<Place>,
}

impl Start {
    /// The response, and a place for as long as the transfer takes.
    pub(crate) async fn at(self, places: &Places) -> (Option<Content>, Place) {
        let place = match self.place {
            Some(place) => place,
            None => places.transfer().await,
        };
        (self.content, place)
    }
}

/// Joins the transfer of the same content, or begins it; also tells whether it was begun.
pub(crate) async fn share<F>(
    spec: &Spec,
    metadata: &FileMetadata,
    key: Key,
    mut start: Start,
    progress: &Progress,
    begin: impl Fn(Start, Progress) -> F,
) -> Result<(Option<Report>, bool)>
where
    F: Future<Output = Result<Option<Report>>> + Send + 'static,
{
    let file = progress.start_file(spec.path.as_str(), metadata.size);
    let mut first = true;
    let (landed, ours) = loop {
        let (flight, ours) =
            spec.flights.board(key.clone(), |progress| begin(std::mem::take(&mut start), progress));
        // An answer that nobody reads would only keep its connection, and a place that of others.
        drop(std::mem::take(&mut start));
        match flight.land(&file).await {
            // Theirs may have been less patient than we are.
            Err(error) if !ours && first && error.is_transient() => file.restart(),
            landed => break (landed?, ours),
        }
        first = false;
    };
    match &landed {
        Some(report) if !report.cached => file.finish(),
        Some(_) => {
            file.abandon();
            progress.skip_files(1);
        }
        None => file.abandon(),
    }
    Ok((landed, ours))
}

impl Flights {
    /// Joins the flight that has this key, or begins it. True if it was begun.
    pub(crate) fn board<F>(
        &self,
        key: Key,
        begin: impl FnOnce(Progress) -> F,
    ) -> (Arc<Flight>, bool)
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        let mut flights = self.lock();
        let under_way = flights.get(&key).and_then(Weak::upgrade);
        if let Some(flight) = under_way.filter(|flight| flight.landing.borrow().is_none()) {
            return (flight, false);
        }
        let progress = Progress::default();
        let (landed, landing) = watch::channel(None);
        let (journey, all, place) = (begin(progress.clone()), self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let landing = AssertUnwindSafe(journey).catch_unwind().await;
            let landing = landing.unwrap_or_else(|panic| Err(blocking::panicked(&*panic)));
            all.lock().remove(&place);
            landed.send_replace(Some(landing));
        });
        let flight = Arc::new(Flight { progress, landing, task: task.abort_handle() });
        flights.retain(|_, flight| flight.strong_count() > 0);
        flights.insert(key, Arc::downgrade(&flight));
        (flight, true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Waits for the end, telling `file` how far it is.
    pub(crate) async fn land(&self, file: &FileProgress) -> Landing {
        let mut landing = self.landing.clone();
        let mut before = Progress::default().snapshot();
        let mut look = tokio::time::interval(LOOK);
        let landed = loop {
            tokio::select! {
                biased;
                landed = landing.wait_for(Option::is_some) => {
                    break landed.ok().and_then(|landing| landing.clone());
                }
                _ = look.tick() => {}
            }
            let now = self.progress.snapshot();
            file.mirror(&now, &before);
            let left = file.operation().time_left();
            if now.activity == Activity::RateLimited
                && let (Some(wait), Some(left)) = (now.wait, left)
                && left < wait
            {
                // Others may have the time for this pause.
                let trouble = now.trouble.as_deref().unwrap_or("the Hub asks to slow down");
                let error = Error::new(ErrorKind::RateLimited, trouble);
                return Err(hub::too_long_a_pause(error, wait));
            }
            before = now;
        };
        file.mirror(&self.progress.snapshot(), &before);
        landed.unwrap_or_else(|| {
            let message = "the download ended without a result";
            Err(Error::new(ErrorKind::Internal, message))
        })
    }
}

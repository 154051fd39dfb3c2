//! Single flight: work that several callers request concurrently is done once.
//!
//! It runs in a task of its own while at least one caller waits: the caller that started it may
//! leave, and the others still get the result. When the last caller leaves, the task is stopped.

use std::{
    collections::HashMap,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        progress::{Activity, FileProgress, Progress},
    },
    hub::client,
};

/// How often waiting callers read the progress.
const LOOK: Duration = Duration::from_millis(50);

/// The running tasks by key; clones share them.
#[derive(Debug)]
pub struct Tasks<K, V>(Arc<Mutex<HashMap<K, Weak<Task<V>>>>>);

impl<K, V> Clone for Tasks<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Default for Tasks<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// A running task.
#[derive(Debug)]
pub(crate) struct Task<V> {
    progress: Progress,
    result: watch::Receiver<Option<Result<V>>>,
    handle: AbortHandle,
}

impl<V> Drop for Task<V> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl<K, V> Tasks<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the task with this key, or starts it. Returns true if it was started.
    pub(crate) fn join<F>(&self, key: K, begin: impl FnOnce(Progress) -> F) -> (Arc<Task<V>>, bool)
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let mut tasks = self.lock();
        let under_way = tasks.get(&key).and_then(Weak::upgrade);
        if let Some(task) = under_way.filter(|task| task.result.borrow().is_none()) {
            return (task, false);
        }
        let progress = Progress::default();
        let (sender, receiver) = watch::channel(None);
        let (work, all, place) = (begin(progress.clone()), self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            let result = result.unwrap_or_else(|panic| Err(blocking::panicked(&*panic)));
            all.lock().remove(&place);
            sender.send_replace(Some(result));
        });
        let task = Arc::new(Task { progress, result: receiver, handle: task.abort_handle() });
        tasks.retain(|_, task| task.strong_count() > 0);
        tasks.insert(key, Arc::downgrade(&task));
        (task, true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Weak<Task<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone> Task<V> {
    /// Waits for the result, and mirrors the progress to `file`.
    pub(crate) async fn wait(&self, file: &FileProgress) -> Result<V> {
        let mut result = self.result.clone();
        let mut before = Progress::default().snapshot();
        let mut look = tokio::time::interval(LOOK);
        let ended = loop {
            tokio::select! {
                biased;
                ended = result.wait_for(Option::is_some) => {
                    break ended.ok().and_then(|result| result.clone());
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
                // Other callers may have a longer deadline.
                let trouble =
                    now.trouble.as_deref().unwrap_or("the Hub responded with too many requests");
                let error = Error::new(ErrorKind::RateLimited, trouble);
                return Err(client::too_long_a_pause(error, wait));
            }
            before = now;
        };
        file.mirror(&self.progress.snapshot(), &before);
        ended.unwrap_or_else(|| {
            let message = "the download ended without a result";
            Err(Error::new(ErrorKind::Internal, message))
        })
    }
}

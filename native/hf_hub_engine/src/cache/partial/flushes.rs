//! Flushes many small files for little more than the price of one.
//!
//! The time of a flush is that of a commit of the file system's journal, and one commit serves all
//! files that wait for it. So the files that arrive during a flush are collected, and flushed
//! together by several threads.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec,
};

use tokio::{sync::oneshot, task::spawn_blocking};

use super::{Checked, Verified};
use crate::base::error::{Error, ErrorKind, Result};

/// Maximum number of threads that flush a group.
const THREADS: usize = 16;

/// The files that wait to be flushed; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Flushes(Arc<Mutex<Group>>);

/// A file, and where to report that it is on disk.
type Waiting = (Checked, oneshot::Sender<Result<Verified>>);

#[derive(Default)]
struct Group {
    waiting: Vec<Waiting>,
    /// Whether a thread works off the groups.
    busy: bool,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.waiting.len())
    }
}

impl Flushes {
    /// Flushes a file to disk, together with others. If the returned future is dropped, a complete
    /// partial file remains.
    pub(crate) async fn flush(&self, file: Checked) -> Result<Verified> {
        let (done, result) = oneshot::channel();
        let starts = {
            let mut group = self.lock();
            group.waiting.push((file, done));
            !std::mem::replace(&mut group.busy, true)
        };
        if starts {
            let groups = self.clone();
            spawn_blocking(move || {
                while let Some(group) = groups.next_group() {
                    flush_all(group);
                }
            });
        }
        result.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "a file was not flushed to disk"))
        })
    }

    fn next_group(&self) -> Option<Vec<Waiting>> {
        let mut group = self.lock();
        let waiting = std::mem::take(&mut group.waiting);
        group.busy = !waiting.is_empty();
        group.busy.then_some(waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Flushes a group. The last files may still be in work when this returns.
fn flush_all(group: Vec<Waiting>) {
    let helpers = (group.len() / 2).min(THREADS - 1);
    let files = Arc::new(Mutex::new(group.into_iter()));
    for _ in 0..helpers {
        let files = files.clone();
        spawn_blocking(move || flush_each(&files));
    }
    flush_each(&files);
}

fn flush_each(files: &Mutex<vec::IntoIter<Waiting>>) {
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some((file, done)) = next() {
        // A caller that has left finds the file complete at its next attempt.
        let _ = done.send(file.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::partial::{Partial, tests::hello};

    #[tokio::test]
    async fn files_that_arrive_during_a_flush_form_the_next_group() {
        let dir = tempfile::tempdir().unwrap();
        let flushes = Flushes::default();
        // A thread seems to be busy with an earlier group.
        flushes.lock().busy = true;
        let files: Vec<_> = (0..40)
            .map(|n| {
                let (flushes, dir) = (flushes.clone(), dir.path().join(n.to_string()));
                let blob = dir.join("blob");
                let partial: Partial = hello(&dir);
                tokio::spawn(async move {
                    let checked = partial.check(None).unwrap();
                    flushes.flush(checked).await.unwrap().publish(&blob).unwrap();
                    blob
                })
            })
            .collect();
        while flushes.lock().waiting.len() < 40 {
            tokio::task::yield_now().await;
        }
        let group = flushes.next_group().unwrap();
        assert_eq!(group.len(), 40);
        assert!(flushes.next_group().is_none() && !flushes.lock().busy);
        flush_all(group);
        for file in files {
            assert_eq!(std::fs::read(file.await.unwrap()).unwrap(), b"hello\n");
        }
    }
}

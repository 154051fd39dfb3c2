//! Runs many short pieces of blocking work on few threads.
//!
//! A thread for each piece would be woken for microseconds of work, and a burst would start
//! hundreds. Here one thread works off a queue, and others join only while pieces wait for long, as
//! they do on a slow disk.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, task::spawn_blocking};

/// Maximum number of threads.
const THREADS: usize = 8;

/// How long a piece waits before another thread joins.
const LONG: Duration = Duration::from_micros(500);

/// A queue of blocking work; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lane(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Instant, Box<dyn FnOnce() + Send>)>,
    threads: usize,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting, {} threads", self.waiting.len(), self.threads)
    }
}

impl Lane {
    /// Runs `work` on a thread that may block, even if the returned future is dropped. A panic in
    /// it is propagated.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (sender, result) = oneshot::channel();
        self.push(Box::new(move || {
            // A caller that has left needs no result.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        }));
        match result.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(gone) => panic!("a piece of work is dropped only with its runtime: {gone}"),
        }
    }

    fn push(&self, work: Box<dyn FnOnce() + Send>) {
        let mut queue = self.lock();
        queue.waiting.push_back((Instant::now(), work));
        self.join_if_needed(&mut queue);
    }

    fn join_if_needed(&self, queue: &mut Queue) {
        let waits = queue.waiting.front().is_some_and(|(since, _)| since.elapsed() > LONG);
        if queue.threads == 0 || (waits && queue.threads < THREADS) {
            queue.threads += 1;
            let lane = self.clone();
            spawn_blocking(move || while lane.step() {});
        }
    }

    /// Runs the next piece. Returns false, and counts the thread as gone, if there is none.
    fn step(&self) -> bool {
        let work = {
            let mut queue = self.lock();
            let Some((_, work)) = queue.waiting.pop_front() else {
                queue.threads -= 1;
                return false;
            };
            self.join_if_needed(&mut queue);
            work
        };
        work();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::{Condvar, mpsc},
        thread,
    };

    use super::*;

    #[tokio::test]
    async fn short_pieces_share_a_thread_and_keep_their_order() {
        let lane = Lane::default();
        let (open, gate) = mpsc::channel::<()>();
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = tokio::spawn({
            let lane = lane.clone();
            async move { lane.run(move || gate.recv()).await }
        });
        tokio::task::yield_now().await;
        let pieces: Vec<_> = (0..100)
            .map(|n| {
                let (lane, order) = (lane.clone(), order.clone());
                tokio::spawn(async move {
                    lane.run(move || {
                        order.lock().unwrap().push(n);
                        thread::current().id()
                    })
                    .await
                })
            })
            .collect();
        while lane.lock().waiting.len() < 100 {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        first.await.unwrap().unwrap();
        let mut threads = HashSet::new();
        for piece in pieces {
            threads.insert(piece.await.unwrap());
        }
        assert!(threads.len() <= THREADS, "{}", threads.len());
        assert_eq!(order.lock().unwrap().len(), 100);
    }

    #[tokio::test]
    async fn others_join_while_pieces_wait_for_long() {
        let lane = Lane::default();
        let all_here = Arc::new((Mutex::new(0), Condvar::new()));
        let pieces: Vec<_> = (0..THREADS)
            .map(|_| {
                let (lane, all_here) = (lane.clone(), all_here.clone());
                tokio::spawn(async move {
                    lane.run(move || {
                        let (count, changed) = &*all_here;
                        let mut count = count.lock().unwrap();
                        *count += 1;
                        changed.notify_all();
                        // Ends only when all run at the same time.
                        while *count < THREADS {
                            count = changed.wait(count).unwrap();
                        }
                    })
                    .await;
                })
            })
            .collect();
        let mut nudges = 0;
        while !pieces.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(LONG).await;
            // Each new piece is a chance for another thread.
            let lane = lane.clone();
            tokio::spawn(async move { lane.run(|| ()).await });
            nudges += 1;
            assert!(nudges < 10_000);
        }
        for piece in pieces {
            piece.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller_only() {
        let lane = Lane::default();
        let panics = lane.clone();
        let panicked = tokio::spawn(async move { panics.run(|| panic!("oops")).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(lane.run(|| 1).await, 1);
    }
}

//! Handles by which Elixir holds locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustler::{Env, LocalPid, Monitor, Resource, ResourceArc};
use tokio_util::sync::CancellationToken;

/// A lock that an Elixir process holds until it releases it or exits.
///
/// It must outlive the process's last reference to the handle: a script may take a lease and drop
/// the handle. So a task keeps the hold alive while there is something to hold.
#[derive(Default)]
pub(crate) struct Hold {
    held: Mutex<Held>,
    ended: CancellationToken,
}

#[derive(Default)]
enum Held {
    #[default]
    Waiting,
    Here(#[expect(dead_code, reason = "held until it is dropped")] Box<dyn Send>),
    Released,
}

#[rustler::resource_impl]
impl Resource for Hold {
    const IMPLEMENTS_DOWN: bool = true;

    fn down<'a>(&'a self, _env: Env<'a>, _owner: LocalPid, _monitor: Monitor) {
        self.release();
    }
}

impl Hold {
    /// Creates a handle of the calling process that holds nothing yet.
    pub(crate) fn new(env: Env) -> ResourceArc<Self> {
        let hold = ResourceArc::new(Self::default());
        if env.monitor(&hold, &env.pid()).is_none() {
            hold.release();
        }
        hold
    }

    /// Keeps a lock until it is released. Called on the runtime.
    pub(crate) fn keep(hold: ResourceArc<Self>, lock: impl Send + 'static) {
        let mut state = hold.lock();
        // The lock is dropped if it was released meanwhile or its owner exited.
        if matches!(*state, Held::Waiting) {
            *state = Held::Here(Box::new(lock));
            drop(state);
            tokio::spawn(async move { hold.ended.cancelled().await });
        }
    }

    /// Releases the hold; returns whether there was anything to release.
    pub(crate) fn release(&self) -> bool {
        let was = std::mem::replace(&mut *self.lock(), Held::Released);
        self.ended.cancel();
        matches!(was, Held::Here(_))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

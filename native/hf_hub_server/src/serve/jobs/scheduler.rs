//! Starts the jobs of schedules when their time has come. What was missed while the server did not
//! run is not made up for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;

use super::cron::Cron;
use super::{Jobs, blocking};
use crate::console::complain;
use crate::store::{Job, NewJob, Scheduled};

/// How long a change by another process may stay unnoticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Starts jobs until the server stops.
pub(in crate::serve) async fn run(jobs: Arc<Jobs>) {
    let started = jobs.clone();
    let _ = blocking(move || started.reschedule()).await.inspect_err(complain);
    loop {
        let fired = jobs.clone();
        let next = blocking(move || fired.fire()).await.inspect_err(complain).unwrap_or_default();
        jobs.clock.sleep_until(next, LONGEST_SLEEP).await;
    }
}

impl Jobs {
    /// Sets the next time of each schedule, which may have passed.
    fn reschedule(&self) -> Result<()> {
        let (store, now) = (self.store.scheduled_jobs(), self.clock.now());
        for scheduled in store.due(now)? {
            let next = next(&scheduled, now);
            store.update(&scheduled.id, |scheduled| scheduled.next_at = next)?;
        }
        Ok(())
    }

    /// Starts the jobs whose time has come, and returns the time of the next one.
    fn fire(self: &Arc<Self>) -> Result<Option<Timestamp>> {
        let (store, now) = (self.store.scheduled_jobs(), self.clock.now());
        for Scheduled { id, .. } in store.due(now)? {
            // The others start nevertheless.
            if let Err(err) = self.fire_one(&id, now) {
                complain(&err.context(format!("cannot start the scheduled job {id}")));
            }
        }
        store.next(now)
    }

    /// Starts a job if its time has come, as it is now: it may have been changed or deleted.
    fn fire_one(self: &Arc<Self>, id: &str, now: Timestamp) -> Result<()> {
        let store = self.store.scheduled_jobs();
        let mut is_due = false;
        // First, so that a failure does not repeat it all the time.
        let scheduled = store.update(id, |scheduled| {
            is_due = !scheduled.suspended && scheduled.next_at.is_some_and(|next| next <= now);
            if is_due {
                scheduled.next_at = next(scheduled, now);
            }
        })?;
        let Some(scheduled) = scheduled.filter(|_| is_due) else { return Ok(()) };
        if self.is_allowed(&scheduled)? {
            self.start_scheduled(&scheduled)?;
        } else {
            store.update(id, |scheduled| scheduled.suspended = true)?;
        }
        Ok(())
    }

    /// Whether the user who created a schedule may still run jobs for its owner.
    fn is_allowed(&self, scheduled: &Scheduled) -> Result<bool> {
        let user = scheduled.initiator["name"].as_str().unwrap_or_default();
        let user = self.store.users().get(user)?;
        Ok(user.is_some_and(|user| user.may_write_in(&scheduled.namespace)))
    }

    /// Starts a job of a schedule; `None` if the one before it runs, and may not do so at once, or if
    /// the namespace has as many jobs as it may.
    pub(in crate::serve) fn start_scheduled(
        self: &Arc<Self>,
        scheduled: &Scheduled,
    ) -> Result<Option<Job>> {
        let (jobs, store) = (self.store.jobs(), self.store.scheduled_jobs());
        if !scheduled.concurrency && jobs.has_unfinished(&scheduled.id)? {
            return Ok(None);
        }
        let created = jobs.create(&NewJob {
            namespace: scheduled.namespace.clone(),
            initiator: json!({ "type": "scheduled-job", "id": scheduled.id }),
            spec: scheduled.spec.clone(),
            secrets: store.secrets(&scheduled.id)?,
        })?;
        let Some(job) = created else { return Ok(None) };
        let last = Some((job.id.clone(), self.clock.now()));
        store.update(&scheduled.id, |scheduled| scheduled.last = last)?;
        self.start(job.clone());
        Ok(Some(job))
    }
}

/// Returns the next time of a schedule.
pub(in crate::serve) fn next(scheduled: &Scheduled, now: Timestamp) -> Option<Timestamp> {
    Cron::parse(&scheduled.schedule).and_then(|cron| cron.next(now))
}

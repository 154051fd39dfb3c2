//! Downloads many files, several at a time.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    base::{
        blocking,
        error::Result,
        progress::{Activity, Progress},
    },
    download::{errors, file, report::Report, spec::Spec},
    hub::client::Hub,
};

/// Number of files that may be prepared or stored while the network is busy with others.
const BESIDE: usize = 24;

/// Runs all jobs, of which `at_once` are received at a time. The first error stops the others.
pub(crate) async fn run(
    hub: &Hub,
    jobs: Vec<Spec>,
    at_once: usize,
    progress: &Progress,
) -> Result<Vec<Report>> {
    // The operation has one deadline for all files.
    let hub = Arc::new(Hub { deadline: None, ..hub.clone() });
    let mut running = JoinSet::new();
    let mut reports = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    loop {
        while running.len() < at_once.max(1) + BESIDE
            && let Some(job) = jobs.next()
        {
            let (hub, progress) = (hub.clone(), progress.clone());
            running.spawn(async move {
                let result = file::download(&hub, &job, &progress).await;
                result.map_err(|error| errors::file(&hub, &job, error))
            });
        }
        match running.join_next().await {
            None => break,
            Some(report) => reports.push(blocking::join(report)?),
        }
    }
    progress.set_activity(Activity::Resolving, None);
    Ok(reports)
}

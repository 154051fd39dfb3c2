//! What a job uses: processor time, memory, processes and the size of its folder.

use std::path::{Path, PathBuf};
use std::time::Instant;

use walkdir::WalkDir;

use super::Limits;
use crate::job;

/// What a job uses at a point in time.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Usage {
    /// Processor time since the sample before, in percent of one processor.
    pub(in crate::serve) processor: f64,
    /// Memory in bytes.
    pub(in crate::serve) memory: u64,
    /// Number of processes; none if the job has not begun yet.
    pub(super) processes: usize,
    disk: u64,
}

impl Usage {
    /// Returns which limit is exceeded.
    pub(super) fn excess(&self, limits: &Limits) -> Option<String> {
        if self.memory > limits.memory {
            Some(format!("Job used more than {} MiB of memory", limits.memory >> 20))
        } else if self.disk > limits.disk {
            Some(format!("Job wrote more than {} MiB to its folder", limits.disk >> 20))
        } else if self.processes > limits.processes {
            Some(format!("Job started more than {} processes", limits.processes))
        } else {
            None
        }
    }
}

/// Measures one job.
pub(super) struct Meter {
    supervisor: u32,
    folder: PathBuf,
    measured_at: Instant,
    ticks: u64,
}

impl Meter {
    pub(super) fn new(supervisor: u32, folder: &Path) -> Self {
        Self { supervisor, folder: folder.to_owned(), measured_at: Instant::now(), ticks: 0 }
    }

    /// Returns what the job uses now. Blocks.
    pub(super) fn measure(mut self) -> (Self, Usage) {
        let processes = job::below(i32::try_from(self.supervisor).unwrap_or(0));
        let ticks = processes.iter().map(|process| process.ticks).sum();
        let usage = Usage {
            processor: self.percent(ticks),
            memory: processes.iter().map(|process| job::memory(process.id)).sum(),
            processes: processes.len(),
            disk: size(&self.folder),
        };
        (self.measured_at, self.ticks) = (Instant::now(), ticks);
        (self, usage)
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn percent(&self, ticks: u64) -> f64 {
        let seconds = self.measured_at.elapsed().as_secs_f64().max(0.001);
        let used = ticks.saturating_sub(self.ticks) as f64 / job::ticks_per_second() as f64;
        (used / seconds * 10_000.0).round() / 100.0
    }
}

/// Returns the space that the files of a folder take; those that vanish meanwhile take none.
fn size(folder: &Path) -> u64 {
    let entries = WalkDir::new(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|about| space(&about)).sum()
}

#[cfg(unix)]
fn space(about: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(about) * 512
}

#[cfg(not(unix))]
fn space(about: &std::fs::Metadata) -> u64 {
    about.len()
}

//! Records of uploads in parts, stored in the folder that is uploaded: after an interruption in the
//! middle of a very large file, only its remaining parts are sent.
//!
//! The links grant access, so only the user may read the records. A record is used only as far as
//! the store agrees: if the store has forgotten the upload, or has other parts, the file is
//! uploaded from the start.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{
    cache::maintenance::is_real_folder,
    upload::{
        lfs::{Object, Plan, Slot},
        oid::Oid,
        session::Session,
    },
};

/// Age after which the Hub may have forgotten an uncommitted upload.
const OLD: Duration = Duration::from_hours(20);

/// Maximum size of a record in bytes; the links of the largest file fit.
const LIMIT: u64 = 64 << 20;

/// The unfinished uploads in parts to one repository.
pub(super) struct Unfinished {
    dir: PathBuf,
    target: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    target: String,
    size: u64,
    part_size: u64,
    complete: String,
    links: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    part: usize,
    etag: String,
}

/// The parts of one content that the store has received.
#[derive(Default)]
pub(super) struct Taken {
    etags: Mutex<HashMap<usize, String>>,
    kept: Option<(Mutex<File>, PathBuf)>,
}

impl Unfinished {
    /// Opens the records in `dir` and removes old ones; `None` if none can be stored.
    pub(super) fn open(dir: PathBuf, target: String) -> Option<Self> {
        let _ = fs::create_dir(&dir);
        if !is_real_folder(&dir) {
            return None;
        }
        for entry in fs::read_dir(&dir).ok()?.flatten() {
            if is_old(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Some(Self { dir, target })
    }

    /// Continues an upload of an earlier run, or starts a new one. The folder may come from
    /// anywhere, so a record is used only as far as it matches `plan`, which the Hub has just
    /// returned.
    pub(super) fn take_up(&self, session: &Session, object: &Object, plan: Plan) -> (Plan, Taken) {
        if let Some((slot, taken)) = self.resume(session, object, &plan) {
            return (Plan { slot, ..plan }, taken);
        }
        let taken = self.begin(object, &plan);
        (plan, taken)
    }

    fn resume(&self, session: &Session, object: &Object, plan: &Plan) -> Option<(Slot, Taken)> {
        let Slot::Parts { complete: to, size: part, links: fresh } = &plan.slot else {
            return None;
        };
        let place = self.place(object);
        if !fs::symlink_metadata(&place).ok()?.is_file() {
            return None;
        }
        let mut text = Vec::new();
        File::open(&place).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
        let mut kept = text.split(|byte| *byte == b'\n');
        let header: Header = serde_json::from_slice(kept.next()?).ok()?;
        let Header { target, size, part_size, complete, links } = header;
        let is_same = target == self.target && size == object.size && part_size == *part;
        if !is_same || links.len() != fresh.len() {
            return None;
        }
        let link = |kept: &str, fresh: &Url| {
            session.link(kept).ok().filter(|kept| kept.origin() == fresh.origin())
        };
        let complete = link(&complete, to)?;
        let links = links.iter().zip(fresh).map(|(kept, fresh)| link(kept, fresh));
        let links = links.collect::<Option<Vec<_>>>()?;
        let etags = kept
            .filter_map(|line| serde_json::from_slice(line).ok())
            .map(|Line { part, etag }| (part, etag))
            .collect();
        let file = OpenOptions::new().append(true).open(&place).ok()?;
        let taken = Taken { etags: Mutex::new(etags), kept: Some((Mutex::new(file), place)) };
        // Ends a line that a crash has truncated. Otherwise the file keeps its time, so that unused
        // records expire.
        if !text.ends_with(b"\n") {
            taken.write(b"\n");
        }
        Some((Slot::Parts { complete, size: *part, links }, taken))
    }

    /// Starts a record of a plan.
    fn begin(&self, object: &Object, plan: &Plan) -> Taken {
        let Slot::Parts { complete, size, links } = &plan.slot else { return Taken::default() };
        let header = Header {
            target: self.target.clone(),
            size: object.size,
            part_size: *size,
            complete: complete.to_string(),
            links: links.iter().map(ToString::to_string).collect(),
        };
        let place = self.place(object);
        let Some(file) = create(&place) else { return Taken::default() };
        let taken = Taken { etags: Mutex::default(), kept: Some((Mutex::new(file), place)) };
        taken.write(&line(&header));
        taken
    }

    /// Removes the records of contents that are on the Hub by now.
    pub(super) fn forget(&self, objects: &[Object]) {
        for object in objects {
            let _ = fs::remove_file(self.place(object));
        }
    }

    /// Returns the file of a record. Uploads of one content to several repositories are
    /// independent.
    fn place(&self, object: &Object) -> PathBuf {
        let target = Oid::of_text(&self.target).to_string();
        self.dir.join(format!("{}-{}.jsonl", object.oid, target.get(..16).unwrap_or_default()))
    }
}

impl Taken {
    /// Returns the etag of a part, counted from 0.
    pub(super) fn etag(&self, part: usize) -> Option<String> {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner).get(&part).cloned()
    }

    /// Records that the store has received a part.
    pub(super) fn add(&self, part: usize, etag: &str) {
        if self.kept.is_some() {
            self.write(&line(&Line { part, etag: etag.to_owned() }));
        }
    }

    /// Removes the record, after success or final failure.
    pub(super) fn forget(&self) {
        if let Some((_, place)) = &self.kept {
            let _ = fs::remove_file(place);
        }
    }

    /// Failures are ignored: without a record, only time is lost after an interruption.
    fn write(&self, line: &[u8]) {
        if let Some((file, _)) = &self.kept {
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line);
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Names and numbers can always be serialized.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Creates a file that only the user may read, replacing what was there.
fn create(place: &Path) -> Option<File> {
    let _ = fs::remove_file(place);
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(place).ok()
}

fn is_old(place: &Path) -> bool {
    let modified = fs::symlink_metadata(place).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age > OLD))
}

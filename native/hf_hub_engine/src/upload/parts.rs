//! How far contents that go up in parts have come, kept next to the folder they are from: whoever is
//! interrupted in the middle of a very large file sends only the rest of it.
//!
//! The links are permissions, so nobody but the user may read them. What is kept is never believed
//! further than the store does: should it have forgotten, or have other parts, the file begins anew.

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

/// After this long the Hub may have forgotten what was never committed.
const OLD: Duration = Duration::from_hours(20);

/// More than the links of the largest file take, in bytes.
const LIMIT: u64 = 64 << 20;

/// The uploads in parts to one repository that were not finished.
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

/// The parts of one content that the store has taken.
#[derive(Default)]
pub(super) struct Taken {
    etags: Mutex<HashMap<usize, String>>,
    kept: Option<(Mutex<File>, PathBuf)>,
}

impl Unfinished {
    /// What is kept in `dir`, cleared of what is too old; `None` where nothing can be kept.
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

    /// Goes on with what an earlier run has put there, or begins anew. The folder may come from anywhere,
    /// so what is kept counts only as far as it is like `plan`, which the Hub has just made.
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
        // Ends a line that a crash has torn. Otherwise the file keeps its time, so that one that helps
        // nobody grows old.
        if !text.ends_with(b"\n") {
            taken.write(b"\n");
        }
        Some((Slot::Parts { complete, size: *part, links }, taken))
    }

    /// Begins to keep what becomes of a plan.
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

    /// Keeps nothing of contents that have come to the Hub, by another way perhaps.
    pub(super) fn forget(&self, objects: &[Object]) {
        for object in objects {
            let _ = fs::remove_file(self.place(object));
        }
    }

    /// Uploads of one content to several repositories do not know of each other.
    fn place(&self, object: &Object) -> PathBuf {
        let target = Oid::of_text(&self.target).to_string();
        self.dir.join(format!("{}-{}.jsonl", object.oid, target.get(..16).unwrap_or_default()))
    }
}

impl Taken {
    /// What the store has called a part, counted from 0.
    pub(super) fn etag(&self, part: usize) -> Option<String> {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner).get(&part).cloned()
    }

    /// Keeps that the store has a part.
    pub(super) fn add(&self, part: usize, etag: &str) {
        if self.kept.is_some() {
            self.write(&line(&Line { part, etag: etag.to_owned() }));
        }
    }

    /// Keeps nothing any more: all is done, or all was in vain.
    pub(super) fn forget(&self) {
        if let Some((_, place)) = &self.kept {
            let _ = fs::remove_file(place);
        }
    }

    /// What cannot be kept costs time, should this run be interrupted, and nothing else.
    fn write(&self, line: &[u8]) {
        if let Some((file, _)) = &self.kept {
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line);
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Names and numbers always are JSON.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A new file that is the user's alone, whatever lay there before.
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

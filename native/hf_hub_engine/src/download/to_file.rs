//! Downloads a file to a path of its own, without metadata beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha1::{Digest, Sha1};

use crate::{
    base::{
        blocking,
        error::{Error, Result},
        etag::Etag,
        progress::Progress,
    },
    cache::{
        layout::CacheDir,
        partial::{Slot, Verified},
    },
    download::{
        errors, locate,
        receive::{self, IncomingFile},
        report::{Arrived, Report, fresh_report},
        shared::{self, Key, Start},
        spec::Spec,
    },
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// Returns `None` if the file changed on the Hub meanwhile.
pub(crate) async fn to_file(
    hub: &Hub,
    spec: &Spec,
    path: &Path,
    cache: &CacheDir,
    progress: &Progress,
) -> Result<Option<Report>> {
    let (hub, permit) = hub.for_download(!spec.may_not_ask(hub)).await;
    let hub = &hub;
    let turn = spec.turn_to_ask().await;
    let located = locate::look_up(hub, spec, false, progress).await;
    let (metadata, content) = located.map_err(|error| {
        errors::not_cached(&errors::named(spec), spec.mode.local_files_only, error)
    })?;
    locate::check_announced(spec, &metadata)?;
    let key = Key::new(path.to_path_buf(), spec.mode.force, hub, &metadata);
    let begin = |start, progress| {
        let (hub, spec, path) = (hub.clone(), spec.clone(), path.to_path_buf());
        let lock = lock(cache, &spec, &path);
        fetch(hub, spec, path, lock, metadata.clone(), start, progress)
    };
    let start = Start { content, permit, turn };
    let file = progress.start_file(spec.path.as_str(), metadata.size);
    let (report, _) = shared::share(&spec.shared, file, key, start, progress, begin).await?;
    Ok(report)
}

async fn fetch(
    hub: Hub,
    spec: Spec,
    path: PathBuf,
    lock: PathBuf,
    metadata: FileMetadata,
    start: Start,
    progress: Progress,
) -> Result<Option<Report>> {
    let (content, turn, _permit) = start.at(&hub.permits).await;
    // All callers of the transfer see in its progress what it waits for.
    let hub = Hub { watch: progress.clone(), ..hub };
    let lock = Arc::new(receive::wait_for_lock(lock, &progress).await?);
    let slot = slot(&path, &metadata);
    let folder = slot.dir.clone();
    blocking::run(move || {
        let created = fs::create_dir_all(&folder);
        created.map_err(|source| Error::io("create the folder", &folder, source))
    })
    .await?;
    let publish = {
        let (spec, metadata) = (spec.clone(), metadata.clone());
        move |verified: Verified| {
            let content = Arrived::from(&verified);
            verified.publish(&path)?;
            Ok(fresh_report(&spec.path, &metadata, path.clone(), &content))
        }
    };
    let arrival = IncomingFile { hub: &hub, spec: &spec, metadata: &metadata, slot, lock };
    arrival.receive(content, turn, &progress, Arc::new(publish)).await
}

/// The partial file is hidden beside the file, so that it gets its name by a rename.
fn slot(path: &Path, metadata: &FileMetadata) -> Slot {
    let stem = format!(".hf_hub.{}.{}", short(path), metadata.etag);
    let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Slot { dir, stem, etag: metadata.etag.clone(), size: metadata.size }
}

fn lock(cache: &CacheDir, spec: &Spec, path: &Path) -> PathBuf {
    let name = Etag::of_blob(&format!("file-{}", short(path)));
    let repo = cache.repo(&spec.repo);
    name.map_or_else(|| repo.busy_lock(), |name| repo.lock(&name))
}

fn short(path: &Path) -> String {
    URL_SAFE_NO_PAD.encode(Sha1::digest(path.as_os_str().as_encoded_bytes()))
}

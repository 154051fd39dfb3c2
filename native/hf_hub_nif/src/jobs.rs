//! The jobs by their names: each reads its spec, runs a function of the engine, and ends with its report.

use std::pin::Pin;

use hf_hub_engine::{
    base::{
        blocking::{self, Watch},
        error::Result,
        hash,
        ids::RepoRevision,
        input::RawPath,
        private_file,
        progress::Progress,
        scrub::Shown,
    },
    cache::care,
    download::{self, snapshot, stream},
    extract,
    formats::{card, safetensors},
    hub::{
        api::request::{Listen, Listening, Request},
        client::Hub,
        hints,
    },
    upload::{self, FolderSpec, Placed},
};
use rustler::ResourceArc;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    List, Secret, atoms,
    encode::{Piece, Reply},
    hold::Hold,
    job::Task,
    pool,
};

type Running = Pin<Box<dyn Future<Output = Result<Reply>> + Send>>;

/// Returns the job of this name; nothing of it is done yet.
pub(crate) fn named(name: &str) -> Option<fn(Task) -> Running> {
    Some(match name {
        "download" => |task| Box::pin(remote(task, Task::spec, file)),
        "snapshot" => |task| Box::pin(remote(task, Task::spec, files)),
        "adopt" => |task| Box::pin(remote(task, Task::spec, download::adopt::run)),
        "safetensors" => |task| Box::pin(headers(task)),
        "create" => |task| Box::pin(remote(task, Task::large_spec, create)),
        "preupload" => |task| Box::pin(remote(task, Task::large_spec, preupload)),
        "folder" => |task| Box::pin(remote(task, Task::spec, folder)),
        "request" => |task| Box::pin(request(task)),
        "stream" => |task| Box::pin(stream(task)),
        "events" => |task| Box::pin(events(task)),
        "scan" => |task| Box::pin(local(task, care::scan)),
        "delete" => |task| Box::pin(local(task, care::delete)),
        "prune" => |task| Box::pin(local(task, care::prune)),
        "evict" => |task| Box::pin(local(task, care::evict)),
        "pin" => |task| Box::pin(local(task, care::pin)),
        "verify" => |task| Box::pin(local(task, care::verify)),
        "move" => |task| Box::pin(local(task, care::relocate)),
        "export" => |task| Box::pin(local(task, care::export)),
        "import" => |task| Box::pin(local(task, care::import)),
        "materialize" => |task| Box::pin(local(task, care::materialize)),
        "look_up" => |task| Box::pin(local(task, care::look_up)),
        "parse_card" => |task| Box::pin(local(task, parse)),
        "render_card" => |task| Box::pin(local(task, render)),
        "hash_file" => |task| Box::pin(local(task, hash::run)),
        "extract" => |task| Box::pin(local(task, extract::unpack)),
        "hold" => |task| Box::pin(hold(task)),
        "hold_secret" => |task| Box::pin(hold_secret(task)),
        "write_secret" => |task| Box::pin(write_secret(task)),
        "panic" => |task| Box::pin(panic(task)),
        _ => return None,
    })
}

/// Work on this machine.
async fn local<S, R, F>(task: Task, run: impl FnOnce(S, Watch) -> F) -> Result<Reply>
where
    S: DeserializeOwned,
    R: Serialize + Send + 'static,
    F: Future<Output = Result<R>>,
{
    let work = run(task.spec()?, task.watch.clone());
    work.await.map(Reply::new)
}

/// Work with a Hub.
async fn remote<S, R, F>(
    task: Task,
    read: fn(&Task) -> Result<S>,
    run: impl FnOnce(Hub, S, Progress) -> F,
) -> Result<Reply>
where
    R: Serialize + Shown + Send + 'static,
    F: Future<Output = Result<R>>,
{
    let work = run(task.hub()?, read(&task)?, task.watch.progress.clone());
    work.await.map(|report| Reply::new(report.shown(&task.job.scrub())))
}

async fn file(
    hub: Hub,
    spec: download::spec::Spec,
    progress: Progress,
) -> Result<download::report::Report> {
    let spec = download::spec::Spec { shared: pool::SHARED.clone(), ..spec };
    let report = download::file::run(&hub, &spec, &progress).await;
    let place = RepoRevision { repo: spec.repo, revision: spec.revision };
    hints::or_meant(&hub, &place, report).await
}

async fn files(hub: Hub, spec: snapshot::Spec, progress: Progress) -> Result<snapshot::Snapshot> {
    let spec = snapshot::Spec { shared: pool::SHARED.clone(), ..spec };
    let report = Box::pin(snapshot::run(&hub, &spec, &progress)).await;
    let place = RepoRevision { repo: spec.repo, revision: spec.revision };
    hints::or_meant(&hub, &place, report).await
}

async fn create(hub: Hub, spec: upload::Spec, progress: Progress) -> Result<upload::Report> {
    upload::create(&hub, spec, &progress).await
}

async fn preupload(hub: Hub, spec: upload::Spec, progress: Progress) -> Result<Vec<Placed>> {
    upload::preupload_files(&hub, spec, &progress).await
}

async fn folder(hub: Hub, spec: FolderSpec, progress: Progress) -> Result<upload::Report> {
    upload::folder(&hub, spec, &progress).await
}

async fn parse(text: String, _: Watch) -> Result<card::Card> {
    blocking::run(move || card::parse(&text)).await
}

async fn render(draft: card::Draft, _: Watch) -> Result<String> {
    blocking::run(move || card::render(&draft.data, &draft.source)).await
}

async fn headers(task: Task) -> Result<Reply> {
    let (hub, spec) = (task.hub()?, task.spec::<safetensors::Wanted>()?);
    let work = async {
        Ok(match spec.filename {
            Some(path) => Reply::new(safetensors::file(&hub, &spec.place, path).await?),
            None => Reply::new(safetensors::repository(&hub, &spec.place).await?),
        })
    };
    hub.within_deadline(&task.watch.progress, Box::pin(work)).await
}

async fn request(task: Task) -> Result<Reply> {
    let (hub, request) = (open(&task)?, task.large_spec::<Request>()?);
    let list = task.entry::<ResourceArc<List>>(atoms::list())?;
    let mut list = match &list {
        Some(list) => Some(list.0.lock().await),
        None => None,
    };
    let response = request.send(&hub, list.as_deref_mut(), &task.watch.progress).await?;
    Ok(Reply::response(response))
}

/// The Hub of a request, whose body may have secrets.
fn open(task: &Task) -> Result<Hub> {
    for secret in task.entry::<Vec<ResourceArc<Secret>>>(atoms::hidden())?.unwrap_or_default() {
        task.hide(|scrub| scrub.add(&secret.0));
    }
    task.hub()
}

/// Sends a piece of the file for each unit of demand.
async fn stream(mut task: Task) -> Result<Reply> {
    let (hub, spec) = (task.hub()?, task.spec::<stream::Spec>()?);
    task.wait_for_demand().await;
    let place = RepoRevision { repo: spec.repo.clone(), revision: spec.revision.clone() };
    let file = stream::FileStream::open(hub.clone(), spec, task.watch.progress.clone()).await;
    let mut file = hints::or_meant(&hub, &place, file).await?;
    while let Some(chunk) = file.next().await? {
        task.send(Piece::Bytes(chunk)).await;
    }
    Ok(Reply::done())
}

/// Sends an event for each unit of demand.
async fn events(mut task: Task) -> Result<Reply> {
    let (hub, listen) = (open(&task)?, task.large_spec::<Listen>()?);
    task.wait_for_demand().await;
    let mut events = Listening::open(hub, listen, task.watch.progress.clone()).await?;
    while let Some(event) = events.next().await? {
        task.send(Piece::Event(event)).await;
    }
    Ok(Reply::done())
}

async fn hold(task: Task) -> Result<Reply> {
    let (held, path) = care::hold(task.spec()?).await?;
    keep(&task, held)?;
    Ok(Reply::new(path))
}

/// A file of secrets.
#[derive(Deserialize)]
struct SecretFile {
    path: RawPath,
}

async fn hold_secret(task: Task) -> Result<Reply> {
    let file: SecretFile = task.spec()?;
    let (lock, path) = private_file::acquire(&file.path.0).await?;
    keep(&task, lock)?;
    Ok(Reply::new(RawPath(path)))
}

fn keep(task: &Task, lock: impl Send + 'static) -> Result<()> {
    if let Some(handle) = task.entry::<ResourceArc<Hold>>(atoms::handle())? {
        Hold::keep(handle, lock);
    }
    Ok(())
}

/// Replaces a file of secrets, or removes it where there is no content.
async fn write_secret(task: Task) -> Result<Reply> {
    let (file, content) =
        (task.spec::<SecretFile>()?, task.entry::<ResourceArc<Secret>>(atoms::content())?);
    let content = content.map(|secret| secret.0.clone().into_bytes());
    blocking::run(move || private_file::write(&file.path.0, content.as_deref())).await?;
    Ok(Reply::done())
}

/// Panics in the given place, to test that there is still exactly one result.
async fn panic(task: Task) -> Result<Reply> {
    if task.spec::<String>()? == "blocking" {
        blocking::run(|| panic!("a panic on a blocking thread, as asked")).await;
    }
    panic!("a panic on a runtime thread, as asked");
}

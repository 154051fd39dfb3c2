//! The jobs by their names: each reads its spec, runs a function of the engine, and ends with its report.

use std::pin::Pin;

use hf_hub_engine::{
    base::{
        blocking::{self, Watch},
        error::Result,
        hash,
        input::RawPath,
        json, lock, private_file,
        progress::Progress,
        random_access::RandomAccess,
        scrub::Shown,
    },
    cache::care,
    download::{self, shared::Sharing},
    extract,
    formats::{card, dataset, safetensors},
    hub::{
        api::request::{Listen, Listening, Request},
        client::Hub,
    },
    upload,
};
use rustler::ResourceArc;
use serde::{Serialize, de::DeserializeOwned};

use crate::{List, OpenFile, SHARED, Secret, atoms, encode::Reply, job::Task};

type Running = Pin<Box<dyn Future<Output = Result<Reply>> + Send>>;

/// Returns the job of this name; nothing of it is done yet.
pub(crate) fn named(name: &str) -> Option<fn(Task) -> Running> {
    Some(match name {
        "download" => |task| Box::pin(remote(task, sharing, download::file)),
        "snapshot" => |task| Box::pin(remote(task, sharing, download::files)),
        "bucket_files" => |task| Box::pin(remote(task, sharing, download::bucket::run)),
        "adopt" => |task| Box::pin(remote(task, Task::spec, download::adopt::run)),
        "resolve" => |task| Box::pin(remote(task, Task::spec, download::resolve::run)),
        "safetensors" => |task| Box::pin(remote(task, Task::spec, safetensors::headers)),
        "create" => |task| Box::pin(remote(task, Task::large_spec, upload::create)),
        "preupload" => |task| Box::pin(remote(task, Task::large_spec, upload::preupload_files)),
        "folder" => |task| Box::pin(remote(task, Task::spec, upload::folder)),
        "store" => |task| Box::pin(remote(task, Task::large_spec, upload::store_for_bucket)),
        "request" => |task| Box::pin(request(task)),
        "stream" => |task| Box::pin(stream(task)),
        "events" => |task| Box::pin(events(task)),
        "rows" => |task| Box::pin(rows(task)),
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
        "parse_card" => |task| Box::pin(local(task, card::read_text)),
        "parse_safetensors" => |task| Box::pin(local(task, safetensors::parse)),
        "parse_json" => |task| Box::pin(local(task, json::read_text)),
        "render_card" => |task| Box::pin(local(task, card::write_text)),
        "open_file" => |task| Box::pin(open_file(task)),
        "read_file" => |task| Box::pin(read_file(task)),
        "hash_file" => |task| Box::pin(local(task, hash::run)),
        "extract" => |task| Box::pin(local(task, extract::unpack)),
        "hold" => |task| Box::pin(hold(task, care::hold)),
        "hold_secret" => |task| Box::pin(hold(task, private_file::hold)),
        "hold_beside" => |task| Box::pin(hold(task, lock::beside)),
        "write_secret" => |task| Box::pin(write_secret(task)),
        "panic" => |task| Box::pin(panic(task)),
        _ => return None,
    })
}

/// Work on this machine.
async fn local<S: DeserializeOwned, R: Serialize + Send + 'static>(
    task: Task,
    run: impl AsyncFnOnce(S, Watch) -> Result<R>,
) -> Result<Reply> {
    let report = run(task.spec()?, task.watch.clone()).await?;
    Ok(Reply::structs(report, task.part(atoms::structs())))
}

/// Work with a Hub.
async fn remote<S, R: Serialize + Shown + Send + 'static>(
    task: Task,
    read: fn(&Task) -> Result<S>,
    run: impl AsyncFnOnce(&Hub, S, &Progress) -> Result<R>,
) -> Result<Reply> {
    let (hub, spec) = (task.hub()?, read(&task)?);
    let report = run(&hub, spec, &task.watch.progress).await?;
    Ok(Reply::new(report.shown(&task.job.scrub())))
}

fn sharing<S: DeserializeOwned + Sharing>(task: &Task) -> Result<S> {
    Ok(task.spec::<S>()?.sharing(SHARED.clone()))
}

async fn request(task: Task) -> Result<Reply> {
    let (hub, request) = (task.hub()?, task.large_spec::<Request>()?);
    let list = task.entry::<ResourceArc<List>>(atoms::list())?;
    let mut list = match &list {
        Some(list) => Some(list.0.lock().await),
        None => None,
    };
    let response = request.send(&hub, list.as_deref_mut(), &task.watch.progress).await?;
    Ok(Reply::response(response, task.part(atoms::structs())))
}

/// Sends a piece of the file for each unit of demand.
async fn stream(mut task: Task) -> Result<Reply> {
    let (hub, spec) = (task.hub()?, task.spec()?);
    task.wait_for_demand().await;
    let mut file = download::open(&hub, spec, &task.watch.progress).await?;
    while let Some(chunk) = file.next().await? {
        task.send(Reply::bytes(chunk)).await;
    }
    Ok(Reply::done())
}

/// Sends an event for each unit of demand.
async fn events(mut task: Task) -> Result<Reply> {
    let (hub, listen) = (task.hub()?, task.large_spec::<Listen>()?);
    task.wait_for_demand().await;
    let mut events = Listening::open(hub, listen, task.watch.progress.clone()).await?;
    while let Some(event) = events.next().await? {
        task.send(Reply::event(event)).await;
    }
    Ok(Reply::done())
}

/// Opens a file to read it at positions.
async fn open_file(task: Task) -> Result<Reply> {
    RandomAccess::open(task.spec()?).await.map(Reply::file)
}

/// Reads a part of an open file.
async fn read_file(task: Task) -> Result<Reply> {
    let file = task.required::<ResourceArc<OpenFile>>(atoms::file())?;
    file.0.clone().read(task.spec()?, task.watch.clone()).await.map(Reply::contents)
}

/// Sends the columns of files, then a batch of their rows for each unit of demand.
async fn rows(mut task: Task) -> Result<Reply> {
    let (hub, spec) = (task.hub()?, task.spec()?);
    task.wait_for_demand().await;
    let mut rows = dataset::Rows::new(&hub, spec, &task.watch);
    while let Some(piece) = rows.next().await? {
        task.send(Reply::new(piece)).await;
    }
    Ok(Reply::done())
}

/// Acquires a lock that is held after the end of the job.
async fn hold<S: DeserializeOwned, L: Send + 'static>(
    task: Task,
    run: impl AsyncFnOnce(S) -> Result<(L, RawPath)>,
) -> Result<Reply> {
    let (lock, path) = run(task.spec()?).await?;
    task.keep(lock);
    Ok(Reply::new(path))
}

/// Replaces a file of secrets, or removes it where there is no content.
async fn write_secret(task: Task) -> Result<Reply> {
    let secret = task.entry::<ResourceArc<Secret>>(atoms::content())?;
    private_file::save(task.spec()?, secret.map(|secret| secret.0.clone().into_bytes())).await?;
    Ok(Reply::done())
}

/// Panics in the given place, to test that there is still exactly one result.
async fn panic(task: Task) -> Result<Reply> {
    if task.spec::<String>()? == "blocking" {
        blocking::run(|| panic!("a panic on a blocking thread, as asked")).await;
    }
    panic!("a panic on a runtime thread, as asked");
}

//! Uploads at the boundary: one function for all uploads that end with a report.

use std::{sync::Arc, time::Duration};

use hf_hub_engine::{
    base::{
        blocking,
        error::Result,
        fnmatch::Filter,
        ids::{Repo, Revision},
        progress::Progress,
    },
    upload::{self, FolderSpec, Message, Oid, Operation, Report, Source, Spec, Target, Tuning},
};
use rustler::{Env, NifMap, NifResult, NifTaggedEnum, Reference, ResourceArc};

use crate::{
    decode::{Held, HubArgs, Path, RepoArgs},
    encode::Reply,
    job::{self, Consumer, Job, Watch},
};

/// An upload, with its arguments.
#[derive(NifTaggedEnum)]
#[rustler(decode)]
enum Call {
    Create(CreateArgs),
    Preupload(CreateArgs),
    Folder(FolderArgs),
}

/// The arguments of all uploads.
#[derive(NifMap)]
#[rustler(decode)]
struct CommonArgs {
    hub: HubArgs,
    progress: bool,
    repo: RepoArgs,
    create_pr: bool,
    summary: String,
    description: String,
    parent: Option<String>,
    workers: u32,
    silence: u64,
    verified: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct CreateArgs {
    common: CommonArgs,
    operations: Vec<Change>,
}

#[derive(NifMap)]
#[rustler(decode)]
struct FolderArgs {
    common: CommonArgs,
    dir: Path,
    path_in_repo: String,
    allow_patterns: Option<Vec<String>>,
    ignore_patterns: Vec<String>,
    delete_patterns: Vec<String>,
    large: bool,
    resumable: bool,
}

/// One change of a commit.
#[derive(NifTaggedEnum)]
#[rustler(decode)]
enum Change {
    Add(AddArgs),
    DeleteFile(String),
    DeleteFolder(String),
    DeleteMatching(Vec<String>),
    Copy(CopyArgs),
}

#[derive(NifMap)]
#[rustler(decode)]
struct AddArgs {
    path: String,
    content: Content,
    oid: Option<String>,
    size: Option<u64>,
}

#[derive(NifMap)]
#[rustler(decode)]
struct CopyArgs {
    from: String,
    path: String,
    revision: Option<String>,
    repo: Option<RepoArgs>,
}

#[derive(NifTaggedEnum)]
#[rustler(decode)]
enum Content {
    Path(Path),
    Binary(Held),
    /// The content is already on the Hub.
    Remote,
}

impl CommonArgs {
    fn target(&self) -> Result<Target> {
        let (repo, revision) = self.repo.names()?;
        Ok(Target { repo, revision, create_pr: self.create_pr })
    }

    fn message(&self) -> Message {
        Message {
            summary: self.summary.clone(),
            description: self.description.clone(),
            parent: self.parent.clone(),
        }
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            workers: self.workers as usize,
            connections: self.hub.connections().max(self.workers as usize),
            silence: Duration::from_millis(self.silence),
        }
    }
}

impl Change {
    fn operation(self) -> Result<Operation> {
        Ok(match self {
            Self::Add(AddArgs { path, content, oid, size }) => Operation::Add {
                path: upload::parse_addition_path(&path)?,
                source: match content {
                    Content::Path(file) => Source::File(Arc::from(file.0)),
                    Content::Binary(held) => Source::Bytes(held.bytes()),
                    Content::Remote => Source::Remote,
                },
                known: oid.as_deref().map(Oid::parse).transpose()?,
                size,
            },
            Self::DeleteFile(path) => Operation::DeleteFile(upload::parse_path(&path)?),
            Self::DeleteFolder(path) => Operation::DeleteFolder(upload::parse_folder_path(&path)?),
            Self::DeleteMatching(patterns) => Operation::DeleteMatching(patterns),
            Self::Copy(CopyArgs { from, path, revision, repo }) => Operation::Copy {
                from: upload::parse_path(&from)?,
                path: upload::parse_addition_path(&path)?,
                revision: revision.as_deref().map(Revision::parse).transpose()?,
                repo: repo.map(|repo| repo.names()).transpose()?.map(|(repo, _): (Repo, _)| repo),
            },
        })
    }
}

impl CreateArgs {
    /// Copies the binaries of the operations here, off the schedulers.
    async fn spec(self) -> Result<Spec> {
        let (target, message, tuning) =
            (self.common.target()?, self.common.message(), self.common.tuning());
        let (operations, verified) = (self.operations, self.common.verified);
        let operations = operations.into_iter().map(Change::operation);
        let operations = blocking::run(move || operations.collect::<Result<Vec<_>>>()).await?;
        Ok(Spec { target, message, operations, tuning, verified })
    }
}

impl FolderArgs {
    fn spec(self) -> Result<FolderSpec> {
        Ok(FolderSpec {
            target: self.common.target()?,
            message: self.common.message(),
            tuning: self.common.tuning(),
            verified: self.common.verified,
            dir: self.dir.0,
            path_in_repo: self.path_in_repo,
            filter: Filter { allow: self.allow_patterns, ignore: self.ignore_patterns },
            delete: self.delete_patterns,
            large: self.large,
            resumable: self.resumable,
        })
    }
}

/// Returns the report; its warnings contain text from the Hub.
fn reported(mut report: Report, consumer: &Consumer) -> Reply {
    for warning in &mut report.warnings {
        *warning = consumer.shown(warning);
    }
    Reply::value(report)
}

/// Runs an upload; ends with `{:ok, report}`, or for `:preupload` with the list of uploaded files.
#[rustler::nif]
fn upload<'a>(env: Env<'a>, tag: Reference<'a>, call: Call) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    let closely = match &call {
        Call::Create(args) | Call::Preupload(args) => args.common.progress,
        Call::Folder(args) => args.common.progress,
    };
    job::spawn(env, tag, Watch::new(&progress, closely), move |consumer| async move {
        Ok(match call {
            Call::Create(args) => {
                let hub = args.common.hub.open(&progress, &consumer)?;
                let report = upload::create(&hub, args.spec().await?, &progress).await?;
                reported(report, &consumer)
            }
            Call::Preupload(args) => {
                let hub = args.common.hub.open(&progress, &consumer)?;
                Reply::value(upload::preupload_files(&hub, args.spec().await?, &progress).await?)
            }
            Call::Folder(args) => {
                let hub = args.common.hub.open(&progress, &consumer)?;
                reported(upload::folder(&hub, args.spec()?, &progress).await?, &consumer)
            }
        })
    })
}

//! Asks the Hub how to upload files: as part of the commit or to the large file store, whether the
//! repository ignores them, and what it has at their paths.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::Commit,
    },
    upload::{Addition, oid::Oid, session::Session},
};

/// Maximum number of files in one request.
pub(super) const BATCH: usize = 256;

/// How a file is uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As part of the commit.
    Regular,
    /// To the large file store, before the commit.
    Lfs,
}

/// The Hub's response for one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) mode: Mode,
    pub(super) ignored: bool,
    /// What the repository has at that path.
    pub(super) remote: Option<Oid>,
}

/// The Hub's response for several files.
pub(super) struct Judged {
    pub(super) files: Vec<(Addition, Verdict)>,
    /// The head of the branch.
    pub(super) head: Option<Commit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    files: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git_ignore: Option<&'a str>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    path: &'a str,
    sample: &'a str,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreuploadResponse {
    files: Vec<Said>,
    #[serde(default)]
    commit_oid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    path: String,
    upload_mode: Mode,
    #[serde(default)]
    should_ignore: bool,
    #[serde(default)]
    oid: Option<String>,
}

/// Asks about up to [`BATCH`] files.
pub(super) async fn ask(
    session: &Session,
    files: Vec<Addition>,
    git_ignore: Option<&str>,
) -> Result<Judged> {
    let (files, samples) = blocking::run(move || {
        let sample = |file: &Addition| Ok(STANDARD.encode(file.open()?.sample()?));
        let samples = files.iter().map(sample).collect::<Result<Vec<_>>>();
        (files, samples)
    })
    .await;
    let samples = samples?;
    let candidates = files.iter().zip(&samples).map(|(file, sample)| Candidate {
        path: file.path.as_str(),
        sample,
        size: file.stamp.size,
    });
    let question = Question { files: candidates.collect(), git_ignore };
    let mut answer: PreuploadResponse = session.ask(session.route("preupload"), &question).await?;
    let head = answer.commit_oid.take().and_then(|oid| Commit::parse(&oid).ok());
    answer.files.sort_by(|one, other| one.path.cmp(&other.path));
    let judged = files.into_iter().map(|file| {
        let verdict = verdict(&file, &answer)?;
        Ok((file, verdict))
    });
    Ok(Judged { files: judged.collect::<Result<_>>()?, head })
}

fn verdict(file: &Addition, answer: &PreuploadResponse) -> Result<Verdict> {
    let path = file.path.as_str();
    let said = answer.files.binary_search_by(|said| said.path.as_str().cmp(path));
    let said = said.ok().and_then(|at| answer.files.get(at)).ok_or_else(|| {
        let message = format!("the Hub's response does not include \"{path}\"");
        Error::new(ErrorKind::InvalidResponse, message).with_path(path)
    })?;
    // The large file store does not accept empty files.
    let mode = if file.stamp.size == 0 { Mode::Regular } else { said.upload_mode };
    let remote = said.oid.as_deref().and_then(|oid| Oid::parse(oid).ok());
    Ok(Verdict { mode, ignored: said.should_ignore, remote })
}

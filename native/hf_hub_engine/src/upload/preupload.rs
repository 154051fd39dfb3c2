//! Asks how files are to be uploaded: as part of the commit or as large files before it, whether the
//! repository ignores them, and what it has under their names.

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

/// Files in one question.
pub(super) const BATCH: usize = 256;

/// How a file is uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the commit.
    Regular,
    /// Before it, to the large file store.
    Lfs,
}

/// What the Hub says about one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) mode: Mode,
    pub(super) ignored: bool,
    /// What the repository has under that name.
    pub(super) remote: Option<Oid>,
}

/// What the Hub says about some files.
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
struct Answer {
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
    let mut answer: Answer = session.ask(session.route("preupload"), &question).await?;
    let head = answer.commit_oid.take().and_then(|oid| Commit::parse(&oid).ok());
    answer.files.sort_by(|one, other| one.path.cmp(&other.path));
    let judged = files.into_iter().map(|file| {
        let verdict = verdict(&file, &answer)?;
        Ok((file, verdict))
    });
    Ok(Judged { files: judged.collect::<Result<_>>()?, head })
}

fn verdict(file: &Addition, answer: &Answer) -> Result<Verdict> {
    let path = file.path.as_str();
    let said = answer.files.binary_search_by(|said| said.path.as_str().cmp(path));
    let said = said.ok().and_then(|at| answer.files.get(at)).ok_or_else(|| {
        let message = format!("the Hub did not say how \"{path}\" is to be uploaded");
        Error::new(ErrorKind::InvalidResponse, message).with_path(path)
    })?;
    // The large file store takes no empty files.
    let mode = if file.stamp.size == 0 { Mode::Regular } else { said.upload_mode };
    let remote = said.oid.as_deref().and_then(|oid| Oid::parse(oid).ok());
    Ok(Verdict { mode, ignored: said.should_ignore, remote })
}

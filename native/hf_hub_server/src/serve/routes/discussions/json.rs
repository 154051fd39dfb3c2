//! Discussions and their events as JSON.

use serde_json::{Map, Value, json};

use super::super::super::markdown::{self, Place};
use super::super::super::response::date;
use crate::store::{Author, Changes, Comment, Discussion, Event, Happened, RepoKey};

/// Maximum number of names of files with conflicts.
const MAX_CONFLICTS: usize = 1000;
/// The text of a hidden comment.
const HIDDEN: &str = "This comment has been hidden";

/// Returns a discussion as in lists.
pub(super) fn listed(key: &RepoKey, discussion: &Discussion) -> Value {
    let mut json = shared(key, discussion);
    json.insert("topReactions".into(), json!([]));
    json.insert("numReactionUsers".into(), 0.into());
    json.insert("numComments".into(), discussion.comments.into());
    json.into()
}

/// Returns a discussion with its events.
pub(super) fn details(
    key: &RepoKey,
    discussion: &Discussion,
    events: &[Event],
    changes: Changes,
) -> Value {
    let mut json = shared(key, discussion);
    json.insert("_id".into(), discussion.object_id.clone().into());
    json.insert("locked".into(), false.into());
    json.insert("isReport".into(), false.into());
    json.insert("collection".into(), "discussions".into());
    json.insert("events".into(), events.iter().map(event).collect());
    if discussion.base.is_some() {
        json.insert("filesWithConflicts".into(), conflicts(&changes.conflicts));
        json.insert("changes".into(), references(discussion));
        json.extend(changes.diff.map(|diff| ("diff".to_owned(), (&*diff).into())));
    }
    json.into()
}

/// Returns the branch and the merge of a pull request.
pub(super) fn references(discussion: &Discussion) -> Value {
    let mut json = Map::new();
    json.insert("base".into(), discussion.base.clone().into());
    let merged = discussion.merge_commit.clone();
    json.extend(merged.map(|commit| ("mergeCommitId".to_owned(), commit.into())));
    json.into()
}

/// Returns an event.
pub(super) fn event(event: &Event) -> Value {
    let mut json = Map::new();
    json.insert("id".into(), event.id.clone().into());
    insert_author(&mut json, event.author.as_ref());
    json.insert("type".into(), event.happened.kind().into());
    json.insert("createdAt".into(), date(event.created_at).into());
    let data = match &event.happened {
        Happened::Comment(comment) => self::comment(comment, event),
        Happened::StatusChange(change) => json!({ "status": change.status }),
        Happened::TitleChange(change) => json!({ "from": change.from, "to": change.to }),
        Happened::Commit(commit) => json!({ "subject": commit.subject, "oid": commit.oid }),
    };
    json.insert("data".into(), data);
    json.into()
}

fn shared(key: &RepoKey, discussion: &Discussion) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("num".into(), discussion.num.into());
    insert_author(&mut json, discussion.author.as_ref());
    let repo = json!({ "name": key.id.to_string(), "type": key.kind.singular() });
    json.insert("repo".into(), repo);
    json.insert("title".into(), discussion.title.clone().into());
    json.insert("createdAt".into(), date(discussion.created_at).into());
    json.insert("status".into(), json!(discussion.status));
    json.insert("isPullRequest".into(), discussion.base.is_some().into());
    json.insert("pinned".into(), discussion.pinned.into());
    json
}

/// The names of many files are left out, as on the Hub: `true` stands for them.
fn conflicts(files: &[String]) -> Value {
    if files.len() > MAX_CONFLICTS { true.into() } else { files.into() }
}

fn comment(comment: &Comment, event: &Event) -> Value {
    let mut editors = Vec::new();
    for version in &comment.versions {
        let editor = version.author.as_ref().map(|author| &author.name);
        if let Some(editor) = editor
            && !editors.contains(editor)
        {
            editors.push(editor.clone());
        }
    }
    let versions = comment.versions.iter().map(|version| {
        self::version(&version.content, &date(version.created_at), version.author.as_ref())
    });
    let mut versions = versions.collect::<Vec<_>>();
    let hidden = || version(HIDDEN, &date(event.created_at), event.author.as_ref());
    let latest = versions.pop().unwrap_or_else(hidden);
    let mut json = json!({
        "edited": !versions.is_empty(),
        "hidden": comment.hidden_by.is_some(),
        "latest": latest,
        "numEdits": versions.len(),
        "history": versions,
        "editors": editors,
        "editorAvatarUrls": [],
        "reactions": [],
        "isReport": false,
    });
    if let Some(by) = &comment.hidden_by {
        json["hiddenBy"] = by.clone().into();
    }
    if let Some(reason) = &comment.reason {
        json["hiddenReason"] = reason.clone().into();
    }
    json
}

fn version(content: &str, date: &str, author: Option<&Author>) -> Value {
    let mut json = Map::new();
    json.insert("raw".into(), content.into());
    json.insert("html".into(), markdown::html(content, Place::Api).into());
    json.insert("updatedAt".into(), date.into());
    insert_author(&mut json, author);
    json.into()
}

/// A user who was removed has no entry.
fn insert_author(json: &mut Map<String, Value>, author: Option<&Author>) {
    if let Some(author) = author {
        let author = json!({
            "name": author.name,
            "fullname": author.fullname.as_ref().unwrap_or(&author.name),
            "avatarUrl": "",
            "type": "user",
            "isPro": false,
            "isHf": false,
            "isMod": false,
        });
        json.insert("author".into(), author);
    }
}

//! What to do about a discussion or a pull request that the Hub does not change.

use crate::base::{
    error::{Error, ErrorKind},
    hint::Hint,
};

/// Returns the hint, if the request was about a discussion or a pull request.
pub(crate) fn hint(error: &Error) -> Option<Hint> {
    let number = number(error.url()?)?;
    // The Hub sends no error codes for these.
    let words = error.message().to_lowercase();
    match error.kind() {
        ErrorKind::NotFound => Some(Hint::ListDiscussions),
        ErrorKind::Conflict | ErrorKind::BadRequest => [
            ("conflict", Hint::SolveConflicts { revision: format!("refs/pr/{number}") }),
            ("draft", Hint::OpenDraft),
            ("been merged", Hint::AnotherPullRequest),
            ("is closed", Hint::Reopen),
        ]
        .into_iter()
        .find_map(|(word, hint)| words.contains(word).then_some(hint)),
        _ => None,
    }
}

/// Returns the number in the URL of a discussion, or of a commit to a pull request.
fn number(url: &str) -> Option<u64> {
    let places = ["/discussions/", "/commit/refs%2Fpr%2F"];
    let (_, rest) = places.iter().find_map(|place| url.split_once(place))?;
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(kind: ErrorKind, words: &str, path: &str) -> Option<Hint> {
        let url = format!("https://hub.example/api/models/org/name/{path}").parse().unwrap();
        hint(&Error::new(kind, words).with_url(&url))
    }

    #[test]
    fn hints_match_the_rejection() {
        let solve = || Some(Hint::SolveConflicts { revision: "refs/pr/12".to_owned() });
        for (kind, words, path, expected) in [
            (ErrorKind::Conflict, "Merge conflicts: a", "discussions/12/merge", solve()),
            (ErrorKind::BadRequest, "is a Draft", "discussions/1/merge", Some(Hint::OpenDraft)),
            (
                ErrorKind::Conflict,
                "has already been merged",
                "commit/refs%2Fpr%2F12",
                Some(Hint::AnotherPullRequest),
            ),
            (ErrorKind::Conflict, "This is closed", "discussions/1/status", Some(Hint::Reopen)),
            (ErrorKind::NotFound, "x", "discussions/12", Some(Hint::ListDiscussions)),
            (ErrorKind::Conflict, "is already open", "discussions/1/status", None),
            (ErrorKind::Conflict, "Merge conflicts: a", "commit/main", None),
            (ErrorKind::NotFound, "x", "discussions", None),
            (ErrorKind::Server, "draft", "discussions/1", None),
        ] {
            assert_eq!(hint_for(kind, words, path), expected, "{words} {path}");
        }
    }
}

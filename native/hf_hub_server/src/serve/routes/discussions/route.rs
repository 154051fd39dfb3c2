//! The routes below `/api/{kind}/{id}/discussions`.

use axum::http::Method;

/// A route about the discussions of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The list; a new discussion.
    All,
    /// A discussion, with what is done to it.
    One {
        /// Its number, at least 1.
        num: u64,
        /// The rest of the route.
        what: What,
    },
}

/// What is done to a discussion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The details; removing it.
    Whole,
    /// A new comment.
    Comment,
    /// A new text of a comment.
    Edit {
        /// The comment's id.
        comment: String,
    },
    /// Hiding a comment.
    Hide {
        /// The comment's id.
        comment: String,
    },
    /// A new title.
    Title,
    /// A new status.
    Status,
    /// Merging a pull request.
    Merge,
    /// Whether it is shown first.
    Pin,
    /// Removing the ref of a pull request.
    Ref,
}

impl Route {
    /// Parses the segments after the repository's id.
    pub(crate) fn parse(segments: &[&str]) -> Option<Self> {
        let ["discussions", rest @ ..] = segments else { return None };
        let [num, rest @ ..] = rest else { return Some(Self::All) };
        let what = match rest {
            [] => What::Whole,
            ["comment"] => What::Comment,
            ["comment", id, "edit"] => What::Edit { comment: event_id(id)? },
            ["comment", id, "hide"] => What::Hide { comment: event_id(id)? },
            ["title"] => What::Title,
            ["status"] => What::Status,
            ["merge"] => What::Merge,
            ["pin"] => What::Pin,
            ["ref"] => What::Ref,
            _ => return None,
        };
        Some(Self::One { num: number(num)?, what })
    }

    /// Returns the route of the details of a discussion.
    #[cfg(test)]
    pub(crate) fn of(num: u64) -> Self {
        Self::One { num, what: What::Whole }
    }

    /// Whether the route supports the method.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        match self {
            Self::All => matches!(*method, Method::GET | Method::HEAD | Method::POST),
            Self::One { what: What::Whole, .. } => {
                matches!(*method, Method::GET | Method::HEAD | Method::DELETE)
            }
            Self::One { what: What::Ref, .. } => method == Method::DELETE,
            Self::One { .. } => method == Method::POST,
        }
    }
}

/// Returns a positive number that the database can hold, written in one way only.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|number| is_plain && i64::try_from(*number).is_ok())
}

fn event_id(text: &str) -> Option<String> {
    let is_id =
        text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<Route> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        Route::parse(&["discussions"].into_iter().chain(parts).collect::<Vec<_>>())
    }

    #[test]
    fn parses_numbers_and_ids_written_in_one_way() {
        let one = |num, what| Some(Route::One { num, what });
        let id = "0123456789abcdef01234567";
        assert_eq!(parse(""), Some(Route::All));
        assert_eq!(parse("7"), one(7, What::Whole));
        assert_eq!(parse("7/merge"), one(7, What::Merge));
        let comment = || id.to_owned();
        assert_eq!(
            parse(&format!("1/comment/{id}/edit")),
            one(1, What::Edit { comment: comment() })
        );
        assert_eq!(
            parse(&format!("1/comment/{id}/hide")),
            one(1, What::Hide { comment: comment() })
        );
        for path in [
            "0",
            "-1",
            "+1",
            "01",
            "1.5",
            "x",
            "9223372036854775808",
            "99999999999999999999",
            "1/x",
            "1/comment/x/edit",
            &format!("1/comment/{}/hide", id.to_uppercase()),
            &format!("1/comment/{id}"),
            &format!("1/comment/{id}/edit/x"),
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}

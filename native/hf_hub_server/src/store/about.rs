//! What the event of a webhook is about.

use super::repo::Repo;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About {
    /// A repository, by its row.
    Repo(i64),
    /// A bucket, by its row.
    #[cfg(feature = "xet")]
    Bucket(i64),
}

impl From<&Repo> for About {
    fn from(repo: &Repo) -> Self {
        Self::Repo(repo.row)
    }
}

impl About {
    /// Returns the values of `repository_id` and `bucket_id`.
    pub(super) fn rows(self) -> (i64, Option<i64>) {
        match self {
            Self::Repo(row) => (row, None),
            #[cfg(feature = "xet")]
            Self::Bucket(row) => (0, Some(row)),
        }
    }
}

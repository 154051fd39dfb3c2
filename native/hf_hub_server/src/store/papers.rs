//! The imported papers, by arXiv id, in the format of the Hub's API.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::disk::{self, Lock};

/// A paper: an object with an `id`.
pub(crate) type Paper = Map<String, Value>;

/// The file of all papers below the root.
#[derive(Clone, Debug)]
pub(crate) struct Papers {
    path: PathBuf,
}

impl Papers {
    /// Opens the papers of the Hub at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { path: root.join("papers.json") }
    }

    /// Returns all papers, by id.
    pub(crate) fn all(&self) -> Result<BTreeMap<String, Paper>> {
        Ok(disk::read_json(&self.path)?.unwrap_or_default())
    }

    /// Adds the papers of a JSON file, an array; existing ids are replaced. Returns their number.
    pub(crate) fn import(&self, file: &Path) -> Result<usize> {
        let context = || format!("cannot read papers from {}", file.display());
        let text = fs::read(file).with_context(context)?;
        let papers: Vec<Paper> = serde_json::from_slice(&text).with_context(context)?;
        let _lock = Lock::acquire(&self.path.with_extension("lock"))?;
        let mut all = self.all()?;
        let count = papers.len();
        for paper in papers {
            let id = paper.get("id").and_then(Value::as_str).context("a paper has no \"id\"")?;
            all.insert(id.to_owned(), paper);
        }
        disk::write_json(&self.path, &all)?;
        Ok(count)
    }
}

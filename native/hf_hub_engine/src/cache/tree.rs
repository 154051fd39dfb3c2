//! The listing of all files of a commit, as the Hub sends it and as caches store it.
//!
//! With it, a client knows every file's etag and size before it requests a file.

use std::{collections::BTreeMap, fmt::Write, io::Read, path::Path};

use serde::{Deserialize, Serialize};

use crate::base::{
    disk::{open_regular, write_atomically},
    error::{Error, ErrorKind, Result},
    etag::Etag,
    hex,
    ids::RepoPath,
};

const FORMAT_VERSION: u32 = 1;

/// All files of one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<RepoPath, Entry>);

/// One file of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Size in bytes as listed.
    pub size: u64,
    /// Git object id of the file, or of its LFS pointer.
    pub blob_id: String,
    /// SHA-256 of the content, for LFS files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lfs_sha256: Option<String>,
    /// Size of the content, for LFS files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lfs_size: Option<u64>,
    /// Xet hash, for files the Hub stores in Xet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xet_hash: Option<String>,
}

impl Entry {
    /// Returns the etag, which names the content and verifies it.
    pub fn etag(&self) -> Result<Etag> {
        Etag::parse(self.lfs_sha256.as_deref().unwrap_or(&self.blob_id))
    }

    /// Returns the content's size in bytes.
    pub fn content_size(&self) -> u64 {
        self.lfs_size.unwrap_or(self.size)
    }
}

#[derive(Deserialize)]
struct Stored {
    format_version: u32,
    files: BTreeMap<String, Entry>,
}

#[derive(Serialize)]
struct Store<'a> {
    format_version: u32,
    files: BTreeMap<&'a str, &'a Entry>,
}

/// An element of a page of `/tree`.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<ListedLfs>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct ListedLfs {
    #[serde(alias = "sha256")]
    oid: String,
    size: u64,
}

impl Tree {
    /// Returns all files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&RepoPath, &Entry)> {
        self.0.iter()
    }

    /// Returns the file at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Adds one page of the Hub's listing. A path that no repository can contain is an error; one
    /// that cannot be written here is an error only when the file is downloaded.
    pub fn add_page(&mut self, json: &[u8]) -> Result<()> {
        let page: Vec<Listed> = crate::base::json::parse(json).map_err(|source| {
            let message = "invalid file listing from the Hub";
            Error::new(ErrorKind::InvalidResponse, message).with_source(source)
        })?;
        for listed in page.into_iter().filter(|listed| listed.kind == "file") {
            let path = RepoPath::parse_listed(&listed.path).map_err(|error| {
                let message = format!("invalid file listing from the Hub: {}", error.message());
                error.with_kind(ErrorKind::InvalidResponse).with_message(message)
            })?;
            let (lfs_sha256, lfs_size) = listed.lfs.map(|lfs| (lfs.oid, lfs.size)).unzip();
            let entry = Entry {
                size: listed.size,
                blob_id: listed.oid,
                lfs_sha256,
                lfs_size,
                xet_hash: listed.xet_hash,
            };
            self.0.insert(path, entry);
        }
        Ok(())
    }

    /// Returns an error if a path is listed both as a file and as a folder.
    pub fn check_collisions(&self) -> Result<()> {
        for path in self.0.keys() {
            let parents = path.as_str().match_indices('/').map(|(at, _)| &path.as_str()[..at]);
            for parent in parents {
                if self.0.contains_key(parent) {
                    let message =
                        format!("the Hub lists {parent:?} both as a file and as a folder");
                    return Err(Error::new(ErrorKind::InvalidResponse, message));
                }
            }
        }
        Ok(())
    }

    /// Reads a stored listing; `None` if it is missing or unusable.
    pub fn read(file: &Path) -> Option<Self> {
        let mut text = Vec::new();
        open_regular(file).ok()?.read_to_end(&mut text).ok()?;
        let stored: Stored = serde_json::from_slice(&text).ok()?;
        if stored.format_version != FORMAT_VERSION {
            return None;
        }
        let entries = stored
            .files
            .into_iter()
            .map(|(path, entry)| Some((RepoPath::parse_listed(&path).ok()?, entry)));
        let tree = Self(entries.collect::<Option<_>>()?);
        tree.has_valid_xet_hashes().then_some(tree)
    }

    /// Stores the listing, exactly as the Python client writes it.
    pub fn write(&self, file: &Path) -> Result<()> {
        if !self.has_valid_xet_hashes() {
            return Ok(());
        }
        let files = self.0.iter().map(|(path, entry)| (path.as_str(), entry)).collect();
        let mut json = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
        Store { format_version: FORMAT_VERSION, files }.serialize(&mut serializer).map_err(
            |source| {
                Error::new(ErrorKind::Internal, "cannot write the listing").with_source(source)
            },
        )?;
        let json = ascii(&String::from_utf8_lossy(&json));
        write_atomically(file, json.as_bytes())
    }

    fn has_valid_xet_hashes(&self) -> bool {
        self.0.values().all(|entry| entry.xet_hash.as_deref().is_none_or(|hash| hex::is(hash, 64)))
    }
}

/// Escapes like Python's `json`: everything that is not ASCII; only strings can contain such
/// characters.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}"); // Writing to a String never fails.
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listing() -> Tree {
        let mut tree = Tree::default();
        let sha = "d".repeat(64);
        let page = format!(
            r#"[{{"type":"file","oid":"{a}","size":9,"path":"ü/😀.json"}},
                {{"type":"directory","oid":"{a}","size":0,"path":"ü"}},
                {{"type":"file","oid":"{b}","size":300000,"path":"model.bin",
                  "lfs":{{"oid":"{sha}","size":300000,"pointerSize":131}}}}]"#,
            a = "a".repeat(40),
            b = "b".repeat(40),
        );
        tree.add_page(page.as_bytes()).unwrap();
        tree
    }

    #[test]
    fn is_stored_like_the_python_client_stores_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trees").join("x.json");
        listing().write(&file).unwrap();
        let expected = format!(
            "{{\n \"format_version\": 1,\n \"files\": {{\n  \"model.bin\": {{\n   \"size\": 300000,\n   \"blob_id\": \"{b}\",\n   \
             \"lfs_sha256\": \"{sha}\",\n   \"lfs_size\": 300000\n  }},\n  \"\\u00fc/\\ud83d\\ude00.json\": {{\n   \"size\": 9,\n   \
             \"blob_id\": \"{a}\"\n  }}\n }}\n}}",
            a = "a".repeat(40),
            b = "b".repeat(40),
            sha = "d".repeat(64),
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        assert_eq!(Tree::read(&file), Some(listing()));
    }

    #[test]
    fn an_unusable_listing_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.json");
        for text in [
            "",
            "{}",
            "{\"format_version\":2,\"files\":{}}",
            "{\"format_version\":1,\"files\":{\"../x\":{\"size\":1,\"blob_id\":\"a\"}}}",
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(Tree::read(&file), None, "{text}");
        }
    }

    #[test]
    fn a_hostile_listing_is_an_error() {
        for name in ["../../x", "/etc/passwd", "a/./b", "a\\u0000b"] {
            let page = format!(
                "[{{\"type\":\"file\",\"oid\":\"{}\",\"size\":1,\"path\":\"{name}\"}}]",
                "a".repeat(40)
            );
            let error = Tree::default().add_page(page.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{name}");
        }
        let oid = "a".repeat(40);
        let page = format!(
            "[{{\"type\":\"file\",\"oid\":\"{oid}\",\"path\":\"a\"}},{{\"type\":\"file\",\"oid\":\"{oid}\",\"path\":\"a/b\"}}]"
        );
        let mut tree = Tree::default();
        tree.add_page(page.as_bytes()).unwrap();
        assert!(tree.check_collisions().is_err());
        assert!(Tree::default().add_page(b"<html>").is_err());
    }
}

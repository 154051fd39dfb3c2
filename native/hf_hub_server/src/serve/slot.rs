//! The paths of signed upload links.
//!
//! A path contains everything about an upload, so the server stores no state. It is signed as a
//! whole, so it cannot be changed.

use percent_encoding::percent_decode_str;

use crate::store::{Pointer, RepoKey, RepoKind, is_oid, is_upload};

/// Content in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The repository.
    pub(super) key: RepoKey,
    /// The content.
    pub(super) pointer: Pointer,
}

/// An upload in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Multipart {
    /// The content.
    pub(super) slot: Slot,
    /// The name of the upload.
    pub(super) upload: String,
    /// The size of every part but the last.
    pub(super) part_size: u64,
}

/// One part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The name of the upload.
    pub(super) upload: String,
    /// Its number; the first is 1.
    pub(super) number: u64,
    /// Where it begins in the content.
    pub(super) offset: u64,
    /// Its size.
    pub(super) size: u64,
}

/// Path of whole contents.
pub(super) const UPLOAD: &str = "/upload/";
/// Path of parts.
pub(super) const PART: &str = "/part/";
/// Path that completes uploads in parts; on the Hub's listener, as on the Hub.
pub(super) const COMPLETE: &str = "/api/complete_multipart/";

impl Slot {
    /// Returns the path to which the whole content is uploaded.
    pub(super) fn path(&self) -> String {
        format!("{UPLOAD}{}", self.tail())
    }

    /// Parses such a path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        Self::from_segments(&path.strip_prefix(UPLOAD)?.split('/').collect::<Vec<_>>())
    }

    fn tail(&self) -> String {
        let Self { key, pointer } = self;
        format!("{}/{}/{}/{}", key.kind.plural(), key.id, pointer.size, pointer.oid)
    }

    fn from_segments(segments: &[&str]) -> Option<Self> {
        let [kind, id @ .., size, oid] = segments else { return None };
        let id = percent_decode_str(&id.join("/")).decode_utf8().ok()?.parse().ok()?;
        let key = RepoKey::new(RepoKind::from_plural(kind)?, id);
        let pointer = Pointer { oid: (*oid).to_owned(), size: size.parse().ok()? };
        is_oid(oid).then_some(Self { key, pointer })
    }
}

impl Multipart {
    /// Returns the number of parts.
    pub(super) fn count(&self) -> u64 {
        self.slot.pointer.size.div_ceil(self.part_size)
    }

    /// Returns the parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        (1..=self.count()).map(|number| {
            let offset = (number - 1) * self.part_size;
            let size = self.part_size.min(self.slot.pointer.size - offset);
            Part { upload: self.upload.clone(), number, offset, size }
        })
    }

    /// Returns the path that completes the upload.
    pub(super) fn path(&self) -> String {
        format!("{COMPLETE}{}/{}/{}", self.upload, self.part_size, self.slot.tail())
    }

    /// Parses such a path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = path.strip_prefix(COMPLETE)?.split('/').collect::<Vec<_>>();
        let [upload, part_size, slot @ ..] = segments.as_slice() else { return None };
        let slot = Slot::from_segments(slot)?;
        let part_size = part_size.parse().ok().filter(|size| *size > 0)?;
        is_upload(upload).then(|| Self { slot, upload: (*upload).to_owned(), part_size })
    }
}

impl Part {
    /// Returns the path to which the part is uploaded.
    pub(super) fn path(&self) -> String {
        format!("{PART}{}/{}/{}/{}", self.upload, self.number, self.offset, self.size)
    }

    /// Parses such a path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = path.strip_prefix(PART)?.split('/').collect::<Vec<_>>();
        let [upload, number, offset, size] = segments.as_slice() else { return None };
        let (number, offset, size) =
            (number.parse().ok()?, offset.parse().ok()?, size.parse().ok()?);
        is_upload(upload).then(|| Self { upload: (*upload).to_owned(), number, offset, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multipart(id: &str, size: u64) -> Multipart {
        let key = RepoKey::new(RepoKind::Dataset, id.parse().unwrap());
        let slot = Slot { key, pointer: Pointer { oid: "a".repeat(64), size } };
        Multipart { slot, upload: "b".repeat(32), part_size: 10 }
    }

    #[test]
    fn parses_the_paths_it_creates() {
        for id in ["acme/r", "gpt2"] {
            let multipart = multipart(id, 25);
            assert_eq!(Multipart::parse(&multipart.path()), Some(multipart.clone()));
            assert_eq!(Slot::parse(&multipart.slot.path()), Some(multipart.slot.clone()));
            let part = multipart.parts().last().unwrap();
            assert_eq!(Part::parse(&part.path()), Some(part));
        }
    }

    #[test]
    fn splits_content_into_parts() {
        let sizes = |size| multipart("a/b", size).parts().map(|p| p.size).collect::<Vec<_>>();
        assert_eq!(sizes(25), [10, 10, 5]);
        assert_eq!(sizes(20), [10, 10]);
        assert_eq!(sizes(1), [1]);
    }

    #[test]
    fn rejects_other_paths() {
        for path in [
            "/upload/",
            "/upload/models/a/b/5/zz",
            "/upload/models/a/../5/aa",
            "/upload/kernels/a/b/5/aa",
            "/part/../1/0/2",
            "/part/x/1/0/2",
        ] {
            assert!(Slot::parse(path).is_none() && Part::parse(path).is_none(), "{path}");
        }
        let zero = multipart("a/b", 25).path().replace("/10/", "/0/");
        assert_eq!(Multipart::parse(&zero), None);
    }
}

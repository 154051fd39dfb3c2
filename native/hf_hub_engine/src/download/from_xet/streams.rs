//! Streams of such files, which are not written to disk.

use super::*;
use crate::{
    base::ids::{RepoPath, Revision},
    download::stream::{self, FileStream, Part},
    hub::client::ByteRange,
};

const ONLY_XET: &str = "x-note: no-location\r\n";

impl Case {
    async fn open(&self, part: Part) -> Result<FileStream> {
        let spec = stream::Spec {
            repo: self.spec().repo,
            revision: Revision::parse("main").unwrap(),
            path: RepoPath::parse("model.bin").unwrap(),
            part,
        };
        FileStream::open(self.hub.clone(), spec, Progress::default()).await
    }

    /// Returns what arrives, and the error that follows, if one does.
    async fn read(&self, part: Part) -> (Vec<u8>, Option<Error>) {
        let mut stream = match self.open(part).await {
            Ok(stream) => stream,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut content = Vec::new();
        loop {
            match stream.next().await {
                Ok(Some(piece)) => content.extend_from_slice(&piece),
                Ok(None) => return (content, None),
                Err(error) => return (content, Some(error)),
            }
        }
    }

    async fn streams(&self) {
        let (content, error) = self.read(Part::Whole).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(content, CONTENT);
    }
}

fn range(first: u64, end: Option<u64>) -> Part {
    Part::Range(ByteRange { first, end })
}

#[tokio::test]
async fn a_file_that_only_xet_has_is_streamed_with_ranges() {
    let case = Case::new(Mode::Auto, right, ONLY_XET, None).await;
    case.streams().await;
    for (part, wanted) in [
        (range(4, Some(11)), 4..11),
        (range(30, None), 30..36),
        (range(30, Some(99)), 30..36),
        (Part::Last(7), 29..36),
        (Part::Last(99), 0..36),
    ] {
        assert_eq!(case.read(part).await.0, CONTENT[wanted.clone()], "{part:?}");
        assert_eq!(case.asked().pop(), Some((wanted.start as u64, wanted.end as u64)));
    }
    let (content, error) = case.read(range(36, None)).await;
    assert_eq!((content, error.unwrap().kind()), (Vec::new(), ErrorKind::BadRequest));
}

#[tokio::test]
async fn wrong_bytes_of_the_storage_end_a_stream_in_an_error() {
    let case = Case::new(Mode::Auto, corrupt, ONLY_XET, None).await;
    assert_eq!(case.read(Part::Whole).await.1.unwrap().kind(), ErrorKind::ChecksumMismatch);
    let case = Case::new(Mode::Auto, long, ONLY_XET, None).await;
    assert_eq!(case.read(Part::Whole).await.1.unwrap().kind(), ErrorKind::ChecksumMismatch);
    let (content, error) = case.read(range(0, Some(3))).await;
    assert!(error.is_none() && content == CONTENT[..3], "{error:?}");
}

#[tokio::test]
async fn a_stream_without_xet_reports_that_only_xet_has_the_file() {
    let case = Case::new(Mode::Never, right, ONLY_XET, None).await;
    let error = case.read(Part::Whole).await.1.unwrap();
    assert!(error.message().contains("in Xet storage only"), "{error:?}");
}

#[tokio::test]
async fn http_takes_over_a_stream_from_a_failing_storage() {
    let scripts: [(Script, &str); 3] =
        [(refusing, "get /"), (failing, "range: bytes=8-"), (short, "range: bytes=8-")];
    for (script, request) in scripts {
        let case = Case::new(Mode::Always, script, "", None).await;
        case.streams().await;
        let last = case.requests().pop().unwrap();
        assert!(last.contains(request), "{last}");
    }
}

#[tokio::test]
async fn xet_takes_over_a_stream_where_http_has_stopped() {
    let case = Case::new(Mode::Auto, right, "", Some(20)).await;
    case.streams().await;
    assert_eq!(case.asked(), [(20, 36)]);
}

#[tokio::test]
async fn a_stream_comes_over_http_by_default_and_by_xet_if_wanted() {
    for (mode, asked) in [(Mode::Auto, vec![]), (Mode::Always, vec![(0, 36)])] {
        let case = Case::new(mode, right, "", None).await;
        case.streams().await;
        assert_eq!(case.asked(), asked);
    }
}

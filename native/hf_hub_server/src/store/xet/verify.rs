//! Verifies the claims of a shard: that the xorbs have these chunks, that the client knows the chunks,
//! and that the chunks make up a file with this Xet hash and this SHA-256.

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use xet_core_structures::merklehash::MerkleHashSubtree;
use xet_core_structures::metadata_shard::chunk_verification::range_hash_from_chunks;
use xet_core_structures::metadata_shard::file_structs::MDBFileInfoView;
use xet_core_structures::metadata_shard::hash_is_global_dedup_eligible;
use xet_core_structures::metadata_shard::xorb_structs::MDBXorbInfoView;

use super::{Invalid, Shard, Term, XetHash, XetIndices, XetStore, XorbIndex};

/// Is told often how many files were verified, and stops the work by an error.
type Progress<'a> = &'a mut dyn FnMut(usize) -> Result<()>;

/// A file whose terms, Xet hash and SHA-256 were verified.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The Xet hash.
    pub(crate) hash: XetHash,
    /// SHA-256 of the content.
    pub(crate) oid: String,
    /// Size of the content in bytes.
    pub(crate) size: u64,
    pub(super) terms: Vec<Term>,
    /// Chunks by which clients find content, and their xorbs.
    pub(super) entries: Vec<(XetHash, XetHash)>,
}

impl XetStore {
    /// Returns the sizes that a shard claims for its files, with the SHA-256 of their contents.
    pub(crate) fn claims(shard: &Shard) -> Vec<(Option<String>, u64)> {
        let claims = shard.files.iter().map(|file| {
            let sizes = (0..file.num_entries()).map(|at| file.entry(at).unpacked_segment_bytes);
            (claimed_oid(file), sizes.map(u64::from).sum())
        });
        claims.collect()
    }

    /// Verifies the files of a shard one by one.
    pub(crate) fn verify(&self, shard: &Shard, progress: Progress<'_>) -> Result<Vec<Verified>> {
        let mut indices = self.indices();
        for xorb in &shard.xorbs {
            let index = indices.get(&xorb.xorb_hash())?;
            check_xorb(&index, xorb)?;
        }
        let files = shard
            .files
            .iter()
            .enumerate()
            .map(|(done, file)| self.verify_file(&mut indices, file, &mut || progress(done)));
        files.collect()
    }

    fn verify_file(
        &self,
        indices: &mut XetIndices<'_>,
        file: &MDBFileInfoView,
        progress: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Verified> {
        let mut verified = read_terms(indices, file)?;
        let claimed = claimed_oid(file);
        verified.oid = match self.by_hash(&verified.hash.hex())? {
            Some(known) => known.oid,
            None => self.hash_content(&verified.terms, progress)?,
        };
        if claimed.is_some_and(|claimed| claimed != verified.oid) {
            let hash = verified.hash.hex();
            bail!(Invalid(format!("the file {hash} has the SHA-256 {}", verified.oid)));
        }
        Ok(verified)
    }

    fn hash_content(
        &self,
        terms: &[Term],
        progress: &mut dyn FnMut() -> Result<()>,
    ) -> Result<String> {
        let mut content = self.content_of(terms);
        let mut sha256 = Sha256::new();
        loop {
            let bytes = content.fill()?;
            if bytes.is_empty() {
                return Ok(hex::encode(sha256.finalize()));
            }
            sha256.update(bytes);
            let count = bytes.len();
            content.take(count);
            progress()?;
        }
    }
}

fn claimed_oid(file: &MDBFileInfoView) -> Option<String> {
    file.metadata_ext().map(|more| more.sha256.hex())
}

fn check_xorb(index: &XorbIndex, claimed: &MDBXorbInfoView) -> Result<()> {
    let chunks = index.chunks();
    let is_equal = claimed.num_entries() == chunks.len()
        && (0..chunks.len()).all(|at| claimed.chunk(at).chunk_hash == chunks[at].hash);
    if !is_equal {
        bail!(Invalid(format!("the xorb {} has other chunks", claimed.xorb_hash().hex())));
    }
    Ok(())
}

fn read_terms(indices: &mut XetIndices<'_>, file: &MDBFileInfoView) -> Result<Verified> {
    let hash = file.file_hash();
    if !file.contains_verification() && file.num_entries() > 0 {
        let message = format!("the file {} has no verification hashes", hash.hex());
        bail!(Invalid(message));
    }
    let mut tree = MerkleHashSubtree::from_chunks(true, &[], file.num_entries() == 0);
    let (mut terms, mut entries, mut size) = (Vec::new(), Vec::new(), 0);
    for at in 0..file.num_entries() {
        let entry = file.entry(at);
        let index = indices.get(&entry.xorb_hash)?;
        let chunks = entry.chunk_index_start as usize..entry.chunk_index_end as usize;
        let term = Term {
            start: size,
            size: entry.unpacked_segment_bytes.into(),
            xorb: entry.xorb_hash,
            chunks,
        };
        let chunks = chunks_of(&term, &index)?;
        let hashes = chunks.iter().map(|(hash, _)| *hash).collect::<Vec<_>>();
        if range_hash_from_chunks(&hashes) != file.verification(at).range_hash {
            let xorb = term.xorb.hex();
            bail!(Invalid(format!("the verification hash of chunks of {xorb} does not match")));
        }
        let is_last = at + 1 == file.num_entries();
        tree.merge_into(&MerkleHashSubtree::from_chunks(false, &chunks, is_last))?;
        for (number, hash) in hashes.into_iter().enumerate() {
            if (at == 0 && number == 0) || hash_is_global_dedup_eligible(&hash) {
                entries.push((hash, term.xorb));
            }
        }
        size += term.size;
        terms.push(term);
    }
    let salt = XetHash::default();
    let found = tree.final_hash().map(|root| if terms.is_empty() { root } else { root.hmac(salt) });
    if found != Some(hash) {
        bail!(Invalid(format!("the chunks do not make up the file {}", hash.hex())));
    }
    Ok(Verified { hash, oid: String::new(), size, terms, entries })
}

/// Returns the chunks of a term; fails if the xorb does not have them.
fn chunks_of(term: &Term, index: &XorbIndex) -> Result<Vec<(XetHash, u64)>> {
    let (chunks, count) = (&term.chunks, index.count());
    if chunks.is_empty() || chunks.end > count {
        let xorb = term.xorb.hex();
        bail!(Invalid(format!("the xorb {xorb} has the chunks 0..{count}, not {chunks:?}")));
    }
    let unpacked = index.unpacked(chunks);
    if unpacked.end - unpacked.start != term.size {
        let found = unpacked.end - unpacked.start;
        bail!(Invalid(format!("the chunks of a term have the size {found}, not {}", term.size)));
    }
    Ok(index.sized(chunks.clone()))
}

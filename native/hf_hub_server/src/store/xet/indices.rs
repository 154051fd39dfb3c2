//! The indices of the xorbs that were read last: most terms of a file are in the xorbs of their
//! neighbors.

use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Result, bail};

use super::{Invalid, XetHash, XetStore, XorbIndex};

/// Number of indices that are kept in memory.
const INDICES: usize = 16;

/// Reads the indices of xorbs.
#[derive(Debug)]
pub(crate) struct XetIndices<'a> {
    store: &'a XetStore,
    recent: VecDeque<(XetHash, Rc<XorbIndex>)>,
}

impl XetStore {
    /// Returns a reader of indices.
    pub(crate) fn indices(&self) -> XetIndices<'_> {
        XetIndices { store: self, recent: VecDeque::new() }
    }
}

impl XetIndices<'_> {
    /// Returns the index of a xorb; fails with [`Invalid`] if the xorb does not exist.
    pub(crate) fn get(&mut self, xorb: &XetHash) -> Result<Rc<XorbIndex>> {
        if let Some((_, index)) = self.recent.iter().find(|(hash, _)| hash == xorb) {
            return Ok(index.clone());
        }
        let Some((_, index)) = self.store.xorb(xorb)? else { bail!(Invalid(missing(xorb))) };
        let index = Rc::new(index);
        self.recent.truncate(INDICES - 1);
        self.recent.push_front((*xorb, index.clone()));
        Ok(index)
    }
}

/// Returns the message about a xorb that is not stored here.
pub(super) fn missing(xorb: &XetHash) -> String {
    format!(
        "the xorb {} is not stored here: remove the Xet cache of the client, and upload again",
        xorb.hex()
    )
}

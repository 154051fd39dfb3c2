//! The storage, as the engine uses it.

use super::{
    Access, Download, File, Part, Running, Storage, Tuning, Upload, Wanted, access::Tokens,
    deposit::Deposit, exchange::Exchange, known::Known, memory::Memory,
    reconstruction::Reconstruction, requests::Requests, session::Session,
};
use crate::{
    base::limits::Flow,
    transport::{self, Timeouts},
};

/// A client of storages.
#[derive(Debug)]
pub(super) struct Client {
    tuning: Tuning,
    http: transport::Client,
    tokens: Tokens,
    budgets: Budgets,
}

/// The memory of all transfers; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    pub(super) downloads: Memory,
    /// For the objects of uploads that are being sent.
    uploads: Memory,
}

impl Budgets {
    pub(super) fn new(tuning: &Tuning) -> Self {
        let (downloads, uploads) = (Memory::new(tuning.buffer), Memory::new(tuning.sending()));
        Self { downloads, uploads }
    }
}

impl Client {
    /// Creates a client that sends its requests by `http`.
    pub(super) fn new(
        tuning: Tuning,
        http: transport::Client,
        tokens: Tokens,
        budgets: Budgets,
    ) -> Self {
        Self { tuning, http, tokens, budgets }
    }

    fn exchange(&self, access: &Access) -> Exchange {
        let silence = self.tuning.silence;
        let timeouts = Timeouts { headers: silence, idle: silence };
        Exchange::new(self.http.clone(), timeouts, access.clone(), self.tokens.clone())
    }
}

impl Storage for Client {
    fn upload<'a>(
        &'a self,
        access: &'a Access,
        wanted: Wanted,
        flow: &'a Flow,
    ) -> Running<'a, Box<dyn Upload>> {
        Box::pin(async move {
            let storage = access.storage.as_str().trim_end_matches('/');
            let known = Known::open(&self.tuning.cache_dir, storage).await?;
            let deposit = Deposit::new(self.exchange(access), flow.clone());
            let session = Session::new(
                known,
                deposit,
                self.budgets.uploads.clone(),
                self.tuning.object(),
                wanted,
            );
            Ok(Box::new(session) as Box<dyn Upload>)
        })
    }

    fn download<'a>(
        &'a self,
        access: &'a Access,
        file: &'a File,
        part: Part,
    ) -> Running<'a, Box<dyn Download>> {
        let Part { ranges, order, plan_timeout } = part;
        let (exchange, hash) = (self.exchange(access), file.hash().to_owned());
        let requests = Requests::new(exchange, plan_timeout, hash);
        let (memory, connections) = (self.budgets.downloads.clone(), self.tuning.connections);
        let download = Reconstruction::new(requests, memory, connections, ranges, order);
        Box::pin(async { Ok(Box::new(download) as Box<dyn Download>) })
    }
}

#[cfg(test)]
mod tests;

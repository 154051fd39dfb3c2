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
    /// For all downloads.
    downloads: Memory,
    /// For the objects of all uploads that are being sent.
    uploads: Memory,
}

impl Client {
    /// Creates a client that sends its requests by `http`.
    pub(super) fn new(tuning: Tuning, http: transport::Client, tokens: Tokens) -> Self {
        let downloads = Memory::new(tuning.buffer);
        let uploads = Memory::new(tuning.sending());
        Self { tuning, http, tokens, downloads, uploads }
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
            let session =
                Session::new(known, deposit, self.uploads.clone(), self.tuning.object(), wanted);
            Ok(Box::new(session) as Box<dyn Upload>)
        })
    }

    fn download<'a>(
        &'a self,
        access: &'a Access,
        file: &'a File,
        part: Part,
    ) -> Running<'a, Box<dyn Download>> {
        let Part { size, range, order, plan_timeout } = part;
        let (exchange, hash) = (self.exchange(access), file.hash().to_owned());
        let requests = Requests::new(exchange, plan_timeout, hash);
        let range = range.start..range.end.min(size);
        let (memory, connections) = (self.downloads.clone(), self.tuning.connections);
        let download = Reconstruction::new(requests, memory, connections, range, order);
        Box::pin(async { Ok(Box::new(download) as Box<dyn Download>) })
    }
}

#[cfg(test)]
mod tests;

//! Spaces: runtime, settings, variables and secrets, logs, search.
//!
//! A Space is not run here: what its owner asks for is stored, and its stage is that of a script.

mod environment;
mod logs;
mod new;
mod quota;
mod runtime;
pub(super) mod runtime_state;
mod search;
mod templates;
mod volumes;

pub(super) use new::{Wanted, of_template};
pub(super) use quota::zero_gpu;
pub(super) use search::get as search;
pub(super) use templates::get as list_templates;

use axum::http::Method;

use super::super::call::{Call, Reply};
use crate::store::{LogKind, Repo};

/// What is requested of a Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Route {
    /// Stage and hardware.
    Runtime,
    /// Stops it.
    Pause,
    /// Starts it again.
    Restart,
    /// Requests hardware.
    Hardware,
    /// When it is put to sleep.
    SleepTime,
    /// Persistent storage.
    Storage,
    /// Development mode.
    DevMode,
    /// Mounted repositories and buckets.
    Volumes,
    /// Public environment variables.
    Variables,
    /// Secret ones.
    Secrets,
    /// What was printed.
    Logs(LogKind),
}

impl Route {
    /// Parses what follows the id of a Space.
    pub(in crate::serve) fn parse(rest: &[&str]) -> Option<Self> {
        Some(match rest {
            ["runtime"] => Self::Runtime,
            ["pause"] => Self::Pause,
            ["restart"] => Self::Restart,
            ["hardware"] => Self::Hardware,
            ["sleeptime"] => Self::SleepTime,
            ["storage"] => Self::Storage,
            ["dev-mode"] => Self::DevMode,
            ["volumes"] => Self::Volumes,
            ["variables"] => Self::Variables,
            ["secrets"] => Self::Secrets,
            ["logs", "build"] => Self::Logs(LogKind::Build),
            ["logs", "run"] => Self::Logs(LogKind::Run),
            _ => return None,
        })
    }

    /// Whether the route supports the method.
    pub(in crate::serve) fn allows(self, method: &Method) -> bool {
        let reads = method == Method::GET || method == Method::HEAD;
        let (posts, deletes) = (method == Method::POST, method == Method::DELETE);
        match self {
            Self::Runtime | Self::Logs(_) => reads,
            Self::Pause | Self::Restart | Self::Hardware | Self::SleepTime | Self::DevMode => posts,
            Self::Storage => posts || deletes,
            Self::Volumes => method == Method::PUT || deletes,
            Self::Variables | Self::Secrets => reads || posts || deletes,
        }
    }
}

/// Handles `/api/spaces/{id}/…`.
pub(super) fn act(call: &Call, repo: &Repo, route: Route) -> Reply {
    match route {
        Route::Runtime => runtime::get(call, repo),
        Route::Pause => runtime::pause(call, repo),
        Route::Restart => runtime::restart(call, repo),
        Route::Hardware => runtime::request_hardware(call, repo),
        Route::SleepTime => runtime::set_sleep_time(call, repo),
        Route::Storage => runtime::storage(call, repo),
        Route::DevMode => runtime::set_dev_mode(call, repo),
        Route::Volumes => volumes::act(call, repo),
        Route::Variables => environment::variables(call, repo),
        Route::Secrets => environment::secrets(call, repo),
        Route::Logs(kind) => logs::follow(call, repo, kind),
    }
}

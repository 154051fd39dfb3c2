//! The `ZeroGPU` quota, of which nothing is ever used here.

use serde_json::json;

use super::super::super::call::{Call, Reply};
use super::super::super::response;

/// GPU-seconds of a free account.
const BASE: u64 = 300;

/// Handles `/api/spaces/zero-gpu/quota`.
pub(in super::super) fn zero_gpu(call: &Call) -> Reply {
    call.caller.user()?;
    Ok(response::json(&json!({ "base": BASE, "current": BASE, "overquotaUsed": 0 })))
}

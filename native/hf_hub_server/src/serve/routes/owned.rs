//! What belongs to a user or an organization besides repositories: who may see and change it.

use super::super::call::Call;
use super::super::error::ApiError;

/// Returns the namespace of the route, if the caller may see its `what`.
pub(super) fn reader<'a>(call: &'a Call, what: &str) -> Result<&'a str, ApiError> {
    call.caller.user()?;
    let namespace = call.param("namespace")?;
    if call.caller.may_read_in(namespace) {
        return Ok(namespace);
    }
    Err(ApiError::forbidden(format!("You have no access to the {what} of \"{namespace}\"")))
}

/// Returns the namespace of the route, if the caller may create `what` in it.
pub(super) fn writer<'a>(call: &'a Call, what: &str) -> Result<&'a str, ApiError> {
    let namespace = reader(call, what)?;
    check_writer(call, namespace, what)?;
    Ok(namespace)
}

/// Checks that the caller may change `what` of a namespace.
pub(super) fn check_writer(call: &Call, namespace: &str, what: &str) -> Result<(), ApiError> {
    call.caller.writer()?;
    if call.caller.may_write_in(namespace) {
        return Ok(());
    }
    let message = format!("You have no rights to change the {what} of \"{namespace}\"");
    Err(ApiError::forbidden(message))
}

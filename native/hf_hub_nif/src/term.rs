//! Makes binaries and atoms.

use rustler::{Atom, Env, NewBinary, Term};

use crate::atoms;

/// Copies bytes to a binary of the BEAM: measured to be cheaper for streams than sharing.
pub(crate) fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// Returns an atom of a closed list of names.
pub(crate) fn atom(env: Env, name: &str) -> Atom {
    Atom::from_str(env, name).unwrap_or_else(|_| atoms::error())
}

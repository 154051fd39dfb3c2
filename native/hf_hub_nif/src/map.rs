//! Builds maps of any size, safe on the engine's threads.

use rustler::{Env, NifResult, Term};

/// Maximum number of entries of a flat map.
const FLAT: usize = 32;

/// Returns the map of `keys` to `values`; of a key that is repeated, the last value counts.
///
/// `enif_make_map_from_arrays` must not see more than 128 keys: outside of a scheduler thread it
/// crashes the VM then (erlang/otp#8208, OTP 25.1 to 27.2), and with a repeated key among more than
/// 32 it makes a map that does not equal itself (erlang/otp#10975). So it makes the flat part, and
/// `enif_make_map_put`, which has neither fault, adds the rest.
pub(crate) fn build<'a>(
    env: Env<'a>,
    keys: &[Term<'a>],
    values: &[Term<'a>],
) -> NifResult<Term<'a>> {
    let flat = keys.len().min(FLAT);
    match Term::map_from_term_arrays(env, &keys[..flat], &values[..flat]) {
        Ok(map) => put_all(map, &keys[flat..], &values[flat..]),
        // Fails for a repeated key.
        Err(_) => put_all(Term::map_new(env), keys, values),
    }
}

/// Returns the map of keys that are all different, of which `enif_make_map_from_arrays` may see 128.
pub(crate) fn of_different<'a>(
    env: Env<'a>,
    keys: &[Term<'a>],
    values: &[Term<'a>],
) -> NifResult<Term<'a>> {
    if keys.len() <= 128 {
        Term::map_from_term_arrays(env, keys, values)
    } else {
        build(env, keys, values)
    }
}

fn put_all<'a>(map: Term<'a>, keys: &[Term<'a>], values: &[Term<'a>]) -> NifResult<Term<'a>> {
    keys.iter().zip(values).try_fold(map, |map, (key, value)| map.map_put(*key, *value))
}

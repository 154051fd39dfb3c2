//! Decodes terms into the values of a card's metadata, which can be written as YAML.

use hf_hub_engine::formats::card::{MAX_DEPTH, Map, NotFinite, Value};
use rustler::{BigInt, Decoder, Error, NifResult, Term, TermType, types::atom};

mod atoms {
    rustler::atoms! { nan, infinity, neg_infinity }
}

/// A card's metadata. A list of pairs becomes a mapping in that order. Atoms become texts, as keys
/// too, except `nil`, `true`, `false` and those of numbers that are not finite.
pub(crate) struct Metadata(pub(crate) Map);

impl<'a> Decoder<'a> for Metadata {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        match value(term, MAX_DEPTH)? {
            Value::Map(map) => Ok(Self(map)),
            _ => Err(Error::BadArg),
        }
    }
}

fn value(term: Term, depth: usize) -> NifResult<Value> {
    let inner = || depth.checked_sub(1).ok_or(Error::BadArg);
    Ok(match term.get_type() {
        TermType::Binary => Value::Text(term.decode()?),
        TermType::Integer => Value::Integer(match term.decode::<i64>() {
            Ok(number) => number.into(),
            Err(_) => BigInt::decode(term)?,
        }),
        TermType::Float => Value::Float(term.decode()?),
        TermType::Atom => word(term)?,
        TermType::Map => {
            let entries = rustler::MapIterator::new(term).ok_or(Error::BadArg)?;
            Value::Map(
                entries
                    .map(|(key, item)| Ok((name(key)?, value(item, inner()?)?)))
                    .collect::<NifResult<_>>()?,
            )
        }
        TermType::List => {
            let items: Vec<Term> = term.decode()?;
            match pairs(&items) {
                Some(pairs) => Value::Map(
                    pairs
                        .into_iter()
                        .map(|(key, item)| Ok((key, value(item, inner()?)?)))
                        .collect::<NifResult<_>>()?,
                ),
                None => Value::List(
                    items
                        .into_iter()
                        .map(|item| value(item, inner()?))
                        .collect::<NifResult<_>>()?,
                ),
            }
        }
        _ => return Err(Error::BadArg),
    })
}

fn word(term: Term) -> NifResult<Value> {
    Ok(if term == atom::nil().to_term(term.get_env()) {
        Value::Null
    } else if let Ok(value) = term.decode::<bool>() {
        Value::Bool(value)
    } else if atoms::nan() == term {
        Value::NotFinite(NotFinite::Nan)
    } else if atoms::infinity() == term {
        Value::NotFinite(NotFinite::Infinity)
    } else if atoms::neg_infinity() == term {
        Value::NotFinite(NotFinite::NegInfinity)
    } else {
        Value::Text(term.atom_to_string()?)
    })
}

fn pairs<'a>(items: &[Term<'a>]) -> Option<Vec<(String, Term<'a>)>> {
    let pairs = items.iter().map(|item| {
        let (key, value): (Term, Term) = item.decode().ok()?;
        Some((name(key).ok()?, value))
    });
    pairs.collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())
}

fn name(key: Term) -> NifResult<String> {
    key.decode().or_else(|_| key.atom_to_string())
}

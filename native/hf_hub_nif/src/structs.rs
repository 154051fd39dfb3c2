//! The maps of a JSON response or a report into structs of Elixir, by their tables: what `HfHub.Decode` does, for many.
//!
//! A map that has anything uncommon in it stays a map, and so does what it is in, up to the item of the list:
//! Elixir decodes it, or raises the error that it deserves.

use std::cell::RefCell;

use hf_hub_engine::base::{moment::Moment, recent::Recent};
use rustler::{Encoder, Env, ListIterator, MapIterator, Term, sys::ErlNifTerm, types::atom};

use crate::{atoms, map};

/// The type of a response, any time with the fields that a moment sets, and the structs in it: their modules, the
/// empty ones, their rows.
type Tables<'a> = (Term<'a>, (Term<'a>, Vec<Term<'a>>), Vec<(Term<'a>, Term<'a>, Vec<Row<'a>>)>);

/// Decodes a response by [`Tables`] in the same environment. `None` if Elixir has to.
pub(crate) fn decoded<'a>(json: Term<'a>, tables: Term<'a>) -> Option<Term<'a>> {
    let env = json.get_env();
    let (kind, (time, parts), tables) = tables.decode::<Tables>().ok()?;
    let modules: Vec<Term> = tables.iter().map(|(module, ..)| *module).collect();
    let tables = tables.into_iter().map(|(_, empty, rows)| Table::read(empty, rows, &modules));
    let tables = tables.collect::<Option<_>>()?;
    let time = Empty::read(time)?;
    let parts = parts.iter().map(|part| time.place(*part)).collect::<Option<_>>()?;
    let recent = RefCell::new(Recent::new(1 << 16));
    let decoder = Decoder { env, nil: atom::nil().encode(env), tables, time, parts, recent };
    match Kind::read(kind, &modules)? {
        Kind::List(kind) => {
            let items = json.decode::<ListIterator>().ok()?;
            let items = items.map(|item| decoder.item(item, &kind).unwrap_or(item));
            Some(items.collect::<Vec<_>>().encode(env))
        }
        kind => decoder.item(json, &kind),
    }
}

/// A field, the paths to its value, its type, and what it is in place of `nil`.
type Row<'a> = (Term<'a>, Vec<Vec<Term<'a>>>, Term<'a>, Term<'a>);

struct Table<'a> {
    empty: Empty<'a>,
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    at: usize,
    /// Where its value may be; the first one counts that is there.
    paths: Vec<Vec<Term<'a>>>,
    kind: Kind<'a>,
    default: Term<'a>,
}

/// How a value is converted.
enum Kind<'a> {
    AsIs,
    Name,
    Time,
    Microseconds,
    Is(Term<'a>),
    Enum(Term<'a>),
    In(Term<'a>),
    List(Box<Kind<'a>>),
    /// By its place among the tables.
    Struct(usize),
    /// By Elixir, unless it is missing.
    Elixir,
}

/// A struct with the default values.
struct Empty<'a> {
    map: Term<'a>,
    keys: Vec<Term<'a>>,
    values: Vec<Term<'a>>,
}

impl<'a> Table<'a> {
    fn read(empty: Term<'a>, rows: Vec<Row<'a>>, modules: &[Term<'a>]) -> Option<Self> {
        let empty = Empty::read(empty)?;
        let field = |(name, paths, kind, default): Row<'a>| {
            let (at, kind) = (empty.place(name)?, Kind::read(kind, modules)?);
            Some(Field { at, paths, kind, default })
        };
        let fields = rows.into_iter().map(field).collect::<Option<_>>()?;
        Some(Self { empty, fields })
    }
}

impl<'a> Kind<'a> {
    fn read(kind: Term<'a>, modules: &[Term<'a>]) -> Option<Self> {
        if let Ok([item]) = kind.decode::<Vec<Term>>().as_deref() {
            return Some(Self::List(Box::new(Self::read(*item, modules)?)));
        }
        Some(match kind.decode::<(Term, Term)>() {
            Ok((tag, value)) if atoms::is() == tag => Self::Is(value),
            Ok((tag, name)) if atoms::in_() == tag => Self::In(name),
            Ok((tag, atoms)) if atoms::enum_() == tag => Self::Enum(atoms),
            Ok((tag, module)) if atoms::struct_() == tag => {
                Self::Struct(modules.iter().position(|known| *known == module)?)
            }
            _ if atoms::as_is() == kind => Self::AsIs,
            _ if atoms::name() == kind => Self::Name,
            _ if atoms::datetime() == kind => Self::Time,
            _ if atoms::microseconds() == kind => Self::Microseconds,
            _ => Self::Elixir,
        })
    }
}

impl<'a> Empty<'a> {
    fn read(map: Term<'a>) -> Option<Self> {
        let (keys, values) = MapIterator::new(map)?.unzip();
        Some(Self { map, keys, values })
    }

    fn place(&self, key: Term<'a>) -> Option<usize> {
        self.keys.iter().position(|known| key == *known)
    }

    /// Returns the struct with other values. One with few changes shares the keys of the empty one.
    fn with(&self, values: &[Term<'a>]) -> Option<Term<'a>> {
        let changed = |at: &usize| values[*at].as_c_arg() != self.values[*at].as_c_arg();
        let changed: Vec<usize> = (0..values.len()).filter(changed).collect();
        if changed.len() > 2 {
            return map::of_different(self.map.get_env(), &self.keys, values).ok();
        }
        let put = |map: Term<'a>, at: &usize| map.map_put(self.keys[*at], values[*at]).ok();
        changed.iter().try_fold(self.map, put)
    }
}

struct Decoder<'a> {
    env: Env<'a>,
    tables: Vec<Table<'a>>,
    time: Empty<'a>,
    /// Where the parts of a moment are in a time.
    parts: Vec<usize>,
    nil: Term<'a>,
    /// What was made of terms that may come again, by the term and its kind.
    recent: RefCell<Recent<(ErlNifTerm, usize), Term<'a>>>,
}

impl<'a> Decoder<'a> {
    /// Returns the value of an entry; `None` if Elixir has to decode what it is in.
    fn value(&self, json: Term<'a>, kind: &Kind<'a>) -> Option<Term<'a>> {
        match kind {
            Kind::AsIs => Some(json),
            Kind::Name => Some(json).filter(|json| json.is_binary()),
            Kind::Is(wanted) => Some((json == *wanted).encode(self.env)),
            _ if json == self.nil => Some(json),
            Kind::Enum(atoms) => Some(atoms.map_get(json).unwrap_or(json)),
            Kind::In(name) => {
                let text = json.map_get(*name).unwrap_or(json);
                Some(if text.is_binary() { text } else { self.nil })
            }
            Kind::Struct(_) if atom::false_() == json => Some(json),
            Kind::Time if !json.is_binary() => Some(json),
            Kind::List(_) if !json.is_list() => Some(self.nil),
            Kind::List(kind) if matches!(**kind, Kind::AsIs) => Some(json),
            Kind::List(kind) => {
                let items = json.decode::<ListIterator>().ok()?;
                let items = items.map(|item| self.item(item, kind)).collect::<Option<Vec<_>>>();
                items.map(|items| items.encode(self.env))
            }
            Kind::Time => {
                self.once(json, usize::MAX, || self.time(&Moment::read(json.decode().ok()?)?))
            }
            Kind::Microseconds => {
                let made = || self.time(&Moment::since_1970(json.decode().ok()?)?);
                self.once(json, usize::MAX, made)
            }
            Kind::Struct(_) if !json.is_map() => None,
            Kind::Struct(at) => self.once(json, *at, || self.made(json, &self.tables[*at])),
            Kind::Elixir => None,
        }
    }

    fn item(&self, json: Term<'a>, kind: &Kind<'a>) -> Option<Term<'a>> {
        match kind {
            Kind::Struct(_) if !json.is_map() => None,
            kind => self.value(json, kind),
        }
    }

    /// Returns what was made of the same term before.
    fn once(
        &self,
        json: Term<'a>,
        kind: usize,
        make: impl FnOnce() -> Option<Term<'a>>,
    ) -> Option<Term<'a>> {
        let key = (json.as_c_arg(), kind);
        // Not in one expression: what is made may contain others.
        let known = self.recent.borrow().get(&key);
        known.or_else(|| make().inspect(|made| self.recent.borrow_mut().put(key, *made)))
    }

    fn made(&self, json: Term<'a>, table: &Table<'a>) -> Option<Term<'a>> {
        let mut values = table.empty.values.clone();
        for Field { at, paths, kind, default } in &table.fields {
            let value = self.value(self.found(json, paths), kind)?;
            values[*at] = if value == self.nil { *default } else { value };
        }
        table.empty.with(&values)
    }

    /// Returns the first value that is neither missing nor `false`, or else the last one.
    fn found(&self, json: Term<'a>, paths: &[Vec<Term<'a>>]) -> Term<'a> {
        let entry = |json: Term<'a>, name: &Term<'a>| json.map_get(*name).unwrap_or(self.nil);
        let is_there = |found: Term<'a>| found != self.nil && atom::false_() != found;
        let values = paths.iter().map(|path| path.iter().fold(json, entry));
        values.reduce(|found, next| if is_there(found) { found } else { next }).unwrap_or(self.nil)
    }

    fn time(&self, moment: &Moment) -> Option<Term<'a>> {
        let Moment { year, month, day, hour, minute, second, microsecond, digits } = *moment;
        let numbers = [year, month, day, hour, minute, second].map(|part| part.encode(self.env));
        let parts = numbers.into_iter().chain([(microsecond, digits).encode(self.env)]);
        let mut values = self.time.values.clone();
        self.parts.iter().zip(parts).for_each(|(at, part)| values[*at] = part);
        self.time.with(&values)
    }
}

//! Walking TOML by hand: typed access to fields with a finding for each thing that is wrong.

use super::Loader;
use crate::diagnostic::{Code, suggest};
use crate::duration::Span;
use crate::lexicon::{Place, Text};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of the file with its place.
#[derive(Debug, Clone)]
pub(super) struct Field<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A table whose keys have been checked.
#[derive(Debug, Clone)]
pub(super) struct Table<'d> {
    pub(super) file: usize,
    pub(super) span: Range<usize>,
    /// What it is, for messages: `rule LEND-001`.
    pub(super) what: String,
    pub(super) fields: &'d DeTable<'d>,
}

pub(super) type Entry<'d> = &'d Spanned<DeValue<'d>>;

impl<'d> Table<'d> {
    pub(super) fn place(&self) -> Place {
        Place { file: self.file, span: self.span.clone() }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<'d>> {
        self.fields.get(key)
    }

    pub(super) fn at(&self, entry: Entry<'_>) -> Place {
        Place { file: self.file, span: entry.span() }
    }

    /// Place of a key, for findings about the field as a whole.
    pub(super) fn key_place(&self, key: &str) -> Place {
        let found = self.fields.iter().find(|(k, _)| k.get_ref() == key);
        found.map_or_else(|| self.place(), |(k, _)| Place { file: self.file, span: k.span() })
    }
}

/// The kind of a value, for messages.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Loader<'_> {
    /// Reports every key that is not known, with its own words for those of the specification that are not supported yet.
    pub(super) fn keys(&mut self, table: &Table<'_>, known: &[&str], later: &[&str]) {
        for (key, _) in table.fields {
            let name = key.get_ref().as_ref();
            let place = Place { file: table.file, span: key.span() };
            if known.contains(&name) {
                continue;
            }
            if later.contains(&name) {
                self.report(
                    &place,
                    Code::E01,
                    format!("`{name}` is not available yet in {}", table.what),
                    "remove it; docs/policy-language.md lists what is supported",
                );
            } else {
                self.report(
                    &place,
                    Code::E01,
                    format!("unknown key `{name}` in {}", table.what),
                    suggest(name, known.iter().copied()),
                );
            }
        }
    }

    pub(super) fn wrong_kind(&mut self, table: &Table<'_>, key: &str, entry: Entry<'_>, want: &str) {
        let place = table.at(entry);
        self.report(
            &place,
            Code::E02,
            format!("`{key}` is {}, not {want}", kind(entry.get_ref())),
            format!("write {want}"),
        );
    }

    pub(super) fn missing(&mut self, table: &Table<'_>, key: &str) {
        let place = table.place();
        self.report(&place, Code::E03, format!("{} has no `{key}`", table.what), format!("add `{key} = …`"));
    }

    pub(super) fn as_table<'d>(&mut self, file: usize, entry: Entry<'d>, what: String) -> Option<Table<'d>> {
        if let DeValue::Table(fields) = entry.get_ref() {
            return Some(Table { file, span: entry.span(), what, fields });
        }
        let place = Place { file, span: entry.span() };
        self.report(
            &place,
            Code::E02,
            format!("{what} is {}, not a table", kind(entry.get_ref())),
            "write { key = value, … }",
        );
        None
    }

    /// A sub-table, if the key is there.
    pub(super) fn table<'d>(&mut self, table: &Table<'d>, key: &str, what: &str) -> Option<Table<'d>> {
        table.get(key).and_then(|entry| self.as_table(table.file, entry, what.to_owned()))
    }

    /// Elements of a list, if the key is there.
    pub(super) fn list<'d>(&mut self, table: &Table<'d>, key: &str) -> Vec<Entry<'d>> {
        let Some(entry) = table.get(key) else { return Vec::new() };
        if let DeValue::Array(array) = entry.get_ref() {
            return array.iter().collect();
        }
        self.wrong_kind(table, key, entry, "a list");
        Vec::new()
    }

    /// Text of a value, with `env:NAME` replaced.
    pub(super) fn entry_text(&mut self, table: &Table<'_>, key: &str, entry: Entry<'_>) -> Option<Field<String>> {
        let DeValue::String(raw) = entry.get_ref() else {
            self.wrong_kind(table, key, entry, "text");
            return None;
        };
        let place = table.at(entry);
        match self.names.expand(table.file, raw) {
            Ok(text) => Some(Field { value: text.to_owned(), place }),
            Err(name) => {
                self.report(
                    &place,
                    Code::E06,
                    format!("the variable `{name}` is not set"),
                    "set it in the environment, in `vars`, or where the file is included",
                );
                None
            }
        }
    }

    pub(super) fn text(&mut self, table: &Table<'_>, key: &str) -> Option<Field<String>> {
        let entry = table.get(key)?;
        self.entry_text(table, key, entry)
    }

    pub(super) fn need_text(&mut self, table: &Table<'_>, key: &str) -> Option<Field<String>> {
        if table.get(key).is_none() {
            self.missing(table, key);
        }
        self.text(table, key)
    }

    pub(super) fn texts(&mut self, table: &Table<'_>, key: &str) -> Vec<Field<String>> {
        self.list(table, key).into_iter().filter_map(|entry| self.entry_text(table, key, entry)).collect()
    }

    /// Rule text.
    pub(super) fn cel(&mut self, table: &Table<'_>, key: &str) -> Option<Text> {
        let entry = table.get(key)?;
        let DeValue::String(raw) = entry.get_ref() else {
            self.wrong_kind(table, key, entry, "text");
            return None;
        };
        Some(Text { source: raw.to_string(), place: table.at(entry), scope: table.file })
    }

    pub(super) fn boolean(&mut self, table: &Table<'_>, key: &str) -> Option<Field<bool>> {
        let entry = table.get(key)?;
        if let DeValue::Boolean(value) = entry.get_ref() {
            return Some(Field { value: *value, place: table.at(entry) });
        }
        self.wrong_kind(table, key, entry, "true or false");
        None
    }

    /// An integer within bounds.
    pub(super) fn integer(
        &mut self,
        table: &Table<'_>,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Field<u64>> {
        let entry = table.get(key)?;
        let place = table.at(entry);
        let (raw, radix) = if let DeValue::Integer(raw) = entry.get_ref() {
            (raw.as_str().to_owned(), raw.radix())
        } else if entry.get_ref().as_str().is_some_and(|text| text.starts_with("env:")) {
            // A number may come from the deployment, like an address.
            (self.text(table, key)?.value, 10)
        } else {
            self.wrong_kind(table, key, entry, "an integer");
            return None;
        };
        let value = u64::from_str_radix(&raw, radix).ok().filter(|v| range.contains(v));
        if value.is_none() {
            self.report(
                &place,
                Code::E07,
                format!("`{key}` is {raw}, outside {} to {}", range.start(), range.end()),
                "choose a value in that range",
            );
        }
        value.map(|value| Field { value, place })
    }

    pub(super) fn duration(&mut self, table: &Table<'_>, key: &str) -> Option<Field<Span>> {
        let Field { value, place } = self.text(table, key)?;
        let span = crate::duration::parse(&value);
        if span.is_none() {
            self.report(
                &place,
                Code::E02,
                format!("`{value}` is not a duration"),
                "write for example \"90s\", \"10m\", \"6h\", \"30d\" or \"2 blocks\"",
            );
        }
        span.map(|value| Field { value, place })
    }

    /// One of a fixed set of words.
    pub(super) fn word<T: Copy>(&mut self, table: &Table<'_>, key: &str, words: &[(&str, T)]) -> Option<Field<T>> {
        let Field { value, place } = self.text(table, key)?;
        self.one_of(&value, &place, key, words).map(|value| Field { value, place })
    }

    pub(super) fn one_of<T: Copy>(&mut self, value: &str, place: &Place, key: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            self.report(
                place,
                Code::E02,
                format!("`{value}` is not a value of `{key}`"),
                suggest(value, words.iter().map(|(w, _)| *w)),
            );
        }
        found
    }

    /// A number or text as text, for arguments and amounts.
    pub(super) fn scalar(&mut self, table: &Table<'_>, key: &str, entry: Entry<'_>) -> Option<Field<String>> {
        let place = table.at(entry);
        match entry.get_ref() {
            DeValue::String(_) => self.entry_text(table, key, entry),
            DeValue::Boolean(b) => Some(Field { value: b.to_string(), place }),
            DeValue::Integer(i) => Some(Field { value: i.to_string(), place }),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong_kind(table, key, entry, "text, an integer or true or false");
                None
            }
        }
    }
}

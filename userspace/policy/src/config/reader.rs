//! TOML with the place of everything, and every mistake of a file told at once.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::{Mistake, did_you_mean, position};

/// A value, and where it stands.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// Collects the mistakes of one file.
pub(crate) struct Reader<'i> {
    text: &'i str,
    /// byte, and what is wrong there
    found: Vec<(usize, String)>,
}

/// A table that is being read: each key is asked for, and what nobody asked for is a mistake.
pub(crate) struct Table<'t, 'i> {
    /// as the file would write it: `[check]`; empty for the file itself
    name: &'static str,
    table: &'t DeTable<'i>,
    /// where it begins, a byte
    pub at: usize,
    asked: Vec<&'static str>,
}

impl<'i> Reader<'i> {
    /// Reads a file; `inside` is shown its outermost table. A file that is no TOML is not looked into any further.
    pub fn read<T: Default>(
        text: &'i str,
        inside: impl FnOnce(&mut Self, Table<'_, '_>) -> T,
    ) -> Result<T, Vec<Mistake>> {
        let mut reader = Self { text, found: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            reader.wrong(at, format!("this is no TOML: {}", error.message().replace('\n', ", ")));
        }
        let whole = Table { name: "", table: table.get_ref(), at: 0, asked: Vec::new() };
        let made = if errors.is_empty() { inside(&mut reader, whole) } else { T::default() };
        if reader.found.is_empty() { Ok(made) } else { Err(reader.mistakes()) }
    }

    fn mistakes(mut self) -> Vec<Mistake> {
        self.found.sort();
        self.found.dedup();
        let of = |(at, message): (usize, String)| {
            let (line, column) = position(self.text, at);
            Mistake { line, column, message }
        };
        self.found.into_iter().map(of).collect()
    }

    /// Notes a mistake at a byte of the file.
    pub fn wrong(&mut self, at: usize, message: String) {
        self.found.push((at, message));
    }

    /// Line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        position(self.text, at).0
    }

    /// What a value should be, and is not.
    pub fn not(&mut self, key: &str, want: &str, value: &Value<'_>) {
        let is = match value.get_ref() {
            DeValue::String(s) if s.trim().is_empty() => "empty".to_owned(),
            DeValue::String(s) if s.chars().count() <= 64 => format!("`{s}`"),
            DeValue::String(_) => "this text".to_owned(),
            DeValue::Integer(n) => format!("`{n}`"),
            DeValue::Float(n) => format!("`{n}`"),
            DeValue::Boolean(b) => format!("`{b}`"),
            DeValue::Datetime(d) => format!("`{d}`"),
            DeValue::Array(all) if all.is_empty() => "an empty array".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.wrong(value.span().start, format!("`{key}` must be {want}, not {is}"));
    }

    /// A table below another one, read to its end.
    pub fn inside(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        name: &'static str,
        read: impl FnOnce(&mut Self, &mut Table<'_, '_>),
    ) {
        let Some(value) = table.get(key) else { return };
        let DeValue::Table(below) = value.get_ref() else {
            return self.not(key, &format!("a table, {name}"), value);
        };
        let mut below = Table { name, table: below, at: value.span().start, asked: Vec::new() };
        read(self, &mut below);
        self.finish(below);
    }

    /// Each table of an array of tables, read to its end.
    pub fn each(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        name: &'static str,
        mut read: impl FnMut(&mut Self, &mut Table<'_, '_>),
    ) {
        let Some(value) = table.get(key) else { return };
        let DeValue::Array(all) = value.get_ref() else {
            return self.not(key, &format!("written {name}, with two brackets"), value);
        };
        for one in all.iter() {
            let DeValue::Table(below) = one.get_ref() else {
                self.not(key, &format!("a table, {name}"), one);
                continue;
            };
            let mut below = Table { name, table: below, at: one.span().start, asked: Vec::new() };
            read(self, &mut below);
            self.finish(below);
        }
    }

    /// What nobody asked for is a mistake.
    pub fn finish(&mut self, table: Table<'_, '_>) {
        let Table { name, table, at: _, asked } = table;
        for key in table.keys().filter(|key| !asked.contains(&key.get_ref().as_ref())) {
            let word = key.get_ref();
            let whose = if name.is_empty() { String::new() } else { format!(" in {name}") };
            let near = did_you_mean(word, asked.iter().copied());
            let known = if near.is_empty() { format!("; it knows {}", asked.join(", ")) } else { near };
            self.wrong(key.span().start, format!("nothing is called `{word}`{whose}{known}"));
        }
    }

    /// Text, not empty.
    pub fn text(&mut self, table: &mut Table<'_, '_>, key: &'static str, want: &str) -> Option<String> {
        self.one_of(table, key, want, |text| (!text.trim().is_empty()).then(|| text.to_owned()))
    }

    /// Text that means something.
    pub fn one_of<T>(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        want: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = table.get(key)?;
        let made = value.get_ref().as_str().and_then(read);
        if made.is_none() {
            self.not(key, want, value);
        }
        made
    }

    /// A whole number that is not negative.
    pub fn whole(&mut self, table: &mut Table<'_, '_>, key: &'static str, want: &str) -> Option<u64> {
        let value = table.get(key)?;
        let made = whole(value);
        if made.is_none() {
            self.not(key, want, value);
        }
        made
    }

    /// Seconds, with or without a fraction.
    pub fn seconds(&mut self, table: &mut Table<'_, '_>, key: &'static str) -> Option<f64> {
        let value = table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(_) => whole(value).map(|n| n as f64),
            DeValue::Float(n) => n.as_str().parse().ok(),
            _ => None,
        };
        let made = number.filter(|n| *n > 0.0 && *n <= 1e9);
        if made.is_none() {
            self.not(key, "seconds, as 300 or 0.5", value);
        }
        made
    }

    /// One text, or an array of some; with the place of each.
    pub fn texts(
        &mut self,
        table: &mut Table<'_, '_>,
        key: &'static str,
        want: &str,
    ) -> Vec<(usize, String)> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let all: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(all) => all.iter().collect(),
            _ => vec![value],
        };
        if all.is_empty() {
            self.not(key, want, value);
        }
        let mut out = Vec::new();
        for one in all {
            match one.get_ref().as_str().filter(|text| !text.trim().is_empty()) {
                Some(text) => out.push((one.span().start, text.to_owned())),
                None => self.not(key, want, one),
            }
        }
        out
    }
}

/// A whole number that is not negative, in whatever base it is written.
pub(crate) fn whole(value: &Value<'_>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl<'t, 'i> Table<'t, 'i> {
    /// The value of a key, which from now on is known.
    pub fn get(&mut self, key: &'static str) -> Option<&'t Value<'i>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }
}

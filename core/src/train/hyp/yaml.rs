//! Hyperparameters as yaml.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{Hyp, unknown_key};
use crate::error::{Error, Result};

impl Hyp {
    /// Reads a hyperparameter file; `place` names it in errors. Keys that the file leaves out keep
    /// the values of `low`.
    ///
    /// # Errors
    /// Yaml that cannot be read, an unknown key (with the nearest known one), a value that is no
    /// number or is out of range; each with its line.
    pub fn from_yaml(text: &str, place: &str) -> Result<Self> {
        let Entries(entries) = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            Error::input(
                format!("{place}:{line}"),
                error.without_snippet(),
                "a mapping from hyperparameters to numbers, such as `lr0: 0.01`",
                format!("Built-in sets need no file: {}", Self::SETS.join(", ")),
            )
        })?;
        let mut hyp = Self::default();
        for (key, value) in entries {
            let place = format!("{place}:{}", value.defined.line());
            match value.value {
                Scalar::Number(number) => hyp.set(&key, number, &place)?,
                Scalar::Null if key == "anchors" => hyp.anchors = None,
                _ if !Self::KEYS.contains(&key.as_str()) => return Err(unknown_key(&key, &place)),
                other => {
                    return Err(Error::input(
                        &place,
                        format!("{key}: {other}"),
                        "a number",
                        "",
                    ));
                }
            }
        }
        Ok(hyp)
    }

    /// The yaml that [`Hyp::from_yaml`] reads back, in the reference's order and names.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for key in Self::KEYS {
            if let Some(value) = self.get(key) {
                // `{:?}` may say 1e-5, which a yaml 1.1 reader takes for a word.
                let mut number = value.to_string();
                if !number.contains('.') {
                    number.push_str(".0");
                }
                text.push_str(&format!("{key}: {number}\n"));
            }
        }
        text
    }
}

/// A yaml mapping in file order, each value with its place.
struct Entries(Vec<(String, Spanned<Scalar>)>);

impl<'de> de::Deserialize<'de> for Entries {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from hyperparameters to numbers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// A value as it stands in the file, so that an error can show it.
#[derive(Debug)]
enum Scalar {
    Number(f64),
    Text(String),
    Null,
    Bool(bool),
    Nested,
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "`{}`", text.chars().take(40).collect::<String>()),
            Self::Null => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Nested => f.write_str("a list or a mapping"),
        }
    }
}

impl<'de> de::Deserialize<'de> for Scalar {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            fn visit_none<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                // `1e-3` is a word to some yaml readers and a number to the person who wrote it.
                Ok(value
                    .trim()
                    .parse()
                    .map_or_else(|_| Scalar::Text(value.to_owned()), Scalar::Number))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Nested)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Nested)
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

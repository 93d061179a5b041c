//! What a pickle holds, as plain values in an arena.
//!
//! Values refer to each other by index, so sharing and cycles cost nothing, dropping never
//! recurses, and a small file cannot unfold into a large tree.

use serde_json::{Map, Number};

/// Index of a value in its [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(pub(super) u32);

/// One value of a pickle. Classes and functions stay names.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A longer integer: little-endian two's complement, as the pickle holds it.
    LongInt(Vec<u8>),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Ref>),
    /// A tuple.
    Tuple(Vec<Ref>),
    /// A dictionary (ordered or not) as pairs in file order.
    Dict(Vec<(Ref, Ref)>),
    /// A set or frozen set.
    Set(Vec<Ref>),
    /// The name of a class or function.
    Global {
        /// Python module, such as `torch._utils`.
        module: String,
        /// Name in it, such as `_rebuild_tensor_v2`.
        name: String,
    },
    /// What Python would have built by calling `class` with `args`.
    Object {
        /// The class or function, normally a [`Value::Global`].
        class: Ref,
        /// Its arguments, normally a [`Value::Tuple`].
        args: Ref,
        /// The attributes given afterwards.
        state: Option<Ref>,
        /// List items added afterwards.
        appended: Vec<Ref>,
        /// Dictionary items added afterwards.
        items: Vec<(Ref, Ref)>,
    },
    /// A reference to something outside of the pickle; torch's storages.
    Persistent(Ref),
}

/// How deep [`Pickle::to_json`] follows nested values.
const MAX_JSON_DEPTH: usize = 32;
/// How many values [`Pickle::to_json`] writes; an architecture has some 300.
const MAX_JSON_VALUES: usize = 100_000;

/// A pickle that was read: all its values and the root.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: Ref,
}

impl Pickle {
    /// The outermost value.
    pub fn root(&self) -> Ref {
        self.root
    }

    /// A value; `Value::None` for an index of another pickle.
    pub fn get(&self, at: Ref) -> &Value {
        self.values.get(at.0 as usize).unwrap_or(&Value::None)
    }

    /// Text, if it is text.
    pub fn text(&self, at: Ref) -> Option<&str> {
        match self.get(at) {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// An integer, if it is one.
    pub fn integer(&self, at: Ref) -> Option<i64> {
        match self.get(at) {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The items of a list or tuple.
    pub fn sequence(&self, at: Ref) -> Option<&[Ref]> {
        match self.get(at) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a dictionary.
    pub fn pairs(&self, at: Ref) -> Option<&[(Ref, Ref)]> {
        match self.get(at) {
            Value::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value under a text key; as in Python, the last of equal keys counts.
    pub fn field(&self, dict: Ref, key: &str) -> Option<Ref> {
        let mut pairs = self.pairs(dict)?.iter().rev();
        pairs
            .find(|(name, _)| self.text(*name) == Some(key))
            .map(|(_, value)| *value)
    }

    /// `module` and `name` of a class or function.
    pub fn global(&self, at: Ref) -> Option<(&str, &str)> {
        match self.get(at) {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// The name of an object's class or function with its arguments.
    pub fn call(&self, at: Ref) -> Option<(&str, &[Ref])> {
        match self.get(at) {
            Value::Object { class, args, .. } => {
                Some((self.global(*class)?.1, self.sequence(*args)?))
            }
            _ => None,
        }
    }

    /// The attributes of an object.
    pub fn state(&self, at: Ref) -> Option<Ref> {
        match self.get(at) {
            Value::Object { state, .. } => *state,
            _ => None,
        }
    }

    /// A number: plain, a numpy scalar, or a numpy array of one element (the reference stores its
    /// best fitness so).
    pub fn number(&self, at: Ref) -> Option<f64> {
        match self.get(at) {
            Value::Float(value) => Some(*value),
            Value::Int(_) | Value::Bool(_) => self.integer(at).map(|value| value as f64),
            Value::Object { .. } => {
                let (name, args) = self.call(at)?;
                let (dtype, bytes) = match (name, args) {
                    ("scalar", [dtype, bytes]) => (*dtype, *bytes),
                    ("_reconstruct", _) => match self.sequence(self.state(at)?)? {
                        [_, _, dtype, _, bytes] => (*dtype, *bytes),
                        _ => return None,
                    },
                    _ => return None,
                };
                let code = match self.call(dtype)? {
                    ("dtype", [code, ..]) => self.text(*code)?,
                    _ => return None,
                };
                let Value::Bytes(bytes) = self.get(bytes) else {
                    return None;
                };
                match code {
                    "f8" => Some(f64::from_le_bytes(bytes.as_slice().try_into().ok()?)),
                    "f4" => Some(f32::from_le_bytes(bytes.as_slice().try_into().ok()?).into()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Class names from a list, a tuple or a dictionary with keys `0..`.
    pub fn names(&self, at: Ref) -> Option<Vec<String>> {
        if let Some(items) = self.sequence(at) {
            return items
                .iter()
                .map(|item| self.text(*item).map(str::to_owned))
                .collect();
        }
        let mut numbered = self
            .pairs(at)?
            .iter()
            .map(|(key, name)| Some((self.integer(*key)?, self.text(*name)?)))
            .collect::<Option<Vec<_>>>()?;
        numbered.sort_by_key(|(index, _)| *index);
        let mut expected = 0..;
        numbered
            .iter()
            .all(|(index, _)| expected.next() == Some(*index))
            .then(|| numbered.iter().map(|(_, name)| (*name).into()).collect())
    }

    /// Plain data as JSON: `None`, truth values, numbers, text, lists, tuples, dictionaries.
    ///
    /// # Errors
    /// What stands in the way: another kind of value, too many values, or too deep a nesting.
    pub fn to_json(&self, at: Ref) -> Result<serde_json::Value, String> {
        let mut left = MAX_JSON_VALUES;
        self.json(at, MAX_JSON_DEPTH, &mut left)
    }

    fn json(&self, at: Ref, depth: usize, left: &mut usize) -> Result<serde_json::Value, String> {
        if depth == 0 {
            return Err(format!("values nested deeper than {MAX_JSON_DEPTH}"));
        }
        *left = left
            .checked_sub(1)
            .ok_or_else(|| format!("more than {MAX_JSON_VALUES} values"))?;
        Ok(match self.get(at) {
            Value::None => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => Number::from_f64(*value)
                .ok_or_else(|| format!("the number {value}"))?
                .into(),
            Value::Str(text) => text.as_str().into(),
            Value::List(items) | Value::Tuple(items) => items
                .iter()
                .map(|item| self.json(*item, depth - 1, left))
                .collect::<Result<_, _>>()?,
            Value::Dict(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    let key = match self.get(*key) {
                        Value::Str(text) => text.clone(),
                        Value::Int(value) => value.to_string(),
                        other => return Err(format!("{} as a key", other.kind())),
                    };
                    map.insert(key, self.json(*value, depth - 1, left)?);
                }
                map.into()
            }
            other => return Err(other.kind().to_owned()),
        })
    }

    /// What a value is, in words for an error message.
    pub fn describe(&self, at: Ref) -> String {
        match self.get(at) {
            Value::Object { class, .. } => match self.global(*class) {
                Some((module, name)) => format!("an object of {}.{}", short(module), short(name)),
                None => "an object of an unnamed class".to_owned(),
            },
            Value::Global { module, name } => format!("the name {}.{}", short(module), short(name)),
            Value::Dict(pairs) => {
                let keys: Vec<_> = pairs
                    .iter()
                    .filter_map(|(key, _)| self.text(*key))
                    .take(8)
                    .map(short)
                    .collect();
                format!(
                    "a dictionary of {} items ({})",
                    pairs.len(),
                    keys.join(", ")
                )
            }
            other => other.kind().to_owned(),
        }
    }
}

impl Value {
    /// The kind of value, in words for an error message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::LongInt(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dictionary",
            Self::Set(_) => "a set",
            Self::Global { .. } => "the name of a class",
            Self::Object { .. } => "an object",
            Self::Persistent(_) => "a storage",
        }
    }
}

/// A text from the file, short and on one line, fit for an error message.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

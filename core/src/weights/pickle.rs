//! A pickle read as data: the opcodes of protocols 0 to 5 build [`Value`]s; no code is ever run.
//!
//! Every opcode makes at most one value and one reference, and every text is a copy of bytes in
//! the file, so memory and time are bounded by the size of the file and by the limits below.

use std::collections::HashMap;

use super::value::{Pickle, Ref, Value};
use crate::error::{Error, Result};

/// The largest pickle that is read. The largest official model (x) with its optimizer has 1 MB.
pub const MAX_BYTES: usize = 64 << 20;
/// The most opcodes that are read. The largest official model with EMA and optimizer has 0.3 million.
pub const MAX_OPCODES: usize = 2_000_000;
/// How many containers may be open at once. A network nests some 30.
pub const MAX_DEPTH: usize = 2_000;
/// The most values that may be remembered for a later reference.
pub const MAX_MEMO: usize = 1_000_000;
/// The most values and bytes that may be copied when one object is built from another.
const MAX_COPIED: usize = 4_000_000;

const NEXT: &str = "The file is damaged or no checkpoint: copy or download it again";

/// Reads a pickle; `place` names it in errors.
///
/// # Errors
/// Names the byte at which the pickle ends too early, breaks the format, uses an opcode that
/// checkpoints do not need, or exceeds a limit.
pub fn read(bytes: &[u8], place: &str) -> Result<Pickle> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::input(
            place,
            format!("a pickle of {} bytes", bytes.len()),
            format!("at most {MAX_BYTES} bytes"),
            NEXT,
        ));
    }
    Machine {
        bytes,
        place,
        at: 0,
        opcode_at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        values: Vec::new(),
        copied: 0,
    }
    .run()
}

struct Machine<'a> {
    bytes: &'a [u8],
    place: &'a str,
    at: usize,
    opcode_at: usize,
    stack: Vec<Ref>,
    /// Stack heights at which open containers start.
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
    values: Vec<Value>,
    copied: usize,
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Pickle> {
        for _ in 0..MAX_OPCODES {
            self.opcode_at = self.at;
            let opcode = self.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Pickle {
                    values: self.values,
                    root,
                });
            }
            self.step(opcode)?;
        }
        Err(self.fault(
            format!("more than {MAX_OPCODES} opcodes"),
            "a pickle of a network",
        ))
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // Framing carries no data.
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return Err(self.fault(format!("protocol {protocol}"), "protocol 0 to 5"));
                }
            }
            0x95 => drop(self.take(8)?),

            // Constants.
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,

            // Integers.
            b'K' => {
                let value = self.byte()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            0x8a => {
                let length = self.byte()?.into();
                self.long(length)?;
            }
            0x8b => {
                let length = self.length4()?;
                self.long(length)?;
            }
            b'I' => {
                let value = match self.line()? {
                    "00" => Value::Bool(false),
                    "01" => Value::Bool(true),
                    text => Value::Int(self.parse(text, "an integer")?),
                };
                self.push(value)?;
            }
            b'L' => {
                let text = self.line()?;
                let value = self.parse(text.trim_end_matches('L'), "an integer of 64 bits")?;
                self.push(Value::Int(value))?;
            }

            // Floats.
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(value))?;
            }
            b'F' => {
                let text = self.line()?;
                let value = self.parse(text, "a float")?;
                self.push(Value::Float(value))?;
            }

            // Text and bytes.
            0x8c => {
                let length = self.byte()?.into();
                self.text(length)?;
            }
            b'X' => {
                let length = self.length4()?;
                self.text(length)?;
            }
            0x8d => {
                let length = self.length8()?;
                self.text(length)?;
            }
            b'U' => {
                let length = self.byte()?.into();
                self.old_string(length)?;
            }
            b'T' => {
                let length = self.length4()?;
                self.old_string(length)?;
            }
            b'C' => {
                let length = self.byte()?.into();
                self.raw(length)?;
            }
            b'B' => {
                let length = self.length4()?;
                self.raw(length)?;
            }
            0x8e | 0x96 => {
                let length = self.length8()?;
                self.raw(length)?;
            }
            b'S' => {
                let quoted = self.line()?;
                let inner = ['\'', '"']
                    .iter()
                    .find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote))
                    .ok_or_else(|| self.fault("text without quotes", "quoted text"))?;
                let text = self.unescape(inner)?;
                self.push(Value::Str(text))?;
            }
            b'V' => {
                let line = self.line()?;
                let text = self.unescape(line)?;
                self.push(Value::Str(text))?;
            }

            // Containers.
            b'(' => {
                if self.marks.len() >= MAX_DEPTH {
                    return Err(self.fault(
                        format!("containers nested deeper than {MAX_DEPTH}"),
                        "a pickle of a network",
                    ));
                }
                self.marks.push(self.stack.len());
            }
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            0x8f => self.push(Value::Set(Vec::new()))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::Set(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                let pairs = self.paired(&items)?;
                self.push(Value::Dict(pairs))?;
            }
            0x85..=0x87 => {
                let mut items = Vec::with_capacity(3);
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Value::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.insert(&[(key, value)])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                let pairs = self.paired(&items)?;
                self.insert(&pairs)?;
            }

            // The stack.
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            // The memo.
            b'p' => {
                let text = self.line()?;
                let key = self.parse(text, "a memo index")?;
                self.remember(key)?;
            }
            b'q' => {
                let key = self.byte()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            0x94 => {
                let key = self.memo.len() as u32;
                self.remember(key)?;
            }
            b'g' => {
                let text = self.line()?;
                let key = self.parse(text, "a memo index")?;
                self.recall(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }

            // Names, and the objects that Python would build from them.
            b'c' => {
                let module = self.line()?.to_owned();
                let name = self.line()?.to_owned();
                self.push(Value::Global { module, name })?;
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Value::Str(module), Value::Str(name)) = (self.value(module), self.value(name))
                else {
                    return Err(self.fault("a class name that is no text", "two texts"));
                };
                let (module, name) = (module.clone(), name.clone());
                self.copy(module.len() + name.len())?;
                self.push(Value::Global { module, name })?;
            }
            b'R' | 0x81 => {
                let args = self.pop()?;
                let class = self.pop()?;
                self.build(class, args)?;
            }
            0x92 => {
                self.pop()?; // Keyword arguments: no class of a checkpoint needs them.
                let args = self.pop()?;
                let class = self.pop()?;
                self.build(class, args)?;
            }
            b'i' => {
                let module = self.line()?.to_owned();
                let name = self.line()?.to_owned();
                let items = self.pop_to_mark()?;
                let class = self.store(Value::Global { module, name })?;
                let args = self.store(Value::Tuple(items))?;
                self.build(class, args)?;
            }
            b'o' => {
                let mut items = self.pop_to_mark()?;
                if items.is_empty() {
                    return Err(self.fault("an object without class", "a class"));
                }
                let class = items.remove(0);
                let args = self.store(Value::Tuple(items))?;
                self.build(class, args)?;
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                match self.value_mut(target) {
                    Some(Value::Object { state: slot, .. }) => *slot = Some(state),
                    // An ordered dictionary's own attributes (torch's `_metadata`) hold no weights.
                    Some(Value::Dict(_) | Value::Set(_)) => {}
                    _ => return Err(self.fault("attributes for a plain value", "an object")),
                }
            }
            b'P' => {
                let text = self.line()?.to_owned();
                let id = self.store(Value::Str(text))?;
                self.push(Value::Persistent(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))?;
            }
            other => {
                return Err(self.fault(
                    format!("the byte 0x{other:02x}"),
                    "an opcode that checkpoints use",
                ));
            }
        }
        Ok(())
    }

    /// What a call would make. Dictionaries and sets become plain values, encoded bytes become
    /// bytes; everything else stays an object with its class's name.
    fn build(&mut self, class: Ref, args: Ref) -> Result<()> {
        let Value::Tuple(arguments) = self.value(args) else {
            return Err(self.fault("a call without a tuple of arguments", "a tuple"));
        };
        let first = arguments.first().copied();
        let plain = match self.value(class) {
            Value::Global { module, name } => match (module.as_str(), name.as_str()) {
                ("collections", "OrderedDict") => Some("dict"),
                ("__builtin__" | "builtins", "dict") => Some("dict"),
                ("__builtin__" | "builtins", "set" | "frozenset") => Some("set"),
                ("_codecs", "encode") => Some("bytes"),
                _ => None,
            },
            _ => return Err(self.fault("a call of something without a name", "a class name")),
        };
        let value = match (plain, first) {
            (Some("dict"), None) => Value::Dict(Vec::new()),
            (Some("dict"), Some(pairs)) => Value::Dict(self.copied_pairs(pairs)?),
            (Some("set"), None) => Value::Set(Vec::new()),
            (Some("set"), Some(items)) => {
                let items = match self.value(items) {
                    Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.clone(),
                    _ => return Err(self.fault("a set of a plain value", "a set of a list")),
                };
                self.copy(items.len())?;
                Value::Set(items)
            }
            (Some(_), Some(text)) => {
                let Value::Str(text) = self.value(text) else {
                    return Err(self.fault("bytes encoded from no text", "text"));
                };
                let length = text.len();
                let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).ok());
                let Some(bytes) = bytes.collect() else {
                    return Err(self.fault("a letter outside of latin1", "bytes as latin1 text"));
                };
                self.copy(length)?;
                Value::Bytes(bytes)
            }
            _ => Value::Object {
                class,
                args,
                state: None,
                appended: Vec::new(),
                items: Vec::new(),
            },
        };
        self.push(value)
    }

    /// The pairs of a dictionary that is built from another or from a list of pairs.
    fn copied_pairs(&mut self, source: Ref) -> Result<Vec<(Ref, Ref)>> {
        let pairs: Option<Vec<_>> = match self.value(source) {
            Value::Dict(pairs) => Some(pairs.clone()),
            Value::List(items) | Value::Tuple(items) => items
                .iter()
                .map(|item| match self.value(*item) {
                    Value::List(pair) | Value::Tuple(pair) => match pair[..] {
                        [key, value] => Some((key, value)),
                        _ => None,
                    },
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let pairs = pairs.ok_or_else(|| self.fault("a dictionary of no pairs", "pairs"))?;
        self.copy(pairs.len())?;
        Ok(pairs)
    }

    fn extend(&mut self, new: &[Ref]) -> Result<()> {
        let target = self.top()?;
        match self.value_mut(target) {
            Some(
                Value::List(items)
                | Value::Set(items)
                | Value::Object {
                    appended: items, ..
                },
            ) => items.extend_from_slice(new),
            _ => return Err(self.fault("items for a value that holds none", "a list")),
        }
        Ok(())
    }

    fn insert(&mut self, new: &[(Ref, Ref)]) -> Result<()> {
        let target = self.top()?;
        match self.value_mut(target) {
            Some(Value::Dict(pairs) | Value::Object { items: pairs, .. }) => {
                pairs.extend_from_slice(new);
            }
            _ => return Err(self.fault("pairs for a value that holds none", "a dictionary")),
        }
        Ok(())
    }

    fn paired(&self, items: &[Ref]) -> Result<Vec<(Ref, Ref)>> {
        if !items.len().is_multiple_of(2) {
            return Err(self.fault("a key without a value", "pairs"));
        }
        Ok(items
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    fn long(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        let value = if length <= 8 {
            let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut wide = [if negative { 0xff } else { 0 }; 8];
            wide[..length].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        } else {
            Value::LongInt(bytes.to_vec())
        };
        self.push(value)
    }

    fn text(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Str(text.to_owned())),
            Err(_) => Err(self.fault("text that is not UTF-8", "UTF-8")),
        }
    }

    /// Python 2 did not tell text from bytes.
    fn old_string(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        })
    }

    fn raw(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?.to_vec();
        self.push(Value::Bytes(bytes))
    }

    /// Python's backslash escapes of protocol 0.
    fn unescape(&self, text: &str) -> Result<String> {
        let mut plain = String::with_capacity(text.len());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '\\' {
                plain.push(letter);
                continue;
            }
            let digits = match letters.next() {
                Some('n') => {
                    plain.push('\n');
                    continue;
                }
                Some('t') => {
                    plain.push('\t');
                    continue;
                }
                Some('r') => {
                    plain.push('\r');
                    continue;
                }
                Some(same @ ('\\' | '\'' | '"')) => {
                    plain.push(same);
                    continue;
                }
                Some('x') => 2,
                Some('u') => 4,
                Some('U') => 8,
                _ => return Err(self.fault("an unknown escape in text", "\\n, \\xNN or \\uNNNN")),
            };
            let code: String = letters.by_ref().take(digits).collect();
            let letter = u32::from_str_radix(&code, 16)
                .ok()
                .filter(|_| code.len() == digits)
                .and_then(char::from_u32)
                .ok_or_else(|| self.fault("an escape that is no letter", "\\xNN or \\uNNNN"))?;
            plain.push(letter);
        }
        Ok(plain)
    }

    fn remember(&mut self, key: u32) -> Result<()> {
        let top = self.top()?;
        if self.memo.len() >= MAX_MEMO && !self.memo.contains_key(&key) {
            return Err(self.fault(
                format!("more than {MAX_MEMO} remembered values"),
                "a pickle of a network",
            ));
        }
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let known = self.memo.get(&key).copied();
        let value =
            known.ok_or_else(|| self.fault(format!("memo index {key}"), "an index set before"))?;
        self.stack.push(value);
        Ok(())
    }

    fn copy(&mut self, amount: usize) -> Result<()> {
        self.copied += amount;
        if self.copied > MAX_COPIED {
            return Err(self.fault(
                "values that copy each other without end",
                "a pickle of a network",
            ));
        }
        Ok(())
    }

    fn store(&mut self, value: Value) -> Result<Ref> {
        // At most three values per opcode, so the count always fits.
        let index = u32::try_from(self.values.len())
            .map_err(|_| self.fault("too many values", "a pickle of a network"))?;
        self.values.push(value);
        Ok(Ref(index))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        let value = self.store(value)?;
        self.stack.push(value);
        Ok(())
    }

    fn value(&self, at: Ref) -> &Value {
        self.values.get(at.0 as usize).unwrap_or(&Value::None)
    }

    fn value_mut(&mut self, at: Ref) -> Option<&mut Value> {
        self.values.get_mut(at.0 as usize)
    }

    fn top(&self) -> Result<Ref> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(top) if self.stack.len() > floor => Ok(*top),
            _ => Err(self.fault("an empty stack", "a value")),
        }
    }

    fn pop(&mut self) -> Result<Ref> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.fault("the end of a container", "its beginning before it")),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(self.fault("the end of the pickle", format!("{length} more bytes"))),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| self.fault("the end of the pickle", format!("{N} more bytes")))
    }

    fn length4(&mut self) -> Result<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn length8(&mut self) -> Result<usize> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length)
            .map_err(|_| self.fault("the end of the pickle", format!("{length} more bytes")))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.fault("the end of the pickle", "the end of a line"));
        };
        self.at += length + 1;
        std::str::from_utf8(&rest[..length])
            .map_err(|_| self.fault("a line that is not UTF-8", "UTF-8"))
    }

    fn parse<T: std::str::FromStr>(&self, text: &str, expected: &str) -> Result<T> {
        text.trim()
            .parse()
            .map_err(|_| self.fault(format!("`{}`", super::value::short(text)), expected))
    }

    fn fault(&self, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Error {
        Error::input(
            format!("{}, byte {}", self.place, self.opcode_at),
            found,
            expected,
            NEXT,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(bytes: &[u8]) -> Pickle {
        read(bytes, "test.pkl").unwrap()
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes, "test.pkl").unwrap_err().to_string()
    }

    #[test]
    fn plain_values_of_every_protocol_are_read() {
        // {'a': [1, 2.5, None, True], 'b': (-3, 'é')} in protocol 0 and protocol 4.
        let old = b"(dVa\n(lI1\naF2.5\naNaI01\nasVb\n(I-3\nV\\xe9\nts.";
        let new = b"\x80\x04}(\x8c\x01a](K\x01G\x40\x04\0\0\0\0\0\0N\x88e\x8c\x01bJ\xfd\xff\xff\xff\x8c\x02\xc3\xa9\x86u.";
        for bytes in [&old[..], &new[..]] {
            let pickle = ok(bytes);
            assert_eq!(
                pickle.to_json(pickle.root()).unwrap(),
                serde_json::json!({"a": [1, 2.5, null, true], "b": [-3, "é"]})
            );
        }
    }

    #[test]
    fn integers_of_any_length_are_read() {
        assert_eq!(ok(b"\x8a\x00.").integer(Ref(0)), Some(0));
        assert_eq!(ok(b"\x8a\x01\xff.").integer(Ref(0)), Some(-1));
        assert_eq!(ok(b"\x8a\x02\xff\x00.").integer(Ref(0)), Some(255));
        let magic = ok(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.");
        assert!(matches!(magic.get(magic.root()), Value::LongInt(bytes) if bytes.len() == 10));
    }

    #[test]
    fn calls_are_recorded_and_never_made() {
        let pickle = ok(b"cos\nsystem\n(Vrm -rf /\ntR.");
        assert_eq!(
            pickle.describe(pickle.root()),
            "an object of os.system",
            "the call stays a name"
        );
        let (name, args) = pickle.call(pickle.root()).unwrap();
        assert_eq!((name, pickle.text(args[0])), ("system", Some("rm -rf /")));
    }

    #[test]
    fn ordered_dictionaries_sets_and_encoded_bytes_become_plain_values() {
        let pickle = ok(b"ccollections\nOrderedDict\n)RVk\nI1\ns.");
        assert_eq!(pickle.pairs(pickle.root()).unwrap().len(), 1);
        let pickle = ok(b"ccollections\nOrderedDict\n((lVk\nI1\n\x86atR.");
        let value = pickle.field(pickle.root(), "k").unwrap();
        assert_eq!(pickle.integer(value), Some(1));
        let pickle = ok(b"c__builtin__\nset\n((lI1\naI2\natR.");
        assert!(matches!(pickle.get(pickle.root()), Value::Set(items) if items.len() == 2));
        let pickle = ok(b"c_codecs\nencode\n(V\\xff\\x00\nVlatin1\ntR.");
        assert_eq!(pickle.get(pickle.root()), &Value::Bytes(vec![255, 0]));
    }

    #[test]
    fn a_list_that_holds_itself_is_read_without_recursion() {
        let pickle = ok(b"]q\x00h\x00a.");
        assert_eq!(pickle.sequence(pickle.root()), Some(&[pickle.root()][..]));
        assert!(pickle.to_json(pickle.root()).unwrap_err().contains("deep"));
    }

    #[test]
    fn names_come_from_lists_and_from_numbered_dictionaries_in_any_order() {
        let names = |bytes: &[u8]| {
            let pickle = ok(bytes);
            pickle.names(pickle.root())
        };
        let two = Some(vec!["cat".to_owned(), "dog".to_owned()]);
        assert_eq!(names(b"(lVcat\naVdog\na."), two);
        assert_eq!(names(b"(dI1\nVdog\nsI0\nVcat\ns."), two);
        assert_eq!(names(b"(dI1\nVdog\ns."), None, "0 is missing");
    }

    #[test]
    fn every_truncation_says_where_the_pickle_ends() {
        let whole = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01ctorch\nFloatStorage\nq\x02X\x01\x00\x00\x00b]q\x03(K\x01K\x02eu.";
        ok(whole);
        for length in 0..whole.len() {
            let message = error(&whole[..length]);
            assert!(message.contains("test.pkl, byte "), "{message}");
            assert!(message.contains("end of the pickle"), "{message}");
        }
    }

    #[test]
    fn containers_without_beginning_and_empty_stacks_are_errors() {
        for bytes in [
            &b"t."[..],
            b".",
            b"(.",
            b"K\x01(.",
            b"0",
            b"a",
            b"]a.",
            b"}K\x01s.",
            b"h\x07.",
            b"NNb.",
            b"NNR.",
            b"N)R.",
            b"(o.",
            b"(K\x01d.",
            b"\x80\x06.",
            b"\xff.",
            b"X\x01\0\0\0\xff.",
            b"Snone\n.",
        ] {
            error(bytes);
        }
    }

    #[test]
    fn a_declared_length_beyond_the_end_allocates_nothing() {
        for bytes in [
            &b"X\xff\xff\xff\xffabc"[..],
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc",
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc",
            b"\x8b\xff\xff\xff\xffabc",
        ] {
            assert!(error(bytes).contains("more bytes"));
        }
    }

    #[test]
    fn bombs_end_in_a_clear_error() {
        let nested = [vec![b'('; MAX_DEPTH + 1], b".".to_vec()].concat();
        assert!(error(&nested).contains("nested deeper"));

        let endless = [b"N".as_slice(), &vec![b'2'; MAX_OPCODES + 10]].concat();
        assert!(error(&endless).contains("opcodes"));

        // A dictionary copied from itself doubles nothing, but a long list copied often would.
        let mut copies = b"(l".to_vec();
        copies.extend((0..10_000).flat_map(|_| *b"Na"));
        copies.extend(b"\x94");
        copies.extend((0..10_000).flat_map(|_| *b"c__builtin__\nset\nh\x00\x85R0"));
        assert!(error(&copies).contains("copy each other"));

        let mut memo = b"N".to_vec();
        for key in 0..=MAX_MEMO as u32 {
            memo.push(b'r');
            memo.extend(key.to_le_bytes());
        }
        assert!(error(&memo).contains("remembered"));
    }

    #[test]
    fn a_deep_tower_of_tuples_is_read_and_dropped_without_recursion() {
        let tower = [b"N".as_slice(), &vec![0x85; 500_000], b"."].concat();
        let pickle = ok(&tower);
        assert!(pickle.to_json(pickle.root()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&bytes, "random");
        }

        #[test]
        fn random_opcodes_never_panic(
            picks in proptest::collection::vec(0usize..40, 0..200),
        ) {
            let opcodes: &[&[u8]] = &[
                b"N", b"K\x01", b"(", b"]", b"}", b")", b"l", b"t", b"d", b"a", b"e", b"s", b"u",
                b"0", b"1", b"2", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"R", b"\x81", b"b", b"Q",
                b"\x85", b"\x86", b"\x87", b"\x8f", b"\x90", b"\x91", b"\x94", b"o", b"\x92", b"\x93",
                b"\x8c\x01a", b"ccollections\nOrderedDict\n", b"c__builtin__\nset\n",
                b"c_codecs\nencode\n", b"G\0\0\0\0\0\0\0\0", b"im\nn\n",
            ];
            let mut bytes: Vec<u8> = picks.iter().flat_map(|pick| opcodes[*pick]).copied().collect();
            bytes.push(b'.');
            if let Ok(pickle) = read(&bytes, "random") {
                let _ = pickle.to_json(pickle.root());
                let _ = pickle.describe(pickle.root());
                let _ = pickle.number(pickle.root());
                let _ = pickle.names(pickle.root());
            }
        }
    }
}

//! A pickle read as data: the opcodes of protocols 0 to 5 build [`Value`]s; no code is ever run.
//!
//! Every opcode makes at most one value and one reference, and every text is a copy of bytes in
//! the file, so memory and time are bounded by the size of the file and by the limits below.

use super::machine::Machine;
use super::value::{Pickle, Ref, Value};
use crate::error::{Error, Result};

/// The largest pickle that is read. A training checkpoint of yolov5n has 0.2 MB, one of yolov5x some
/// twice that.
pub const MAX_BYTES: usize = 64 << 20;
/// The most opcodes that are read. A training checkpoint of yolov5n has 80 000, one of yolov5x some
/// twice that.
pub const MAX_OPCODES: usize = 2_000_000;
/// How many containers may be open at once. A network nests some 30.
pub const MAX_DEPTH: usize = 2_000;
/// The most values that may be remembered for a later reference.
pub const MAX_MEMO: usize = 1_000_000;

pub(super) const NEXT: &str = "The file is damaged or no checkpoint: copy or download it again";

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
    Machine::new(bytes, place).run()
}

impl Machine<'_> {
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
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;

//! The machine that runs a pickle's opcodes: its stack, its memo, and the bytes still to be read.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use super::pickle::{MAX_MEMO, NEXT};
use super::value::{Ref, Value, short};
use crate::error::{Error, Result};

/// The most values and bytes that may be copied when one object is built from another.
const MAX_COPIED: usize = 4_000_000;

/// The state between two opcodes.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    place: &'a str,
    pub(super) at: usize,
    pub(super) opcode_at: usize,
    pub(super) stack: Vec<Ref>,
    /// Stack heights at which open containers start.
    pub(super) marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Ref>,
    pub(super) values: Vec<Value>,
    copied: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8], place: &'a str) -> Self {
        Self {
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
    }

    pub(super) fn extend(&mut self, new: &[Ref]) -> Result<()> {
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

    pub(super) fn insert(&mut self, new: &[(Ref, Ref)]) -> Result<()> {
        let target = self.top()?;
        match self.value_mut(target) {
            Some(Value::Dict(pairs) | Value::Object { items: pairs, .. }) => {
                pairs.extend_from_slice(new);
            }
            _ => return Err(self.fault("pairs for a value that holds none", "a dictionary")),
        }
        Ok(())
    }

    pub(super) fn paired(&self, items: &[Ref]) -> Result<Vec<(Ref, Ref)>> {
        if !items.len().is_multiple_of(2) {
            return Err(self.fault("a key without a value", "pairs"));
        }
        Ok(items
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    pub(super) fn long(&mut self, length: usize) -> Result<()> {
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

    pub(super) fn text(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Str(text.to_owned())),
            Err(_) => Err(self.fault("text that is not UTF-8", "UTF-8")),
        }
    }

    /// Python 2 did not tell text from bytes.
    pub(super) fn old_string(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        })
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?.to_vec();
        self.push(Value::Bytes(bytes))
    }

    /// Python's backslash escapes of protocol 0.
    pub(super) fn unescape(&self, text: &str) -> Result<String> {
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

    pub(super) fn remember(&mut self, key: u32) -> Result<()> {
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

    pub(super) fn recall(&mut self, key: u32) -> Result<()> {
        let known = self.memo.get(&key).copied();
        let value =
            known.ok_or_else(|| self.fault(format!("memo index {key}"), "an index set before"))?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn copy(&mut self, amount: usize) -> Result<()> {
        self.copied += amount;
        if self.copied > MAX_COPIED {
            return Err(self.fault(
                "values that copy each other without end",
                "a pickle of a network",
            ));
        }
        Ok(())
    }

    pub(super) fn store(&mut self, value: Value) -> Result<Ref> {
        // At most three values per opcode, so the count always fits.
        let index = u32::try_from(self.values.len())
            .map_err(|_| self.fault("too many values", "a pickle of a network"))?;
        self.values.push(value);
        Ok(Ref(index))
    }

    pub(super) fn push(&mut self, value: Value) -> Result<()> {
        let value = self.store(value)?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn value(&self, at: Ref) -> &Value {
        self.values.get(at.0 as usize).unwrap_or(&Value::None)
    }

    pub(super) fn value_mut(&mut self, at: Ref) -> Option<&mut Value> {
        self.values.get_mut(at.0 as usize)
    }

    pub(super) fn top(&self) -> Result<Ref> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(top) if self.stack.len() > floor => Ok(*top),
            _ => Err(self.fault("an empty stack", "a value")),
        }
    }

    pub(super) fn pop(&mut self) -> Result<Ref> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Ref>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.fault("the end of a container", "its beginning before it")),
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(self.fault("the end of the pickle", format!("{length} more bytes"))),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| self.fault("the end of the pickle", format!("{N} more bytes")))
    }

    pub(super) fn length4(&mut self) -> Result<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn length8(&mut self) -> Result<usize> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length)
            .map_err(|_| self.fault("the end of the pickle", format!("{length} more bytes")))
    }

    pub(super) fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.fault("the end of the pickle", "the end of a line"));
        };
        self.at += length + 1;
        std::str::from_utf8(&rest[..length])
            .map_err(|_| self.fault("a line that is not UTF-8", "UTF-8"))
    }

    pub(super) fn parse<T: FromStr>(&self, text: &str, expected: &str) -> Result<T> {
        text.trim()
            .parse()
            .map_err(|_| self.fault(format!("`{}`", short(text)), expected))
    }

    pub(super) fn fault(&self, found: impl Display, expected: impl Display) -> Error {
        Error::input(
            format!("{}, byte {}", self.place, self.opcode_at),
            found,
            expected,
            NEXT,
        )
    }
}

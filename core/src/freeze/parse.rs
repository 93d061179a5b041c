//! From text to [`FreezeSpec`]: cut into stages and terms, read each term, bring it to its shortest
//! form. Every error says where in the text it is.

use std::str::FromStr;

use super::spec::{Column, FreezeSpec, Part, StageSpec, Term, What, Written};
use crate::error::{Error, Result};

/// Largest module index or epoch; far above any network or run, and safe to count with.
const MAX_NUMBER: usize = 999_999_999;
/// Longest text in bytes; a pattern for every module of the largest network fits.
const MAX_TEXT: usize = 16_384;

/// A piece of the text and the column of its first character.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    column: usize,
}

impl<'a> Piece<'a> {
    /// The pieces between separators.
    fn split(self, separator: impl Fn(char) -> bool) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut start = 0;
        let mut column = self.column;
        for (at, (index, c)) in (self.column..).zip(self.text.char_indices()) {
            if separator(c) {
                pieces.push(Self {
                    text: &self.text[start..index],
                    column,
                });
                start = index + c.len_utf8();
                column = at + 1;
            }
        }
        pieces.push(Self {
            text: &self.text[start..],
            column,
        });
        pieces
    }

    /// Without white space around it.
    fn trim(self) -> Self {
        let text = self.text.trim_start();
        let skipped = &self.text[..self.text.len() - text.len()];
        Self {
            text: text.trim_end(),
            column: self.column + skipped.chars().count(),
        }
    }

    /// Without its first `prefix`, if it has it.
    fn strip(self, prefix: &str) -> Option<Self> {
        Some(Self {
            text: self.text.strip_prefix(prefix)?,
            column: self.column + prefix.chars().count(),
        })
    }
}

impl FromStr for FreezeSpec {
    type Err = Error;

    /// # Errors
    /// What is not in the language, an empty term, a range that runs backwards, epochs that do not
    /// increase; each with the text, the column and a hint.
    fn from_str(text: &str) -> Result<Self> {
        let parser = Parser { text };
        if text.len() > MAX_TEXT {
            return Err(parser.problem(
                1,
                format_args!("{} bytes", text.len()),
                format_args!("at most {MAX_TEXT}"),
                "Ranges and patterns say more in fewer words",
            ));
        }
        let whole = Piece { text, column: 1 };
        let mut stages: Vec<StageSpec> = Vec::new();
        for piece in whole.split(|c| c == ';') {
            let stage = parser.stage(piece, stages.last().map(|s| s.from_epoch))?;
            stages.push(stage);
        }
        stages.dedup_by(|next, stage| next.terms == stage.terms);
        Ok(Self {
            text: Written(text.to_owned()),
            stages,
        })
    }
}

struct Parser<'a> {
    text: &'a str,
}

impl Parser<'_> {
    fn problem(
        &self,
        column: usize,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        next: impl std::fmt::Display,
    ) -> Error {
        Error::input(place(self.text, column), found, expected, next)
    }

    /// One stage; `previous` is the epoch of the one before.
    fn stage(&self, piece: Piece<'_>, previous: Option<usize>) -> Result<StageSpec> {
        let parts = piece.split(|c| c == '@');
        let epoch = match parts[1..] {
            [] => None,
            [epoch] => Some(epoch.trim()),
            [_, second, ..] => {
                return Err(self.problem(
                    second.column - 1,
                    "a second @",
                    "one epoch for each stage",
                    "Separate stages by a semicolon, as in 24; 10@5",
                ));
            }
        };
        let column = piece.trim().column;
        let from_epoch = match (epoch, previous) {
            (None, None) => 0,
            (None, Some(_)) => {
                return Err(self.problem(
                    column,
                    "a stage without an epoch",
                    "an epoch for every stage after the first",
                    format_args!(
                        "Say from which epoch it acts, as in {}@5",
                        shown(piece.trim().text)
                    ),
                ));
            }
            (Some(epoch), previous) => {
                let from = self.number(epoch, "an epoch")?;
                match previous {
                    None if from > 0 => {
                        return Err(self.problem(
                            epoch.column,
                            format_args!("a first stage from epoch {from}"),
                            "a first stage from epoch 0",
                            format_args!(
                                "To freeze nothing before it, write 0; {}",
                                shown(piece.trim().text)
                            ),
                        ));
                    }
                    Some(previous) if from <= previous => {
                        return Err(self.problem(
                            epoch.column,
                            format_args!("epoch {from} after epoch {previous}"),
                            "epochs that increase from stage to stage",
                            format_args!("Take an epoch above {previous}"),
                        ));
                    }
                    _ => from,
                }
            }
        };
        let terms = self.set(parts[0])?;
        Ok(StageSpec {
            from_epoch,
            terms,
            column: Column(column),
        })
    }

    fn set(&self, piece: Piece<'_>) -> Result<Vec<Term>> {
        let mut words = Vec::new();
        for between_commas in piece.split(|c| c == ',') {
            let before = words.len();
            words.extend(
                (between_commas.split(char::is_whitespace).into_iter())
                    .filter(|word| !word.text.is_empty()),
            );
            if words.len() == before {
                return Err(self.problem(
                    between_commas.column,
                    "an empty term",
                    "a module, a range, a name or a pattern",
                    "To freeze nothing write none",
                ));
            }
        }
        if let [word] = words[..]
            && is_number(word.text)
        {
            let count = self.number(word, "a number of modules")?;
            return Ok((count.checked_sub(1).into_iter())
                .map(|last| Term {
                    away: false,
                    what: What::Modules {
                        first: 0,
                        last: Some(last),
                    },
                    column: Column(word.column),
                })
                .collect());
        }
        let mut terms = Vec::with_capacity(words.len());
        for word in words {
            let (away, rest) = match word.strip("!") {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            if let Some(what) = self.what(rest)? {
                terms.push(Term {
                    away,
                    what,
                    column: Column(word.column),
                });
            }
        }
        Ok(shortest(terms))
    }

    /// What a term names; `None` for `none`.
    fn what(&self, word: Piece<'_>) -> Result<Option<What>> {
        let text = word.text;
        if text.is_empty() {
            return Err(self.problem(
                word.column,
                "an empty term after !",
                "what to take away",
                "Write ! directly before it, as in backbone,!9",
            ));
        }
        if text == "none" {
            return Ok(None);
        }
        if let Some((part, _)) = Part::EVERY.iter().find(|(_, name)| *name == text) {
            return Ok(Some(What::Part(*part)));
        }
        if text.contains(['.', '*']) {
            return self.glob(word).map(Some);
        }
        if is_number(text) {
            let index = self.number(word, "a module")?;
            return Ok(Some(What::Modules {
                first: index,
                last: Some(index),
            }));
        }
        if let Some(index) = word.strip("=") {
            if index.text.contains('-') {
                return Err(self.problem(
                    word.column,
                    format_args!("{:?}", shown(text)),
                    "one module after =",
                    format_args!("For a range leave out the =: {}", shown(index.text)),
                ));
            }
            let index = self.number(index, "a module after =")?;
            return Ok(Some(What::Modules {
                first: index,
                last: Some(index),
            }));
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
            return self.range(word).map(Some);
        }
        let hint = if text.starts_with('-') {
            "There are no negative modules; to freeze nothing write none".to_owned()
        } else if let Some(name) = nearest_name(text) {
            format!("Did you mean {name}?")
        } else {
            "A pattern over parameter names holds a . or a *, as in model.2.cv1.*".to_owned()
        };
        Err(self.problem(
            word.column,
            format_args!("{:?}", shown(text)),
            "a module (5), a range (0-9), a pattern, or one of none, all, backbone, neck, head, detect, all-but-detect",
            hint,
        ))
    }

    fn range(&self, word: Piece<'_>) -> Result<What> {
        let ends = word.split(|c| c == '-');
        let (first, last) = match ends[..] {
            [first, last] => (first, last),
            _ => {
                return Err(self.problem(
                    word.column,
                    format_args!("{:?}", shown(word.text)),
                    "a range of two modules",
                    "Write 0-9, or 10- for all from 10 on",
                ));
            }
        };
        let from = self.number(first, "the first module of a range")?;
        if last.text.is_empty() {
            return Ok(What::Modules {
                first: from,
                last: None,
            });
        }
        let to = self.number(last, "the last module of a range")?;
        if to < from {
            return Err(self.problem(
                word.column,
                format_args!("{from}-{to}, which runs backwards"),
                "the smaller module first",
                format_args!("Write {to}-{from}"),
            ));
        }
        Ok(What::Modules {
            first: from,
            last: Some(to),
        })
    }

    fn glob(&self, word: Piece<'_>) -> Result<What> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '_' | '-');
        if let Some((at, c)) = word.text.chars().enumerate().find(|(_, c)| !allowed(*c)) {
            return Err(self.problem(
                word.column + at,
                format_args!("{c:?} in a pattern"),
                "letters, digits, _, . and *",
                "Patterns match whole parameter names, as model.2.cv1.* does",
            ));
        }
        // `**` matches what `*` does.
        let mut pattern = String::with_capacity(word.text.len());
        for c in word.text.chars() {
            if c != '*' || !pattern.ends_with('*') {
                pattern.push(c);
            }
        }
        Ok(What::Glob(pattern))
    }

    fn number(&self, word: Piece<'_>, expected: &str) -> Result<usize> {
        if !is_number(word.text) {
            let found = if word.text.is_empty() {
                "nothing".to_owned()
            } else {
                format!("{:?}", shown(word.text))
            };
            return Err(self.problem(
                word.column,
                found,
                format_args!("{expected}, in digits"),
                "",
            ));
        }
        word.text
            .parse()
            .ok()
            .filter(|&n| n <= MAX_NUMBER)
            .ok_or_else(|| {
                self.problem(
                    word.column,
                    shown(word.text),
                    format_args!("{expected}, at most {MAX_NUMBER}"),
                    "",
                )
            })
    }
}

/// One term by itself, which names something.
pub(super) fn term(text: &str) -> Result<Term> {
    let parser = Parser { text };
    let word = Piece { text, column: 1 }.trim();
    let expected = "a module (5), a range (0-9), a pattern, or a part such as backbone";
    let one = !word.text.contains(|c: char| c.is_whitespace() || c == ',');
    let what = match word.text {
        "" | "none" => None,
        _ if one => parser.what(word)?,
        _ => None,
    };
    match what {
        Some(what) => Ok(Term {
            away: false,
            what,
            column: Column(word.column),
        }),
        None => Err(parser.problem(
            word.column,
            format_args!("{:?}", shown(word.text)),
            expected,
            "",
        )),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The place of an error in a spec.
pub(super) fn place(text: &str, column: usize) -> String {
    format!("freeze plan {:?}, column {column}", shown(text))
}

/// A text cut to a readable length.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The name of a part that differs from `text` in case, or in at most two letters.
fn nearest_name(text: &str) -> Option<&'static str> {
    const TOLERANCE: usize = 2;
    if text.len() > 20 {
        return None;
    }
    let lower = text.to_lowercase();
    (Part::EVERY.iter().map(|(_, name)| *name))
        .chain(["none"])
        .map(|name| (distance(&lower, name), name))
        .filter(|(distance, name)| *distance <= TOLERANCE.min(name.len() / 2))
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Joins what can be joined: among neighbours that all add, or all take away, the order does not
/// matter, so numbers merge into ascending ranges and repetitions go.
fn shortest(terms: Vec<Term>) -> Vec<Term> {
    let mut short = Vec::with_capacity(terms.len());
    for run in terms.chunk_by(|a, b| a.away == b.away) {
        let mut ranges: Vec<(usize, Option<usize>, Column)> = (run.iter())
            .filter_map(|term| match term.what {
                What::Modules { first, last } => Some((first, last, term.column)),
                _ => None,
            })
            .collect();
        ranges.sort_by_key(|(first, ..)| *first);
        let mut merged: Vec<(usize, Option<usize>, Column)> = Vec::new();
        for (first, last, column) in ranges {
            match merged.last_mut() {
                // An open range holds everything after it.
                Some((_, None, _)) => {}
                Some((_, Some(end), _)) if first > *end + 1 => merged.push((first, last, column)),
                Some((_, end, _)) => *end = last.and_then(|last| Some(last.max((*end)?))),
                None => merged.push((first, last, column)),
            }
        }
        let mut merged = Some(merged);
        let start = short.len();
        for term in run {
            if let What::Modules { .. } = term.what {
                // All numbers of the run stand where its first stood.
                for (first, last, column) in merged.take().unwrap_or_default() {
                    short.push(Term {
                        away: term.away,
                        what: What::Modules { first, last },
                        column,
                    });
                }
            } else if !short[start..].contains(term) {
                short.push(term.clone());
            }
        }
    }
    short
}

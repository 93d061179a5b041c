//! The freeze language: what a person writes to say what is frozen, and when.
//!
//! ```text
//! plan   := stage { ";" stage }
//! stage  := set [ "@" EPOCH ]                 first stage starts at epoch 0; epochs strictly increase
//! set    := term { ("," | " ") term }         terms act from left to right
//! term   := [ "!" ] what                      "!" takes away
//! what   := INT | INT "-" [ INT ] | "=" INT | NAME | GLOB
//! NAME   := none | all | backbone | neck | head | detect | all-but-detect
//! GLOB   := a pattern over parameter names, with at least one "." or "*"
//! ```
//!
//! A set that is exactly one `INT` N means modules 0..N−1 (`0` is `none`); in a longer set an `INT` is
//! one module's index. One module alone is `=5`. `a-b` is inclusive, `a-` runs to the last module.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a person wrote, parsed and brought to its shortest form.
///
/// Two specs are equal when their shortest forms are; the text that was written is kept for
/// errors only. Use [`std::str::FromStr`] to parse and [`fmt::Display`] to print.
///
/// Serde writes the shortest form and reads a text, a number, or a list of both (joined by
/// spaces, as the command line does), so that yaml may say `freeze: 10` or `freeze: [0, 1, 2]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeSpec {
    pub(super) text: Written,
    pub(super) stages: Vec<StageSpec>,
}

/// What is frozen from one epoch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StageSpec {
    pub from_epoch: usize,
    /// Act from left to right; none at all freezes nothing.
    pub terms: Vec<Term>,
    pub column: Column,
}

/// One term of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// Takes away instead of adding.
    pub away: bool,
    pub what: What,
    pub column: Column,
}

/// What a term names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Modules `first..=last`; to the network's last module when `last` is `None`.
    Modules {
        first: usize,
        last: Option<usize>,
    },
    Part(Part),
    /// A pattern over whole parameter names, where `*` stands for any text.
    Glob(String),
}

/// The named parts of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Backbone,
    Neck,
    Head,
    Detect,
    AllButDetect,
}

impl Part {
    pub const EVERY: [(Self, &'static str); 6] = [
        (Self::All, "all"),
        (Self::Backbone, "backbone"),
        (Self::Neck, "neck"),
        (Self::Head, "head"),
        (Self::Detect, "detect"),
        (Self::AllButDetect, "all-but-detect"),
    ];

    pub fn name(self) -> &'static str {
        Self::EVERY
            .iter()
            .find(|(part, _)| *part == self)
            .map_or("", |(_, name)| name)
    }
}

/// Where something stands in the text, in characters from 1; does not count in comparisons.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub usize);

impl PartialEq for Column {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Column {}

/// The text as it was written; does not count in comparisons.
#[derive(Debug, Clone)]
pub(super) struct Written(pub String);

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

impl FreezeSpec {
    /// Freezes nothing.
    pub fn none() -> Self {
        Self::leading(0)
    }

    /// Freezes the leading `count` modules at all epochs, as `--freeze 10` does.
    pub fn leading(count: usize) -> Self {
        let terms = count.checked_sub(1).map(|last| Term {
            away: false,
            what: What::Modules {
                first: 0,
                last: Some(last),
            },
            column: Column(1),
        });
        Self {
            text: Written(count.to_string()),
            stages: vec![StageSpec {
                from_epoch: 0,
                terms: terms.into_iter().collect(),
                column: Column(1),
            }],
        }
    }

    /// Whether nothing is named at any epoch.
    pub fn is_none(&self) -> bool {
        self.stages.iter().all(|stage| stage.terms.is_empty())
    }

    /// Parses the values of one flag that may be given several: `--freeze 0 1 2`.
    ///
    /// # Errors
    /// As parsing the values joined by spaces.
    pub fn from_values<S: AsRef<str>>(values: &[S]) -> crate::Result<Self> {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        values.join(" ").parse()
    }
}

impl Default for FreezeSpec {
    fn default() -> Self {
        Self::none()
    }
}

/// The shortest form: module numbers that follow each other are joined (`0,1,2` prints `3`), names
/// and globs stay as written.
impl fmt::Display for FreezeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stage) in self.stages.iter().enumerate() {
            if index > 0 {
                f.write_str(";")?;
            }
            stage.fmt_set(f)?;
            if stage.from_epoch > 0 {
                write!(f, "@{}", stage.from_epoch)?;
            }
        }
        Ok(())
    }
}

impl StageSpec {
    fn fmt_set(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [
            term @ Term {
                away: false,
                what:
                    What::Modules {
                        first,
                        last: Some(last),
                    },
                ..
            },
        ] = &self.terms[..]
        {
            return match first {
                0 => write!(f, "{}", last + 1),
                _ if first == last => write!(f, "={first}"),
                _ => write!(f, "{term}"),
            };
        }
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.away {
            f.write_str("!")?;
        }
        match &self.what {
            What::Modules { first, last: None } => write!(f, "{first}-"),
            What::Modules {
                first,
                last: Some(last),
            } if first == last => write!(f, "{first}"),
            What::Modules {
                first,
                last: Some(last),
            } => write!(f, "{first}-{last}"),
            What::Part(part) => f.write_str(part.name()),
            What::Glob(pattern) => f.write_str(pattern),
        }
    }
}

impl Serialize for FreezeSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FreezeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(i64),
            Text(String),
            List(Vec<Form>),
        }

        impl Form {
            fn append(&self, values: &mut Vec<String>, nested: bool) -> bool {
                match self {
                    Self::Number(n) => values.push(n.to_string()),
                    Self::Text(text) => values.push(text.clone()),
                    Self::List(_) if nested => return false,
                    Self::List(list) => return list.iter().all(|v| v.append(values, true)),
                }
                true
            }
        }

        let mut values = Vec::new();
        if !Form::deserialize(deserializer)?.append(&mut values, false) {
            return Err(de::Error::custom(
                "a freeze plan is a number, a text or one list of these",
            ));
        }
        Self::from_values(&values).map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
pub(super) mod tests;

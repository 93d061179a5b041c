//! A group of parameters, named as the freeze language names what is frozen.

use super::parse::term;
use super::resolve::named;
use super::spec::Term;
use crate::error::Result;
use crate::model::Architecture;

/// One term of the freeze language: `backbone`, `0-4`, `9`, `model.2.cv1.*`. A number is one module's index, as in
/// a set of several terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    text: String,
    term: Term,
}

impl Group {
    /// Per parameter of [`Architecture::parameters`], whether it belongs to the group.
    ///
    /// # Errors
    /// A module beyond the last, or a group without parameters.
    pub fn parameters(&self, architecture: &Architecture) -> Result<Vec<bool>> {
        named(&self.text, &self.term, architecture)
    }
}

impl std::str::FromStr for Group {
    type Err = crate::Error;

    /// # Errors
    /// What is no term of the language, or names nothing.
    fn from_str(text: &str) -> Result<Self> {
        Ok(Self {
            text: text.to_owned(),
            term: term(text)?,
        })
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

//! Sizes that do not fit together.

use std::fmt;

/// What was found where something else was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub(crate) kernel: &'static str,
    pub(crate) found: String,
    pub(crate) expected: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}, expected {}",
            self.kernel, self.found, self.expected
        )
    }
}

impl std::error::Error for Misfit {}
